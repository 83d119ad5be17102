"""A load balancer's twin, decided: what it takes over, and what is refused since it can't."""

from typing import Any

import pytest

from viridian import balancer
from viridian.balancer import Listening, Shape
from viridian.errors import Refusal

BLUE, GREEN = "arn:blue", "arn:green"
OIDC = {"Type": "authenticate-oidc", "AuthenticateOidcConfig": {"ClientId": "shop"}}
REDIRECT = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "StatusCode": "HTTP_301"}}


def forward(*groups: str) -> dict[str, Any]:
    pairs = [{"TargetGroupArn": group, "Weight": 1} for group in groups]
    alone = {"TargetGroupArn": groups[0]} if len(groups) == 1 else {}
    sticky = {"Enabled": True, "DurationSeconds": 60}
    return {
        "Type": "forward",
        "Order": 2,
        **alone,
        "ForwardConfig": {"TargetGroups": pairs, "TargetGroupStickinessConfig": sticky},
    }


def shape(
    *actions: dict[str, Any], reserved: int = 0, kind: str = "application", attributes: Any = None
) -> Shape:
    rule = {
        "RuleArn": "arn:rule",
        "Priority": "7",
        "Conditions": [],
        "Actions": list(actions or [forward(BLUE)]),
    }
    listening = Listening(
        description={
            "ListenerArn": "arn:listener",
            "Protocol": "HTTPS",
            "Port": 443,
            "SslPolicy": "strict",
            "Certificates": [{"CertificateArn": "arn:b", "IsDefault": True}],
            "MutualAuthentication": {
                "Mode": "verify",
                "TrustStoreArn": "arn:t",
                "TrustStoreAssociationStatus": "active",
            },
            "DefaultActions": [REDIRECT],
        },
        attributes={},
        certificates=("arn:a", "arn:b"),
        rules=(rule,),
        tags={"arn:listener": {"team": "web", "aws:cloudformation:stack-name": "s", "viridian:service": "x"}},
    )
    zones = [{"ZoneName": "a", "SubnetId": "subnet-1"}, {"ZoneName": "b", "SubnetId": "subnet-2"}]
    description = {"LoadBalancerName": "shop", "Type": kind, "Scheme": "internal", "AvailabilityZones": zones}
    return Shape(
        description=description,
        attributes=attributes or {},
        tags={},
        listeners=(listening,),
        web_acl=None,
        reserved=reserved,
    )


def test_a_twin_stands_in_the_same_subnets_with_the_same_scheme() -> None:
    asked = balancer.create(shape(), "v-shop", {"viridian:service": "shop"})
    assert asked == {
        "Name": "v-shop",
        "Subnets": ["subnet-1", "subnet-2"],
        "Scheme": "internal",
        "Type": "application",
        "Tags": {"viridian:service": "shop"},
    }


def test_a_listener_keeps_its_certificates_and_its_trust_store() -> None:
    (listening,) = shape().listeners
    asked = balancer.listener(listening, GREEN, {"viridian:service": "shop"})
    assert asked == {
        "Protocol": "HTTPS",
        "Port": 443,
        "SslPolicy": "strict",
        "Certificates": [{"CertificateArn": "arn:b"}],
        "MutualAuthentication": {"Mode": "verify", "TrustStoreArn": "arn:t"},
        "DefaultActions": [REDIRECT],
        "Tags": {"team": "web", "viridian:service": "shop"},
    }
    assert listening.further == ["arn:a"]


def test_a_rule_forwards_to_the_twins_group_as_the_first_does_to_its_own() -> None:
    (listening,) = shape(forward(BLUE)).listeners
    asked = balancer.rule(listening, listening.rules[0], GREEN, {})
    (action,) = asked["Actions"]
    assert "TargetGroupArn" not in action
    assert action["Order"] == 2
    assert action["ForwardConfig"]["TargetGroups"] == [{"TargetGroupArn": GREEN, "Weight": 1}]
    assert action["ForwardConfig"]["TargetGroupStickinessConfig"]["DurationSeconds"] == 60
    assert asked["Priority"] == 7


def test_empty_attributes_are_not_sent_and_protection_is_off() -> None:
    found = balancer.attributes(
        shape(attributes={"access_logs.s3.prefix": "", "idle_timeout.timeout_seconds": "75"})
    )
    assert found == {"idle_timeout.timeout_seconds": "75", balancer.PROTECTION: "false"}


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (shape(forward(BLUE, "arn:other")), "arn:other"),
        (shape(forward("arn:other")), "arn:other"),
        (shape(OIDC, forward(BLUE)), "authenticate-oidc"),
        (shape(reserved=500), "500 capacity units"),
        (shape(kind="network"), "network load balancer"),
    ],
)
def test_what_a_twin_would_lack_is_refused(odd: Shape, words: str) -> None:
    balancer.ensure_clonable(shape(), BLUE)
    with pytest.raises(Refusal, match=words):
        balancer.ensure_clonable(odd, BLUE)
