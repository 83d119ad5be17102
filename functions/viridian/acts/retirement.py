"""What becomes of blue once its time has come: out of use, scaled in to nothing, and gone if a release of ours made it."""

from datetime import UTC, datetime, timedelta

from viridian import dns, names, traffic
from viridian.acts import green, protection
from viridian.aws import (
    auto_scaling,
    balancers,
    executions,
    ledger,
    load_balancer,
    pages,
    router,
    target_groups,
)
from viridian.aws.load_balancer import Rule
from viridian.converge import Move
from viridian.dns import Answers
from viridian.errors import NotPermitted, Refusal
from viridian.moment import at
from viridian.record import Record

_LATER = timedelta(days=1)  # so long is waited for somebody to allow what a retirement was not permitted
_PATIENCE = timedelta(minutes=60)  # so long may what serves be short of capacity before blue is kept for good


def is_due(record: Record, now: datetime) -> bool:
    """Whether a promoted release's blue has been kept long enough, and is not being retired yet."""
    retiring = record.lock_execution and executions.state(record.lock_execution) == "RUNNING"
    return record.is_due(now) and not retiring


def start(record: Record) -> str:
    """Starts the retirement of one release's blue, at most once in ten minutes however often it is called."""
    name = names.retirement(record.plan.release, datetime.now(UTC))
    return executions.start_retirement(name, {"service": record.plan.service, "release": record.plan.release})


def retire(service: str, release: str, execution: str) -> Move:
    """The next step of a retirement; asked again until it answers with an end."""
    record = ledger.find(service, release)
    if record is None or record.status not in ("Promoted", "Retired"):
        status = record.status if record else "not in the ledger"
        raise Refusal(
            "release", f"{release} of {service} is {status}", "Only a promoted release's blue retires."
        )
    if record.status == "Retired":
        return Move(act="End", end="Retired", reason=record.outcome or "")
    if not record.is_due(datetime.now(UTC)):
        raise Refusal("release", release, f"Its blue is kept until {record.retire_at}.")
    if short := _short(record):
        if record.lock_execution == execution:  # a release with a fix may come first
            ledger.end(record.fence(), "Promoted", record.outcome or "")
        overdue = record.retire_at is not None and datetime.now(UTC) > record.retire_at + _PATIENCE
        if not overdue:
            return Move(act="AwaitBlue", reason=short, again_in=60)
    locked = ledger.lock_to_retire(record, execution)
    if locked is None:
        return Move(
            act="AwaitSettled", reason=f"the route is held by {ledger.holder(record.plan.route)}", again_in=60
        )
    if short:
        return _keep(locked, f"{short}, so blue stays until somebody retires it")
    try:
        return _retire(locked)
    except NotPermitted as error:
        return _put_off(locked, error)


def _keep(record: Record, reason: str, retire_at: datetime | None = None) -> Move:
    """Gives a retirement up, for good or until another time: blue stays as it is, and a person should know why."""
    pages.page(record.plan.service, record.plan.release, "keeps its blue", reason)
    ledger.end(record.fence(), "Promoted", reason, retire_at=retire_at)
    return Move(act="End", end="Held", reason=reason)


def _put_off(record: Record, error: NotPermitted) -> Move:
    """The route is free until the retirement is tried again; blue can serve until then, if it has anybody left."""
    again = datetime.now(UTC) + _LATER
    seen = ledger.find(record.plan.service, record.plan.release) or record  # what was noted before the call
    _let_launch(seen)
    return _keep(seen, f"{error}. Blue is kept, and retires once that is allowed: at {at(again)}", again)


def _let_launch(record: Record) -> None:
    """Blue may launch again what it is short of; one that stands at zero stays there."""
    blue = auto_scaling.find(record.plan.blue.group)
    if record.launches_suspended and blue and int(blue["DesiredCapacity"]):
        auto_scaling.resume_launches(record.plan.blue.group, record.fence())


