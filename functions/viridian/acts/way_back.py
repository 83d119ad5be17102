"""The way back to blue, from whichever end it is entered: traffic first, then settled, then nothing left behind."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import get_args

from msgspec.structs import replace

from viridian import converge, dns, gates, names, traffic
from viridian.acts import baking, evidence, green, taking_back
from viridian.aws import (
    alarms,
    auto_scaling,
    balancers,
    images,
    ledger,
    pages,
    router,
    target_groups,
)
from viridian.converge import Act, Errand, Move, Picture
from viridian.errors import Refusal
from viridian.fleet import Side
from viridian.record import KEEPS_LOCK, Record


class Step(Move, frozen=True, kw_only=True):
    """A move that was made; `cause` begins with what failed first; `hook`: the service has one that hears of the end."""

    cause: str = ""
    hook: bool = False


# What brings traffic back. The rest takes more rights than the functions that begin have, and can wait for `go_on`.
_FIRST: tuple[Act, ...] = ("RestoreTraffic", "AwaitSettled", "RaiseBlue", "AwaitBlue", "End")


def begin(errand: Errand) -> Step:
    """Takes the release over and gives blue what it can carry; the rest is for `go_on`."""
    return _step(errand, _FIRST)


def _step(errand: Errand, acts: Collection[Act]) -> Step:
    record = ledger.find(errand.service, errand.release)
    if record is None:
        called = f"release {errand.release} of {errand.service}"
        return _ended("Refused", f"{called} never took its route: nothing was touched", errand.failure)
    if (answer := _answered(record, errand)) is not None:
        return answer
    if record.ended:
        record = taking_back.reopen(record, errand)
    elif record.status != "RollingBack" or record.converger != errand.execution:
        if errand.steps and not record.taken_back:
            fix = "Leave them out: only a promoted release, which is known to be good, goes back in steps."
            raise Refusal("steps", f"{errand.release} is {record.status}", fix)
        record = ledger.take_over(record, errand.execution, errand.failure, **errand.terms())
    seen = picture(record)
    move = converge.next_move(seen)
    if move.act not in acts:
        return Step(act=move.act, reason=f"traffic is restored; next: {move.reason}", again_in=1)
    if move.end == "RollbackIncomplete" and errand.stumble:
        move = replace(move, reason=f"{move.reason} (the way back stumbled: {errand.stumble})")
    return _make(record, seen, move)


def go_on(errand: Errand) -> Step:
    """Makes moves until one of them needs time, is the last, or doesn't show yet in what AWS says."""
    made: list[Act] = []
    while True:
        step = _step(errand, get_args(Act))
        if step.again_in or step.end or step.act in made:
            return step
        made.append(step.act)


def give_up(service: str, release: str, failure: str, reason: str) -> Step:
    """Pages a person, and writes down that the way back could not be gone to its end."""
    record = ledger.find(service, release)
    if record is None or record.ended or record.status in KEEPS_LOCK:
        first = record.failure if record and record.failure else failure
        return _ended("RollbackIncomplete", f"the way back stumbled: {reason}", first)
    move = Move(act="End", end="RollbackIncomplete", reason=f"the way back stumbled: {reason}")
    return _end(record, move, failure)


def picture(record: Record) -> Picture:
    """Everything the next move depends on, read from AWS now."""
    plan = record.plan
    blue, candidate = green.seen(record)
    gone = Side(group=plan.blue.group, target_group=plan.blue.target_group, minimum=0, desired=0, maximum=0)
    return Picture(
        now=datetime.now(UTC),
        deadline=record.rollback_by or plan.deadline,
        forward=router.forward(plan.route),
        blue=blue or gone,
        green=candidate,
        green_target_group=record.green_target_group,
        need=record.need,
        floor_before=plan.blue.minimum,
        settle_seconds=plan.settle_seconds,
        restored_at=record.restored_at,
        written=(*record.written, *record.overtaken),
        hold=record.hold,
        overwrite=record.overwrite,
        evidence_kept=record.evidence is not None,
        leftovers=leftovers(record) if record.restored_at else (),
        hands_off=record.hands_off,
        stay=plan.profile.rollback == "hold" and not record.ordered,
        resolved=record.resolved,
        taken_back=record.taken_back,
        launches_suspended=record.launches_suspended,
        steps=record.steps,
        stepped_at=record.stepped_at,
        told=record.restored_at is not None or router.is_told(record),
    )


