"""Everything a plan is made from, read from AWS and checked as it is read."""

import secrets
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from viridian import clone as cloning
from viridian import names, plan, preflight, traffic
from viridian.acts import sources
from viridian.aws import alarms, auto_scaling, images, ledger, load_balancer, target_groups
from viridian.aws.load_balancer import Route
from viridian.aws.target_groups import TargetGroup
from viridian.errors import Refusal
from viridian.plan import LaunchTemplate, Plan
from viridian.preflight import Lent
from viridian.request import Profile, Request, Resume


def make_plan(
    request: Request, profile: Profile, profile_version: int, execution: str, started_at: datetime
) -> Plan:
    """The plan of a release, or the Refusal that says what is in its way. Reads only."""
    service = request.service
    release = names.release(request.version, execution)
    if holder := ledger.holder(profile.route):
        raise Refusal("route", f"held by {holder}", "Wait for it to end, or roll it back.")
    _ensure_hands_on(profile.route)
    route = load_balancer.find_route(profile.route)
    blue_arn = traffic.find_blue(route.forward)
    if len(route.forward.weights) >= 5:
        raise Refusal(
            "route", f"the rule lists {len(route.forward.weights)} target groups", "Leave room: AWS allows 5."
        )
    target_group = target_groups.find(blue_arn)
    group = auto_scaling.attached(blue_arn)
    specification = cloning.launch_template(group)
    launches = LaunchTemplate(
        template=specification["LaunchTemplateId"], version=str(specification.get("Version", "$Default"))
    )
    preflight.ensure_numeric(launches, group["AutoScalingGroupName"])
    _ensure_lent(service, route, target_group, group, launches)
    preflight.ensure_pinned_image(images.template_image(launches), launches)
    auto_scaling.ensure_clonable(group["AutoScalingGroupName"])
    blue = auto_scaling.side(group, blue_arn)
    preflight.ensure_serving(blue)
    preflight.ensure_guards(profile, request.waive, alarms.states(profile.guards), blue)
    ready = sources.survey(request, group, execution)
    taken = load_balancer.priorities(route.listener, service)
    standby = preflight.standby(route.conditions, route.priority, taken, f"{service}.{secrets.token_hex(16)}")
    return Plan(
        service=service,
        release=release,
        version=request.version,
        execution=execution,
        started_at=started_at,
        deadline=plan.times(profile, started_at),
        route=profile.route,
        listener=route.listener,
        load_balancer=route.load_balancer,
        endpoint=load_balancer.endpoint(route, preflight.host(route.conditions)),
        profile=profile,
        profile_version=profile_version,
        source=request.source,
        build=request.build,
        waive=request.waive,
        blue=blue,
        blue_launch_template=launches,
        blue_owner=preflight.iac_owner(auto_scaling.tags(group)),
        before=route.forward,
        sticky_seconds=target_group.sticky_seconds(),
        cross_zone=target_groups.cross_zone(target_group, route.load_balancer),
        green_group=names.group(service, release),
        green_target_group=names.target_group(service, release),
        standby=standby,
        standby_before=load_balancer.standby_forward(route.listener, service),
        steps=plan.in_words(profile),
        makes=plan.makes(service, release, request.source, launches),
        changes=plan.changes(profile.route, blue),
        keeps=plan.keeps(blue, profile),
        image=ready.image,
        unchecked=ready.unchecked,
    )


def plan_again(wanted: Resume, execution: str, started_at: datetime) -> Plan:
    """The plan of a Held release that goes on from its first step; what it made still stands."""
    record = ledger.find(wanted.service, wanted.resume)
    if record is None or record.status != "Held":
        status = record.status if record else "not in the ledger"
        raise Refusal(
            "resume", f"{wanted.resume} of {wanted.service} is {status}", "Only a Held release resumes."
        )
    _ensure_hands_on(record.plan.route)
    shown = load_balancer.forward(record.plan.route)
    if not shown.alone(record.plan.blue.target_group) and shown.weights not in [
        w.weights for w in record.written
    ]:
        fix = 'Give all weight to blue, or start the rollback machine with "overwrite" or "resolve".'
        raise Refusal("route", f"the rule shows {traffic.describe(shown)}, written by somebody else", fix)
    deadline = plan.times(record.plan.profile, started_at)
    return replace(record.plan, execution=execution, started_at=started_at, deadline=deadline, resumed=shown)


def _ensure_hands_on(route: str) -> None:
    if why := ledger.hands_off(route):
        raise Refusal("hands_off", why, "Take the hands_off attribute off the route's item in the ledger.")


def _ensure_lent(
    service: str, route: Route, blue: TargetGroup, group: dict[str, Any], launches: LaunchTemplate
) -> None:
    listener = Lent(kind="elbv2", id=route.listener, tags=load_balancer.tags(route.listener), shared=True)
    rule = Lent(kind="elbv2", id=route.arn, tags=load_balancer.tags(route.arn))
    preflight.ensure_lent(
        "route",
        service,
        *((rule, listener) if route.priority else (rule,)),
        Lent(kind="elbv2", id=blue.arn, tags=blue.tags),
        Lent(kind="autoscaling", id=group["AutoScalingGroupName"], tags=auto_scaling.tags(group)),
        Lent(kind="ec2", id=launches.template, tags=images.template_tags(launches.template)),
    )
