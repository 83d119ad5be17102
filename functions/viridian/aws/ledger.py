"""The ledger (DynamoDB): one item per route, one per release, one per journal entry; every write of ours is fenced here."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from viridian.aws import clients
from viridian.errors import Busy, Fenced, Refusal, RouteLocked
from viridian.fence import Fence
from viridian.plan import Plan
from viridian.record import SCHEMA, Record

_DOCUMENTS = ("plan", "written")
_KEEPS_LOCK = ("Held", "RollbackIncomplete")


class Entry(msgspec.Struct):
    """A journal entry while its mutation is under way; the adapter puts in what AWS showed afterwards."""

    shown: Any = None


@contextmanager
def mutation(
    fence: Fence, call: str, resource: str, *, before: Any = None, after: Any = None, **notes: Any
) -> Iterator[Entry]:
    """Checks the fence and journals the intent in one transaction, then lets the caller send its one request.

    `notes` are fields of the release's record that must be true before the request is sent (an undo log).
    Raises Fenced when the route's epoch has moved on.
    """
    at = datetime.now(UTC).isoformat()
    key = {"pk": _release_key(fence.service, fence.release), "sk": f"journal#{at}#{call}"}
    entry = Entry()
    intent = {**key, "schema": SCHEMA, "epoch": fence.epoch, "call": call, "resource": resource, "at": at}
    for name, value in (("before", before), ("after", after)):
        if value is not None:
            intent[name] = _text(value)
    writes: list[dict[str, Any]] = [_holds(fence), {"Put": {"TableName": _table(), "Item": _pack(intent)}}]
    if notes:
        writes.append(_note(fence, notes))
    _transact(writes, fence)
    try:
        yield entry
    except BaseException as error:
        with suppress(Exception):  # the first error is the one to tell
            _close(key, "unknown", type(error).__name__)
        raise
    _close(key, "done", _text(entry.shown) if entry.shown is not None else "")


def note(fence: Fence, **fields: Any) -> None:
    """Writes fields of the release's record, if the fence still holds."""
    _transact([_holds(fence), _note(fence, fields)], fence)


def take_lock(plan: Plan) -> int:
    """Takes the route for one release and opens its record, in one transaction; answers with the epoch.

    Taking it twice is harmless. Raises RouteLocked with the holder's name, or Refusal if the release has ended.
    """
    route = {"TableName": _table(), "Key": _pack(_route_key(plan.route))}
    record = {
        "pk": _release_key(plan.service, plan.release),
        "sk": "record",
        "schema": SCHEMA,
        "status": "Releasing",
        "plan": _text(plan),
        "written": _text((plan.before,)),
        "need": plan.blue.desired,
        "blue_floor_before": plan.blue.minimum,
    }
    lock = {
        **route,
        "UpdateExpression": "SET #r = :r, service = :s, execution = :x, #v = :v, since = :t ADD epoch :one",
        "ConditionExpression": "attribute_not_exists(#r)",
        "ExpressionAttributeNames": {"#r": "release", "#v": "schema"},
        "ExpressionAttributeValues": _pack(
            {
                ":r": plan.release,
                ":s": plan.service,
                ":x": plan.execution,
                ":v": SCHEMA,
                ":t": datetime.now(UTC).isoformat(),
                ":one": 1,
            }
        ),
    }
    put = {"TableName": _table(), "Item": _pack(record), "ConditionExpression": "attribute_not_exists(pk)"}
    try:
        clients.reader("dynamodb").transact_write_items(TransactItems=[{"Update": lock}, {"Put": put}])
    except ClientError as error:
        if _reasons(error) is None:
            raise
        return _lock_of(plan)
    return int(_item(_route_key(plan.route))["epoch"])


def holder(route: str) -> str | None:
    """The release that holds a route, in words."""
    lock = _item(_route_key(route))
    if not lock.get("release"):
        return None
    return f"release {lock['release']} of service {lock['service']} ({lock['execution']})"


def find(service: str, release: str) -> Record | None:
    """A release's record, read consistently."""
    key = {"pk": _release_key(service, release), "sk": "record"}
    item = _item(key)
    if not item:
        return None
    lock = _item(_route_key(msgspec.json.decode(item["plan"])["route"]))
    fields = {
        name: msgspec.json.decode(value) if name in _DOCUMENTS else value for name, value in item.items()
    }
    known = {name: fields[name] for name in Record.__struct_fields__ if name in fields}
    if lock.get("release") == release:
        known["epoch"] = lock["epoch"]
    return msgspec.convert({"epoch": 0, **known}, Record)


def read(service: str, release: str, epoch: int) -> Record:
    """A release's record, for a state that acts under `epoch`; raises Fenced if somebody else has taken over."""
    record = find(service, release)
    if record is None:
        raise Refusal("release", release, f"No such release of {service} is in the ledger.")
    if record.ended:
        raise Fenced(f"release {release} has ended {record.status}")
    if record.epoch != epoch:
        raise Fenced(f"release {release} is at epoch {record.epoch}, this state acts for {epoch}")
    return record


