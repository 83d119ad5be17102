"""PlanRelease: the whole plan, and not a thing touched; or one refusal that says what to mend."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from moto.codebuild.models import codebuild_backends
from moto.ec2.models import ec2_backends

from local import seed
from local.metrics.usage import Usage
from local.reality import Reality
from local.strict import quotas
from tests.account import ACCOUNT, EXECUTION, REGION, RELEASE, Account
from viridian.errors import Busy, Refusal
from viridian.plan import Plan


def plan(account: Account, **request: Any) -> Any:
    """What PlanRelease answers to the sample with these fields of its request replaced, or left out where None."""
    event = account.event("plan_release")
    wanted = {**event["request"], **request}
    asked = {name: value for name, value in wanted.items() if value is not None}
    return account.run("plan_release", {**event, "request": asked})


def plan_now(account: Account, asked_at: datetime | None = None, **request: Any) -> Any:
    """The same, planned now; asked for just now too, unless it has waited."""
    now, event = account.now(), account.event("plan_release")
    wanted = {name: value for name, value in {**event["request"], **request}.items() if value is not None}
    moments = {"started_at": (asked_at or now).isoformat(), "planned_at": now.isoformat()}
    return account.run("plan_release", {**event, **moments, "request": wanted})


def refusal(account: Account, **request: Any) -> Refusal:
    """The refusal that a request meets; whatever it is, nothing was touched."""
    stood = account.world()
    account.calls.clear()
    with pytest.raises(Refusal) as refused:
        plan(account, **request)
    assert [call["call"] for call in account.calls if call["mutating"]] == []
    assert account.world() == stood
    assert refused.value.fix, "a refusal says what to do"
    assert refused.value.fix in str(refused.value)
    assert refused.value.field in str(refused.value)
    return refused.value


def test_planning_twice_gives_the_same_plan_and_touches_nothing(account: Account) -> None:
    before = account.world()
    first = account.twice("plan_release")
    assert account.writes() == []
    assert account.world() == before
    assert (first["service"], first["release"], first["dry_run"]) == ("shop", RELEASE, False)


def test_the_plan_names_everything_that_will_be_made_changed_and_kept(account: Account) -> None:
    found = msgspec.convert(account.run("plan_release")["plan"], Plan)
    assert found.steps == ("10% for 10 min", "50% for 10 min", "100% for 10 min")
    assert [line.split()[0] for line in found.makes] == ["image", "target", "a", "the", "Auto", "alarms"]
    assert f"image viridian-shop-{RELEASE}" in found.makes
    assert "MinSize of shop-1: 2 to 3 while the release runs" in found.changes
    assert found.keeps == (
        "shop-1 at 3 instances behind the standby rule, for 60 minutes",
        "shop-1 at zero, for 7 days more",
    )
    assert found.blue.group == "shop-1"
    assert found.blue.desired == 3
    assert found.before.weights == {account.shop.target_group_arn: 100}
    assert found.standby.priority == 99


def test_the_plan_keeps_the_request_rate_that_blues_size_carries(account: Account) -> None:
    account.asked_for(blue=1200)
    found = plan(account)["plan"]
    assert found["rate"] == 1200
    assert "both floors: up to 9, as requests rise from 1200 a minute" in found["changes"]


def test_a_rate_that_isnt_known_is_said_and_refuses_nothing(account: Account) -> None:
    account.asked_for(blue=1200, minutes=5)
    found = plan(account)["plan"]
    assert found["rate"] == 0
    assert "both floors: whatever the requests: there are too few to compare with" in found["changes"]


def test_the_fields_of_a_request_override_the_registered_profile(account: Account) -> None:
    found = plan(account, settle_seconds=300, guards=None)["plan"]["profile"]
    assert found["settle_seconds"] == 300
    assert found["guards"] == ["shop-errors"]
    assert found["route"] == account.shop.route_arn


def test_a_dry_run_is_planned_in_full_and_sends_no_call_that_changes_anything(account: Account) -> None:
    answer = plan(account, dry_run=True)
    assert answer["dry_run"] is True
    for part in ("steps", "makes", "changes", "keeps", "timetable", "head_room", "cost"):
        assert answer["plan"][part], part
        assert all(isinstance(line, str) for line in answer["plan"][part])
    assert account.calls
    assert [call["call"] for call in account.calls if call["mutating"]] == []


def test_the_plan_holds_each_quota_against_what_the_release_makes(account: Account) -> None:
    Usage(Reality()).tick(account.now().timestamp())
    account.later(minutes=1)
    found = plan(account)["plan"]["head_room"]
    template = account.shop.launch_template_id
    assert found == [
        "rules of the load balancer: 1 in use, 1 more needed, 100 allowed",
        "target groups in the rule: 1 in use, 1 more needed, 5 allowed",
        "target groups of the load balancer: 1 in use, 1 more needed, 100 allowed",
        "target groups in the Region: 1 in use, 1 more needed, 3000 allowed",
        "targets of the load balancer, blue's alone: 3 in use, 3 more needed, 1000 allowed",
        "Auto Scaling groups in the Region: 1 in use, 1 more needed, 200 allowed",
        f"versions of launch template {template}: 1 in use, 1 more needed, 10000 allowed",
        "On-Demand vCPUs (L-1216C47A): 8 in use, 6 more needed, 256 allowed",
    ]


def test_a_standby_rule_that_stands_is_not_made_again(account: Account) -> None:
    account.promoted()
    account.later(minutes=1)
    account.serve("green", 0)
    quotas.grant("rules-per-application-load-balancer", 2)
    builder = seed.builder(account, "3.0.0")
    source = {"type": "instance", "instance_id": builder}
    found = plan_now(account, version="3.0.0", source=source, waive=None)["plan"]["head_room"]
    assert found[0] == "rules of the load balancer: 2 in use, 0 more needed, 2 allowed"


def test_the_times_are_those_of_this_release(account: Account) -> None:
    found = plan(account)["plan"]
    assert found["timetable"][0].startswith("image available: 2026-01-05T09:")
    assert [line.split(":")[0] for line in found["timetable"][2:-1]] == [
        "10% observed",
        "50% observed",
        "100% observed",
        "promoted",
        "blue retires",
    ]
    assert (
        datetime.fromisoformat(found["deadline"]).strftime("%H:%M:%SZ at the latest")
        in found["timetable"][-3]
    )


def test_a_plan_asks_nothing_twice(account: Account) -> None:
    plan(account)
    asked = [(call["service"], call["call"], str(call["request"])) for call in account.calls]
    assert [each for each, times in Counter(asked).items() if times > 1] == []


def test_the_cost_is_that_of_blues_own_instances_twice(account: Account) -> None:
    found = plan(account)["plan"]["cost"]
    assert found[0] == "blue: 3 t3.small at $0.0208: $0.0624 an hour"
    assert found[1] == "green: 3 t3.small at $0.0208: $0.0624 an hour"
    assert found[2].startswith("both for 1 h 30 min, the soonest that blue can retire: $0.19")


@pytest.mark.parametrize(
    ("service", "call", "part", "words"),
    [
        ("pricing", "GetProducts", "cost", "not known: GetProducts: AccessDenied"),
        (
            "service-quotas",
            "GetServiceQuota",
            "head_room",
            "On-Demand vCPUs (L-1216C47A): use not known, 6 more needed, limit not known (GetServiceQuota: AccessDenied)",
        ),
        (
            "ec2",
            "DescribeInstanceTypes",
            "head_room",
            "On-Demand vCPUs: use not known, need not known, limit not known (DescribeInstanceTypes: AccessDenied)",
        ),
        (
            "cloudwatch",
            "GetMetricData",
            "head_room",
            "On-Demand vCPUs (L-1216C47A): use not known, 6 more needed, 256 allowed (GetMetricData: AccessDenied)",
        ),
    ],
)
def test_what_cannot_be_known_is_said_and_refuses_nothing(
    account: Account, service: str, call: str, part: str, words: str
) -> None:
    with account.failing(service, call, "AccessDenied", 403):
        assert plan(account)["plan"][part][-1] == words


def buy_a_mix(account: Account) -> None:
    template = {"LaunchTemplateId": account.shop.launch_template_id, "Version": "1"}
    account.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="shop-1",
        MixedInstancesPolicy={
            "LaunchTemplate": {"LaunchTemplateSpecification": template},
            "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 50},
        },
    )


def buy_spot(account: Account) -> None:
    account.client("ec2").create_launch_template_version(
        LaunchTemplateId=account.shop.launch_template_id,
        SourceVersion="1",
        LaunchTemplateData={"InstanceMarketOptions": {"MarketType": "spot"}},
    )
    template_version(account, "2")


@pytest.mark.parametrize("buy", [buy_a_mix, buy_spot])
def test_a_group_that_may_buy_spot_instances_is_not_held_against_on_demand_vcpus(
    account: Account, buy: Callable[[Account], object]
) -> None:
    quotas.grant("L-1216C47A", 1)
    assert refusal(account).field == "quota"
    buy(account)
    assert "may buy Spot Instances" in plan(account)["plan"]["head_room"][-1]


QUOTAS: list[tuple[str, str, int, str]] = [
    (
        "rules",
        "rules-per-application-load-balancer",
        1,
        "rules of the load balancer: 1 in use, 1 more needed, 1 all",
    ),
    (
        "groups of a balancer",
        "target-groups-per-application-load-balancer",
        1,
        "target groups of the load balancer: 1",
    ),
    ("target groups", "target-groups", 1, "target groups in the Region: 1 in use, 1 more needed, 1 allowed"),
    (
        "targets",
        "targets-per-application-load-balancer",
        5,
        "blue's alone: 3 in use, 3 more needed, 5 allowed",
    ),
    ("groups", "groups", 1, "Auto Scaling groups in the Region: 1 in use, 1 more needed, 1 allowed"),
    ("vCPUs", "L-1216C47A", 5, "On-Demand vCPUs (L-1216C47A): use not known, 6 more needed, 5 allowed"),
]


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("name", "limit", "words"), [case[1:] for case in QUOTAS], ids=[case[0] for case in QUOTAS]
)
def test_a_release_that_aws_would_stop_half_way_is_refused(
    account: Account, name: str, limit: int, words: str, dry_run: bool
) -> None:
    quotas.grant(name, limit)
    refused = refusal(account, dry_run=dry_run)
    assert refused.field == "quota"
    assert words in str(refused)
    quotas.grant(name, limit + 1)
    assert plan(account, dry_run=dry_run)["plan"]["head_room"]


def test_vcpus_in_use_elsewhere_count(account: Account) -> None:
    Usage(Reality()).tick(account.now().timestamp())
    account.later(minutes=1)
    quotas.grant("L-1216C47A", 13)
    assert "8 in use, 6 more needed, 13 allowed" in str(refusal(account))
    quotas.grant("L-1216C47A", 14)
    assert plan(account)


def test_a_listener_can_be_the_route(account: Account) -> None:
    listener = account.shop.listener_arn
    blue = {"Type": "forward", "TargetGroupArn": account.shop.target_group_arn}
    account.client("elbv2").modify_listener(ListenerArn=listener, DefaultActions=[blue])
    account.client("elbv2").delete_rule(RuleArn=account.shop.rule_arn)
    account.client("ssm").put_parameter(
        Name="/viridian/services/shop", Value=f'{{"route": "{listener}"}}', Type="String", Overwrite=True
    )
    found = plan(account)["plan"]
    assert found["route"] == found["listener"] == listener
    assert found["standby"]["priority"] == 1


NIGHT_ALONE = {"time_zone": "Europe/Berlin", "open": [{"from": "22:00", "to": "06:00"}]}
OVERRIDE = {"reason": "mends what the customers see"}
CLOSED = "outside its windows, daily 22:00-06:00 Europe/Berlin, where it is mon 2026-01-05 10:00"


def open_in(account: Account, **windows: Any) -> None:
    """Registers the service with these windows."""
    register(account, json.dumps({"route": account.shop.route_arn, "windows": windows}))
    account.calls.clear()


def test_outside_its_windows_a_release_is_planned_for_when_they_open_and_waits(account: Account) -> None:
    open_in(account, **NIGHT_ALONE)
    stood = account.world()
    found = plan(account)
    assert account.writes() == []
    assert account.world() == stood
    words = f"waits until 2026-01-05T21:00:00Z: {CLOSED}"
    assert found["waits"] == {"why": words, "until": "2026-01-05T21:00:00Z", "again_in": 12 * 3600}
    decided = msgspec.convert(found["plan"], Plan)
    assert decided.release == RELEASE
    assert decided.timetable[0] == decided.window == words
    assert decided.timetable[1].startswith("image available: 2026-01-05T21:00:00Z at the soonest")
    assert decided.started_at == datetime(2026, 1, 5, 21, tzinfo=UTC)
    assert decided.deadline - decided.started_at == timedelta(hours=3, minutes=5)


def test_planned_anew_when_they_open_it_is_the_same_release_and_its_time_counts_from_then(
    account: Account,
) -> None:
    open_in(account, **NIGHT_ALONE)
    event = {**account.event("plan_release"), "planned_at": "2026-01-05T21:00:01Z"}
    found = account.run("plan_release", event)
    decided = msgspec.convert(found["plan"], Plan)
    assert found["waits"] is None
    assert (decided.release, decided.window) == (RELEASE, "")
    assert decided.started_at == datetime(2026, 1, 5, 21, 0, 1, tzinfo=UTC)
    assert decided.deadline - decided.started_at == timedelta(hours=3, minutes=5)


def test_a_dry_run_outside_the_windows_says_until_when_the_release_would_wait(account: Account) -> None:
    open_in(account, **NIGHT_ALONE)
    found = plan(account, dry_run=True)
    assert found["dry_run"]
    assert found["plan"]["timetable"][0].startswith("waits until 2026-01-05T21:00:00Z: ")


def test_outside_windows_that_refuse_a_release_is_told_when_it_may_start(account: Account) -> None:
    open_in(account, **NIGHT_ALONE, outside="refuse")
    refused = refusal(account)
    assert (refused.field, refused.value) == ("window", CLOSED)
    assert refused.fix == "Start it after 2026-01-05T21:00:00Z, or give override_window with a reason."


@pytest.mark.parametrize("outside", ["wait", "refuse"])
def test_an_override_goes_at_once_and_the_plan_keeps_it_and_says_so(account: Account, outside: str) -> None:
    open_in(account, **NIGHT_ALONE, outside=outside)
    found = plan(account, override_window=OVERRIDE)
    assert found["waits"] is None
    assert found["plan"]["override_window"] == OVERRIDE
    assert found["plan"]["started_at"] == "2026-01-05T09:00:00Z"
    words = f"begins all the same: {CLOSED}; overridden because: mends what the customers see"
    assert found["plan"]["window"] == found["plan"]["timetable"][0] == words


def test_what_has_waited_is_refused_if_another_release_has_come_to_serve_meanwhile(account: Account) -> None:
    asked_at = account.now()
    account.promoted()
    account.later(minutes=1)
    account.serve("green", 0)
    first = account.record()
    asked: dict[str, Any] = {"version": "1.9.0", "waive": None}
    asked["source"] = {"type": "instance", "instance_id": seed.builder(account, "1.9.0")}
    account.calls.clear()
    with pytest.raises(Refusal) as refused:
        plan_now(account, asked_at, **asked)
    assert refused.value.value.startswith(f"{first.plan.release} serves since 2026-01-05T09:")
    assert account.writes() == []
    assert (
        plan_now(account, first.first_weight_at, **asked)["plan"]["blue"]["group"] == first.plan.green_group
    )


def test_windows_that_mean_nothing_refuse_even_a_release_that_overrides_them(account: Account) -> None:
    open_in(account, time_zone="Europe/Bonn")
    assert refusal(account, override_window=OVERRIDE).field == "profile.windows.time_zone"


def test_a_request_cannot_bring_its_own_windows(account: Account) -> None:
    assert refusal(account, windows={"time_zone": "UTC"}).field == "windows"


def test_what_has_begun_under_the_key_is_joined_whatever_the_windows_say(account: Account) -> None:
    begin(account)
    open_in(account, **NIGHT_ALONE, outside="refuse")
    assert plan(account, key="pipeline/1842")["joins"]["again_in"] == 30


WRONG_FIELDS: list[tuple[str, dict[str, Any], str, str]] = [
    ("an unknown field", {"colour": "green"}, "colour", "green"),
    ("an unknown field further in", {"thresholds": {"errors": 1}}, "thresholds.errors", "1"),
    ("no service", {"service": None}, "service", "missing"),
    ("no version", {"version": None}, "version", "missing"),
    ("no source", {"source": None}, "source", "missing"),
    ("a source without its id", {"source": {"type": "ami"}}, "source.image_id", "missing"),
    ("a source of no kind", {"source": {"type": "zip"}}, "source.type", "zip"),
    ("a number for a name", {"service": 7}, "service", "7"),
    ("a word for a number", {"settle_seconds": "long"}, "settle_seconds", "long"),
    ("a word for a list", {"steps": "all"}, "steps", "all"),
    ("a word for yes", {"dry_run": "yes"}, "dry_run", "yes"),
    ("a version that isn't semantic", {"version": "v2"}, "version", "v2"),
    ("a version with a leading zero", {"version": "2.01.0"}, "version", "2.01.0"),
    (
        "a path that leaves the host",
        {"smoke_tests": [{"path": "http://x/"}]},
        "smoke_tests[0].path",
        "http://x/",
    ),
    (
        "a smoke test that no answer can meet",
        {"smoke_tests": [{"path": "/", "expect": "version ="}]},
        "smoke_tests[0].expect",
        "version =",
    ),
    (
        "smoke tests that outlast their function",
        {"smoke_tests": [{"path": "/", "requests": 20, "attempts": 5, "timeout_seconds": 10}]},
        "smoke_tests",
        "1000 s",
    ),
    ("steps that fall", {"steps": [{"weight": 50, "observe_minutes": 10}] * 2}, "steps[1].weight", "50"),
    (
        "steps that end before the whole",
        {"steps": [{"weight": 50, "observe_minutes": 10}]},
        "steps[0].weight",
        "50",
    ),
    (
        "a step above the whole",
        {"steps": [{"weight": 101, "observe_minutes": 10}]},
        "steps[0].weight",
        "101",
    ),
    ("no steps at all", {"steps": []}, "steps", "[]"),
    (
        "steps shorter than the guards' evidence",
        {"steps": [{"weight": 100, "observe_minutes": 1}], "inconclusive": {"minutes": 1}},
        "steps[0].observe_minutes",
        "1",
    ),
    ("a service that isn't registered", {"service": "stall"}, "service", "stall"),
    (
        "an instance that doesn't exist",
        {"source": {"type": "instance", "instance_id": "i-00000000000000000"}},
        "source.instance_id",
        "i-00000000000000000",
    ),
    (
        "an image that doesn't exist",
        {"source": {"type": "ami", "image_id": "ami-00000000000000000"}},
        "source.image_id",
        "ami-00000000000000000",
    ),
    ("a guard that doesn't exist", {"guards": ["nothing"], "waive": None}, "guards", "nothing"),
    (
        "a waiver of what is no guard",
        {"waive": {"alarms": ["other"], "reason": "it is red and we know"}},
        "waive.alarms",
        "other",
    ),
    (
        "a waiver without a reason",
        {"waive": {"alarms": ["shop-errors"], "reason": "red"}},
        "waive.reason",
        "red",
    ),
]


@pytest.mark.parametrize(
    ("request_", "field", "value"),
    [case[1:] for case in WRONG_FIELDS],
    ids=[case[0] for case in WRONG_FIELDS],
)
def test_a_wrong_request_is_refused_by_field_value_and_fix(
    account: Account, request_: dict[str, Any], field: str, value: str
) -> None:
    refused = refusal(account, **request_)
    assert refused.field == field
    assert value in str(refused)


def register(account: Account, value: str) -> None:
    account.client("ssm").put_parameter(
        Name="/viridian/services/shop", Value=value, Type="String", Overwrite=True
    )


def route_of(account: Account, old: str, new: str) -> None:
    register(account, f'{{"route": "{str(account.shop.route_arn).replace(old, new)}"}}')


def untag(account: Account, arn: str) -> None:
    account.client("elbv2").remove_tags(ResourceArns=[arn], TagKeys=["viridian:managed"])


def template_version(account: Account, version: str) -> None:
    template = {"LaunchTemplateId": account.shop.launch_template_id, "Version": version}
    account.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="shop-1", LaunchTemplate=template
    )


def use_untagged_template(account: Account) -> None:
    ec2 = account.client("ec2")
    version = {"LaunchTemplateId": account.shop.launch_template_id, "Versions": ["1"]}
    data = ec2.describe_launch_template_versions(**version)["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    made = ec2.create_launch_template(LaunchTemplateName="untagged", LaunchTemplateData=data)
    account.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="shop-1",
        LaunchTemplate={
            "LaunchTemplateId": made["LaunchTemplate"]["LaunchTemplateId"],
            "Version": "1",
        },
    )


def let_serve(account: Account) -> None:
    targets = [{"Id": account.builder}]
    account.client("elbv2").register_targets(TargetGroupArn=account.shop.target_group_arn, Targets=targets)


def build_in_a_group(account: Account) -> None:
    ec2_backends[ACCOUNT][REGION].create_tags([account.builder], {"aws:autoscaling:groupName": "shop-1"})


def lend_twice(account: Account) -> None:
    account.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="second",
        MinSize=0,
        MaxSize=0,
        LaunchTemplate={"LaunchTemplateId": account.shop.launch_template_id, "Version": "1"},
        VPCZoneIdentifier=account.shop.subnet_ids[0],
        TargetGroupARNs=[account.shop.target_group_arn],
    )


def suspend(account: Account) -> None:
    account.client("autoscaling").suspend_processes(
        AutoScalingGroupName="shop-1", ScalingProcesses=["Terminate"]
    )


def fill_the_rule(account: Account) -> None:
    take_only(account, *(f"/{n}" for n in range(5)))


def take_only(account: Account, *paths: str) -> None:
    account.client("elbv2").modify_rule(
        RuleArn=account.shop.rule_arn,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": list(paths)}}],
    )


def five_groups(account: Account) -> None:
    names = [f"more{n}" for n in range(4)]
    account.set_weights(blue=100, **dict.fromkeys(names, 0))


def first_priority(account: Account) -> None:
    account.client("elbv2").set_rule_priorities(
        RulePriorities=[{"RuleArn": account.shop.rule_arn, "Priority": 1}]
    )


def scale_to_nothing(account: Account) -> None:
    account.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="shop-1", MinSize=0, DesiredCapacity=0
    )


Act = Callable[[Account], object]
STANDING: list[tuple[str, Act, str, str]] = [
    (
        "a route in another account",
        lambda a: route_of(a, ACCOUNT, "210987654321"),
        "profile.route",
        "210987654321",
    ),
    (
        "a route in another Region",
        lambda a: route_of(a, "us-east-1", "eu-west-1"),
        "profile.route",
        "eu-west-1",
    ),
    ("a route that isn't there", lambda a: route_of(a, a.shop.route_arn[-6:], "abcdef"), "route", "abcdef"),
    ("a profile that isn't JSON", lambda a: register(a, "{"), "profile", "not JSON"),
    ("a profile with an unknown field", lambda a: register(a, '{"colour": 1}'), "profile.colour", "1"),
    ("a profile without a route", lambda a: register(a, "{}"), "profile.route", "missing"),
    ("an untagged rule", lambda a: untag(a, a.shop.route_arn), "route", "viridian:managed"),
    ("an untagged listener", lambda a: untag(a, a.shop.listener_arn), "route", "viridian:managed"),
    ("an untagged target group", lambda a: untag(a, a.shop.target_group_arn), "route", "viridian:managed"),
    (
        "an untagged group",
        lambda a: a.client("autoscaling").delete_tags(
            Tags=[
                {
                    "ResourceId": "shop-1",
                    "ResourceType": "auto-scaling-group",
                    "Key": "viridian:managed",
                    "Value": "true",
                    "PropagateAtLaunch": False,
                }
            ]
        ),
        "route",
        "shop-1",
    ),
    (
        "an untagged launch template",
        use_untagged_template,
        "route",
        "lt-",
    ),
    (
        "an untagged builder",
        lambda a: a.client("ec2").delete_tags(Resources=[a.builder], Tags=[{"Key": "viridian:managed"}]),
        "source.instance_id",
        "viridian:managed",
    ),
    (
        "a rule lent to another service",
        lambda a: a.client("elbv2").add_tags(
            ResourceArns=[a.shop.route_arn], Tags=[{"Key": "viridian:service", "Value": "store"}]
        ),
        "route",
        "not lent to service shop",
    ),
    ("weights on two groups", lambda a: a.set_weights(blue=50, third=50), "route", "third"),
    ("a rule full of target groups", five_groups, "quota", "target groups in the rule: 5 in use"),
    (
        "a rule that forwards nowhere",
        lambda a: a.client("elbv2").modify_rule(
            RuleArn=a.shop.route_arn,
            Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}],
        ),
        "route",
        "no target group",
    ),
    ("a rule full of conditions", fill_the_rule, "route", "5"),
    ("a rule that smoke tests miss", lambda a: take_only(a, "/api/*"), "smoke_tests[0].path", "/"),
    ("a rule with none ahead of it", first_priority, "route", "1"),
    ("a launch template at $Latest", lambda a: template_version(a, "$Latest"), "route", "$Latest"),
    ("a launch template at $Default", lambda a: template_version(a, "$Default"), "route", "$Default"),
    ("blue with a target that isn't healthy", lambda a: a.stop("blue"), "route", "2 of 3"),
    ("blue with nobody", scale_to_nothing, "route", "shop-1"),
    ("two groups on blue's target group", lend_twice, "route", "second"),
    ("a suspended process on blue", suspend, "route", "Terminate"),
    ("a source that serves", let_serve, "source.instance_id", "shop-1"),
    ("a source that belongs to a group", build_in_a_group, "source.instance_id", "shop-1"),
    (
        "a source that is gone",
        lambda a: a.client("ec2").terminate_instances(InstanceIds=[a.builder]),
        "source.instance_id",
        "terminated",
    ),
]


@pytest.mark.parametrize(
    ("act", "field", "value"), [case[1:] for case in STANDING], ids=[case[0] for case in STANDING]
)
def test_what_stands_in_the_way_is_refused_by_field_value_and_fix(
    account: Account, act: Act, field: str, value: str
) -> None:
    act(account)
    refused = refusal(account)
    assert refused.field == field
    assert value in str(refused)


def test_a_red_guard_refuses_unless_its_redness_is_waived_by_name(account: Account) -> None:
    account.turn("shop-errors", "ALARM")
    refused = refusal(account, waive=None)
    assert refused.field == "guards"
    assert "shop-errors is in ALARM" in str(refused)
    waived = plan(account, waive={"alarms": ["shop-errors"], "reason": "this release is its mend"})
    assert waived["plan"]["waive"]["alarms"] == ["shop-errors"]


def test_a_route_that_another_release_holds_is_refused_with_its_name(account: Account) -> None:
    account.run("acquire_lock")
    refused = refusal(account)
    assert f"held by release {RELEASE} of service shop" in str(refused)


def test_a_release_under_another_name_learns_who_holds_the_route(account: Account) -> None:
    account.run("acquire_lock")
    seed.registered(account, "store", account.shop.profile)
    refused = refusal(account, service="store")
    assert f"held by release {RELEASE} of service shop" in str(refused)


def test_an_image_must_be_ready_to_be_used(account: Account) -> None:
    image = account.client("ec2").create_image(InstanceId=account.builder, Name="ready-made")["ImageId"]
    source = {"type": "ami", "image_id": image}
    assert "pending" in str(refusal(account, source=source))
    account.later(minutes=5)
    found = plan(account, source=source)["plan"]
    assert (found["image"], found["source"]["owners"]) == (image, ["self"])


def test_an_image_must_run_on_what_blue_runs_on(account: Account) -> None:
    image = account.client("ec2").register_image(
        Name="arm", Architecture="arm64", RootDeviceName="/dev/xvda", VirtualizationType="hvm"
    )["ImageId"]
    refused = refusal(account, source={"type": "ami", "image_id": image})
    assert refused.field == "source.image_id"
    assert "arm64" in str(refused)
    assert "x86_64" in refused.fix


def test_an_instance_that_is_to_be_patched_must_take_commands(account: Account) -> None:
    source = {"type": "instance", "instance_id": account.builder, "patch": True}
    assert plan(account, source=source)["plan"]["source"] == source
    account.client("ec2").create_tags(
        Resources=[account.builder], Tags=[{"Key": "local:agent", "Value": "none"}]
    )
    refused = refusal(account, source=source)
    assert refused.field == "source.patch"
    assert account.builder in str(refused)
    assert plan(account, source={**source, "patch": False})


def test_a_pipeline_must_exist_make_images_and_be_lent(account: Account) -> None:
    arn = seed.pipeline(account, "2.0.0")
    source = {"type": "image_builder", "pipeline_arn": arn}
    found = plan(account, source=source)["plan"]
    assert found["makes"][0] == f"image of {arn}"
    assert found["image"] is None

    refused = refusal(account, source={**source, "pipeline_arn": f"{arn}-none"})
    assert (refused.field, refused.value) == ("source.pipeline_arn", f"{arn}-none")
    elsewhere = arn.replace("us-east-1", "us-east-2")
    assert "us-east-1" in refusal(account, source={**source, "pipeline_arn": elsewhere}).fix
    base = {
        "infrastructureConfigurationArn": "arn:aws:imagebuilder:us-east-1:123456789012:infrastructure-configuration/x"
    }
    builder = account.client("imagebuilder")
    for name, more, words in (
        ("alien", {"imageRecipeArn": f"{arn.rsplit(':', 1)[0]}:image-recipe/x/1.0.0"}, "tag-resources"),
        ("containers", {}, "makes AMIs"),
    ):
        made = builder.create_image_pipeline(name=name, **base, **more)["imagePipelineArn"]
        assert words in refusal(account, source={**source, "pipeline_arn": made}).fix


def test_a_project_must_exist_and_be_lent(account: Account) -> None:
    artifact = {"type": "container", "uri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:2.0.0"}
    source = {"type": "packer", "project": seed.project(account, "2.0.0"), "artifact": artifact}
    found = plan(account, source=source)["plan"]
    assert found["makes"][0] == "image of CodeBuild project shop-packer"

    refused = refusal(account, source={**source, "project": "none"})
    assert (refused.field, refused.value) == ("source.project", "none")
    account.client("codebuild").delete_project(name="shop-packer")
    codebuild_backends[ACCOUNT][REGION].codebuild_projects.clear()
    seed.project(account, "2.0.0", service="alien")
    project = codebuild_backends[ACCOUNT][REGION].codebuild_projects["alien-packer"]
    project.project_metadata["tags"] = []
    refused = refusal(account, source={**source, "project": "alien-packer"})
    assert refused.field == "source.project"
    assert f"tag-resources --resource-arn-list {project.arn} --tags viridian:managed=true" in refused.fix


def parameter(
    account: Account, value: str, name: str = "/golden/shop", kind: str = "String"
) -> dict[str, str]:
    """A source: a parameter with this value."""
    account.client("ssm").put_parameter(Name=name, Value=value, Type=kind, Overwrite=True)
    return {"type": "ami_parameter", "parameter": name}


def test_a_parameters_image_is_read_once_and_pinned(account: Account) -> None:
    source = parameter(account, account.shop.image_id)
    found = plan(account, source=source)["plan"]
    assert found["image"] == account.shop.image_id
    assert [line.split()[0] for line in found["makes"]] == ["target", "a", "the", "Auto", "alarms"]
    parameter(account, "ami-0123456789abcdef0")
    account.run("acquire_lock", {"plan": found})
    assert account.run("bake_image")["image"] == account.shop.image_id


def test_a_parameter_must_hold_an_image(account: Account) -> None:
    assert "exists" in refusal(account, source={"type": "ami_parameter", "parameter": "/none"}).fix
    assert "ami-00000000000000000" in str(
        refusal(account, source=parameter(account, "ami-00000000000000000"))
    )
    for kind, value in (("String", "hunter2"), ("SecureString", account.shop.image_id), ("String", "ami-x")):
        refused = refusal(account, source=parameter(account, value, f"/{kind}/{value}"[:12], kind))
        assert refused.field == "source.parameter"
        assert "holds no image id" in str(refused)
        assert "hunter2" not in refused.fix


def test_a_parameter_that_was_not_lent_says_how_to_lend_it(account: Account) -> None:
    source = parameter(account, account.shop.image_id)
    held = account.client("ssm").get_parameter(Name="/viridian/services/shop")["Parameter"]
    answers: list[Any] = [(SimpleNamespace(status_code=200), {"Parameter": held}), None]
    denied = {"Error": {"Code": "AccessDeniedException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    answers[1] = SimpleNamespace(status_code=400), denied
    with account.hooked("before-call", "ssm", "GetParameter", lambda: answers.pop(0)):
        refused = refusal(account, source=source)
    assert "--resource-id /golden/shop --tags Key=viridian:managed,Value=true" in refused.fix


def test_only_images_of_trusted_owners_are_released(account: Account) -> None:
    ec2_backends[ACCOUNT][REGION].amis[account.shop.image_id].owner_id = "999999999999"
    source = {"type": "ami", "image_id": account.shop.image_id}
    refused = refusal(account, source=source)
    assert "belongs to 999999999999" in str(refused)
    trusting = {**source, "owners": ["self", "999999999999"]}
    assert plan(account, source=trusting)["plan"]["image"] == account.shop.image_id


def encrypted(account: Account, key: str) -> dict[str, str]:
    """A source: an image whose disk is encrypted with this key."""
    ec2 = account.client("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=8, Encrypted=True, KmsKeyId=key)[
        "VolumeId"
    ]
    disk = {"SnapshotId": ec2.create_snapshot(VolumeId=volume)["SnapshotId"]}
    image = ec2.register_image(
        Name="encrypted",
        Architecture="x86_64",
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": disk}],
    )
    return {"type": "ami", "image_id": image["ImageId"]}


def test_an_image_that_auto_scaling_cannot_decrypt_is_refused(account: Account) -> None:
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    source = encrypted(account, key)
    refused = refusal(account, source=source)
    assert key in str(refused)
    assert "AWSServiceRoleForAutoScaling" in str(refused)
    account.client("kms").create_grant(
        KeyId=key,
        GranteePrincipal=account.group("blue")["ServiceLinkedRoleARN"],
        Operations=["Decrypt", "CreateGrant"],
    )
    assert plan(account, source=source)["plan"]["unchecked"] == []


def test_a_plan_says_what_it_could_not_see_of_an_image(account: Account) -> None:
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    source = encrypted(account, key)
    with account.failing("kms", "GetKeyPolicy", "AccessDeniedException"):
        (unseen,) = plan(account, source=source)["plan"]["unchecked"]
    assert key in unseen
    with account.failing("kms", "GetKeyPolicy", "ThrottlingException"), pytest.raises(Busy):
        plan(account, source=source)
    image = ec2_backends[ACCOUNT][REGION].amis[source["image_id"]]
    image.ebs_snapshot.owner_id = "999999999999"
    with account.hooked(
        "before-call",
        "ec2",
        "DescribeSnapshots",
        lambda: (SimpleNamespace(status_code=200), {"Snapshots": []}),
    ):
        (unseen,) = plan(account, source=source)["plan"]["unchecked"]
    assert image.ebs_snapshot.id in unseen


@pytest.mark.parametrize("request_", [None, 7, "release", [], [{}]], ids=repr)
def test_a_request_that_is_no_document_is_refused(account: Account, request_: Any) -> None:
    with pytest.raises(Refusal, match="Use a JSON object"):
        account.run("plan_release", request=request_)


def test_an_unavailable_service_is_a_reason_to_try_again_not_to_refuse(account: Account) -> None:
    with (
        account.failing("elbv2", "DescribeTargetHealth", "Throttling"),
        pytest.raises(Busy, match="DescribeTargetHealth"),
    ):
        account.run("plan_release")


def security_group(account: Account, *sources: str, vpc: str | None = None) -> str:
    """A security group that lets these in, on port 80."""
    ec2, name = account.client("ec2"), f"group-{len(account.calls)}"
    made = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc or account.shop.vpc_id)[
        "GroupId"
    ]
    for source in sources:
        rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": source}]}
        ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[rule])
    return str(made)


def other_vpc(account: Account) -> str:
    return str(account.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"])


def instance_profile(account: Account, role: str | None) -> str:
    """An instance profile called `app`, with this role in it."""
    iam = account.client("iam")
    iam.create_instance_profile(InstanceProfileName="app")
    if role:
        iam.add_role_to_instance_profile(InstanceProfileName="app", RoleName=role)
    return "app"


def other_role(account: Account) -> str:
    account.client("iam").create_role(RoleName="admin", AssumeRolePolicyDocument="{}")
    return "admin"


def without_ena(account: Account) -> dict[str, Any]:
    """Takes the attribute off the image that the builder runs."""
    image: Any = ec2_backends[ACCOUNT][REGION].amis[account.shop.image_id]
    image.ena_support = False
    return {}


def relaunch(account: Account, **data: Any) -> dict[str, Any]:
    """Gives blue's group a launch template version that says this too."""
    account.client("ec2").create_launch_template_version(
        LaunchTemplateId=account.shop.launch_template_id, SourceVersion="1", LaunchTemplateData=data
    )
    template_version(account, "2")
    return {}


