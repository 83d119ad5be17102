"""EventBridge: what a release has come to, for whatever follows releases."""

from datetime import datetime

from viridian.aws import clients
from viridian.errors import Busy

SOURCE = "viridian.release"
KIND = "Viridian Release Phase Change"


def put(detail: str, resources: tuple[str, ...], when: datetime) -> None:
    """Puts one event on the account's own bus. Raises Busy if the bus took the request, and not the event."""
    entry = {
        "Source": SOURCE,
        "DetailType": KIND,
        "Detail": detail,
        "Resources": list(resources),
        "Time": when,
    }
    answer = clients.writer("events").put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        (refused,) = answer["Entries"]
        raise Busy(f"PutEvents: {refused.get('ErrorCode')}: {refused.get('ErrorMessage')}")
