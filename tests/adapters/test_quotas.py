"""What the account may have, what it has, and what that costs; and that a plan never waits for it."""

import json
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from msgspec.structs import replace

from local.metrics.usage import Usage
from local.reality import Reality
from local.strict import quotas as granted
from tests.account import Account
from viridian.acts import survey
from viridian.aws import auto_scaling, clients, images, instance_types, load_balancer, prices, quotas
from viridian.errors import NotKnown

STANDARD = "L-1216C47A"


def publish(account: Account) -> None:
    """What CloudWatch does each minute."""
    Usage(Reality()).tick(account.now().timestamp())
    account.later(minutes=1)


def test_elastic_load_balancings_limits_come_by_name(account: Account) -> None:
    granted.grant("target-groups", 7)
    found = load_balancer.limits()
    assert found["target-groups"] == 7
    assert found["rules-per-application-load-balancer"] == 100
    assert account.writes() == []


def test_the_rules_of_all_listeners_of_a_load_balancer_are_found(account: Account) -> None:
    elb, nothing = account.client("elbv2"), {"StatusCode": "404"}
    assert [rule["Priority"] for rule in load_balancer.rules_on(account.shop.load_balancer_arn)] == [
        "100",
        "default",
    ]
    action = {"Type": "fixed-response", "FixedResponseConfig": nothing}
    listener = elb.create_listener(
        LoadBalancerArn=account.shop.load_balancer_arn, Protocol="HTTP", Port=81, DefaultActions=[action]
    )["Listeners"][0]["ListenerArn"]
    condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/x"]}}
    elb.create_rule(ListenerArn=listener, Priority=1, Conditions=[condition], Actions=[action])
    found = load_balancer.rules_on(account.shop.load_balancer_arn)
    assert sorted(rule["Priority"] for rule in found) == ["1", "100", "default", "default"]


def test_groups_are_counted_by_auto_scaling_itself(account: Account) -> None:
    granted.grant("groups", 5)
    assert auto_scaling.limits() == (1, 5)
    assert account.requests("DescribeAutoScalingGroups") == []


def test_a_groups_instances_are_counted_by_type(account: Account) -> None:
    assert auto_scaling.instance_types(account.group("blue")) == {"t3.small": 3}
    assert auto_scaling.instance_types({}) == {}


def test_all_versions_of_a_launch_template_are_counted_beside_what_blues_says(account: Account) -> None:
    for number in range(20):
        account.client("ec2").create_launch_template_version(
            LaunchTemplateId=account.shop.launch_template_id,
            VersionDescription=str(number),
            LaunchTemplateData={"InstanceType": "t3.small"},
        )
    blue = survey.launches_of(account.group("blue"))
    assert images.launched(blue) == (images.template_data(blue), 21)
    assert images.launched(replace(blue, version="22")) == ({}, 21)


def test_the_vcpus_of_types_are_known(account: Account) -> None:
    assert account
    assert instance_types.vcpus(["t3.small", "m5.2xlarge"]) == {"t3.small": 2, "m5.2xlarge": 8}


def test_what_is_in_use_of_a_quota_is_its_own_metrics_newest_figure(account: Account) -> None:
    quota = quotas.find(STANDARD)
    assert quota["Value"] == 256
    with pytest.raises(NotKnown, match="no figure"):
        quotas.used(quota)
    publish(account)
    assert quotas.used(quota) == 2 * 4, "three of blue and the builder"
    account.client("ec2").terminate_instances(InstanceIds=[account.builder])
    account.later(minutes=5)
    publish(account)
    assert quotas.used(quota) == 2 * 3
    account.later(minutes=40)
    with pytest.raises(NotKnown, match="last half hour"):
        quotas.used(quota)


def test_a_quota_without_a_metric_says_so() -> None:
    with pytest.raises(NotKnown, match="Running X has no usage metric"):
        quotas.used({"QuotaName": "Running X"})


def test_a_quota_that_service_quotas_does_not_have_is_not_known(account: Account) -> None:
    assert account
    with pytest.raises(NotKnown, match="GetServiceQuota: NoSuchResourceException"):
        quotas.find("L-417A185B")


def test_a_price_is_asked_for_by_type_region_and_what_the_image_is_billed_as(account: Account) -> None:
    assert prices.hourly("t3.small", "us-east-1", "RunInstances") == 0.0208
    (asked,) = account.requests("GetProducts")
    wanted = {each["Field"]: each["Value"] for each in asked["Filters"]}
    assert wanted["operation"] == "RunInstances"
    assert wanted["tenancy"] == "Shared"
    for unpriced in (
        ("t3.nano", "us-east-1", "RunInstances"),
        ("t3.small", "eu-west-1", "RunInstances"),
        ("t3.small", "us-east-1", "RunInstances:0002"),
    ):
        with pytest.raises(NotKnown, match="the price list has 0 prices of"):
            prices.hourly(*unpriced)


def test_two_prices_for_one_thing_are_no_price(account: Account) -> None:
    offered = [
        {"terms": {"OnDemand": {"t": {"priceDimensions": {"r": {"pricePerUnit": {"USD": dollars}}}}}}}
        for dollars in ("0.02", "0.03")
    ]
    listed = {"PriceList": [json.dumps(each) for each in offered]}
    with account.hooked("before-call", "pricing", "GetProducts", lambda: (_ok(), listed)):
        with pytest.raises(NotKnown, match="has 2 prices"):
            prices.hourly("t3.small", "us-east-1", "RunInstances")
        offered.pop()
        listed["PriceList"].pop()
        assert prices.hourly("t3.small", "us-east-1", "RunInstances") == 0.02


def _ok() -> Any:
    return type("Response", (), {"status_code": 200})()


@pytest.mark.parametrize("service", ["pricing", "service-quotas", "ec2", "cloudwatch"])
def test_what_a_plan_can_do_without_is_asked_for_once_and_not_for_long(service: str) -> None:
    config = clients.brief(service).meta.config
    assert config.retries["total_max_attempts"] == 1
    assert config.connect_timeout + config.read_timeout <= 3


def test_prices_are_asked_for_where_they_are() -> None:
    assert clients.brief("pricing").meta.region_name == "us-east-1"


def test_whatever_goes_wrong_it_is_not_known(account: Account) -> None:
    with (
        account.failing("pricing", "GetProducts", "AccessDeniedException"),
        pytest.raises(NotKnown) as denied,
    ):
        prices.hourly("t3.small", "us-east-1", "RunInstances")
    assert str(denied.value) == "GetProducts: AccessDeniedException"

    def silence() -> Any:
        raise ReadTimeoutError(endpoint_url="https://pricing")

    with account.hooked("before-call", "pricing", "GetProducts", silence), pytest.raises(NotKnown) as late:
        prices.hourly("t3.small", "us-east-1", "RunInstances")
    assert "https://pricing" in str(late.value)
    assert len(account.requests("GetProducts")) == 0
