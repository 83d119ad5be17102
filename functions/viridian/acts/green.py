"""The two fleets of a release: green made, both held on their floors, green promoted."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from viridian import arns, balancer, clone, dns, fleet, names, signals, traffic
from viridian.acts import protection
from viridian.aws import alarms, auto_scaling, balancers, images, ledger, load_balancer, router, target_groups
from viridian.errors import Busy, Drifted
from viridian.fleet import Side, Sizes
from viridian.plan import Endpoint
from viridian.record import Record
from viridian.signals import Alarm
from viridian.traffic import Forward


def make_target_group(record: Record) -> str:
    """Green's target group, in use and so health-checked before any traffic (aws-facts 4): behind the standby rule or the
    preview listener, or a load balancer of its own.
    """
    plan, fence = record.plan, record.fence()
    like = target_groups.find(plan.blue.target_group)
    arn = target_groups.make(plan.green_target_group, like, tags(record), fence)
    if record.green_target_group != arn:
        ledger.note(fence, green_target_group=arn)
    set_standby(record, arn, green_weight=traffic.WHOLE)
    return arn


def make_balancer(record: Record, target_group: str) -> Record:
    """Where the route is a name, green's own load balancer, cloned from blue's; the record that knows of it."""
    plan = record.plan
    if not dns.is_name(plan.route):
        return record
    like = balancers.shape(plan.load_balancer)
    balancer.ensure_clonable(like, plan.blue.target_group)
    name = names.balancer(plan.service, plan.release)
    arn = balancers.make(name, like, target_group, tags(record), record.fence())
    if record.green_load_balancer != arn:
        ledger.note(record.fence(), green_load_balancer=arn)
    return replace(record, green_load_balancer=arn)


def find_balancer(record: Record) -> str | None:
    """Green's own load balancer by its name, if it is there and this release's."""
    if not dns.is_name(record.plan.route):
        return None
    return _ours(record, balancers.find_by_name(names.balancer(record.plan.service, record.plan.release)))


def endpoint(record: Record) -> Endpoint:
    """Where green is reached before it has traffic."""
    return entry(record)[0]


def entry(record: Record) -> tuple[Endpoint, str]:
    """The same, and why it can't be reached yet by its own load balancer; nothing if it can, or has none."""
    if record.green_load_balancer is None:
        return record.plan.endpoint, ""
    dns_name, state = balancers.entry(record.green_load_balancer)
    lack = "" if state in ("active", "active_impaired") else f"its load balancer is {state}"
    return replace(record.plan.endpoint, dns_name=dns_name), lack


def find_target_group(record: Record) -> str | None:
    """Green's target group by its name, if it is there and this release's: a try that died may not have noted it."""
    return _ours(record, target_groups.find_by_name(record.plan.green_target_group))


def _ours(record: Record, arn: str | None) -> str | None:
    """The same ARN, if what it names carries this release's tags."""
    return arn if arn and tags(record).items() <= load_balancer.tags(arn).items() else None


def set_standby(record: Record, green: str, *, green_weight: int) -> None:
    """Both sides stay in the standby rule or preview listener: neither ever drops out of use while weights change elsewhere.

    Sides with a load balancer each are in use behind it.
    """
    if dns.is_name(record.plan.route):
        return
    blue = record.plan.blue.target_group
    sticky = record.plan.sticky_seconds
    wanted = Forward(weights={green: green_weight, blue: traffic.WHOLE - green_weight}, sticky_seconds=sticky)
    router.set_standby(record.plan.listener, record.plan.standby, wanted, tags(record), record.fence())


def in_standby(record: Record, target_group: str) -> bool:
    """Whether the service's standby rule keeps a target group in use."""
    forward = router.standby_forward(record.plan.listener, record.plan.service)
    return forward is not None and target_group in forward.weights


