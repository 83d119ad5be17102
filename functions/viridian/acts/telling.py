"""Telling what releases come to: as events, to whoever follows releases, and as metrics."""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from aws_lambda_powertools import Logger

from viridian import tellings
from viridian.aws import events, ledger, metrics, pages
from viridian.messages import Change
from viridian.tellings import Telling, Write

logger = Logger()


def tell(changes: Iterable[Change]) -> str | None:
    """Tells of each write in its turn; answers with the number of the first of which that failed.

    None after it are told before it is: whoever follows a release hears of its phases in their order.
    """
    for change in changes:
        try:
            for telling in tellings.of(_write(change)):
                _tell(telling)
        except Exception as error:  # its record is delivered again, and a dead letter in the end
            logger.warning(
                "untold", sequence=change.dynamodb.SequenceNumber, error=f"{type(error).__name__}: {error}"
            )
            return change.dynamodb.SequenceNumber
    return None


def _write(change: Change) -> Write:
    images = change.dynamodb
    return Write(
        id=change.eventID,
        sequence=images.SequenceNumber,
        at=datetime.fromtimestamp(images.ApproximateCreationDateTime, UTC),
        old=ledger.seen(images.OldImage) if images.OldImage else None,
        new=ledger.seen(images.NewImage),
    )


def _tell(telling: Telling) -> None:
    """Metrics come last: of them nobody drops what comes twice."""
    detail = msgspec.json.encode(telling).decode()
    events.put(detail, (telling.execution, telling.route), telling.at)
    pages.announce(telling.phase, telling.service, telling.what, telling.message)
    metrics.count(telling.service, telling.phase)
    if telling.seconds_to_blue is not None:
        metrics.seconds(telling.service, "SecondsToBlue", telling.seconds_to_blue)
