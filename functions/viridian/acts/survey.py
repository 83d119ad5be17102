"""Everything a plan is made from, read from AWS and checked as it is read."""

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from viridian import clone as cloning
from viridian import dns, expectations, gates, head_room, names, plan, preflight, timetable, traffic
from viridian.acts import budget, entry, floors, others, overrides, sources
from viridian.arns import own
from viridian.aws import alarms, auto_scaling, executions, functions, images, ledger, router, target_groups
from viridian.aws.load_balancer import Route
from viridian.aws.target_groups import TargetGroup
from viridian.errors import HANDS_ON, Refusal
from viridian.moment import at
from viridian.plan import LaunchTemplate, Plan
from viridian.preflight import Lent
from viridian.request import Profile, ReadySource, Request, Resume
from viridian.windows import Beginning


def make_plan(
    request: Request, profile: Profile, profile_version: int, execution: str, begins: Beginning
) -> Plan:
    """The plan of a release, or the Refusal that says what is in its way. Reads only."""
    started_at, window = begins.at, begins.words
    service = request.service
    release = names.release(request.version, execution)
    expectations.ensure_possible(profile.smoke_tests)
    if holder := ledger.holder(profile.route):
        raise Refusal("route", f"held by {holder}", "Wait for it to end, or roll it back.")
    _ensure_hands_on(profile.route)
    route = entry.find(profile.route)
    blue_arn = traffic.find_blue(route.forward)
    target_group = target_groups.find(blue_arn)
    _ensure_not_overtaken(service, target_group, begins.asked_at)
    group = auto_scaling.attached(blue_arn)
    launches = launches_of(group)
    preflight.ensure_lent("route", service, *lent(route, target_group, group, launches))
    template, versions = images.launched(launches)
    blue_image = template.get("ImageId")
    preflight.ensure_pinned_image(blue_image, launches)
    policies = auto_scaling.policies(group["AutoScalingGroupName"])
    auto_scaling.ensure_clonable(group, policies, blue_arn, service)
    health = target_groups.health(blue_arn)
    blue = auto_scaling.side(group, blue_arn, health)
    _ensure_hooks_lent(profile, execution, service)
    owner = preflight.iac_owner(auto_scaling.tags(group))
    others.ensure_idle(owner, blue.group)
    preflight.ensure_serving(blue)
    preflight.ensure_guards(profile, request.waive, alarms.states(profile.guards), blue)
    image = (images.find(blue_image) if blue_image else None) or {}
    groups = target_groups.everywhere()
    ready = sources.survey(request, group, execution, groups, {blue_arn: health})
    setup = cloning.setup(group, template, policies)
    vpc = target_group.description["VpcId"]
    wanted = overrides.check(request.fleet, setup, blue, vpc, image, ready.found)
    rules = entry.rules(route)
    standby, standby_before = entry.standby(route, rules, service, profile, target_group)
    has_standby = standby_before is not None
    quotas = tuple(
        budget.head_room(
            route, group, launches, template, groups, rules, versions=versions, has_standby=has_standby
        )
    )
    head_room.ensure_fits(quotas)
    rate = floors.rate_of(route.load_balancer, blue_arn)
    deadline = plan.times(profile, started_at)
    phases = timetable.phases(
        profile, started_at, deadline, bakes=not isinstance(request.source, ReadySource)
    )
    made = Plan(
        service=service,
        release=release,
        version=request.version,
        execution=execution,
        started_at=started_at,
        deadline=deadline,
        route=profile.route,
        listener=route.listener,
        load_balancer=route.load_balancer,
        endpoint=entry.endpoint(route, standby, target_group),
        profile=profile,
        profile_version=profile_version,
        source=request.source,
        build=request.build,
        waive=request.waive,
        blue=blue,
        blue_launch_template=launches,
        blue_owner=owner,
        blue_image=blue_image,
        blue_version=_version_of(image),
        before=route.forward,
        sticky_seconds=target_group.sticky_seconds(),
        cross_zone=target_groups.cross_zone(target_group, route.load_balancer),
        green_group=names.group(service, release),
        green_target_group=names.target_group(service, release),
        standby=standby,
        standby_before=standby_before,
        steps=plan.in_words(profile),
        makes=plan.makes(
            service, release, request.source, launches, standby.kind, by_name=dns.is_name(profile.route)
        ),
        changes=(
            *plan.changes(profile.route, blue, rate),
            *cloning.falls_inside(auto_scaling.scheduled(blue.group), started_at, deadline),
        ),
        keeps=plan.keeps(blue, profile, standby.kind),
        fleet=request.fleet,
        diff=overrides.changes(
            setup, wanted, plan.image_in_words(service, release, request.source, ready.image)
        ),
        timetable=(*((window,) if window else ()), *timetable.in_words(phases, profile, deadline)),
        head_room=tuple(quota.in_words() for quota in quotas),
        cost=budget.dollars(route.load_balancer, group, image, phases),
        image=ready.image,
        unchecked=ready.unchecked,
        rate=rate,
        key=request.key,
        gates=gates.of(profile),
        asked_at=begins.asked_at,
        override_window=request.override_window or None,
        window=window,
        judge_seconds=timetable.judge_seconds(profile),
    )
    return replace(made, preview=plan.preview(made))


