"""The ledger (DynamoDB): one item per route, one per release, one per journal entry; every write of ours is fenced here."""

import os
import secrets
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
from viridian.record import CLOSED, SCHEMA, Record

OPEN = "open"  # the key of the index that lists what isn't over yet
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
    key = {
        "pk": _release_key(fence.service, fence.release),
        "sk": f"journal#{at}#{call}#{secrets.token_hex(4)}",
    }
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
    record = {
        "pk": _release_key(plan.service, plan.release),
        "sk": "record",
        "schema": SCHEMA,
        "status": "Releasing",
        "plan": _text(plan),
        "written": _text((plan.before,)),
        "need": plan.blue.desired,
        "open": OPEN,
    }
    held = {"release": plan.release, "service": plan.service, "execution": plan.execution, "schema": SCHEMA}
    held["since"] = datetime.now(UTC)
    lock = _set(_route_key(plan.route), held, "attribute_not_exists(#release)", add_epoch=True)
    put = {"TableName": _table(), "Item": _pack(record), "ConditionExpression": "attribute_not_exists(pk)"}
    try:
        clients.reader("dynamodb").transact_write_items(TransactItems=[lock, {"Put": put}])
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
        known["epoch"], known["lock_execution"] = lock["epoch"], lock["execution"]
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
    bump = _set(
        _route_key(fence.route),
        {"epoch": fence.epoch + 1, "execution": converger, "release": fence.release},
        "#epoch = :old AND #release = :release",
        {":old": fence.epoch},
    )
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


def lock_to_retire(record: Record, execution: str) -> Record | None:
    """Takes the free route once more for a promoted release, to retire its blue; None while another holds it.

    A retirement that died leaves its lock behind; the next one takes it over.
    """
    if record.lock_execution != execution:
        take = _set(
            _route_key(record.plan.route),
            {"release": record.plan.release, "service": record.plan.service, "execution": execution},
            "attribute_not_exists(#release) OR #release = :release",
            add_epoch=True,
        )
        try:
            clients.reader("dynamodb").transact_write_items(TransactItems=[take])
        except ClientError as error:
            if _reasons(error) is None:
                raise
            return None
    return find(record.plan.service, record.plan.release)


def open_releases() -> list[tuple[str, str]]:
    """Service and release of everything that isn't over: running, held, or promoted with its blue still kept."""
    pages = (
        clients.reader("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=_table(),
            IndexName="Open",
            KeyConditionExpression="#open = :open",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues=_pack({":open": OPEN}),
        )
    )
    keys = [item["pk"]["S"].split("#", 2) for page in pages for item in page["Items"]]
    return [(service, release) for _, service, release in keys]


def end(fence: Fence, status: str, outcome: str, **fields: Any) -> None:
    """Writes a release's end; the route is free again, unless a person must decide first."""
    at = datetime.now(UTC)
    told = {"status": status, "outcome": outcome, "ended_at": at, "epoch": fence.epoch, **fields}
    record = _note(fence, told, remove=("open",) if status in CLOSED else ())
    _transact([record, _holds(fence) if status in _KEEPS_LOCK else _free(fence)], fence)


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
    check = _conditional(
        _route_key(fence.route), "epoch = :e AND #r = :r", {":e": fence.epoch, ":r": fence.release}
    )
    return {"ConditionCheck": {**check, "ExpressionAttributeNames": {"#r": "release"}}}


def _free(fence: Fence) -> dict[str, Any]:
    free = _conditional(
        _route_key(fence.route), "epoch = :e AND #r = :r", {":e": fence.epoch, ":r": fence.release}
    )
    names = {"#r": "release", "#s": "service", "#x": "execution", "#t": "since"}
    return {
        "Update": {**free, "UpdateExpression": "REMOVE #r, #s, #x, #t", "ExpressionAttributeNames": names}
    }


def _note(fence: Fence, fields: dict[str, Any], remove: tuple[str, ...] = ()) -> dict[str, Any]:
    values = {name: _text(value) if name in _DOCUMENTS else value for name, value in fields.items()}
    key = {"pk": _release_key(fence.service, fence.release), "sk": "record"}
    return _set(key, values, "attribute_exists(pk)", remove=remove)


def _set(
    key: dict[str, str],
    fields: dict[str, Any],
    condition: str,
    values: dict[str, Any] | None = None,
    *,
    remove: tuple[str, ...] = (),
    add_epoch: bool = False,
) -> dict[str, Any]:
    """An update of one item: every name goes through an alias, since DynamoDB reserves more words than one can know."""
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in fields)
    expression += f" REMOVE {', '.join(f'#{name}' for name in remove)}" if remove else ""
    expression += " ADD epoch :one" if add_epoch else ""
    given = {**{f":{name}": value for name, value in fields.items()}, **(values or {})}
    update = _conditional(key, condition, {**given, **({":one": 1} if add_epoch else {})})
    names = {f"#{name}": name for name in (*fields, *remove)}
    return {"Update": {**update, "UpdateExpression": expression, "ExpressionAttributeNames": names}}


def _conditional(key: dict[str, str], condition: str, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "TableName": _table(),
        "Key": _pack(key),
        "ConditionExpression": condition,
        "ExpressionAttributeValues": _pack(values),
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
