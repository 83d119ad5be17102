"""ARNs: one stack serves one account and Region."""

import pytest

from viridian import arns
from viridian.errors import Refusal

OWN = "arn:aws:states:us-east-1:123456789012:execution:viridian-release:1"
RULE = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/shop/1/2/3"


def test_an_arn_of_the_own_account_and_region_is_taken_as_it_is() -> None:
    assert arns.own("route", RULE, OWN) == RULE


@pytest.mark.parametrize(
    "foreign",
    [
        RULE.replace("123456789012", "210987654321"),
        RULE.replace("us-east-1", "us-east-2"),
        RULE.replace("arn:aws:", "arn:aws-cn:"),
        "arn:aws:elasticloadbalancing",
        "shop",
        "",
    ],
)
def test_any_other_is_refused_with_the_account_and_region_to_use(foreign: str) -> None:
    with pytest.raises(Refusal) as refused:
        arns.own("route", foreign, OWN)
    assert refused.value.field == "route"
    assert refused.value.value == foreign
    assert "123456789012 in us-east-1" in refused.value.fix


@pytest.mark.parametrize(
    ("arn", "dimension"),
    [
        ("arn:aws:elasticloadbalancing:r:1:loadbalancer/app/shop/50dc", "app/shop/50dc"),
        ("arn:aws:elasticloadbalancing:r:1:targetgroup/shop-1/73e2", "targetgroup/shop-1/73e2"),
    ],
)
def test_cloudwatch_knows_them_by_their_end(arn: str, dimension: str) -> None:
    assert arns.suffix(arn) == dimension


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_an_arn_says_which_part_of_aws_it_is_in(partition: str) -> None:
    assert arns.partition(OWN.replace("arn:aws:", f"arn:{partition}:")) == partition