def plan_again(wanted: Resume, execution: str, started_at: datetime) -> Plan:
    """The plan of a Held release that goes on from its first step; what it made still stands."""
    record = ledger.find(wanted.service, wanted.resume)
    if record is None or record.status != "Held":
        status = record.status if record else "not in the ledger"
        raise Refusal(
            "resume", f"{wanted.resume} of {wanted.service} is {status}", "Only a Held release resumes."
        )
    if record.taken_back:
        fix = "Let `viridian resolve` end it once the traffic is where it is to be."
        raise Refusal("resume", f"{wanted.resume} was promoted and is being taken back", fix)
    _ensure_hands_on(record.plan.route)
    shown = router.forward(record.plan.route)
    if not shown.alone(record.plan.blue.target_group) and shown.weights not in [
        w.weights for w in record.written
    ]:
        fix = "Give all weight to blue, or let `viridian rollback --overwrite` or `viridian resolve` end it."
        raise Refusal("route", f"the rule shows {traffic.describe(shown)}, written by somebody else", fix)
    profile, deadline = record.plan.profile, plan.times(record.plan.profile, started_at)
    phases = timetable.phases(profile, started_at, deadline, bakes=False)
    return replace(
        record.plan,
        execution=execution,
        started_at=started_at,
        asked_at=started_at,
        deadline=deadline,
        resumed=shown,
        resume_reason=wanted.reason,
        timetable=timetable.in_words(phases, profile, deadline),
    )


def launches_of(group: dict[str, Any]) -> LaunchTemplate:
    """What a group launches from; a Refusal unless it is one version of a launch template, by its number."""
    launches = cloning.launches(group)
    preflight.ensure_numeric(launches, group["AutoScalingGroupName"])
    return launches


def _version_of(image: dict[str, Any]) -> str | None:
    """The version that an image says it is; one that no release made may not say it."""
    return names.tags_on(image).get(names.VERSION)


def _ensure_hands_on(route: str) -> None:
    if why := ledger.hands_off(route):
        raise Refusal("hands_off", why, HANDS_ON)


def _ensure_hooks_lent(profile: Profile, execution: str, service: str) -> None:
    for gate in (*gates.GATES, gates.AFTER):
        if hook := gates.hook(profile, gate):
            field = f"profile.hooks.{gate}.arn"
            adapter = functions if gates.is_function(hook) else executions
            tags = adapter.tags(own(field, hook.arn, execution))
            if tags is None:
                raise Refusal(field, hook.arn, "Use a Lambda function or state machine that exists.")
            preflight.ensure_lent(field, service, Lent(kind="other", id=hook.arn, tags=tags, shared=True))


def _ensure_not_overtaken(service: str, blue: TargetGroup, asked_at: datetime) -> None:
    """What has waited for its window takes no service back to before a release that came meanwhile."""
    record = ledger.find(service, blue.tags[names.RELEASE]) if names.RELEASE in blue.tags else None
    if record and record.first_weight_at and record.first_weight_at > asked_at:
        since = f"{record.plan.release} serves since {at(record.first_weight_at)}, after this was asked for"
        raise Refusal("route", since, "Start it again, if it is still wanted.")


def lent(
    route: Route, blue: TargetGroup, group: dict[str, Any], launches: LaunchTemplate
) -> tuple[Lent, ...]:
    """What a service must lend, with the tags that it has."""
    return (
        *entry.lent(route),
        Lent(kind="elbv2", id=blue.arn, tags=blue.tags),
        Lent(kind="autoscaling", id=group["AutoScalingGroupName"], tags=auto_scaling.tags(group)),
        Lent(kind="ec2", id=launches.template, tags=images.template_tags(launches.template)),
    )