def has_standby(record: Record) -> bool:
    """Whether the standby rule is anything but what it was before the release."""
    shown = router.standby_forward(record.plan.listener, record.plan.service)
    return shown is not None and shown != _standby_before(record)


def give_standby_back(record: Record) -> None:
    """The standby rule as the release found it: gone, or on the fleet that the release before this one keeps."""
    plan, before = record.plan, _standby_before(record)
    if before is None:
        router.delete_standby(plan.listener, plan.service, record.fence())
    else:
        router.set_standby(plan.listener, plan.standby, before, tags(record), record.fence())


def _standby_before(record: Record) -> Forward | None:
    """None once a fleet in it is gone or stands at nothing: a group without targets may not be listed (aws-facts H1)."""
    before = record.plan.standby_before
    stands = before is not None and all(
        target_groups.exists(group) and target_groups.health(group) for group in before.weights
    )
    return before if stands else None


def make_group(record: Record, target_group: str) -> None:
    """Green's group on its own launch template version: all that hangs on blue's but what waits for promotion, and what is
    asked for instead.
    """
    plan, fence = record.plan, record.fence()
    version = images.version_for(
        plan.blue_launch_template, record.image or "", plan.release, fence, plan.fleet
    )
    if record.launch_template_version != version:
        ledger.note(fence, launch_template_version=version, green_at=datetime.now(UTC))
    blue = auto_scaling.make_green(
        plan.green_group, plan.blue.group, version, target_group, record.need, tags(record), fence, plan.fleet
    )
    auto_scaling.copy_suspensions(plan.green_group, blue, fence)
    auto_scaling.copy_metrics(plan.green_group, blue, fence)
    auto_scaling.copy_notifications(plan.green_group, plan.blue.group, fence)
    _make_scaling(record, target_group)


def _make_scaling(record: Record, target_group: str) -> None:
    """Blue's scaling policies on green, and alarms of its own that drive them."""
    plan, fence = record.plan, record.fence()
    swap = _swap(record, target_group)
    blue = auto_scaling.policies(plan.blue.group)
    auto_scaling.copy_policies(plan.green_group, blue, swap, fence, plan.fleet)
    if told := clone.driving(blue):
        arns = {
            policy["PolicyName"]: policy["PolicyARN"] for policy in auto_scaling.policies(plan.green_group)
        }
        if unseen := sorted({policy["PolicyName"] for policy in blue} - set(arns)):
            raise Busy(f"policies of {plan.green_group} are not to be seen yet: {', '.join(unseen)}")
        swap |= {policy["PolicyARN"]: arns[policy["PolicyName"]] for policy in blue}
        copies = {told[alarm["AlarmName"]]: clone.alarm(alarm, swap) for alarm in alarms.find(told)}
        wanted = {names.scaling_alarm(plan.service, plan.release, key): copies[key] for key in copies}
        alarms.copy(wanted, tags(record), fence)


def _swap(record: Record, target_group: str) -> dict[str, str]:
    """Green's names in the place of blue's, for whatever setting of a group names that group."""
    plan = record.plan
    before, after = (arns.suffix(arn) for arn in (plan.load_balancer, record.serves_green))
    blue, green = (arns.suffix(arn) for arn in (plan.blue.target_group, target_group))
    own = {before: after} if before != after else {}
    return {plan.blue.group: plan.green_group, blue: green, f"{before}/{blue}": f"{after}/{green}", **own}


def make_alarms(record: Record, target_group: str) -> None:
    """Green's own alarms."""
    alarms.make(wanted_alarms(record, target_group), tags(record), record.fence())


def wanted_alarms(record: Record, target_group: str) -> list[Alarm]:
    """Green's own alarms, as they are to be."""
    plan = record.plan
    limits, before = plan.profile.thresholds, record.serves_green
    return signals.green_alarms(plan.service, plan.release, limits, before, target_group, plan.blue.desired)


