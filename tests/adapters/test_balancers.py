"""A load balancer's twin: the same in all that AWS shows, but for what it is of its own."""

import json
from typing import Any

import botocore.session
import pytest

from tests.account import Account
from viridian import balancer, names
from viridian.aws import balancers
from viridian.errors import Drifted, Refusal

OURS = names.tags("shop", "2.0.0-2010a8")
TWIN = "v-shop-2010a8"
# Of a listener's certificates AWS shows the default one there, moto all of them.
OWN = (
    "Certificates",
    "LoadBalancerArn",
    "LoadBalancerName",
    "DNSName",
    "CreatedTime",
    "ListenerArn",
    "RuleArn",
)


class Twins:
    """A load balancer that has everything, and the target group of its twin."""

    def __init__(self, account: Account) -> None:
        self.account = account.before("create_green")
        self.elb, self.shop = account.client("elbv2"), account.shop
        self.certificates = [self._certificate(n) for n in range(3)]
        self._furnish()
        group = self.elb.create_target_group(Name="green", Protocol="HTTP", Port=80, VpcId=self.shop.vpc_id)
        self.green = str(group["TargetGroups"][0]["TargetGroupArn"])
        account.calls.clear()

    def _certificate(self, n: int) -> str:
        made = self.account.client("acm").request_certificate(DomainName=f"shop{n}.example.com")
        return str(made["CertificateArn"])

    def _furnish(self) -> None:
        arn, elb = self.shop.load_balancer_arn, self.elb
        attributes = {
            "access_logs.s3.enabled": "true",
            "access_logs.s3.bucket": "shop-logs",
            "access_logs.s3.prefix": "web",
            "deletion_protection.enabled": "true",
            "idle_timeout.timeout_seconds": "75",
        }
        pairs = [{"Key": key, "Value": value} for key, value in attributes.items()]
        elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=pairs)
        elb.add_tags(ResourceArns=[arn], Tags=[{"Key": "team", "Value": "web"}])
        blue = {"Type": "forward", "TargetGroupArn": self.shop.target_group_arn}
        secure = elb.create_listener(
            LoadBalancerArn=arn,
            Protocol="HTTPS",
            Port=443,
            SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
            Certificates=[{"CertificateArn": self.certificates[0]}],
            DefaultActions=[blue],
        )["Listeners"][0]["ListenerArn"]
        more = [{"CertificateArn": each} for each in self.certificates[1:]]
        elb.add_listener_certificates(ListenerArn=secure, Certificates=more)
        headers = [{"Key": "routing.http.response.server.enabled", "Value": "false"}]
        elb.modify_listener_attributes(ListenerArn=secure, Attributes=headers)
        away = {"Type": "redirect", "RedirectConfig": {"Path": "/new", "StatusCode": "HTTP_301"}}
        condition = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/old"]}}]
        tags = [{"Key": "why", "Value": "moved"}, {"Key": "viridian:service", "Value": "shop"}]
        elb.create_rule(ListenerArn=secure, Priority=7, Conditions=condition, Actions=[away], Tags=tags)
        waf = self.account.client("wafv2")
        self.acl = waf.create_web_acl(
            Name="shop",
            Scope="REGIONAL",
            DefaultAction={"Allow": {}},
            VisibilityConfig={
                "SampledRequestsEnabled": False,
                "CloudWatchMetricsEnabled": False,
                "MetricName": "shop",
            },
        )["Summary"]["ARN"]
        waf.associate_web_acl(WebACLArn=self.acl, ResourceArn=arn)

    def make(self) -> str:
        like = balancers.shape(self.shop.load_balancer_arn)
        return balancers.make(TWIN, like, self.green, OURS, self.account.record().fence())

    def shown(self, arn: str, target_group: str) -> Any:
        """All that AWS shows of it, under names that both have."""
        found = balancers.shape(arn)
        whole = {
            "description": {k: v for k, v in found.description.items() if k not in OWN},
            "attributes": {k: v for k, v in found.attributes.items() if k != balancer.PROTECTION},
            "web_acl": found.web_acl,
            "listeners": {
                each.description["Port"]: {
                    "description": {k: v for k, v in each.description.items() if k not in OWN},
                    "certificate": each.certificate,
                    "attributes": each.attributes,
                    "certificates": each.certificates,
                    "rules": [{k: v for k, v in rule.items() if k not in OWN} for rule in each.rules],
                }
                for each in found.listeners
            },
        }
        return json.loads(json.dumps(whole, default=str).replace(target_group, "the target group"))


