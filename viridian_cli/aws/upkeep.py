"""What keeps Viridian's stack honest: who is paged, and which events came to nothing."""

from viridian.aws import clients


def subscribed(topic: str) -> int:
    """How many hear of a topic; who has not confirmed doesn't."""
    pages = clients.reader("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return sum(each["SubscriptionArn"].startswith("arn:") for page in pages for each in page["Subscriptions"])


def dead_letters(queue: str) -> int:
    """How many events wait in the queue of those that came to nothing; about so many."""
    name = "ApproximateNumberOfMessages"
    told = clients.reader("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
    return int(told["Attributes"][name])
