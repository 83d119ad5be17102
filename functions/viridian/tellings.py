"""What is told of a release: from what the ledger had and has of it to the phases it has come to, in people's words."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from viridian import arns, gates
from viridian.gates import Passage
from viridian.moment import at
from viridian.orders import Kind
from viridian.plan import in_words
from viridian.record import Record
from viridian.traffic import WHOLE, Forward

FORMAT = 1  # of an event: a reader may count on its fields, and new ones may come
LONGEST = 2_000  # characters of a text: an event may have 256 KB in all
ORDERED = "RollbackOrdered: "  # how a failure begins that is none
_CONSOLES = {
    "aws": "{region}.console.aws.amazon.com",
    "aws-cn": "{region}.console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


class Words(NamedTuple):
    """`what` goes on where service and version stop: `shop 2.0.0 is promoted`."""

    what: str
    why: str
    next: str


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """A phase that a release has come to: the detail of an event.

    `id` is the same however often it is told; of two with the same release, the one with the greater `sequence` came
    later. `weights` are those that the ledger has, written or about to be.
    """

    format: int = FORMAT
    id: str
    sequence: str
    at: datetime
    phase: str
    service: str
    release: str
    version: str
    what: str
    why: str
    next: str
    message: str
    execution: str
    link: str | None
    route: str
    weights: dict[str, int]
    green_percent: int
    failure: str | None = None
    seconds_to_blue: int | None = None


class Write(NamedTuple):
    """One write to a release's record, as the ledger's stream has it."""

    id: str
    sequence: str
    at: datetime
    old: Record | None
    new: Record


def of(write: Write) -> Iterator[Telling]:
    """What there is to tell of one write; of most there is nothing."""
    for phase, came, say in PHASES:
        if came(write.old, write.new):
            yield _telling(write, phase, say(write.new))


def link(execution: str) -> str | None:
    """An execution in the console; None in a partition whose console isn't known."""
    if (host := _CONSOLES.get(arns.partition(execution))) is None:
        return None
    region = arns.region(execution)
    page = f"states/home?region={region}#/v2/executions/details/{execution}"
    return f"https://{host.format(region=region)}/{page}"


def _telling(write: Write, phase: str, words: Words) -> Telling:
    record, plan = write.new, write.new.plan
    what, why, following = (_told(record, text) for text in words)
    execution = record.converger or plan.execution
    shown = link(execution)
    headline = f"{plan.service} {plan.version} {what}"
    lines = (
        f"{headline}.",
        "",
        f"Why: {why}",
        f"Next: {following}",
        "",
        f"Release {plan.release}, {at(write.at)}",
        *((shown,) if shown else ()),
    )
    return Telling(
        id=f"{write.id}-{phase}",
        sequence=write.sequence,
        at=write.at,
        phase=phase,
        service=plan.service,
        release=plan.release,
        version=plan.version,
        what=headline,
        why=why,
        next=following,
        message="\n".join(lines),
        execution=execution,
        link=shown,
        route=plan.route,
        weights=_forward(record).weights,
        green_percent=_percent(record),
        failure=_told(record, record.failure) if record.failure else None,
        seconds_to_blue=_seconds_to_blue(record) if phase == "TrafficRestored" else None,
    )


def _told(record: Record, text: str) -> str:
    """Short enough, and without the one value that isn't for everybody: what failed may quote what green answered."""
    kept = text.replace(record.plan.standby.value, "(the standby value)")
    return kept if len(kept) <= LONGEST else f"{kept[:LONGEST]}..."


def _forward(record: Record) -> Forward:
    """What the ledger knows of the route; the brake writes no weights down, only that blue serves alone."""
    if record.restored_at is not None and record.status not in ("Promoted", "Retired"):
        return Forward(weights={record.plan.blue.target_group: WHOLE})
    return record.written[-1] if record.written else record.plan.before


def _percent(record: Record) -> int:
    return record.percent(_forward(record))


def _seconds_to_blue(record: Record) -> int | None:
    """From the first moment of the way back, whoever has taken it over since; None if green never had traffic."""
    began = turned_back(record)
    if record.restored_at is None or began is None or record.first_weight_at is None:
        return None
    return max(0, round((record.restored_at - began).total_seconds()))


def turned_back(record: Record) -> datetime | None:
    """The first moment of its way back; None if it has none."""
    if record.rollback_by is None:
        return None
    minutes = record.plan.profile.deadlines.rollback_minutes
    minutes += sum(step.observe_minutes for step in record.steps)
    return record.rollback_by - timedelta(minutes=minutes)


# --- the words ----------------------------------------------------------------------------------------------


def _releasing(record: Record) -> Words:
    plan = record.plan
    built = f", built from commit {plan.build.commit}" if plan.build.commit else ""
    ends = [line.removeprefix("promoted: ") for line in plan.timetable if line.startswith("promoted: ")]
    return Words(
        "is being released",
        f"It is to follow {plan.blue_version or 'what serves now'}{built}.",
        f"A green fleet beside the {plan.blue.desired} instances of {plan.blue.group}, then its share of the traffic: "
        f"{', '.join(in_words(plan.profile))}.{''.join(f' Promoted {end}.' for end in ends)}",
    )


