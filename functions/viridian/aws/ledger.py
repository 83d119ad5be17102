"""The ledger (DynamoDB): routes and who holds them, releases, their journal, and whose an alarm or an execution is."""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from viridian import dns
from viridian import watch as watching
from viridian.aws import clients, items
from viridian.aws.items import Cancelled, Key, Write
from viridian.converge import Errand
from viridian.errors import AlreadyBegun, Busy, Fenced, HandsOff, Refusal, RouteLocked
from viridian.fence import Fence
from viridian.plan import Plan
from viridian.record import CLOSED, FRESH, KEEPS_LOCK, SCHEMA, Record
from viridian.traffic import Forward
from viridian.watch import Watch

OPEN = "open"  # the key of the index that lists what isn't over yet
_FREE = "(attribute_not_exists(#release) OR #release = :release)"
EVERY_ROUTE = "*"  # hands off all of them
_DOCUMENTS = ("plan", "written", "overtaken", "passages", "steps", "last_order", "past")


class Entry(msgspec.Struct):
    """A journal entry while its mutation is under way; the adapter puts in what AWS showed afterwards."""

    shown: Any = None


@contextmanager
def mutation(
    fence: Fence, call: str, resource: str, *, before: Any = None, after: Any = None, **notes: Any
) -> Iterator[Entry]:
    """Checks the fence and journals the intent in one transaction, then lets the caller send its one request.

    If AWS throttles that request, it is sent again after the fence was checked again; after nothing else.
    `notes` are fields of the release's record that must be true before the request is sent (an undo log).
    Raises Fenced when the route's epoch has moved on, HandsOff when people want nothing written, NotPermitted when AWS
    does not allow the request.
    """
    if fence.hands_off:
        raise HandsOff(fence.hands_off)
    holds = _holds(fence, "attribute_not_exists(#hands_off)")
    if fence.intent is None:
        intent = intent_of(fence, call, resource, before, after)
        fence = msgspec.structs.replace(fence, intent=intent["sk"])
        noted = (_note(fence, notes),) if notes else ()
        _transact(fence, holds, items.put(intent), *noted)
    key = {"pk": _release(fence.service, fence.release), "sk": str(fence.intent)}
    entry = Entry()
    try:
        with clients.fenced(partial(_transact, fence, holds)):
            yield entry
    except BaseException as error:
        with suppress(Exception):  # the first error is the one to tell
            items.set_fields(key, outcome="unknown", shown=type(error).__name__)
        if isinstance(error, ClientError):
            clients.ensure_permitted(error)
        raise
    items.set_fields(key, outcome="done", shown="" if entry.shown is None else items.text(entry.shown))


def note(fence: Fence, *also: Write, **fields: Any) -> None:
    """Writes fields of the release's record, and other items along with them, if the fence still holds."""
    _transact(fence, _holds(fence), _note(fence, fields), *also)


def watch(record: Record, **fields: Any) -> None:
    """Writes fields of the release's record, as `note` does, and tells its alarms of them."""
    told = msgspec.structs.replace(record, **fields)
    _transact(record.fence(), _holds(record.fence()), _note(record.fence(), fields), *_watched(told))


