"""Takes a person's order to a release that runs, signed with the person's own AWS credentials."""

from datetime import UTC, datetime

from viridian import door
from viridian.acts import ordering
from viridian.aws.function import handler
from viridian.door import Replied
from viridian.errors import Busy, Refusal
from viridian.messages import OrderTaken, TakeOrder
from viridian.orders import Given


@handler(TakeOrder)
def lambda_handler(ask: TakeOrder) -> OrderTaken:
    """Who gives it is what AWS says of the signature, and nothing that the caller says."""
    try:
        given = door.read(ask.method, ask.body, Given, encoded=ask.isBase64Encoded)
        replied = ordering.take(given, ask.caller, datetime.now(UTC))
    except Refusal as refusal:
        replied = Replied(status=400, words=str(refusal))
    except Busy as busy:
        replied = Replied(
            status=503, words=f"{busy}. Say it again: an order that is given twice is given once."
        )
    return OrderTaken(statusCode=replied.status, body=replied.words)
