"""Bad input, one clear error each: the field, its value, the fix; and nothing touched."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from moto.ec2.models import ec2_backends

from local import seed
from local.control.session import ACCOUNT, REGION
from tests.workflow.world import Release, World, opened

MISSING = object()
LATER = "arn:aws:elasticloadbalancing:us-east-1:999999999999:listener-rule/app/shop/a98a18f7f982a53f/f5aa6f4036139f1d/7f2c"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One world for them all: what is refused leaves it as it was, and each test checks that."""
    with opened() as standing:
        standing.shop.builders["2.0.0"] = standing.builder()
        yield standing


def ask(world: World, **fields: Any) -> Any:
    source = {"type": "instance", "instance_id": world.shop.builders["2.0.0"]}
    request = {"service": "shop", "version": "2.0.0", "source": source, **fields}
    return {name: value for name, value in request.items() if value is not MISSING}


def ensure_refused(world: World, release: Release, *words: str) -> None:
    """FAILED with Refused; the cause has all the words; no call that changes anything was sent, to the ledger neither."""
    run = release.wait().execution
    assert (run.status, run.error) == ("FAILED", "Refused"), (run.status, run.error, run.cause)
    assert run.cause
    for word in words:
        assert word in run.cause, f"{word!r} is not in: {run.cause}"
    assert "Traceback" not in run.cause
    assert world.calls(release.arn) == []
    assert [call for call in world.ledger_writes() if call["execution"] == release.arn] == []
    assert world.holder() is None