def count_in_dns(record: Record) -> None:
    """From its first weight on green counts for the load balancer's place in DNS as blue does (aws-facts H1)."""
    if record.first_weight_at is None and record.green_target_group:
        blue = target_groups.attributes(record.plan.blue.target_group)
        failover = {key: value for key, value in blue.items() if key.startswith(target_groups.DNS_FAILOVER)}
        target_groups.set_attributes(record.green_target_group, failover, record.fence())
        ledger.watch(record, first_weight_at=datetime.now(UTC))


def promote(record: Record, green: Side) -> Record:
    """Green gets the floor blue had, or the one asked for; blue stays in reach until its time; the route is free.

    What would have changed green's size by itself comes now: scheduled actions write sizes outright (aws-facts A16), and
    a warm pool is launched up to the largest size.
    """
    plan, fence = record.plan, record.fence()
    set_standby(record, green.target_group, green_weight=0)
    auto_scaling.set_minimum(green, plan.minimum(), fence)
    if plan.fleet.max_size is not None:
        auto_scaling.lower_maximum(green, plan.fleet.max_size, fence)
    if (blue := auto_scaling.find(plan.blue.group)) is not None:
        auto_scaling.copy_schedule(green.group, plan.blue.group, datetime.now(UTC), fence)
        auto_scaling.copy_warm_pool(green.group, blue, fence)
    protection.protect(record)
    # The last look before it is over: somebody may have written since the one before.
    traffic.ensure_alone(router.forward(plan.route), green.target_group)
    alarms.delete((alarm.name for alarm in wanted_alarms(record, green.target_group)), fence)
    now = datetime.now(UTC)
    retire_at = now + timedelta(minutes=plan.profile.keep_minutes)
    told = {"promoted_at": now, "retire_at": retire_at, "emptied_at": None, "taken_back": False}
    ledger.end(fence, "Promoted", f"{plan.version} serves alone", **told)
    return ledger.find(plan.service, plan.release) or record


def seen(record: Record) -> tuple[Side | None, Side | None]:
    """Blue and green as they are now; None for one that isn't there."""
    sides = auto_scaling.find_sides(_groups(record))
    return sides.get(record.plan.blue.group), sides.get(record.plan.green_group)


def sizes(record: Record) -> tuple[Sizes | None, Sizes | None]:
    """Their sizes alone: who is healthy isn't asked."""
    found = auto_scaling.by_name(*_groups(record))
    told = {name: auto_scaling.sizes(group) for name, group in found.items()}
    return told.get(record.plan.blue.group), told.get(record.plan.green_group)


def _groups(record: Record) -> dict[str, str]:
    """Each side's target group, by the name of its group."""
    plan, green = record.plan, record.green_target_group
    return {plan.blue.group: plan.blue.target_group, **({plan.green_group: green} if green else {})}


def both(record: Record) -> tuple[Side, Side]:
    """Blue and green, both of which must be there; green may be briefly unseen right after it was made."""
    blue, green = seen(record)
    if blue is None:
        raise Drifted(f"blue's group {record.plan.blue.group} is gone")
    if green is None:
        raise Busy(f"green's group {record.plan.green_group} is not to be seen")
    return blue, green


def lacks(record: Record, blue: Side, green: Side) -> str:
    """Why green can't carry the need, or nothing if it can."""
    return fleet.shortfall(green, blue, record.need, cross_zone=record.plan.cross_zone)


def ensure_comes_up(record: Record, blue: Side, green: Side) -> str:
    """What `lacks` says, with the last launch that failed; raises GreenUnfit if another try won't mend that."""
    if not (lack := lacks(record, blue, green)):
        return ""
    failures = auto_scaling.failures(green.group) if green.standing() < record.need else []
    fleet.ensure_launches(green, failures)
    return f"{lack}; the last launch failed: {failures[0]}" if failures else lack


def tags(record: Record) -> dict[str, str]:
    """What everything this release makes carries."""
    return names.tags(record.plan.service, record.plan.release)