def take_lock(plan: Plan, now: datetime) -> int:
    """Takes the route for one release, opens its record and tells its alarms whose they are, in one transaction.

    Answers with the epoch. Taking it twice is harmless. Raises RouteLocked with the holder's name, AlreadyBegun if the
    plan's key stands for another release, or Refusal if the release has ended.
    """
    lock = items.get(_route(plan.route))
    epoch = int(lock.get("epoch", 0)) + 1
    record = Record(plan=plan, status="Releasing", epoch=epoch, taken_at=now)
    record = msgspec.structs.replace(record, need=plan.blue.desired, written=(plan.before,))
    opened = items.put(
        {
            **_record(plan.service, plan.release),
            **_packed(record),
            "open": OPEN,
            "service": plan.service,  # the key of the index that lists a service's releases
        },
        "attribute_not_exists(pk)",
    )
    if plan.resumed is not None and (held := find(plan.service, plan.release)):
        record = held.resumed(plan, epoch, now)
        opened = items.update(
            _record(plan.service, plan.release),
            _packed(record),
            "#status = :held",
            {":held": "Held"},
            remove=FRESH,
        )
    holder = {"execution": plan.execution, "release": plan.release, "service": plan.service, "since": now}
    free = "#release = :release" if plan.resumed else "attribute_not_exists(#release)"
    values = {":release": plan.release} if plan.resumed else {}
    taken = _bump(plan.route, lock, holder, free, values)
    try:
        works = _works(record.fence(), plan.execution)
        items.transact(taken, opened, works, *_named(plan), *_watched(record))
    except Cancelled:
        return _lock_of(plan)
    return epoch


def holder(route: str) -> str | None:
    """The release that holds a route, in words."""
    lock = items.get(_route(route))
    if not lock.get("release"):
        return None
    return f"release {lock['release']} of service {lock['service']} ({lock['execution']})"


def hands_off(route: str) -> str | None:
    """Why people want nothing written to a route, or to any."""
    why: str | None = _lock(route)["hands_off"]
    return why


def find(service: str, release: str) -> Record | None:
    """A release's record, read consistently."""
    item = items.get(_record(service, release))
    if not item:
        return None
    fields = _fields(item)
    lock = _lock(fields["plan"]["route"])
    if lock.get("release") == release:
        fields |= {"epoch": lock["epoch"], "lock_execution": lock["execution"]}
    return msgspec.convert({**fields, "hands_off": lock["hands_off"]}, Record)


def seen(image: dict[str, Any]) -> Record:
    """A release's record as the table's stream shows it; what the route lends to it is not in there."""
    return msgspec.convert(_fields(items.unpack(image)), Record)


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


def find_by_execution(execution: str) -> Record | None:
    """The release that an execution works for, or worked for; its input may be anything, or too long for an event."""
    row = items.get({"pk": f"execution#{execution}", "sk": "release"})
    return find(row["service"], row["release"]) if row else None


def find_by_key(service: str, key: str) -> Record | None:
    """The release that a request's key stands for, once it has taken its route."""
    row = items.get(_key(service, key))
    return find(service, row["release"]) if row else None


def idle(record: Record) -> Fence | None:
    """The right to write for a release that is over, while nobody holds its route; None while somebody does.

    The next release that takes the route breaks it: it is at no epoch but this one.
    """
    lock = _lock(record.plan.route)
    if lock.get("release") or "epoch" not in lock:
        return None
    return msgspec.structs.replace(
        record.fence(), epoch=int(lock["epoch"]), hands_off=lock["hands_off"], idle=True
    )


def is_news(words: str) -> bool:
    """Whether the collector tells people something else than the last time; it is written down."""
    key, told = {"pk": "collector", "sk": "told"}, hashlib.sha256(words.encode()).hexdigest()
    if items.get(key).get("told") == told:
        return False
    items.set_fields(key, told=told, schema=SCHEMA)
    return True


def watches(alarm: str) -> tuple[list[Watch], str | None]:
    """Who is to be told of an alarm, and why people want nothing written anywhere; one call."""
    row, every = items.get_both(_alarm(alarm), _route(EVERY_ROUTE))
    told = [value for name, value in sorted(row.items()) if name.startswith("service#")]
    return [msgspec.json.decode(value, type=Watch) for value in told], every.get("hands_off")