def _paused(record: Record) -> Words:
    order = record.last_order
    assert order is not None
    return Words(
        f"is paused at {_percent(record)}% of the traffic",
        _sentence(order.in_words()),
        "Green is judged as before, and gets no more until the pause is over or a person resumes it.",
    )


def _hastened(record: Record) -> Words:
    order = record.last_order
    assert order is not None
    return Words(
        "is to be promoted",
        _sentence(order.in_words()),
        "Green is judged once more; then it gets all of the traffic, and is promoted.",
    )


def _resumed(record: Record) -> Words:
    if order := record.last_order:
        over = order.in_words() if order.order == "resume" else "its pause is over"
        return Words("goes on", _sentence(over), "Its share of the traffic, and the next step.")
    why = f": {record.plan.resume_reason}" if record.plan.resume_reason else ""
    return Words(
        "goes on",
        _sentence(f"It was held, and a person has resumed it{why}"),
        f"Its share of the traffic again, from the first step: {', '.join(in_words(record.plan.profile))}.",
    )


def _image_known(record: Record) -> Words:
    made = "made for this release" if record.image_is_ours else "given to this release"
    return Words("has its image", f"{record.image}, {made}.", "A green fleet of it, once it is available.")


def _creating_green(record: Record) -> Words:
    return Words(
        "gets its green fleet",
        f"{record.plan.green_group} is to have {record.need} instances, as many as blue needs.",
        "Smoke tests as soon as they are healthy; until then no user gets there.",
    )


def _awaiting(record: Record) -> Words:
    asked = _questions(record)[-1]
    until = f" until {at(asked.until)}" if asked.until else ""
    return Words(
        "waits for a person's approval",
        f"Its profile asks for one {gates.where(asked.gate)}.",
        f"Approve or reject it{until}, as the page to the people on call says; no answer is a no.",
    )


def _shifting(record: Record) -> Words:
    percent, steps = _percent(record), record.plan.profile.steps
    if record.status == "Promoted":
        return Words(
            f"gets {percent}% of the traffic", "Somebody gave traffic to its old blue.", "Blue is kept."
        )
    if record.status != "Releasing" and percent:
        return Words(
            f"keeps {percent}% of the traffic", _cause(record), "Blue gets the rest once it can carry it."
        )
    if record.status != "Releasing":
        return Words("gives its traffic back", _cause(record), f"{record.plan.blue.group} serves alone.")
    number = next((n for n, step in enumerate(steps, start=1) if step.weight == percent), len(steps))
    after = "it is promoted" if number == len(steps) else "the next step follows"
    return Words(
        f"gets {percent}% of the traffic",
        f"Step {number} of {len(steps)}.",
        f"It is observed for {steps[number - 1].observe_minutes} min; unless an alarm goes off, {after}.",
    )


def _rolling_back(record: Record) -> Words:
    plan = record.plan
    if record.resolved:
        return Words(
            "is being resolved", _cause(record), "Whoever serves alone stays, and the rest is seen to."
        )
    if plan.profile.rollback == "hold" and not record.ordered:
        return Words(
            "has failed",
            _cause(record),
            "The traffic stays as it is, as its profile says, until a person decides.",
        )
    then = "green stands for people to look at" if record.hold else "green is removed"
    following = f"All traffic goes back to {plan.blue.group}; then {then}."
    return Words("is being rolled back", _cause(record), following)


def _taking_back(record: Record) -> Words:
    blue = record.plan.blue.group
    following = f"{blue} gets back what capacity it has lost, then all traffic; then green is removed."
    return Words("is being taken back", _cause(record), following)


def _restored(record: Record) -> Words:
    seconds = _seconds_to_blue(record)
    after = "" if seconds is None else f", {seconds} s after the way back began"
    then = "green stands for people to look at" if record.hold else "green is removed"
    return Words(
        "has no traffic",
        f"{record.plan.blue.group} serves alone{after}.",
        f"The load balancer settles; then {then}.",
    )


def _promoted(record: Record) -> Words:
    until = f" until {at(record.retire_at)}" if record.retire_at else ""
    return Words(
        "is promoted",
        "A person has resolved it so."
        if record.resolved
        else "It carried all traffic, and was judged good at each step.",
        f"Nothing to do. {record.plan.blue.group} keeps its size{until}.\n"
        f"To take the release back: {_typed(record)}",
    )


def _rolled_back(record: Record) -> Words:
    return Words(
        "is rolled back",
        _cause(record),
        f"Nothing to do for the traffic: {record.plan.blue.group} serves alone, and green is gone. "
        "Mend the cause, and release again.",
    )


def _held(record: Record) -> Words:
    return Words(
        "is held: a person must decide",
        f"{_cause(record)} {_sentence(record.outcome)}",
        "Nothing more happens by itself, and the route stays locked.\n"
        f"To go back: {_typed(record)}"
        + ("" if record.taken_back else f"\nTo go on: {_typed(record, 'resume')}"),
    )