@pytest.fixture
def twins(account: Account) -> Twins:
    return Twins(account)


def test_a_twin_is_like_the_first_in_all_that_aws_shows(twins: Twins) -> None:
    arn = twins.make()
    first = twins.shown(twins.shop.load_balancer_arn, twins.shop.target_group_arn)
    assert twins.shown(arn, twins.green) == first
    assert len(first["listeners"]) == 2
    assert first["listeners"]["443"]["certificates"] == sorted(twins.certificates)
    assert first["web_acl"] == twins.acl
    assert "200" not in first["attributes"]


def test_a_twin_has_its_owners_tags_and_ours(twins: Twins) -> None:
    found = balancers.shape(twins.make())
    assert found.tags == {"team": "web", **OURS}
    (rule,) = next(each.rules for each in found.listeners if each.description["Port"] == 443)
    tags = next(each.tags for each in found.listeners if each.description["Port"] == 443)
    assert tags[rule["RuleArn"]] == {"why": "moved", **OURS}


def test_a_twin_may_be_deleted_though_the_first_may_not(twins: Twins) -> None:
    arn = twins.make()
    assert balancers.shape(arn).attributes[balancer.PROTECTION] == "false"
    fence = twins.account.record().fence()
    balancers.delete(arn, fence)
    assert balancers.find_by_name(TWIN) is None
    balancers.delete(arn, fence)
    assert balancers.of(twins.shop.target_group_arn).arn == twins.shop.load_balancer_arn
    with pytest.raises(Drifted):
        balancers.of(twins.green)


def test_making_it_twice_makes_nothing_more(twins: Twins) -> None:
    arn = twins.make()
    twins.account.calls.clear()
    assert twins.make() == arn
    assert twins.account.writes() == []


@pytest.mark.parametrize(
    "call", ["CreateListener", "ModifyListenerAttributes", "AddListenerCertificates", "CreateRule"]
)
def test_what_a_dead_try_has_left_out_is_made_by_the_next(twins: Twins, call: str) -> None:
    with (
        twins.account.failing("elbv2", call, "ServiceUnavailable", 503),
        pytest.raises(Exception, match=call),
    ):
        twins.make()
    arn = twins.make()
    first = twins.shown(twins.shop.load_balancer_arn, twins.shop.target_group_arn)
    assert twins.shown(arn, twins.green) == first


def test_somebody_elses_of_the_same_name_is_refused(twins: Twins) -> None:
    twins.elb.create_load_balancer(Name=TWIN, Subnets=twins.shop.subnet_ids)
    with pytest.raises(Refusal, match="is not this release's"):
        twins.make()


def test_the_load_balancers_of_names_are_found_by_them(twins: Twins) -> None:
    name = twins.shop.load_balancer_dns
    found = balancers.by_name({name, "gone-1.us-east-1.elb.amazonaws.com"})
    assert {each: b.arn for each, b in found.items()} == {name: twins.shop.load_balancer_arn}
    assert found[name].target_groups == (twins.shop.target_group_arn,)
    assert balancers.by_name({""}) == {}


@pytest.mark.parametrize("operation", ["CreateLoadBalancer", "CreateListener", "CreateRule"])
def test_every_member_that_botocore_knows_is_carried_or_left_out_for_a_reason(operation: str) -> None:
    """A member that AWS adds breaks this: a twin would silently lack it."""
    model = botocore.session.get_session().get_service_model("elbv2").operation_model(operation)
    known = {
        *balancer.CARRIED,
        *balancer.LISTENER,
        *balancer.RULE,
        *balancer.SET,
        *balancer.SET_TOO,
        *balancer.LEFT,
    }
    assert model.input_shape is not None
    assert set(model.input_shape.members) <= known