def take_over(record: Record, converger: str, failure: str, **how: Any) -> Record:
    """Bumps the route's epoch, so that no earlier writer can write again, and marks the release as rolling back.

    `failure` is kept if it is the first; `how` are the record's `hold`, `overwrite`, `ordered`, `resolved` and `steps`.
    Raises Fenced if another took over at the same moment.
    """
    now, minutes = datetime.now(UTC), record.plan.profile.deadlines.rollback_minutes
    rolling = record.status == "RollingBack" and record.rollback_by is not None
    until = record.rollback_by if rolling and not how.get("ordered") else now + timedelta(minutes=minutes)
    told = {"failure": record.failure or failure, "rollback_by": until, **how}
    if not rolling:
        told["restored_at"] = None
    if record.status in KEEPS_LOCK:
        told |= {"past": record.set_aside(failure), "ended_at": None, "outcome": None}
    _transact(record.fence(), *_taken_over(record.fence(), converger, now, told))
    taken = find(record.plan.service, record.plan.release)
    assert taken is not None
    return taken


def seize(watch: Watch, converger: str, failure: str) -> Fence:
    """Takes a release over for the brake, as `take_over` does, with its first write journaled in the same transaction.

    Raises Fenced if the release isn't at the epoch that the alarm was told of, or if people want nothing written.
    """
    now = datetime.now(UTC)
    fence = msgspec.structs.replace(watch.fence, epoch=watch.fence.epoch + 1, hands_off=None)
    intent = intent_of(fence, "Restore", fence.route, None, f"all traffic on {watch.blue}")
    told = {"failure": failure, "rollback_by": now + timedelta(minutes=watch.rollback_minutes)}
    told |= {"ended_at": None, "outcome": None}  # those of a way back that was given up before it began
    bump, *rest = _taken_over(watch.fence, converger, now, told, "attribute_not_exists(#hands_off)")
    _transact(watch.fence, bump, *rest, items.put(intent))
    return msgspec.structs.replace(fence, intent=intent["sk"])


def lock_to_retire(record: Record, execution: str) -> Record | None:
    """Takes the free route once more for a promoted release, to retire its blue; None while another holds it.

    A retirement that died leaves its lock behind; the next one takes it over.
    """
    if record.lock_execution != execution:
        lock = items.get(_route(record.plan.route))
        holder = {"execution": execution, "release": record.plan.release, "service": record.plan.service}
        taken = _bump(record.plan.route, lock, holder, _FREE, {":release": record.plan.release})
        try:
            items.transact(taken)
        except Cancelled:
            return None
    return find(record.plan.service, record.plan.release)


def reopen(record: Record, errand: Errand, need: int, shown: Forward) -> Record:
    """Takes the route once more for a promoted release that is to be taken back, from its retirement if one is under way.

    Raises Refusal with the holder's name while another release has the route.
    """
    plan, now, converger = record.plan, datetime.now(UTC), errand.execution
    minutes = plan.profile.deadlines.rollback_minutes + sum(step.observe_minutes for step in errand.steps)
    lock = items.get(_route(plan.route))
    holder_ = {"execution": converger, "release": plan.release, "service": plan.service, "since": now}
    taken = _bump(plan.route, lock, holder_, _FREE, {":release": plan.release})
    fields = {
        "status": "RollingBack",
        "converger": converger,
        "taken_at": now,
        "failure": errand.failure,
        "ordered": True,
        "taken_back": True,
        "steps": errand.steps,
        "need": need,
        "written": (*record.written, shown),
        "past": record.set_aside(errand.failure),
        "rollback_by": now + timedelta(minutes=minutes),
        **({"change": None} if dns.is_name(plan.route) else {}),  # Route 53 forgets old ones
    }
    told = {name: items.text(value) if name in _DOCUMENTS else value for name, value in fields.items()}
    gone = tuple({*FRESH, "retire_at", "emptied_at", "promoted_at"} - fields.keys())
    key, promoted = _record(plan.service, plan.release), {":promoted": "Promoted"}
    opened = items.update(key, told, "#status = :promoted", promoted, remove=gone)
    try:
        items.transact(taken, opened, _works(record.fence(), converger))
    except Cancelled:
        raise Refusal(
            "release", f"the route is held by {holder(plan.route)}", "Wait for it to end."
        ) from None
    found = find(plan.service, plan.release)
    assert found is not None
    return found