def _retire(record: Record) -> Move:
    blue, fence = record.plan.blue, record.fence()
    rule = router.find(record.plan.route)
    if rule.forward.of(blue.target_group) > 0:
        _give_back(record, rule)
        _let_launch(record)
        return _keep(record, f"blue serves again ({traffic.describe(rule.forward)}), so it stays as it is")
    if green.in_standby(record, blue.target_group):
        router.delete_standby(record.plan.listener, record.plan.service, fence)
    if router.forward(record.plan.route).of(blue.target_group) > 0:
        return Move(act="AwaitBlue", reason="blue serves again", again_in=1)
    auto_scaling.empty(blue.group, {names.MANAGED: "true"}, fence)
    group = auto_scaling.find(blue.group)
    if group and group["Instances"]:
        return Move(
            act="RemoveGreen",
            reason=f"{len(group['Instances'])} instances of {blue.group} drain",
            again_in=30,
        )
    if record.emptied_at is None and (days := record.plan.profile.retain_days):
        return _retain(record, timedelta(days=days))
    return _remove_ours(record, auto_scaling.tags(group) if group else {})


def _retain(record: Record, kept: timedelta) -> Move:
    """Blue stands at nothing and launches nothing: it costs nothing, and can be brought back until its time."""
    now = datetime.now(UTC)
    words = f"{record.plan.blue.group} stands at zero until {at(now + kept)}, its launches suspended"
    ledger.end(record.fence(), "Promoted", words, retire_at=now + kept, emptied_at=now)
    return Move(act="End", end="Emptied", reason=words)


def _give_back(record: Record, rule: Rule | Answers) -> None:
    """Somebody gave blue traffic just as it was emptied: that goes back to green, and blue gets its capacity back.

    A blue that stands is left with what it was given.
    """
    blue, candidate = green.seen(record)
    if blue is None or blue.healthy() > 0 or candidate is None:
        return
    auto_scaling.raise_desired(blue, record.plan.blue.desired, record.fence())
    if candidate.healthy() > 0:
        wanted = record.plan.split(candidate.target_group, traffic.WHOLE, rule.forward)
        router.set_forward(rule, wanted, record.fence())


def _short(record: Record) -> str:
    """Why what serves now can't do without blue yet, or nothing if it can, or has to since blue is empty."""
    blue = auto_scaling.find(record.plan.blue.group)
    if blue is None or not int(blue["DesiredCapacity"]):
        return ""
    for target_group, weight in router.forward(record.plan.route).weights.items():
        if weight > 0 and target_group != record.plan.blue.target_group:
            serving = auto_scaling.side(auto_scaling.attached(target_group), target_group)
            if serving.healthy() < max(1, serving.minimum):
                return (
                    f"{serving.healthy()} of {serving.minimum} healthy in {serving.group}: {serving.ailing()}"
                )
    return ""


def _remove_ours(record: Record, tags: dict[str, str]) -> Move:
    """Deletes what an earlier release made; what its owner lent stays, at zero."""
    blue, fence = record.plan.blue, record.fence()
    made = {key: value for key, value in tags.items() if key in (names.MANAGED, names.SERVICE, names.RELEASE)}
    if tags and names.RELEASE not in made:
        owner = record.plan.blue_owner or "lent"
        words = f"{blue.group} stays, at zero: it is {owner}, not made by a release. Resume Launch to use it again"
        return _retired(record, words)
    if tags:
        auto_scaling.empty(blue.group, made, fence)
    if not auto_scaling.delete(blue.group, made, fence):
        reason = f"{blue.group} goes once its warm pool and all its instances have"
        return Move(act="AwaitBlue", reason=reason, again_in=30)
    own = balancers.standing(record.plan.load_balancer) if dns.is_name(record.plan.route) else None
    if own and names.RELEASE in load_balancer.tags(own):
        balancers.delete(own, fence)
    if target_groups.exists(blue.target_group) and names.RELEASE in load_balancer.tags(blue.target_group):
        target_groups.delete(blue.target_group, fence)
    return _retired(record, f"{blue.group} and its target group are gone")


def _retired(record: Record, outcome: str) -> Move:
    protection.let_go(record, record.plan.blue_image, gone=record.plan.blue.group)
    ledger.end(record.fence(), "Retired", outcome)
    return Move(act="End", end="Retired", reason=outcome)