def leftovers(record: Record) -> tuple[str, ...]:
    """What this release made and is still there, in the order it is to be removed."""
    plan = record.plan
    target_group = green.find_target_group(record)
    version = images.find_version(plan.blue_launch_template.template, plan.release)
    own = alarms.states(_alarms(record)) if target_group else ()
    untagged = f"target group {plan.green_target_group}, which has lost our tags"
    found = (
        untagged if _untagged(record, target_group) else None,
        f"Auto Scaling group {plan.green_group}" if _stands(record, target_group) else None,
        f"the {plan.standby.kind} of {plan.service}" if green.has_standby(record) else None,
        f"load balancer {names.balancer(plan.service, plan.release)}"
        if green.find_balancer(record)
        else None,
        f"target group {plan.green_target_group}" if target_group else None,
        f"version {version} of launch template {plan.blue_launch_template.template}" if version else None,
        *baking.leftovers(record),
        *(f"alarm {alarm.name}" for alarm in own),
    )
    return tuple(name for name in found if name)


def _answered(record: Record, errand: Errand) -> Step | None:
    """The answer where there is nothing to do: it has ended, or somebody else is at it."""
    mine, first = record.converger == errand.execution, errand.execution == record.plan.execution
    failure = record.failure or errand.failure
    takes_back = errand.ordered and not errand.resolved
    if record.status in ("Promoted", "Retired") and takes_back and not mine:
        return None
    if record.ended:
        end = "Promoted" if record.status == "Retired" else record.status
        return replace(_ended(end, record.outcome or "", failure), hook=_hears(record, end))
    if record.status in KEEPS_LOCK and (mine or first):
        return _ended(record.status, record.outcome or "", failure)
    in_time = record.rollback_by is not None and datetime.now(UTC) < record.rollback_by
    hastened = bool(record.steps) and errand.ordered and not errand.steps
    if record.status == "RollingBack" and not mine and in_time and not hastened:
        return Step(act="AwaitSettled", reason=f"{record.converger} is rolling back", again_in=30)
    return None


def _make(record: Record, seen: Picture, move: Move) -> Step:
    """Carries out one move; every one of them may be carried out again."""
    fence = record.fence()
    if move.page:
        tell(record, move.reason)
    match move.act:
        case "RestoreTraffic":
            _restore(record, move.green_weight)
        case "RaiseBlue":
            _use_blue(record, seen)
            if record.launches_suspended:
                auto_scaling.resume_launches(seen.blue.group, fence)
            auto_scaling.raise_desired(seen.blue, record.need, fence)
        case "KeepEvidence":
            evidence.keep(record, seen.green)
        case "RemoveGreen":
            remove_green(record)
        case "ReleaseFloors":
            auto_scaling.set_minimum(seen.blue, record.plan.blue.minimum, fence)
        case "Promote":
            assert seen.green is not None
            green.promote(record, seen.green)
            return _ended("Promoted", move.reason, record.failure or "Resolved")
        case "End":
            return _end(record, move)
    return Step(act=move.act, reason=move.reason, again_in=move.again_in)


def _use_blue(record: Record, seen: Picture) -> None:
    """Where no rule uses blue's target group any more, nobody in it is health-checked, and blue would never be fit."""
    group = record.plan.blue.target_group
    if (
        group not in seen.forward.weights
        and record.green_target_group
        and not green.in_standby(record, group)
    ):
        green.set_standby(record, record.green_target_group, green_weight=0)