def open_releases() -> list[tuple[str, str]]:
    """Service and release of everything that isn't over: running, held, or promoted with its blue still kept."""
    keys = [item["pk"].split("#", 2) for item in items.listed("Open", "open", OPEN)]
    return [(service, release) for _, service, release in keys]


def end(fence: Fence, status: str, outcome: str, **fields: Any) -> None:
    """Writes a release's end; the route is free again, unless a person must decide first."""
    told = {
        "status": status,
        "outcome": outcome,
        "ended_at": datetime.now(UTC),
        "epoch": fence.epoch,
        **fields,
    }
    record = _note(fence, told, remove=("open",) if status in CLOSED else ())
    held = ("release", "service", "execution", "since")
    free = items.update(_route(fence.route), {"schema": SCHEMA}, *_ours(fence), remove=held)
    _transact(fence, record, _holds(fence) if status in KEEPS_LOCK else free)


def _fields(item: dict[str, Any]) -> dict[str, Any]:
    """What an item says of a record, if this version can read it."""
    if item["schema"] > SCHEMA:
        raise Refusal("schema", item["schema"], f"This version reads {SCHEMA}: let the newer one finish.")
    known = {name: item[name] for name in Record.__struct_fields__ if name in item}
    documents = {name: msgspec.json.decode(known[name]) for name in _DOCUMENTS if name in known}
    return {"epoch": 0, **known, **documents}


def _lock_of(plan: Plan) -> int:
    lock, record = items.get(_route(plan.route)), find(plan.service, plan.release)
    if lock.get("release") == plan.release and lock.get("execution") == plan.execution:
        return int(lock["epoch"])
    if plan.key and (begun := find_by_key(plan.service, plan.key)) and begun.plan.release != plan.release:
        raise AlreadyBegun(f"the key {plan.key} stands for release {begun.plan.release}")
    if record is not None and record.ended:
        raise Refusal("release", plan.release, f"It has ended {record.status}: start a new execution.")
    if lock.get("release"):
        raise RouteLocked(f"route {plan.route} is held by {holder(plan.route)}")
    raise Busy("the ledger was written by another at the same moment")


def intent_of(fence: Fence, call: str, resource: str, before: Any, after: Any) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    told = {
        name: items.text(value) for name, value in (("before", before), ("after", after)) if value is not None
    }
    return {
        "pk": _release(fence.service, fence.release),
        "sk": f"journal#{at}#{call}#{secrets.token_hex(4)}",
        "schema": SCHEMA,
        "epoch": fence.epoch,
        "call": call,
        "resource": resource,
        "at": at,
        **told,
    }


def said(fence: Fence, call: str, resource: str, what: dict[str, Any]) -> Write:
    """The journal's line of what a person has said: there is nothing to be read back."""
    return items.put({**intent_of(fence, call, resource, None, what), "outcome": "done"})


def _taken_over(
    fence: Fence, converger: str, now: datetime, told: dict[str, Any], unless: str = ""
) -> tuple[Write, ...]:
    bumped = {"epoch": fence.epoch + 1, "execution": converger, "schema": SCHEMA}
    lock = items.update(_route(fence.route), bumped, *_ours(fence, unless))
    fields = {"status": "RollingBack", "converger": converger, "taken_at": now, **told}
    if dns.is_name(fence.route):
        fields["change"] = None  # a writer that was let through may be about to make another
    # Copied in the ledger itself: a last writer may have been let through just now.
    noted = _note(fence, fields, keep=("overtaken", "written"))
    return lock, noted, _works(fence, converger)


def _bump(
    route: str, lock: dict[str, Any], holder: dict[str, Any], free: str, values: dict[str, Any]
) -> Write:
    """The next epoch, for a holder, if nobody else has taken the route since `lock` was read."""
    epoch = int(lock.get("epoch", 0))
    known = "epoch" in lock  # a route that nobody has released yet may have hands_off
    same = "#epoch = :epoch" if known else "attribute_not_exists(#epoch)"
    told = {**values, ":epoch": epoch} if known else values
    return items.update(
        _route(route), {**holder, "epoch": epoch + 1, "schema": SCHEMA}, f"{free} AND {same}", told
    )


