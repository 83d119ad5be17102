"""`viridian init`: what it finds, what it asks, and what it writes."""

import io
import json
import shlex
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.workflow.world import STEPS, World, opened

LENT = {"viridian:managed": "true", "viridian:service": "shop"}


@pytest.fixture
def bare() -> Iterator[World]:
    """A service that nobody has registered, and that lends nothing."""
    with opened(tagged=False, register=False) as standing:
        yield standing


class Person(io.StringIO):
    """Somebody at a terminal, and what they type."""

    def isatty(self) -> bool:
        return True


def registered(world: World) -> Any:
    client = world.cloud.client("ssm")
    try:
        return json.loads(client.get_parameter(Name="/viridian/services/shop")["Parameter"]["Value"])
    except client.exceptions.ParameterNotFound:
        return None


def tags(world: World) -> dict[str, dict[str, str]]:
    """Viridian's tags on all that the service is made of."""
    shop, elb, ec2 = world.shop, world.cloud.client("elbv2"), world.cloud.client("ec2")
    asked = [shop.rule_arn, shop.listener_arn, shop.target_group_arn]
    found = {
        each["ResourceArn"]: each["Tags"] for each in elb.describe_tags(ResourceArns=asked)["TagDescriptions"]
    }
    groups = world.cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    found |= {group["AutoScalingGroupName"]: group["Tags"] for group in groups}
    templates = ec2.describe_launch_templates()["LaunchTemplates"]
    found |= {template["LaunchTemplateId"]: template["Tags"] for template in templates}
    return {
        thing: {tag["Key"]: tag["Value"] for tag in tags if tag["Key"].startswith("viridian:")}
        for thing, tags in found.items()
    }