def _restore(record: Record, green_weight: int) -> None:
    rule = router.find(record.plan.route)
    blue, candidate = record.plan.blue.target_group, record.green_target_group or ""
    now = traffic.without(rule.forward, blue, candidate) if record.overwrite else rule.forward
    alone, told = rule.forward.alone(blue), router.is_told(record)
    if not alone or green_weight or (record.change is None and not told):
        wanted = record.plan.split(candidate, green_weight, now)
        # Settling begins anew with each write, even if its read-back is never seen.
        router.set_forward(
            rule, wanted, record.fence(), anew=not told, restored_at=None, stepped_at=datetime.now(UTC)
        )
        told = not dns.is_name(record.plan.route)
    if told and green_weight == 0 and (not alone or record.restored_at is None):
        ledger.note(record.fence(), restored_at=datetime.now(UTC))


def remove_green(record: Record) -> None:
    """Removes what the release made: the fleet drains while it is still in use, then the rest goes."""
    plan, fence = record.plan, record.fence()
    ours, target_group = green.tags(record), green.find_target_group(record)
    if _untagged(record, target_group):
        return
    if target_group:
        # A group without targets would take the load balancer out of DNS along with it (C9).
        target_groups.leave_dns(target_group, fence)
    if auto_scaling.is_ours(plan.green_group, ours):
        if router.forwards(plan.listener, plan.service, target_group or ""):
            return  # somebody has given it traffic
        auto_scaling.empty(plan.green_group, ours, fence)
        if not auto_scaling.delete(plan.green_group, ours, fence):
            return
    elif _stands(record, target_group):
        return  # it has lost our tags, and only what carries them is deleted
    alarms.delete(_alarms(record), fence)
    green.give_standby_back(record)
    if own := green.find_balancer(record):
        balancers.delete(own, fence)
    if target_group:
        target_groups.delete(target_group, fence)
    images.delete_version(plan.blue_launch_template.template, plan.release, fence)
    baking.remove(record)


def _alarms(record: Record) -> tuple[str, ...]:
    """Those that watch green, and those that drive it: AWS deletes the latter with the group unless they do more (A3)."""
    return (*evidence.own_alarms(record), *alarms.scaling(record.plan.service, record.plan.release))


def _untagged(record: Record, target_group: str | None) -> bool:
    """Whether somebody took our tags off green's target group: it can't be taken out of DNS, nor deleted."""
    made = record.green_target_group
    return target_group is None and made is not None and target_groups.exists(made)


def _stands(record: Record, target_group: str | None) -> bool:
    """Whether green's group is there: by our tags, or by its target group if somebody took the tags off."""
    name = record.plan.green_group
    if auto_scaling.is_ours(name, green.tags(record)):
        return True
    return target_group is not None and target_group in (auto_scaling.find(name) or {}).get(
        "TargetGroupARNs", []
    )


def tell(record: Record, words: str) -> None:
    """Pages a person while the way back goes on, once for the same words."""
    if record.told != words:
        pages.page(record.plan.service, record.plan.release, "is being rolled back", words)
        ledger.note(record.fence(), told=words)


def _end(record: Record, move: Move, failure: str | None = None) -> Step:
    assert move.end is not None
    told = f" ({record.told})" if record.told and move.end == "RollbackIncomplete" else ""
    step = _ended(move.end, f"{move.reason}{told}", record.failure or failure)
    if move.end in KEEPS_LOCK:
        pages.page(record.plan.service, record.plan.release, f"has ended {move.end}", step.cause)
    ledger.end(record.fence(), move.end, step.reason)
    return replace(step, hook=_hears(record, move.end))


def _hears(record: Record, end: str) -> bool:
    """Whether the service has a hook that is told of this end."""
    return end == "RolledBack" and gates.hook(record.plan.profile, gates.AFTER) is not None


def _ended(end: str, reason: str, failure: str | None) -> Step:
    cause = converge.whole_cause(failure, reason)
    return Step(act="End", reason=reason, again_in=0, end=end, cause=cause)  # type: ignore[arg-type]