BAD: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "an unknown field": ({"sevrice": "shop"}, ("sevrice", '"shop"', "Remove it")),
    "an unknown field deep inside": (
        {"steps": [{"weight": 100, "observe_minutes": 5, "pause": 3}]},
        ("steps[0].pause", "3", "Remove it"),
    ),
    "no service": ({"service": MISSING}, ("service", "missing", "Add it")),
    "no version": ({"version": MISSING}, ("version", "missing", "Add it")),
    "no source": ({"source": MISSING}, ("source", "missing", "Add it")),
    "a version that is a number": ({"version": 2}, ("version", "2", "semantic version")),
    "a version that is not semver": ({"version": "2.0"}, ("version", "2.0", "semantic version")),
    "a version with a leading v": ({"version": "v2.0.0"}, ("version", "v2.0.0", "semantic version")),
    "a version with a leading zero": ({"version": "2.01.0"}, ("version", "2.01.0", "semantic version")),
    "a version with a line break": ({"version": "2.0.0\n"}, ("version", "semantic version")),
    "a source of no known type": ({"source": {"type": "snapshot"}}, ("source", "snapshot", "instance_id")),
    "a source without its id": ({"source": {"type": "ami"}}, ("source.image_id", "missing", "image_id")),
    "an image id that is none": (
        {"source": {"type": "ami", "image_id": "ami-latest"}},
        ("source.image_id", "ami-latest", "ami-..."),
    ),
    "steps that do not rise": (
        {"steps": [{"weight": 50, "observe_minutes": 5}, {"weight": 50, "observe_minutes": 5}]},
        ("steps[1].weight", "50", "more than the 50 before it"),
    ),
    "steps that do not end at 100": (
        {"steps": [{"weight": 10, "observe_minutes": 5}]},
        ("steps[0].weight", "10", "100"),
    ),
    "no steps": ({"steps": []}, ("steps", "1-20")),
    "a weight above 100": (
        {"steps": [{"weight": 101, "observe_minutes": 5}]},
        ("steps[0].weight", "101", "1-100"),
    ),
    "a weight in words": (
        {"steps": [{"weight": "all", "observe_minutes": 5}]},
        ("steps[0].weight", "all", "1-100"),
    ),
    "more than a day of observing": (
        {"steps": [{"weight": 50, "observe_minutes": 1440}, {"weight": 100, "observe_minutes": 5}]},
        ("steps", "1445 minutes", "1440"),
    ),
    "an observe time too short for any evidence": (
        {"steps": [{"weight": 100, "observe_minutes": 1}], "inconclusive": {"minutes": 1}},
        ("steps[0].observe_minutes", "1", "observe longer"),
    ),
    "a smoke test of another host": (
        {"smoke_tests": [{"path": "http://169.254.169.254/"}]},
        ("smoke_tests[0].path", "169.254.169.254", "path: '/...'"),
    ),
    "a settle time that is negative": ({"settle_seconds": -1}, ("settle_seconds", "-1", "0 to 900")),
    "dry_run in words": ({"dry_run": "yes"}, ("dry_run", "yes", "true or false")),
    "a waiver without a reason": (
        {"waive": {"alarms": ["shop-errors"], "reason": "no"}},
        ("waive.reason", "no", "at least ten characters"),
    ),
    "a waiver of what is no guard": (
        {"waive": {"alarms": ["shop-latency"], "reason": "it has been red for weeks"}},
        ("waive.alarms", "shop-latency", "guards"),
    ),
    "a route in the request": ({"route": LATER}, ("route", LATER, "Remove it")),
    "an unknown service": (
        {"service": "shoop"},
        ("service", "shoop", "Parameter Store", "/viridian/services/shoop"),
    ),
    "a service name that is none": ({"service": "../shop"}, ("service", "../shop", "2-20 of a-z")),
    "an image that does not exist": (
        {"source": {"type": "ami", "image_id": "ami-0123456789abcdef0"}},
        ("source.image_id", "ami-0123456789abcdef0", "exists"),
    ),
    "an instance that does not exist": (
        {"source": {"type": "instance", "instance_id": "i-0123456789abcdef0"}},
        ("source.instance_id", "i-0123456789abcdef0", "exists"),
    ),
    "a guard that does not exist": (
        {"guards": ["shop-errors", "shop-latency"]},
        ("guards", "shop-latency", "exists"),
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_request_is_refused(world: World, what: str) -> None:
    fields, words = BAD[what]
    ensure_refused(world, world.submit(ask(world, **fields)), *words)


@pytest.mark.parametrize("document", [[], "2.0.0", 7, None, {}], ids=repr)
def test_what_is_no_request_at_all_is_refused(world: World, document: Any) -> None:
    ensure_refused(world, world.submit(document))


# --- a world that stands in the way -----------------------------------------------------------------------


@contextmanager
def weights_on_two(world: World) -> Iterator[None]:
    elb = world.cloud.client("elbv2")
    made = elb.create_target_group(Name="other", Protocol="HTTP", Port=80, VpcId=world.shop.vpc_id)
    world.set_weights(shop_1=90, other=10)
    try:
        yield
    finally:
        world.set_weights(shop_1=100)
        elb.delete_target_group(TargetGroupArn=made["TargetGroups"][0]["TargetGroupArn"])


@contextmanager
def blue_on_latest(world: World) -> Iterator[None]:
    def launch(version: str) -> None:
        world.cloud.client("autoscaling").update_auto_scaling_group(
            AutoScalingGroupName="shop-1",
            LaunchTemplate={"LaunchTemplateId": world.shop.launch_template_id, "Version": version},
        )

    launch("$Latest")
    try:
        yield
    finally:
        launch("1")


@contextmanager
def red_guard(world: World) -> Iterator[None]:
    cloudwatch = world.cloud.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName="shop-errors", StateValue="ALARM", StateReason="it burns")
    try:
        yield
    finally:
        cloudwatch.set_alarm_state(AlarmName="shop-errors", StateValue="OK", StateReason="it is out")


@contextmanager
def source_serves(world: World) -> Iterator[None]:
    elb, target = world.cloud.client("elbv2"), {"Id": world.shop.builders["2.0.0"]}
    made = elb.create_target_group(Name="other", Protocol="HTTP", Port=80, VpcId=world.shop.vpc_id)
    other = made["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=other, Targets=[target])
    try:
        yield
    finally:
        elb.deregister_targets(TargetGroupArn=other, Targets=[target])
        elb.delete_target_group(TargetGroupArn=other)


@contextmanager
def second_group(world: World) -> Iterator[None]:
    scaling = world.cloud.client("autoscaling")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="shop-too",
        MinSize=0,
        MaxSize=1,
        LaunchTemplate={"LaunchTemplateId": world.shop.launch_template_id, "Version": "1"},
        VPCZoneIdentifier=world.shop.subnet_ids[0],
        TargetGroupARNs=[world.shop.target_group_arn],
    )
    try:
        yield
    finally:
        scaling.delete_auto_scaling_group(AutoScalingGroupName="shop-too")


@contextmanager
def suspended(world: World) -> Iterator[None]:
    scaling = world.cloud.client("autoscaling")
    scaling.suspend_processes(AutoScalingGroupName="shop-1", ScalingProcesses=["Terminate"])
    try:
        yield
    finally:
        scaling.resume_processes(AutoScalingGroupName="shop-1", ScalingProcesses=["Terminate"])