def take_over(record: Record, converger: str, failure: str, *, hold: bool, overwrite: bool) -> Record:
    """Bumps the route's epoch, so that no earlier writer can write again, and marks the release as rolling back.

    `failure` is kept if it is the first. Raises Fenced if another took over at the same moment.
    """
    fence = record.fence()
    minutes = record.plan.profile.deadlines.rollback_minutes
    bump = {
        "Update": {
            "TableName": _table(),
            "Key": _pack(_route_key(fence.route)),
            "UpdateExpression": "SET epoch = :new, execution = :x",
            "ConditionExpression": "epoch = :old AND #r = :r",
            "ExpressionAttributeNames": {"#r": "release"},
            "ExpressionAttributeValues": _pack(
                {":old": fence.epoch, ":new": fence.epoch + 1, ":r": fence.release, ":x": converger}
            ),
        }
    }
    fields = {
        "status": "RollingBack",
        "converger": converger,
        "failure": record.failure or failure,
        "hold": hold,
        "overwrite": overwrite,
        "rollback_by": datetime.now(UTC) + timedelta(minutes=minutes),
        "restored_at": None,
    }
    _transact([bump, _note(fence, fields)], fence)
    taken = find(fence.service, fence.release)
    assert taken is not None
    return taken


def end(fence: Fence, status: str, outcome: str, **fields: Any) -> None:
    """Writes a release's end; the route is free again, unless a person must decide first."""
    at = datetime.now(UTC).isoformat()
    writes = [
        _note(fence, {"status": status, "outcome": outcome, "ended_at": at, "epoch": fence.epoch, **fields})
    ]
    if status in _KEEPS_LOCK:
        writes.append(_holds(fence))
    else:
        writes.append(
            {
                "Update": {
                    "TableName": _table(),
                    "Key": _pack(_route_key(fence.route)),
                    "UpdateExpression": "REMOVE #r, execution, service, since",
                    "ConditionExpression": "epoch = :e AND #r = :r",
                    "ExpressionAttributeNames": {"#r": "release"},
                    "ExpressionAttributeValues": _pack({":e": fence.epoch, ":r": fence.release}),
                }
            }
        )
    _transact(writes, fence)


def _lock_of(plan: Plan) -> int:
    lock, record = _item(_route_key(plan.route)), find(plan.service, plan.release)
    if record is not None and record.ended:
        raise Refusal("release", plan.release, f"It has ended {record.status}: start a new execution.")
    if lock.get("release") == plan.release and lock.get("execution") == plan.execution:
        return int(lock["epoch"])
    if lock.get("release"):
        raise RouteLocked(f"route {plan.route} is held by {holder(plan.route)}")
    raise Busy("the ledger was written by another at the same moment")


def _holds(fence: Fence) -> dict[str, Any]:
    return {
        "ConditionCheck": {
            "TableName": _table(),
            "Key": _pack(_route_key(fence.route)),
            "ConditionExpression": "epoch = :e AND #r = :r",
            "ExpressionAttributeNames": {"#r": "release"},
            "ExpressionAttributeValues": _pack({":e": fence.epoch, ":r": fence.release}),
        }
    }


def _note(fence: Fence, fields: dict[str, Any]) -> dict[str, Any]:
    values = {name: _text(value) if name in _DOCUMENTS else value for name, value in fields.items()}
    return {
        "Update": {
            "TableName": _table(),
            "Key": _pack({"pk": _release_key(fence.service, fence.release), "sk": "record"}),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeNames": {f"#{name}": name for name in values},
            "ExpressionAttributeValues": _pack({f":{name}": value for name, value in values.items()}),
        }
    }


def _transact(writes: list[dict[str, Any]], fence: Fence) -> None:
    try:
        clients.reader("dynamodb").transact_write_items(TransactItems=writes)
    except ClientError as error:
        reasons = _reasons(error)
        if reasons is None:
            raise
        if "ConditionalCheckFailed" in reasons:
            raise Fenced(f"epoch {fence.epoch} of {fence.release} is not the route's any more") from None
        raise Busy(f"the ledger answered {', '.join(reasons)}") from None


def _reasons(error: ClientError) -> list[str] | None:
    """Why a transaction was cancelled, item by item; None if the error is another one."""
    if error.response["Error"]["Code"] != "TransactionCanceledException":
        return None
    reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return [code for reason in reasons if (code := reason.get("Code", "None")) != "None"]


def _close(key: dict[str, str], outcome: str, shown: str) -> None:
    clients.reader("dynamodb").update_item(
        TableName=_table(),
        Key=_pack(key),
        UpdateExpression="SET outcome = :o, shown = :s",
        ExpressionAttributeValues=_pack({":o": outcome, ":s": shown}),
    )


def _item(key: dict[str, str]) -> dict[str, Any]:
    found = (
        clients.reader("dynamodb")
        .get_item(TableName=_table(), Key=_pack(key), ConsistentRead=True)
        .get("Item", {})
    )
    values = {name: TypeDeserializer().deserialize(value) for name, value in found.items()}
    return {
        name: int(value) if name in ("epoch", "need", "schema") else value for name, value in values.items()
    }


def _pack(item: dict[str, Any]) -> dict[str, Any]:
    plain = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in item.items()
    }
    return {name: TypeSerializer().serialize(value) for name, value in plain.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _route_key(route: str) -> dict[str, str]:
    return {"pk": f"route#{route}", "sk": "lock"}


def _release_key(service: str, release: str) -> str:
    return f"release#{service}#{release}"


def _table() -> str:
    return os.environ["RELEASES_TABLE"]