def second_rule(world: World) -> str:
    """Another path of the same listener that the same fleet answers."""
    forward = {"Type": "forward", "TargetGroupArn": world.shop.target_group_arn}
    made = world.cloud.client("elbv2").create_rule(
        ListenerArn=world.shop.listener_arn,
        Priority=50,
        Actions=[forward],
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/admin/*"]}}],
    )
    return str(made["Rules"][0]["RuleArn"])


def test_what_it_registers_releases_without_edits(bare: World, viridian: Command) -> None:
    ran = viridian("init", "shop", "--yes", "--json")
    assert (ran.code, ran.err) == (0, "")
    profile = registered(bare)
    assert profile == ran.json["profile"]
    assert (profile["route"], profile["guards"]) == (bare.shop.route_arn, ["shop-errors"])
    assert profile["smoke_tests"] == [{"path": "/health"}]
    assert viridian(*shlex.split(ran.json["next"])[1:]).code == 0
    ran = viridian("release", "shop", "2.0.0", "--ami", bare.ami()["image_id"], "--wait")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("Promoted.\n")
    # What the release made is lent with it, and its standby rule is nobody's way in.
    assert "shop is registered already" in viridian("init", "shop").out
    other = viridian("init", "other", "--yes").err
    assert other.startswith(
        "route: nothing here can be released: shop HTTP:80 path-pattern /*: shop is registered"
    )
    assert "x-viridian-standby" not in other


def test_it_writes_after_a_yes_and_no_sooner_and_twice_is_harmless(
    bare: World, viridian: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = bare.shop
    ran = viridian("init", "shop")
    assert (ran.code, registered(bare), set(map(len, tags(bare).values()))) == (3, None, {0})
    assert "Say --yes, or --print" in ran.err
    monkeypatch.setattr(sys, "stdin", Person("\nn\n"))
    ran = viridian("init")
    assert (ran.code, ran.err.endswith("Nothing was written.\n")) == (3, True)
    assert registered(bare) is None
    monkeypatch.setattr(sys, "stdin", Person("\ny\n"))
    ran = viridian("init")
    assert (ran.code, "A name for the service [shop]" in ran.err) == (0, True)
    assert registered(bare)["route"] == shop.rule_arn
    shared = {"viridian:managed": "true"}
    lent = (shop.rule_arn, shop.target_group_arn, shop.group_name, shop.launch_template_id)
    assert tags(bare) == {**dict.fromkeys(lent, LENT), shop.listener_arn: shared}
    before = len(bare.cloud.calls.entries)
    again = viridian("init", "shop")
    assert (again.code, "shop is registered already" in again.out) == (0, True)
    assert not [call for call in bare.cloud.calls.entries[before:] if call["mutating"]]
    other = viridian("init", "shop", "--guard", "shop-latency", "--yes")
    assert (other.code, registered(bare)["guards"]) == (3, ["shop-errors"])
    assert "--overwrite" in other.err
    bare.cloud.client("cloudwatch").put_metric_alarm(
        AlarmName="shop-latency",
        Namespace="Shop",
        MetricName="Latency",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    fields = json.dumps({"steps": STEPS})
    ran = viridian("init", "shop", "--guard", "shop-latency", "--fields", fields, "--overwrite", "--yes")
    assert (ran.code, registered(bare)["guards"]) == (0, ["shop-latency"])
    assert registered(bare)["steps"] == STEPS


def test_it_prints_the_lines_that_do_the_same_by_hand(bare: World, viridian: Command) -> None:
    ran = viridian("init", "shop", "--print")
    lines = shlex.split(ran.out.replace("\naws ", "\n; aws "))
    commands = " ".join(lines).split("; ")
    assert [line.split()[1:3] for line in commands] == [
        *[["elbv2", "add-tags"]] * 3,
        ["autoscaling", "create-or-update-tags"],
        ["ec2", "create-tags"],
        ["ssm", "put-parameter"],
    ]
    assert json.loads(lines[-1])["route"] == bare.shop.route_arn
    assert (ran.code, registered(bare)) == (0, None)


def test_for_a_program_the_lines_by_hand_are_in_a_document(bare: World, viridian: Command) -> None:
    ran = viridian("init", "shop", "--print", "--json")
    assert (ran.code, registered(bare)) == (0, None)
    lines = viridian("init", "shop", "--print").out
    assert "\n".join([*ran.json["by_hand"], ""]) == lines
    assert ran.json["profile"]["route"] == bare.shop.route_arn


def test_who_is_asked_sees_what_for_though_the_output_is_a_programs(
    bare: World, viridian: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Person("y\n"))
    ran = viridian("init", "shop", "--json")
    assert (ran.code, ran.json["profile"]) == (0, registered(bare))
    assert ran.err.index("/viridian/services/shop:") < ran.err.index("Write this?")
    assert "tagged viridian:managed=true" in ran.err


def test_of_several_ways_a_person_is_asked_and_a_script_is_told(
    bare: World, viridian: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = second_rule(bare)
    ran = viridian("init", "shop", "--yes")
    assert (ran.code, ran.err.count("\n"), registered(bare)) == (3, 1, None)
    assert ran.err.startswith("route: 2 fit. Say which with --route: ")
    assert admin in ran.err
    assert bare.shop.route_arn in ran.err
    monkeypatch.setattr(sys, "stdin", Person("3\n"))
    assert "route: 3. Give a number from 1 to 2." in viridian("init", "shop", "--yes").err
    monkeypatch.setattr(sys, "stdin", Person("2\n"))
    asked = viridian("init", "shop", "--yes")
    assert (asked.code, registered(bare)["route"]) == (0, admin)
    assert "path-pattern /admin/*" in asked.err
    # The rule doesn't take the health check's path.
    assert registered(bare)["smoke_tests"] == [{"path": "/admin/"}]
    # Whose route it is, and whose fleet, is asked of what is registered and lent.
    other = viridian("init", "admin", "--route", admin, "--yes")
    assert (other.code, "shop is registered by it" in other.err) == (3, True)
    other = viridian("init", "admin", "--yes")
    assert (other.code, "is lent to shop. Give admin one of its own" in other.err) == (3, True)


def test_what_cannot_be_released_is_not_offered_and_the_error_says_why(
    bare: World, viridian: Command
) -> None:
    elb, shop = bare.cloud.client("elbv2"), bare.shop
    elb.create_load_balancer(Name="tcp", Type="network", Subnets=shop.subnet_ids)
    ips = elb.create_target_group(Name="tasks", Protocol="HTTP", Port=80, VpcId=shop.vpc_id, TargetType="ip")[
        "TargetGroups"
    ][0]["TargetGroupArn"]
    elb.modify_rule(RuleArn=shop.rule_arn, Actions=[{"Type": "forward", "TargetGroupArn": ips}])
    ran = viridian("init", "shop", "--yes")
    assert (ran.code, ran.err.count("\n"), registered(bare)) == (3, 1, None)
    assert "tasks has targets of type ip. Fleets of EC2 instances are released, no tasks of ECS" in ran.err
    assert "tcp: a network load balancer. A network one is registered by hand" in ran.err
    ran = viridian("init", "shop", "--yes", "--route", str(shop.rule_arn))
    assert (ran.code, "tasks has targets of type ip" in ran.err) == (3, True)
    ran = viridian("init", "shop", "--yes", "--route", "arn:aws:route53:::hostedzone/Z1/shop.example.com")
    assert (ran.code, "docs/route53.md" in ran.err) == (3, True)


def test_what_would_be_refused_is_never_registered(bare: World, viridian: Command) -> None:
    for words, told in (
        (("Shop!",), "service: Shop!"),
        (("shop", "--fields", "[]"), "Use a JSON object."),
        (("shop", "--fields", '{"step": []}'), "profile.step: unknown field"),
        (
            ("shop", "--fields", '{"steps": [{"weight": 5, "observe_minutes": 5}]}'),
            "Let the last step be 100.",
        ),
        (("shop", "--guard", "nope"), "guards: nope. Name a CloudWatch alarm that exists"),
        (("shop", "--fields", '{"guards": ["nope"]}'), "guards: nope. Name a CloudWatch alarm that exists"),
    ):
        ran = viridian("init", *words, "--yes")
        assert (ran.code, ran.err.count("\n"), told in ran.err) == (3, 1, True), ran.err
    assert (registered(bare), set(map(len, tags(bare).values()))) == (None, {0})