Asked = Callable[[Account], dict[str, Any]]
WRONG_FLEETS: list[tuple[str, Asked, str, str]] = [
    ("a type for another architecture", lambda _: {"instance_type": "t4g.small"}, "fleet.instance_type", "arm64"),
    ("one such type of several", lambda _: {"instance_types": ["t3.small", "t4g.small"]}, "fleet.instance_types", "t4g.small"),
    ("a type that the Region has not", lambda _: {"instance_type": "t9.small"}, "fleet.instance_type", "t9.small"),
    ("a type whose network the image has no driver for", lambda a: without_ena(a) | {"instance_type": "t3.large"}, "fleet.instance_type", "ENA"),
    ("a security group of another VPC", lambda a: {"security_groups": [security_group(a, vpc=other_vpc(a))]}, "fleet.security_groups", "is of vpc-"),
    ("a security group that is not there", lambda _: {"security_groups": ["sg-00000000000000000"]}, "fleet.security_groups", "sg-0000"),
    ("a profile that is not there", lambda _: {"instance_profile": "nothing"}, "fleet.instance_profile", "nothing"),
    ("a profile without a role", lambda a: {"instance_profile": instance_profile(a, None)}, "fleet.instance_profile", "app"),
    ("more at least than at most", lambda _: {"min_size": 6, "max_size": 5}, "fleet.min_size", "5"),
    ("more at least than blue has at most", lambda _: {"min_size": 10}, "fleet.min_size", "9"),
    ("less at most than blue has now", lambda _: {"max_size": 2}, "fleet.max_size", "3"),
    ("a policy that blue has not", lambda _: {"targets": [{"policy": "cpu", "value": 50}]}, "fleet.targets", "cpu"),
    ("an address without an interface", lambda _: {"public_address": True}, "fleet.public_address", "interface"),
    ("IMDSv2 given up", lambda _: {"metadata": {"http_tokens": "optional"}}, "fleet.relax", "imdsv2"),
    ("another role", lambda a: {"instance_profile": instance_profile(a, other_role(a))}, "fleet.relax", "role/admin"),
    ("a disk that is not encrypted", lambda a: relaunch(a, BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}]) | {"block_devices": [{"device": "/dev/xvda", "encrypted": False}]}, "fleet.relax", "/dev/xvda"),
    ("a public address", lambda a: relaunch(a, NetworkInterfaces=[{"DeviceIndex": 0}]) | {"public_address": True}, "fleet.relax", "public address"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "field", "words"), [case[1:] for case in WRONG_FLEETS], ids=[case[0] for case in WRONG_FLEETS]
)
def test_a_fleet_that_cannot_stand_or_is_less_secure_is_refused(
    account: Account, asked: Asked, field: str, words: str
) -> None:
    refused = refusal(account, fleet=asked(account))
    assert refused.field == field
    assert words in str(refused)