def _incomplete(record: Record) -> Words:
    return Words(
        "is not rolled back: a person is needed now",
        f"{_cause(record)} {_sentence(record.outcome)}",
        f"See to what is named here; the route stays locked until then.\nThen once more: {_typed(record)}",
    )


def _emptied(record: Record) -> Words:
    return Words(
        "has its old blue at zero",
        _sentence(record.outcome),
        "Nothing to do. The release can still be taken back: blue launches first, and then gets the traffic.",
    )


def _blue_kept(record: Record) -> Words:
    again = (
        f"It is tried again at {at(record.retire_at)}."
        if record.retire_at
        else "It stays until a person sees to it."
    )
    return Words("keeps its old blue", _sentence(record.outcome), again)


def _retired(record: Record) -> Words:
    return Words(
        "has no old blue any more",
        _sentence(record.outcome),
        "Nothing to do. The way back is a release of the version before.",
    )


def _cause(record: Record) -> str:
    """What failed first, by the name that the pages about errors have for it; an order is no error."""
    failure = record.failure or "no cause is known"
    first = failure.removeprefix(ORDERED)
    if order := ordered(record):
        told = f"a person {'has resolved' if record.resolved else 'ordered'} it: {order}"
        return _sentence(told) + ("" if order == first else f" What came first: {_sentence(first)}")
    return _sentence(first)


def ordered(record: Record) -> str:
    """The reason of the person who ordered this way back; empty if nobody did."""
    before = record.past[-1] if record.past else None
    held = before is not None and before.execution == record.plan.execution  # and not resumed since
    said = before.then if before and held else record.failure or ""
    return said.removeprefix(ORDERED) if said.startswith(ORDERED) else ""


def _sentence(text: str | None) -> str:
    kept = (text or "").strip().rstrip(".")
    return f"{kept[:1].upper()}{kept[1:]}." if kept else ""


def _typed(record: Record, command: str = "rollback") -> str:
    """What a person types, as docs/command.md has it."""
    return f'viridian {command} {record.plan.service} {record.plan.release} --reason "..."'


# --- the phases ---------------------------------------------------------------------------------------------

Came = Callable[[Record | None, Record], bool]


def _to(status: str, *, taken_back: bool | None = None) -> Came:
    """A status that the record didn't have before; of a release that is taken back, or of another, if that matters."""

    def came(old: Record | None, new: Record) -> bool:
        fits = taken_back is None or new.taken_back == taken_back
        return old is not None and old.status != new.status == status and fits

    return came


def _ordered(kind: Kind) -> Came:
    """An order of a person's that wasn't there before."""

    def came(old: Record | None, new: Record) -> bool:
        order = new.last_order
        return old is not None and order is not None and order.order == kind and order != old.last_order

    return came


def _goes_on(old: Record | None, new: Record) -> bool:
    """It was Held, or it was paused."""
    return any(came(old, new) for came in (_to("Releasing"), _ordered("resume"), _noted("ran_out")))


def _noted(field: str) -> Came:
    """A field that says something now, and said nothing or something else before."""

    def came(old: Record | None, new: Record) -> bool:
        value = getattr(new, field)
        return old is not None and value is not None and value != getattr(old, field)

    return came


def _wrote(old: Record | None, new: Record) -> bool:
    """Other weights than before, in one and the same status: what a new status begins with was written before it."""
    return old is not None and old.status == new.status and old.written[-1:] != new.written[-1:]


def _asked(old: Record | None, new: Record) -> bool:
    """A question that wasn't there before; the page has its id, which is nobody else's."""
    return old is not None and len(_questions(new)) > len(_questions(old))


def _questions(record: Record) -> list[Passage]:
    return [passage for passage in record.passages if passage.approval is not None]


def _kept(old: Record | None, new: Record) -> bool:
    stays = old is not None and old.status == new.status == "Promoted" and old.emptied_at == new.emptied_at
    return stays and old is not None and old.outcome != new.outcome


# Another phase is another line: its name, whether a write brought it, and its words.
PHASES: tuple[tuple[str, Came, Callable[[Record], Words]], ...] = (
    ("Releasing", lambda old, _: old is None, _releasing),
    ("Paused", _ordered("pause"), _paused),
    ("Resumed", _goes_on, _resumed),
    ("Hastened", _ordered("promote"), _hastened),
    ("ImageKnown", _noted("image"), _image_known),
    ("CreatingGreen", _noted("launch_template_version"), _creating_green),
    ("AwaitingApproval", _asked, _awaiting),
    ("ShiftingTraffic", _wrote, _shifting),
    ("RollingBack", _to("RollingBack", taken_back=False), _rolling_back),
    ("TakingBack", _to("RollingBack", taken_back=True), _taking_back),
    ("TrafficRestored", _noted("restored_at"), _restored),
    ("Promoted", _to("Promoted"), _promoted),
    ("RolledBack", _to("RolledBack"), _rolled_back),
    ("Held", _to("Held"), _held),
    ("RollbackIncomplete", _to("RollbackIncomplete"), _incomplete),
    ("BlueEmptied", _noted("emptied_at"), _emptied),
    ("BlueKept", _kept, _blue_kept),
    ("Retired", _to("Retired"), _retired),
)
