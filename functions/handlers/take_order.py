"""Takes a person's order to a release that runs, signed with the person's own AWS credentials."""

from datetime import UTC, datetime
from functools import partial

from viridian import door
from viridian.acts import ordering
from viridian.aws.function import handler
from viridian.messages import OrderTaken, TakeOrder
from viridian.orders import Given


@handler(TakeOrder)
def lambda_handler(ask: TakeOrder) -> OrderTaken:
    """Who gives it is what AWS says of the signature, and nothing that the caller says."""
    take = partial(ordering.take, by=ask.caller, now=datetime.now(UTC))
    replied = door.answer(ask.method, ask.body, Given, take, encoded=ask.isBase64Encoded)
    return OrderTaken(statusCode=replied.status, body=replied.words)