def test_a_wider_security_group_is_refused_unless_it_is_named(account: Account) -> None:
    blue, office = security_group(account, "10.0.0.0/8"), security_group(account, "0.0.0.0/0")
    relaunch(account, SecurityGroupIds=[blue])
    asked: dict[str, Any] = {"security_groups": [blue, office]}
    refused = refusal(account, fleet=asked)
    assert refused.field == "fleet.relax"
    assert f"{office} lets in tcp 80 from 0.0.0.0/0" in str(refused)
    named = {**asked, "relax": ["security_groups"], "reason": "the office has no fixed address"}
    found = plan(account, fleet=named)["plan"]
    assert (found["fleet"]["relax"], found["fleet"]["reason"]) == (named["relax"], named["reason"])
    (change,) = (each for each in found["diff"] if each["field"] == "security groups")
    assert (change["blue"], change["green"]) == (blue, f"{blue}, {office}")


def test_a_tighter_security_group_and_the_same_role_need_no_name(account: Account) -> None:
    tight, profile = security_group(account, "10.0.0.0/16"), instance_profile(account, "shop-instance")
    found = plan(account, fleet={"security_groups": [tight], "instance_profile": profile})["plan"]
    assert [each["field"] for each in found["diff"]] == ["image", "security groups", "instance profile"]


