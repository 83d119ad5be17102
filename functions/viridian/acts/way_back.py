"""The way back to blue, from whichever end it is entered: traffic first, then settled, then nothing left behind."""

from datetime import UTC, datetime

from viridian import converge, names, traffic
from viridian.acts import evidence, green
from viridian.aws import alarms, auto_scaling, images, ledger, load_balancer, pages, target_groups
from viridian.converge import Move, Picture
from viridian.fleet import Side
from viridian.record import Record

_PAGED = ("Held", "RollbackIncomplete")


class Step(Move, frozen=True, kw_only=True):
    """A move that was made; `cause` begins with what failed first."""

    cause: str = ""


def begin(service: str, release: str, execution: str, failure: str, *, hold: bool, overwrite: bool) -> Step:
    """Takes the release over and gives blue what it can carry; the rest is for `go_on`."""
    record = ledger.find(service, release)
    if record is None:
        return _ended(
            "Refused", f"{_called(service, release)} never took its route: nothing was touched", failure
        )
    if (answer := _answered(record, execution, failure)) is not None:
        return answer
    if record.status != "RollingBack" or record.converger != execution:
        record = ledger.take_over(record, execution, failure, hold=hold, overwrite=overwrite)
    seen = picture(record)
    return _make(record, seen, converge.next_move(seen))


def go_on(service: str, release: str, execution: str, failure: str, *, hold: bool, overwrite: bool) -> Step:
    """Makes moves until one of them needs time, or is the last."""
    step = begin(service, release, execution, failure, hold=hold, overwrite=overwrite)
    while step.again_in == 0 and step.end is None:
        step = begin(service, release, execution, failure, hold=hold, overwrite=overwrite)
    return step


def _called(service: str, release: str) -> str:
    return f"release {release[:60] or '(none given)'} of {service[:40] or '(no service given)'}"


def give_up(service: str, release: str, failure: str, reason: str) -> Step:
    """Pages a person, and writes down that the way back could not be gone to its end."""
    record = ledger.find(service, release)
    if record is None or record.ended or record.status in _PAGED:
        return _ended("RollbackIncomplete", f"the way back stumbled: {reason}", failure)
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
        forward=load_balancer.forward(plan.route),
        blue=blue or gone,
        green=candidate,
        green_target_group=record.green_target_group,
        need=record.need,
        floor_before=plan.blue.minimum,
        settle_seconds=plan.profile.settle_seconds,
        restored_at=record.restored_at,
        written=record.written,
        hold=record.hold,
        overwrite=record.overwrite,
        evidence_kept=record.evidence is not None,
        leftovers=leftovers(record) if record.restored_at else (),
    )


def leftovers(record: Record) -> tuple[str, ...]:
    """What this release made and is still there, in the order it is to be removed."""
    plan = record.plan
    target_group = green.find_target_group(record)
    version = images.find_version(plan.blue_launch_template.template, plan.release)
    image = images.find_by_name(names.image(plan.service, plan.release))
    own = alarms.states(evidence.own_alarms(record)) if target_group else ()
    found = (
        f"Auto Scaling group {plan.green_group}" if _stands(record, target_group) else None,
        f"the standby rule of {plan.service}"
        if target_group and green.in_standby(record, target_group)
        else None,
        f"target group {plan.green_target_group}" if target_group else None,
        f"version {version} of launch template {plan.blue_launch_template.template}" if version else None,
        f"image {image['ImageId']}" if image else None,
        *(f"alarm {alarm.name}" for alarm in own),
    )
    return tuple(name for name in found if name)


