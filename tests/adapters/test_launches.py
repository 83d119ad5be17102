"""EC2 and IAM: what instances are launched with, as AWS shows it."""

import pytest

from tests.account import Account
from viridian.aws import launches
from viridian.relaxations import Ingress


def group(account: Account, name: str, vpc: str | None = None) -> str:
    made = account.client("ec2").create_security_group(
        GroupName=name, Description=name, VpcId=vpc or account.shop.vpc_id
    )
    return str(made["GroupId"])


def test_types_that_the_region_has_not_are_left_out(account: Account) -> None:
    assert account
    found = launches.types(["t3.small", "t9.small"])
    assert list(found) == ["t3.small"]
    assert found["t3.small"]["ProcessorInfo"]["SupportedArchitectures"] == ["x86_64"]


def test_a_security_group_has_a_vpc_unless_it_is_not_there(account: Account) -> None:
    mine = group(account, "mine")
    assert launches.networks([mine, "sg-00000000000000000"]) == {mine: account.shop.vpc_id}


def test_whom_groups_let_in_is_told_rule_by_rule_and_nothing_of_whom_they_call(account: Account) -> None:
    one, other = group(account, "one"), group(account, "other")
    ports = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 90}
    account.client("ec2").authorize_security_group_ingress(
        GroupId=one,
        IpPermissions=[
            {**ports, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
            {**ports, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
            {**ports, "UserIdGroupPairs": [{"GroupId": other}]},
            {"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-1"}]},
        ],
    )
    found = set(launches.ingress([one, other]))
    assert found == {
        Ingress(group=one, protocol="tcp", source="10.0.0.0/8", low=80, high=90),
        Ingress(group=one, protocol="tcp", source="::/0", low=80, high=90),
        Ingress(group=one, protocol="tcp", source=other, low=80, high=90),
        Ingress(group=one, protocol="-1", source="pl-1"),
    }


def test_nothing_asked_is_nothing_read(account: Account) -> None:
    account.calls.clear()
    assert not launches.types([])
    assert not launches.networks([])
    assert launches.ingress([]) == ()
    assert launches.role("") is None
    assert account.calls == []


def test_a_profile_gives_its_role(account: Account) -> None:
    account.client("iam").create_instance_profile(InstanceProfileName="hollow")
    assert launches.role("shop-instance") == "arn:aws:iam::123456789012:role/shop-instance"
    assert launches.role("hollow") is None
    assert launches.role("nothing") is None


def test_an_answer_that_is_no_answer_is_no_absence(account: Account) -> None:
    with (
        account.failing("iam", "GetInstanceProfile", "AccessDenied", 403),
        pytest.raises(Exception, match="AccessDenied"),
    ):
        launches.role("shop-instance")