def test_an_image_for_another_architecture_comes_with_a_type_for_it(account: Account) -> None:
    made = account.client("ec2").register_image(Name="arm", Architecture="arm64", EnaSupport=True)
    source = {"type": "ami", "image_id": made["ImageId"]}
    assert refusal(account, source=source).field == "source.image_id"
    for name in ("t3.small", "t3.large"):  # blue's own type, and another
        refused = refusal(account, source=source, fleet={"instance_type": name})
        assert refused.field == "fleet.instance_type"
    found = plan(account, source=source, fleet={"instance_type": "t4g.small"})["plan"]
    assert [each["green"] for each in found["diff"]] == [made["ImageId"], "t4g.small"]


def test_what_nobody_asks_to_change_is_not_read(account: Account) -> None:
    account.calls.clear()
    plan(account)
    read = {call["call"] for call in account.calls}
    assert not read & {
        "DescribeSecurityGroups",
        "DescribeSecurityGroupRules",
        "GetInstanceProfile",
    }


@pytest.mark.parametrize("sizes", [{"max_size": 3}, {"min_size": 9}, {"min_size": 3, "max_size": 3}])
def test_limits_that_just_leave_room_for_what_blue_has_are_planned(
    account: Account, sizes: dict[str, int]
) -> None:
    found = plan(account, fleet=sizes)["plan"]
    assert found["fleet"] == sizes
    assert len(found["diff"]) == 1 + len(sizes)