@contextmanager
def no_room_ahead(world: World) -> Iterator[None]:
    elb, rule = world.cloud.client("elbv2"), world.shop.rule_arn
    elb.set_rule_priorities(RulePriorities=[{"RuleArn": rule, "Priority": 1}])
    try:
        yield
    finally:
        elb.set_rule_priorities(RulePriorities=[{"RuleArn": rule, "Priority": 100}])


IN_THE_WAY: dict[str, tuple[Callable[[World], AbstractContextManager[None]], tuple[str, ...]]] = {
    "weights on two groups": (weights_on_two, ("route", "shop-1 at 90", "other at 10", "Give all weight")),
    "blue on $Latest": (blue_on_latest, ("route", "$Latest", "by number")),
    "a guard in ALARM": (red_guard, ("guards", "shop-errors is in ALARM: it burns", "waive")),
    "a source that serves": (source_serves, ("source.instance_id", "registered in", "no target group lists")),
    "two groups on blue's target group": (second_group, ("route", "shop-1, shop-too", "exactly one")),
    "a suspended process": (suspended, ("route", "suspended Terminate", "Resume it")),
    "no priority ahead of the rule": (no_room_ahead, ("route", "priority 1", "free priority")),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
def test_what_stands_in_the_way_refuses_the_release(world: World, what: str) -> None:
    arrange, words = IN_THE_WAY[what]
    with arrange(world):
        ensure_refused(world, world.submit(ask(world)), *words)


def test_a_source_of_an_auto_scaling_group_is_refused(world: World) -> None:
    instance = world.instances()[0]
    release = world.submit(ask(world, source={"type": "instance", "instance_id": instance}))
    ensure_refused(world, release, "source.instance_id", instance, "group shop-1", "outside any group")


@pytest.mark.parametrize("what", ["rule", "listener", "target group", "group", "launch template", "builder"])
def test_what_its_owner_has_not_lent_is_refused_with_the_command_that_lends_it(
    world: World, what: str
) -> None:
    with untagged(world, what) as name:
        ensure_refused(
            world, world.submit(ask(world)), f"not lent to service shop: {name}", "aws ", "viridian:managed"
        )


def test_what_is_lent_to_another_service_is_refused(world: World) -> None:
    elb, arn = world.cloud.client("elbv2"), world.shop.target_group_arn
    elb.add_tags(ResourceArns=[arn], Tags=[{"Key": "viridian:service", "Value": "blog"}])
    ensure_refused(world, world.submit(ask(world)), "not lent to service shop", arn)
    elb.add_tags(ResourceArns=[arn], Tags=[{"Key": "viridian:service", "Value": "shop"}])


@contextmanager
def untagged(world: World, what: str) -> Iterator[str]:
    shop, key = world.shop, "viridian:managed"
    tag = [{"Key": key, "Value": "true"}]
    elb, ec2 = world.cloud.client("elbv2"), world.cloud.client("ec2")
    if what in ("rule", "listener", "target group"):
        arns = {"rule": shop.rule_arn, "listener": shop.listener_arn, "target group": shop.target_group_arn}
        arn = str(arns[what])
        elb.remove_tags(ResourceArns=[arn], TagKeys=[key])
        try:
            yield arn
        finally:
            elb.add_tags(ResourceArns=[arn], Tags=tag)
    elif what == "group":
        on = {"ResourceId": "shop-1", "ResourceType": "auto-scaling-group", "Key": key}
        scaling = world.cloud.client("autoscaling")
        scaling.delete_tags(Tags=[on])
        try:
            yield "shop-1"
        finally:
            scaling.create_or_update_tags(Tags=[{**on, "Value": "true", "PropagateAtLaunch": False}])
    else:
        identity = shop.launch_template_id if what == "launch template" else shop.builders["2.0.0"]
        ec2.delete_tags(Resources=[identity], Tags=[{"Key": key}])
        _show_tags(world)
        try:
            yield identity
        finally:
            ec2.create_tags(Resources=[identity], Tags=tag)
            _show_tags(world)


def _show_tags(world: World) -> None:
    """moto shows a launch template's tags as they were when it was made."""
    template = ec2_backends[ACCOUNT][REGION].launch_templates[world.shop.launch_template_id]
    template.tags = template.get_tags()


PROFILES: dict[str, tuple[Callable[[str], dict[str, Any]], tuple[str, ...]]] = {
    "a route of another account": (
        lambda route: {"route": route.replace("123456789012", "210987654321")},
        ("profile.route", "210987654321", "Use an ARN of account 123456789012"),
    ),
    "a route of another Region": (
        lambda route: {"route": route.replace("us-east-1", "eu-west-1")},
        ("profile.route", "eu-west-1", "in us-east-1"),
    ),
    "a route that is no ARN": (lambda _: {"route": "shop"}, ("profile.route", "shop", "Use the ARN")),
    "a route that does not exist": (
        lambda route: {"route": route[:-4] + "0000"},
        ("route", "0000", "exists"),
    ),
    "no route": (lambda _: {}, ("profile.route", "missing", "Use the ARN")),
    "an unknown field in the profile": (
        lambda route: {"route": route, "stages": []},
        ("profile.stages", "[]", "Remove it"),
    ),
}


@pytest.mark.parametrize("what", PROFILES)
def test_a_bad_profile_is_refused(world: World, what: str) -> None:
    make, words = PROFILES[what]
    seed.registered(world.cloud, "shop", make(world.shop.route_arn))
    try:
        ensure_refused(world, world.submit(ask(world)), *words)
    finally:
        seed.registered(world.cloud, "shop", world.shop.profile)


def test_a_profile_that_is_not_json_is_refused(world: World) -> None:
    ssm = world.cloud.client("ssm")
    ssm.put_parameter(Name="/viridian/services/shop", Value="{route:", Type="String", Overwrite=True)
    try:
        ensure_refused(world, world.submit(ask(world)), "profile", "not JSON", "Register it again")
    finally:
        seed.registered(world.cloud, "shop", world.shop.profile)


# --- what is not refused ----------------------------------------------------------------------------------


def test_a_dry_run_ends_planned_and_touches_nothing(world: World) -> None:
    release = world.submit(ask(world, dry_run=True)).wait()
    assert (release.execution.status, release.end) == ("SUCCEEDED", "Planned")
    assert world.calls(release.arn) == []
    assert [call for call in world.ledger_writes() if call["execution"] == release.arn] == []
    assert release.record == {}


def test_a_dry_run_prints_the_whole_plan(world: World) -> None:
    release = world.submit(ask(world, dry_run=True)).wait()
    plan = release.execution.output["plan"]
    assert plan["blue"]["group"] == "shop-1"
    assert plan["steps"] == ["50% for 4 min", "100% for 4 min"]
    assert any("Auto Scaling group viridian-shop-2.0.0-" in line for line in plan["makes"])
    assert any("shop-1: 2 to 3" in line for line in plan["changes"])
    assert any("60 minutes" in line for line in plan["keeps"])


def test_a_dry_run_is_refused_as_the_release_would_be(world: World) -> None:
    with red_guard(world):
        ensure_refused(world, world.submit(ask(world, dry_run=True)), "guards", "shop-errors")


@pytest.mark.parametrize("also", ["the listener's default action", "another listener"])
def test_a_fleet_that_another_rule_leads_to(world: World, also: str) -> None:
    """As blue retires, whoever comes in there would find nobody."""
    elb, shop = world.cloud.client("elbv2"), world.shop
    forward = [{"Type": "forward", "TargetGroupArn": shop.target_group_arn}]
    listener = elb.describe_listeners(ListenerArns=[shop.listener_arn])["Listeners"][0]
    made = None
    if also == "another listener":
        more = {"Protocol": "HTTP", "Port": 8081, "DefaultActions": forward}
        made = elb.create_listener(LoadBalancerArn=shop.load_balancer_arn, **more)["Listeners"][0][
            "ListenerArn"
        ]
    else:
        elb.modify_listener(ListenerArn=shop.listener_arn, DefaultActions=forward)
    try:
        ensure_refused(
            world, world.submit(ask(world)), "route", "forwards to blue's target group too", "redirect"
        )
    finally:
        if made:
            elb.delete_listener(ListenerArn=made)
        elb.modify_listener(ListenerArn=shop.listener_arn, DefaultActions=listener["DefaultActions"])


def test_after_all_these_refusals_the_same_world_takes_a_release(world: World) -> None:
    release = world.submit(ask(world)).until("ShiftTraffic")
    assert world.holder() == release.id
    release.wait()
    assert release.end == "Promoted"
