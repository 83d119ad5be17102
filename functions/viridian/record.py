"""What the ledger keeps of a release, and who may still act for it."""

from collections import Counter
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from viridian import gates
from viridian.errors import DeadlinePassed, GateClosed
from viridian.fence import Fence
from viridian.gates import Gate, Passage
from viridian.moment import at
from viridian.orders import Taken
from viridian.plan import Plan
from viridian.request import Step
from viridian.traffic import WHOLE, Forward

SCHEMA = 1
_REMEMBERED = 20  # ends that were set aside: an item of the ledger holds 400 KB
ENDED = ("Promoted", "Retired", "RolledBack")
CLOSED = ("Retired", "RolledBack")
KEEPS_LOCK = ("Held", "RollbackIncomplete")  # a person must decide first
OVER = (*ENDED, *KEEPS_LOCK)  # nobody is at it
# What a release that is resumed leaves behind of its way back.
FRESH = (
    "converger",
    "ended_at",
    "evidence",
    "extended_to",
    "failure",
    "hold",
    "last_order",
    "ordered",
    "outcome",
    "overtaken",
    "overwrite",
    "passages",
    "ran_out",
    "resolved",
    "restored_at",
    "rollback_by",
    "told",
)


class Past(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An end that a release had come to until it was taken up again, as the record had it.

    `execution` is its plan's then, which `began` at that moment; `then` is what was said as it was taken up again.
    """

    execution: str
    began: datetime
    then: str
    status: str
    ended_at: datetime | None = None
    outcome: str | None = None
    converger: str | None = None
    failure: str | None = None
    hold: bool = False
    ordered: bool = False
    resolved: bool = False
    taken_back: bool = False
    passages: tuple[Passage, ...] = ()
    green_at: datetime | None = None
    promoted_at: datetime | None = None
    emptied_at: datetime | None = None
    restored_at: datetime | None = None
    rollback_by: datetime | None = None
    steps: tuple[Step, ...] = ()


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A release as the ledger has it; `written` are the weights it last wrote or was about to write, oldest first.

    `overtaken` are those of the writers before the way back began: one of them may still be on its way. `converger` is
    the execution that rolls it back, since `taken_at`; `ordered` if a person said so, `resolved` if a person says that
    it is settled; `taken_back` once that was done to it after its promotion, and `emptied_at` when blue was scaled in to
    nothing; `steps` are the shares in which blue is to get its traffic back, the last of them since `stepped_at`;
    `launches_suspended` once its retirement did that to blue, until it is undone; `bake` is the id of what makes the
    image; `passages` are the gates it has come to; `change` is Route 53's id of the last change of weights, None until it is
    known, and `told_at` when all its servers were first seen to have it; `told` is what people were paged about last,
    `hands_off` why they want no writes. `last_order` is what a person told it last while it ran, `extended_to` its deadline
    since then, and `ran_out` the end of the last pause that nobody ended. `past` are the ends that it was taken up from
    again, oldest first.
    """

    plan: Plan
    status: str
    epoch: int
    taken_at: datetime | None = None
    hands_off: str | None = None
    lock_execution: str | None = None
    converger: str | None = None
    failure: str | None = None
    hold: bool = False
    overwrite: bool = False
    ordered: bool = False
    resolved: bool = False
    taken_back: bool = False
    told: str | None = None
    need: int = 0
    bake: str | None = None
    image: str | None = None
    image_is_ours: bool = False
    launch_template_version: str | None = None
    green_target_group: str | None = None
    green_load_balancer: str | None = None
    written: tuple[Forward, ...] = ()
    overtaken: tuple[Forward, ...] = ()
    green_at: datetime | None = None
    passages: tuple[Passage, ...] = ()
    first_weight_at: datetime | None = None
    restored_at: datetime | None = None
    rollback_by: datetime | None = None
    reinstated: tuple[str, ...] = ()
    evidence: str | None = None
    ended_at: datetime | None = None
    promoted_at: datetime | None = None
    retire_at: datetime | None = None
    emptied_at: datetime | None = None
    launches_suspended: bool = False
    steps: tuple[Step, ...] = ()
    stepped_at: datetime | None = None
    change: str | None = None
    told_at: datetime | None = None
    last_order: Taken | None = None
    extended_to: datetime | None = None
    ran_out: datetime | None = None
    outcome: str | None = None
    past: tuple[Past, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more will be done for this release."""
        return self.status in ENDED

    @property
    def serves_green(self) -> str:
        """The load balancer before green: its own where the route is a name, else the one before both."""
        return self.green_load_balancer or self.plan.load_balancer

    @property
    def began(self) -> datetime:
        """When it was asked for; of one that was resumed, when that was."""
        return self.plan.asked_at or self.plan.started_at

    @property
    def starts(self) -> dict[str, datetime]:
        """The execution that it was started by, each that has resumed it, and when those were asked for."""
        return {past.execution: past.began for past in self.past} | {self.plan.execution: self.began}

    @property
    def waits_at(self) -> Passage | None:
        """The gate that it stands at, or stood at as it failed."""
        return next((each for each in self.passages if not each.passed and each.gate != gates.AFTER), None)

    @property
    def question(self) -> Passage | None:
        """What it waits for a person to answer."""
        asks = self.status == "Releasing" and self.waits_at is not None and self.waits_at.approval
        return self.waits_at if asks else None

    @property
    def worker(self) -> str:
        """The execution that is to bring the release to its end."""
        return (self.converger if self.status == "RollingBack" else None) or self.plan.execution

    @property
    def deadline(self) -> datetime:
        """The moment after which it may not go on."""
        return self.extended_to or self.plan.deadline

    @property
    def green_percent(self) -> int:
        """Green's share, as it was last written or about to be."""
        return self.percent(self.written[-1]) if self.written else 0

    @property
    def step(self) -> int | None:
        """The step whose share green has; None before its first traffic."""
        steps = self.plan.profile.steps
        return max((n for n, step in enumerate(steps) if step.weight <= self.green_percent), default=None)

    def observed_since(self, step: int | None, now: datetime) -> datetime:
        """From when on a step counts at which green was kept until now: it has been observed, and what was seen of it before
        is old. Before its first traffic nothing has been.
        """
        if step is None:
            return now
        return now - timedelta(minutes=self.plan.profile.steps[step].observe_minutes)

    def percent(self, forward: Forward) -> int:
        """Green's share of what a route shows."""
        return round(WHOLE * forward.share(self.green_target_group or ""))

    def set_aside(self, then: str) -> tuple[Past, ...]:
        """Its past once it is taken up again from where it stands."""
        kept = {
            name: getattr(self, name) for name in Past.__struct_fields__ if name in self.__struct_fields__
        }
        past = [*self.past, Past(execution=self.plan.execution, began=self.began, then=then, **kept)]
        # The oldest goes, but for the only one of an execution: who started that is asked for an approval.
        while len(past) > _REMEMBERED:
            known = Counter(each.execution for each in past)
            past.remove(next((each for each in past if known[each.execution] > 1), past[0]))
        return tuple(past)

    def resumed(self, plan: Plan, epoch: int, now: datetime) -> "Record":
        """A Held release as it begins again, under a new execution; what it made still stands."""
        shown = (plan.resumed,) if plan.resumed and plan.resumed not in self.written[-1:] else ()
        fresh = {field.name: field.default for field in msgspec.structs.fields(Record) if field.name in FRESH}
        fresh |= {"past": self.set_aside(plan.resume_reason)}
        kept = replace(self, plan=plan, epoch=epoch, taken_at=now, written=(*self.written, *shown), **fresh)
        return replace(kept, status="Releasing", green_at=now if self.green_at else None)

    def is_due(self, now: datetime) -> bool:
        """Whether blue has been kept as long as it was to be."""
        return self.retire_at is not None and now >= self.retire_at

    def ensure_in_time(self, now: datetime) -> None:
        """Raises DeadlinePassed once the whole release has taken longer than all its waits together."""
        if now > self.deadline:
            raise DeadlinePassed(f"the release was to end by {at(self.deadline)}")

    def passage(self, gate: Gate, step: int) -> Passage | None:
        """How far it is through a gate; None if it has not come to it."""
        called = gates.name(gate, step)
        return next((passage for passage in self.passages if passage.gate == called), None)

    def ensure_through(self, gate: Gate, step: int) -> None:
        """Raises GateClosed unless it is through a gate, or nothing stands there; who hastens it skips those after steps."""
        if gate == "after_step" and self.last_order and self.last_order.order == "promote":
            return
        if gate in self.plan.gates and not ((passage := self.passage(gate, step)) and passage.passed):
            raise GateClosed(f"the release is not through the gate {gates.where(gate)}")

    def ensure_green_in_time(self, now: datetime, lack: str) -> None:
        """Raises DeadlinePassed once green has taken longer to become healthy than its profile allows."""
        minutes = self.plan.profile.deadlines.healthy_minutes
        if lack and self.green_at and now > self.green_at + timedelta(minutes=minutes):
            raise DeadlinePassed(f"green is not healthy after {minutes} minutes: {lack}")

    def fence(self) -> Fence:
        """The right to write as this record last saw it."""
        return Fence(
            service=self.plan.service,
            release=self.plan.release,
            route=self.plan.route,
            epoch=self.epoch,
            hands_off=self.hands_off,
        )