def begin(account: Account) -> None:
    """Another execution takes the route for the sample request, under the same key."""
    other = {**account.event("plan_release"), "execution": f"{EXECUTION}-2"}
    other["request"] = {**other["request"], "key": "pipeline/1842"}
    account.run("acquire_lock", {"plan": account.run("plan_release", other)["plan"]})


def test_a_request_under_the_key_of_a_release_that_has_begun_joins_it(account: Account) -> None:
    assert plan(account, key="pipeline/1842")["joins"] is None
    begin(account)
    stood = account.world()
    joined = plan(account, key="pipeline/1842")
    assert joined["release"] == joined["plan"]["release"] != RELEASE
    assert joined["joins"] == {"again_in": 30, "end": None, "cause": ""}
    assert account.world() == stood
    for changed in ({"key": None}, {"key": "pipeline/1843"}, {"dry_run": True, "key": "pipeline/1842"}):
        assert refusal(account, **changed).field == "route"
    assert refusal(account, key="pipeline/1842", version="3.0.0").field == "version"


def test_a_release_that_begins_while_the_same_is_being_planned_is_joined(account: Account) -> None:
    """The route that is held by then is held for this very request."""
    beginning = [begin]
    with account.hooked(
        "before-call", "ssm", "GetParameter", lambda: beginning.pop()(account) if beginning else None
    ):
        assert plan(account, key="pipeline/1842")["joins"]["again_in"] == 30