def _works(fence: Fence, execution: str) -> Write:
    """Which release an execution is of."""
    told = {"service": fence.service, "release": fence.release, "schema": SCHEMA}
    return items.put({"pk": f"execution#{execution}", "sk": "release", **told})


def _named(plan: Plan) -> Iterator[Write]:
    """A key stands for one release and no other; for the same one when it is resumed."""
    if plan.key is not None and plan.resumed is None:
        row = {**_key(plan.service, plan.key), "release": plan.release, "schema": SCHEMA}
        yield items.put(row, "attribute_not_exists(pk)")


def _watched(record: Record) -> Iterator[Write]:
    """Each of a release's alarms is told whose it is; another service may watch the same one."""
    told = items.text(watching.watch(record))
    for alarm in watching.alarms(record):
        yield items.update(_alarm(alarm), {f"service#{record.plan.service}": told, "schema": SCHEMA})


def _holds(fence: Fence, also: str = "") -> Write:
    return items.check(_route(fence.route), *_ours(fence, also))


def _ours(fence: Fence, also: str = "") -> tuple[str, dict[str, Any]]:
    """The condition that a route is still held at an epoch, with its values."""
    held = "#epoch = :epoch AND #release = :release"
    values = {":epoch": fence.epoch, ":release": fence.release}
    if fence.idle:
        held, values = "#epoch = :epoch AND attribute_not_exists(#release)", {":epoch": fence.epoch}
    return (f"{held} AND {also}" if also else held), values


def _lock(route: str) -> dict[str, Any]:
    """A route's lock; `hands_off` is its own, or that of every route, or None."""
    lock, every = items.get_both(_route(route), _route(EVERY_ROUTE))
    return {**lock, "hands_off": lock.get("hands_off") or every.get("hands_off")}


def _note(
    fence: Fence, fields: dict[str, Any], remove: tuple[str, ...] = (), keep: tuple[str, str] | None = None
) -> Write:
    values = {name: items.text(value) if name in _DOCUMENTS else value for name, value in fields.items()}
    return items.update(
        _record(fence.service, fence.release), values, "attribute_exists(pk)", remove=remove, keep=keep
    )


def _transact(fence: Fence, *writes: Write) -> None:
    try:
        items.transact(*writes)
    except Cancelled:
        lock = items.get(_route(fence.route))
        holder_ = None if fence.idle else fence.release
        if (lock.get("epoch"), lock.get("release")) == (fence.epoch, holder_) and lock.get("hands_off"):
            raise HandsOff(lock["hands_off"]) from None
        raise Fenced(f"epoch {fence.epoch} of {fence.release} is not the route's any more") from None


def _packed(record: Record) -> dict[str, Any]:
    """What of a record is kept in its own item; its epoch and hands are the route's."""
    lent = ("epoch", "lock_execution", "hands_off")
    told = {name: getattr(record, name) for name in record.__struct_fields__ if name not in lent}
    kept = {name: value for name, value in told.items() if value not in (None, (), False)}
    documents = {name: items.text(value) for name, value in kept.items() if name in _DOCUMENTS}
    return {**kept, **documents, "schema": SCHEMA}


def _route(route: str) -> Key:
    return {"pk": f"route#{route}", "sk": "lock"}


def _record(service: str, release: str) -> Key:
    return {"pk": _release(service, release), "sk": "record"}


def _key(service: str, key: str) -> Key:
    return {"pk": f"key#{service}#{key}", "sk": "release"}


def _alarm(arn: str) -> Key:
    return {"pk": f"alarm#{arn}", "sk": "watch"}


def _release(service: str, release: str) -> str:
    return f"release#{service}#{release}"
