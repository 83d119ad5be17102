"""SNS: what a person must know now."""

import os

from viridian.aws import clients


def page(service: str, release: str, end: str, cause: str) -> None:
    """Tells the people on call, if the stack was given a topic; a page sent twice is better than none."""
    if topic := os.environ.get("PAGES_TOPIC_ARN"):
        clients.writer("sns").publish(
            TopicArn=topic,
            Subject=f"viridian: {service} {release} {end}"[:100],
            Message=f"Release {release} of {service} has ended {end}.\n\n{cause}",
        )