def _answered(record: Record, execution: str, failure: str) -> Step | None:
    """The answer where there is nothing to do: it has ended, or somebody else is at it."""
    if record.status in ("Promoted", "Retired") and execution != record.plan.execution:
        words = (
            f"release {record.plan.release} is promoted: to go back, release the version that should serve"
        )
        return _ended("Refused", words, "Refusal")
    if record.ended:
        return _ended(
            "Promoted" if record.status == "Retired" else record.status,
            record.outcome or "",
            record.failure or failure,
        )
    mine = record.converger == execution
    if record.status in _PAGED and (mine or execution == record.plan.execution):
        return _ended(record.status, record.outcome or "", record.failure or failure)
    if (
        record.status == "RollingBack"
        and not mine
        and record.rollback_by
        and datetime.now(UTC) < record.rollback_by
    ):
        return Step(act="AwaitSettled", reason=f"{record.converger} is rolling back", again_in=30)
    return None


def _make(record: Record, seen: Picture, move: Move) -> Step:
    """Carries out one move; every one of them may be carried out again."""
    fence = record.fence()
    match move.act:
        case "RestoreTraffic":
            _restore(record, move.green_weight)
        case "RaiseBlue":
            auto_scaling.raise_desired(seen.blue, record.need, fence)
        case "KeepEvidence":
            evidence.keep(record, seen.green)
        case "RemoveGreen":
            remove_green(record)
        case "ReleaseFloors":
            auto_scaling.set_minimum(seen.blue, record.plan.blue.minimum, fence)
        case "End":
            return _end(record, move)
    return Step(act=move.act, reason=move.reason, again_in=move.again_in)


def _restore(record: Record, green_weight: int) -> None:
    route = load_balancer.find_route(record.plan.route)
    blue, candidate = record.plan.blue.target_group, record.green_target_group or ""
    now = traffic.without(route.forward, blue, candidate) if record.overwrite else route.forward
    wanted = record.plan.split(candidate, green_weight, now)
    alone = route.forward.alone(blue)
    if not alone:
        load_balancer.set_forward(route, wanted, record.fence())
    if green_weight == 0 and (not alone or record.restored_at is None):
        ledger.note(record.fence(), restored_at=datetime.now(UTC))


def remove_green(record: Record) -> None:
    """Removes what the release made: the fleet drains while it is still in use, then the rest goes."""
    plan, fence = record.plan, record.fence()
    ours, target_group = green.tags(record), green.find_target_group(record)
    if target_group:
        # A group without targets would take the load balancer out of DNS along with it (C9).
        target_groups.leave_dns(target_group, fence)
    if auto_scaling.is_ours(plan.green_group, ours):
        auto_scaling.empty(plan.green_group, ours, fence)
        if not auto_scaling.delete(plan.green_group, ours, fence):
            return
    elif _stands(record, target_group):
        return  # it has lost our tags, and only what carries them is deleted
    alarms.delete(evidence.own_alarms(record), fence)
    if target_group:
        green.give_standby_back(record)
        target_groups.delete(target_group, fence)
    images.delete_version(plan.blue_launch_template.template, plan.release, fence)
    if (image := images.find_by_name(names.image(plan.service, plan.release))) is not None:
        images.deregister(image["ImageId"], ours, fence)


def _stands(record: Record, target_group: str | None) -> bool:
    """Whether green's group is there: by our tags, or by its target group if somebody took the tags off."""
    name = record.plan.green_group
    if auto_scaling.is_ours(name, green.tags(record)):
        return True
    return target_group is not None and target_group in (auto_scaling.find(name) or {}).get(
        "TargetGroupARNs", []
    )


def _end(record: Record, move: Move, failure: str = "no cause known") -> Step:
    assert move.end is not None
    step = _ended(move.end, move.reason, record.failure or failure)
    if move.end in _PAGED:
        pages.page(record.plan.service, record.plan.release, move.end, step.cause)
    ledger.end(record.fence(), move.end, move.reason)
    return step


def _ended(end: str, reason: str, failure: str) -> Step:
    return Step(act="End", reason=reason, again_in=0, end=end, cause=f"{failure.rstrip('. ')}. {reason}")  # type: ignore[arg-type]
