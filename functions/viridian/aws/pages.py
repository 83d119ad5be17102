"""SNS: what a person must know now, and what a person may like to know."""

import os

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from viridian.aws import clients

logger = Logger()


def page(service: str, release: str, what: str, cause: str) -> None:
    """Tells the people on call what has become of a release, and why, if the stack was given a topic.

    A page that can't be sent may not keep a release from its end: that is in the history, and the page in the log.
    """
    tell(f"{service} {release} {what}", f"Release {release} of {service} {what}.\n\n{cause}")


def tell(subject: str, words: str) -> None:
    """Tells the people on call, if the stack was given a topic."""
    if not (topic := os.environ.get("PAGES_TOPIC_ARN")):
        return
    try:
        send(topic, subject, words)
    except (ClientError, BotoCoreError) as error:
        logger.error("nobody could be paged", error=str(error), cause=words)


def ask(service: str, release: str, what: str, words: str) -> None:
    """Asks the people on call for something that nothing goes on without: what SNS refuses is raised, and tried again."""
    topic = os.environ["PAGES_TOPIC_ARN"]
    send(topic, f"{service} {release} {what}", f"Release {release} of {service} {what}.\n\n{words}")


def send(topic: str, subject: str, words: str) -> None:
    """Sends one page; what SNS refuses is raised. It takes no more than 256 KB."""
    clients.writer("sns").publish(
        TopicArn=topic,
        Subject=f"viridian: {subject}"[:100],
        Message=words[:50_000],
    )


def announce(phase: str, service: str, subject: str, words: str) -> None:
    """Tells those who follow releases, if they are to hear of this phase; each may choose further, by the attributes."""
    if phase not in os.environ["TOLD_PHASES"].split(","):
        return
    attributes = {"phase": phase, "service": service}
    clients.writer("sns").publish(
        TopicArn=os.environ["TELLINGS_TOPIC_ARN"],
        Subject=subject[:100],
        Message=words,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )
