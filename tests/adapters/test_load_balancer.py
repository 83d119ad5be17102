"""Elastic Load Balancing: weights are changed and nothing else is, whatever else the rule does."""

from typing import Any

import msgspec
import pytest

from tests.account import Account
from viridian.aws import images, load_balancer, target_groups
from viridian.errors import NotKept, Refusal
from viridian.traffic import Forward

LOGIN = {
    "Type": "authenticate-oidc",
    "Order": 1,
    "AuthenticateOidcConfig": {
        "Issuer": "https://id.example.com",
        "AuthorizationEndpoint": "https://id.example.com/authorize",
        "TokenEndpoint": "https://id.example.com/token",
        "UserInfoEndpoint": "https://id.example.com/info",
        "ClientId": "shop",
        "ClientSecret": "kept by AWS",
        "OnUnauthenticatedRequest": "authenticate",
    },
}
COGNITO = {
    "Type": "authenticate-cognito",
    "Order": 1,
    "AuthenticateCognitoConfig": {
        "UserPoolArn": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_x",
        "UserPoolClientId": "shop",
        "UserPoolDomain": "shop",
    },
}


@pytest.fixture
def standing(account: Account) -> Account:
    """A release whose green may get its first share."""
    return account.before("shift_traffic")


def set_forward(account: Account, sticky: int = 0, **weights: int) -> Forward:
    route = load_balancer.find_route(account.shop.route_arn)
    groups = {account.target_group(side): weight for side, weight in weights.items()}
    wanted = Forward(weights=groups, sticky_seconds=sticky)
    return load_balancer.set_forward(route, wanted, account.record().fence())


def rule(account: Account) -> dict[str, Any]:
    return dict(account.client("elbv2").describe_rules(RuleArns=[account.shop.route_arn])["Rules"][0])


@pytest.mark.parametrize("login", [LOGIN, COGNITO], ids=["authenticate-oidc", "authenticate-cognito"])
def test_other_actions_of_the_rule_are_kept(standing: Account, login: dict[str, Any]) -> None:
    blue = {"Type": "forward", "Order": 2, "TargetGroupArn": standing.shop.target_group_arn}
    standing.client("elbv2").modify_rule(RuleArn=standing.shop.route_arn, Actions=[login, blue])
    standing.calls.clear()
    set_forward(standing, blue=90, green=10)
    (asked,) = standing.requests("ModifyRule")
    first, second = asked["Actions"]
    assert (first["Type"], first["Order"]) == (login["Type"], 1)
    assert (second["Type"], second["Order"]) == ("forward", 2)
    if login is LOGIN:
        sent = first["AuthenticateOidcConfig"]
        assert sent["UseExistingClientSecret"] is True, "AWS never shows the secret, and keeps it if asked to"
        assert sent["ClientId"] == "shop"
        assert sent["OnUnauthenticatedRequest"] == "authenticate"
    else:
        assert first["AuthenticateCognitoConfig"] == login["AuthenticateCognitoConfig"]


def test_conditions_and_priority_are_not_sent_at_all(standing: Account) -> None:
    before = rule(standing)
    set_forward(standing, blue=90, green=10)
    (asked,) = standing.requests("ModifyRule")
    assert set(asked) == {"RuleArn", "Actions"}
    after = rule(standing)
    assert {key: after[key] for key in ("Conditions", "Priority")} == {
        key: before[key] for key in ("Conditions", "Priority")
    }


def test_a_third_group_in_what_is_wanted_reaches_aws(standing: Account) -> None:
    third = standing.target_group("third")
    route = load_balancer.find_route(standing.shop.route_arn)
    wanted = Forward(
        weights={standing.shop.target_group_arn: 60, third: 0, standing.target_group("green"): 40}
    )
    shown = load_balancer.set_forward(route, wanted, standing.record().fence())
    assert shown == wanted
    assert standing.weights()["third"] == 0


@pytest.mark.parametrize("sticky", [0, 1, 3600, 604800])
def test_group_stickiness_is_set_and_read_back(standing: Account, sticky: int) -> None:
    shown = set_forward(standing, sticky, blue=90, green=10)
    assert shown.sticky_seconds == sticky
    config = rule(standing)["Actions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"]
    assert config["Enabled"] is (sticky > 0)
    assert load_balancer.forward(standing.shop.route_arn) == shown


def test_turning_stickiness_off_alone_is_a_change(standing: Account) -> None:
    set_forward(standing, 600, blue=90, green=10)
    standing.calls.clear()
    set_forward(standing, 0, blue=90, green=10)
    assert standing.writes() == ["ModifyRule"]


def test_two_sticky_target_groups_need_group_stickiness_in_the_same_call(standing: Account) -> None:
    for side in ("blue", "green"):
        standing.client("elbv2").modify_target_group_attributes(
            TargetGroupArn=standing.target_group(side),
            Attributes=[{"Key": "stickiness.enabled", "Value": "true"}],
        )
    with pytest.raises(Exception, match="InvalidConfigurationRequest"):
        set_forward(standing, 0, blue=90, green=10)
    assert set_forward(standing, 86400, blue=90, green=10).sticky_seconds == 86400
    assert set_forward(standing, 0, green=100).sticky_seconds == 0


def test_what_aws_shows_after_a_write_is_what_counts(standing: Account) -> None:
    def interfere() -> None:
        standing.set_weights(blue=1, green=1)

    with (
        standing.hooked("after-call", "elbv2", "ModifyRule", interfere),
        pytest.raises(NotKept, match=r"wrote .* 90.*, the rule shows .* 1,"),
    ):
        set_forward(standing, blue=90, green=10)
    entry = standing.journal()[-1]
    assert (entry["call"], entry["outcome"]) == ("ModifyRule", "done")
    assert '":1' in entry["shown"], "the journal has what was shown, not what was hoped for"


def test_a_listener_is_written_as_a_listener(standing: Account) -> None:
    listener = standing.shop.listener_arn
    blue = {"Type": "forward", "TargetGroupArn": standing.shop.target_group_arn}
    standing.client("elbv2").modify_listener(ListenerArn=listener, DefaultActions=[blue])
    standing.calls.clear()
    route = load_balancer.find_route(listener)
    assert (route.listener, route.priority, route.conditions) == (listener, None, ())
    assert route.forward.weights == {standing.shop.target_group_arn: 1}
    wanted = Forward(weights={standing.shop.target_group_arn: 90, standing.target_group("green"): 10})
    assert load_balancer.set_forward(route, wanted, standing.record().fence()) == wanted
    assert standing.writes() == ["ModifyListener"]
    assert load_balancer.forward(listener) == wanted


@pytest.mark.parametrize(
    ("old", "new"), [("rule", "rule-gone"), ("listener", "listener-gone"), ("rule", "default")]
)
def test_a_route_that_is_no_route_is_refused(account: Account, old: str, new: str) -> None:
    arn = account.shop.route_arn if old == "rule" else account.shop.listener_arn
    if new == "default":
        rules = account.client("elbv2").describe_rules(ListenerArn=account.shop.listener_arn)["Rules"]
        arn = next(rule["RuleArn"] for rule in rules if rule["IsDefault"])
    else:
        arn = f"{arn[:-4]}0000"
    with pytest.raises(Refusal) as refused:
        load_balancer.find_route(arn)
    assert refused.value.value == arn


def test_health_is_told_by_instance_with_its_reason(account: Account) -> None:
    account.stop("blue")
    found = target_groups.health(account.shop.target_group_arn)
    states = sorted(state for state, _ in found.values())
    assert states == ["healthy", "healthy", "unused"]
    assert {reason for state, reason in found.values() if state != "healthy"} == {"Target.InvalidState"}


def test_an_instance_that_serves_is_found_in_whichever_group(account: Account) -> None:
    assert serving(account) is None
    third = account.target_group("third")
    account.client("elbv2").register_targets(TargetGroupArn=third, Targets=[{"Id": account.builder}])
    assert serving(account) == "third"


def test_no_group_is_asked_that_could_not_have_the_instance(account: Account) -> None:
    elb, ec2 = account.client("elbv2"), account.client("ec2")
    elsewhere = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    elb.create_target_group(Name="elsewhere", Protocol="HTTP", Port=80, VpcId=elsewhere)
    elb.create_target_group(
        Name="addresses", Protocol="HTTP", Port=80, VpcId=account.shop.vpc_id, TargetType="ip"
    )
    third, blue = account.target_group("third"), account.shop.target_group_arn
    assert serving(account, {blue: target_groups.health(blue)}) is None
    asked = account.requests("DescribeTargetHealth")
    assert [each["TargetGroupArn"] for each in asked] == [blue, third]


def test_a_target_group_is_cloned_with_its_settings_attributes_and_tags(standing: Account) -> None:
    elb = standing.client("elbv2")
    elb.modify_target_group(
        TargetGroupArn=standing.shop.target_group_arn,
        HealthCheckPath="/deep",
        HealthCheckIntervalSeconds=7,
        HealthyThresholdCount=4,
        Matcher={"HttpCode": "200-204"},
    )
    elb.add_tags(ResourceArns=[standing.shop.target_group_arn], Tags=[{"Key": "team", "Value": "web"}])
    like = target_groups.find(standing.shop.target_group_arn)
    arn = target_groups.make("copy", like, {"viridian:release": "r"}, standing.record().fence())
    made = target_groups.find(arn)
    own = {"TargetGroupArn", "TargetGroupName", "LoadBalancerArns"}
    assert {k: v for k, v in made.description.items() if k not in own} == {
        k: v for k, v in like.description.items() if k not in own
    }
    assert made.tags == {"team": "web", "viridian:release": "r"}
    assert made.attributes["deregistration_delay.timeout_seconds"] == "300"


def test_the_standby_rule_is_one_and_the_services_own(standing: Account) -> None:
    plan = standing.record().plan
    listener = standing.shop.listener_arn
    found = load_balancer.find_standby(listener, "shop")
    assert found is not None
    assert found["Priority"] == "99"
    assert load_balancer.find_standby(listener, "sho") is None
    assert load_balancer.find_standby(listener, "shop-2") is None
    again = msgspec.structs.replace(plan.standby, priority=50)
    arn = load_balancer.set_standby(
        listener,
        again,
        Forward(weights={standing.target_group("green"): 100}),
        {"viridian:service": "shop"},
        standing.record().fence(),
    )
    assert arn == found["RuleArn"], "it is changed where it stands"


def test_all_pages_of_rules_and_target_groups_are_read(standing: Account) -> None:
    elb = standing.client("elbv2")
    for number in range(30):
        elb.create_rule(
            ListenerArn=standing.shop.listener_arn,
            Priority=1000 + number,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/{number}"]}}],
            Actions=[{"Type": "forward", "TargetGroupArn": standing.shop.target_group_arn}],
        )
    last = [standing.target_group(f"t{number}") for number in range(60)][-1]
    elb.register_targets(TargetGroupArn=last, Targets=[{"Id": standing.builder}])
    with paged(standing, "DescribeRules"), paged(standing, "DescribeTargetGroups"):
        found = place(standing, "store")
        assert {99, 100, *range(1000, 1030)} == found.taken
        assert len(found.others) == 32
        assert serving(standing) == "t59"


def serving(account: Account, known: dict[str, target_groups.Health] | None = None) -> str | None:
    """The group in which the builder is registered."""
    builder = images.find_instance(account.builder, "source.instance_id")
    return target_groups.serving(builder, target_groups.everywhere(), known or {})


def place(account: Account, service: str) -> load_balancer.Place:
    """What stands around the route of the shop."""
    shop = account.shop
    rules = load_balancer.rules_on(shop.load_balancer_arn)
    return load_balancer.place(load_balancer.find_route(shop.route_arn), rules, service)


def paged(account: Account, call: str) -> Any:
    """Pages of ten; moto's own are longer than any test."""

    def shorten(params: dict[str, Any], **_: Any) -> None:
        params["PageSize"] = 10

    return account.asked("elbv2", call, shorten)


def test_a_services_own_standby_rule_does_not_take_its_own_place(standing: Account) -> None:
    found = place(standing, "shop")
    assert 99 not in found.taken
    assert 100 in found.taken


@pytest.mark.parametrize(
    ("own", "balancers", "across"),
    [
        (None, None, True),
        (None, "true", True),
        (None, "false", False),
        ("true", "false", True),
        ("false", "true", False),
    ],
)
def test_a_groups_own_word_on_zones_beats_its_balancers(
    account: Account, own: str | None, balancers: str | None, across: bool
) -> None:
    key = "load_balancing.cross_zone.enabled"
    elb = account.client("elbv2")
    if own:
        elb.modify_target_group_attributes(
            TargetGroupArn=account.shop.target_group_arn, Attributes=[{"Key": key, "Value": own}]
        )
    if balancers:
        elb.modify_load_balancer_attributes(
            LoadBalancerArn=account.shop.load_balancer_arn, Attributes=[{"Key": key, "Value": balancers}]
        )
    group = target_groups.find(account.shop.target_group_arn)
    assert target_groups.cross_zone(group, account.shop.load_balancer_arn) is across


def test_tags_are_asked_for_twenty_at_a_time(account: Account) -> None:
    arn = account.shop.target_group_arn
    account.calls.clear()
    assert load_balancer.tags_of([arn] * 21)[arn]["viridian:service"] == "shop"
    assert [len(asked["ResourceArns"]) for asked in account.requests("DescribeTags")] == [20, 1]
    assert load_balancer.tags_of([]) == {}


def test_every_rule_of_the_region_is_seen_and_where_it_forwards_to(account: Account) -> None:
    found = load_balancer.forwards_everywhere()
    assert found[account.shop.route_arn].weights == {account.shop.target_group_arn: 100}
    assert len(found) == 2, "the listener's default action is a rule too"
