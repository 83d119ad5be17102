"""Converge: from wherever a release stands back to blue, one safe step after another, and nothing left behind."""

import json
from typing import Any

import pytest

from tests.account import EXECUTION, RELEASE, Account
from tests.unit.test_promote import protected
from viridian.errors import Busy


def converge(account: Account, **changes: Any) -> Any:
    """Asks until there is an end, waiting as the state machine does."""
    for _ in range(60):
        answer = account.run("converge", **changes)
        if answer["end"]:
            return answer
        assert answer["again_in"] > 0, "the machine would turn without a pause"
        account.later(seconds=answer["again_in"])
    raise AssertionError(f"no end in sight: {answer}")


STAGES = ["bake_image", "check_image", "create_green", "shift_traffic", "1 shift", "2 shifts", "3 shifts"]


def at(account: Account, stage: str) -> Account:
    return account.shifted(int(stage[0])) if stage[0].isdigit() else account.before(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_wherever_a_release_stands_it_ends_on_blue_with_nothing_left(account: Account, stage: str) -> None:
    stood = account.world()
    at(account, stage)
    answer = converge(account)
    assert answer["end"] == "RolledBack"
    assert answer["cause"].startswith(f"GreenFailed: alarm viridian-shop-{RELEASE}-errors is in ALARM. ")
    left = account.world()
    for kind in stood.keys() - {"ledger", "instances"}:
        assert left[kind] == stood[kind], kind
    (lock,) = [item for item in account.ledger() if item["sk"] == "lock"]
    assert "release" not in lock, "the route is free"


def test_an_end_is_answered_again_and_changes_nothing(account: Account) -> None:
    account.shifted()
    end = converge(account)
    account.calls.clear()
    assert account.twice("converge") == end
    assert account.writes() == []


def test_every_question_may_be_asked_twice(account: Account) -> None:
    account.shifted()
    for _ in range(20):
        answer = account.run("converge")
        if answer["end"]:
            break
        left, sent = account.world(), len(account.writes())
        if answer["doing"] == "the load balancer is settling":
            account.run("converge")
            assert len(account.writes()) == sent
            assert account.world() == left
        account.later(seconds=answer["again_in"])
    assert answer["end"] == "RolledBack"


def test_nothing_of_green_goes_before_the_load_balancer_has_settled(account: Account) -> None:
    account.shifted()
    account.run("converge")
    account.calls.clear()
    account.later(seconds=110)
    answer = account.run("converge")
    assert answer["doing"] == "the load balancer is settling"
    assert answer["again_in"] <= 10
    assert account.writes() == []
    account.later(seconds=10)
    account.run("converge")
    assert "UpdateAutoScalingGroup" in account.writes()


def test_a_second_write_begins_a_new_settle_time(account: Account) -> None:
    account.shifted()
    account.run("converge")
    account.later(seconds=110)
    account.set_weights(blue=90, green=10)
    account.calls.clear()
    account.run("converge")
    assert account.weights() == {"shop-1": 100}
    account.later(seconds=60)
    assert account.run("converge")["doing"] == "the load balancer is settling"
    assert account.writes() == ["ModifyRule"]


def test_the_evidence_is_kept_before_green_is_deleted(account: Account) -> None:
    account.shifted().turn(f"viridian-shop-{RELEASE}-errors", "ALARM")
    converge(account)
    evidence = account.record().evidence or ""
    assert f"viridian-shop-{RELEASE}-errors ALARM" in evidence
    assert "because of a test" in evidence
    assert '"targets":["i-' in evidence


def test_what_an_ailing_instance_wrote_to_its_console_is_evidence(account: Account) -> None:
    account.shifted()
    (ailing,) = [instance["InstanceId"] for instance in account.group("green")["Instances"][:1]]
    account.stop("green")
    converge(account)
    kept = json.loads(account.record().evidence or "")
    assert list(kept["console"]) == [ailing]
    assert kept["console"][ailing]


def test_evidence_that_cannot_be_had_keeps_nobody_waiting(account: Account) -> None:
    account.shifted().stop("green")
    with (
        account.failing("ec2", "GetConsoleOutput", "UnauthorizedOperation", 403),
        account.failing("autoscaling", "DescribeScalingActivities", "Throttling"),
    ):
        for _ in range(8):
            account.later(seconds=account.run("converge")["again_in"])
    kept = json.loads(account.record().evidence or "")
    assert kept["activities"].startswith("not to be had: ")
    assert all(words.startswith("not to be had: ") for words in kept["console"].values())
    assert kept["console"]


def test_green_leaves_dns_before_it_is_scaled_in(account: Account) -> None:
    account.shifted()
    converge(account)
    writes = account.writes()
    assert writes.index("ModifyTargetGroupAttributes") < writes.index("UpdateAutoScalingGroup")
    assert (
        writes.index("DeleteAutoScalingGroup")
        < writes.index("DeleteRule")
        < writes.index("DeleteTargetGroup")
    )


def test_blues_floor_is_what_it_was(account: Account) -> None:
    account.shifted()
    assert account.group("blue")["MinSize"] == 3
    converge(account)
    assert account.group("blue")["MinSize"] == 2
    assert account.group("blue")["DesiredCapacity"] == 3


def test_a_floor_that_its_owner_has_raised_meanwhile_stays(account: Account) -> None:
    account.shifted()
    account.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName="shop-1", MinSize=4)
    converge(account)
    assert account.group("blue")["MinSize"] == 4


def test_a_blue_that_was_scaled_in_gets_its_size_back(account: Account) -> None:
    account.shifted()
    account.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="shop-1", MinSize=1, DesiredCapacity=1
    )
    converge(account)
    assert account.group("blue")["DesiredCapacity"] == 3
    assert account.group("blue")["MinSize"] == 2


def test_a_blue_that_is_short_is_waited_for_and_then_gets_the_rest(account: Account) -> None:
    account.shifted(3).stop("blue", 2)
    answer = account.run("converge")
    assert account.weights()["shop-1"] == 33
    for _ in range(3):
        account.later(seconds=answer["again_in"])
        answer = account.run("converge")
    assert account.weights()["shop-1"] == 33
    assert account.record().status == "RollingBack"
    account.start("blue")
    assert converge(account)["end"] == "RolledBack"
    assert account.weights() == {"shop-1": 100}


def test_a_blue_that_never_comes_back_ends_with_green_serving(account: Account) -> None:
    account.shifted(3).stop("blue", 3)
    assert account.run("converge")["end"] is None
    account.later(minutes=61)
    answer = converge(account)
    assert answer["end"] == "Held"
    assert "all traffic is on green" in answer["cause"]
    assert account.group("green")["DesiredCapacity"] == 3, "the last side able to serve keeps its capacity"
    assert account.weights() == {account.record().plan.green_target_group: 100}


def test_when_neither_side_can_serve_nothing_is_moved(account: Account) -> None:
    account.shifted(2).stop("blue", 3)
    account.stop("green", 3)
    account.calls.clear()
    answer = account.twice("converge")
    assert answer["end"] == "Held"
    assert "neither side" in answer["cause"]
    assert account.writes() == []


def test_an_inconclusive_verdict_puts_traffic_on_blue_and_leaves_green_standing(account: Account) -> None:
    account.shifted()
    answer = converge(account, error="Inconclusive", cause="12 requests to green, 50 needed")
    assert answer["end"] == "Held"
    assert answer["cause"].startswith("Inconclusive: 12 requests")
    assert account.weights() == {"shop-1": 100}
    assert account.group("green")["DesiredCapacity"] == 3
    (lock,) = [item for item in account.ledger() if item["sk"] == "lock"]
    assert lock["release"] == RELEASE, "the route stays under the release's name"


def test_a_held_release_is_taken_back_by_a_person(account: Account) -> None:
    account.shifted()
    converge(account, error="Inconclusive", cause="")
    person = {"execution": f"{EXECUTION}-person", "error": "RollbackOrdered", "cause": "it won't get better"}
    assert converge(account, **person)["end"] == "RolledBack"
    assert account.group("green") == {}


def test_people_are_paged_when_a_person_must_decide(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = account.client("sns").create_topic(Name="pages")["TopicArn"]
    monkeypatch.setenv("PAGES_TOPIC_ARN", topic)
    account.shifted()
    converge(account, error="Inconclusive", cause="")
    (page,) = account.requests("Publish")
    assert page["TopicArn"] == topic
    assert "Held" in page["Subject"]
    assert RELEASE in page["Message"]


def test_nobody_is_paged_for_a_clean_rollback(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGES_TOPIC_ARN", account.client("sns").create_topic(Name="pages")["TopicArn"])
    account.shifted()
    converge(account)
    assert account.requests("Publish") == []


def test_what_cannot_be_deleted_in_time_is_named(account: Account) -> None:
    account.shifted()
    with account.failing("autoscaling", "DeleteAutoScalingGroup", "ResourceInUse"):
        account.run("converge")
        account.later(seconds=120)
        for _ in range(3):
            with pytest.raises(Busy, match="not ready to go"):
                account.run("converge")
        account.later(minutes=60)
        answer = account.run("converge")
    assert answer["end"] == "RollbackIncomplete"
    for left in ("Auto Scaling group viridian-shop-", "target group shop-", "standby rule", "image ami-"):
        assert left in answer["cause"]
    assert account.weights() == {"shop-1": 100}


def test_a_group_without_our_tags_is_not_deleted(account: Account) -> None:
    account.shifted()
    name = account.record().plan.green_group
    tag = {"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": "viridian:release"}
    account.client("autoscaling").delete_tags(Tags=[{**tag, "Value": RELEASE, "PropagateAtLaunch": True}])
    for _ in range(30):
        answer = account.run("converge")
        if answer["end"]:
            break
        account.later(minutes=5)
    assert answer["end"] == "RollbackIncomplete"
    assert f"Auto Scaling group {name}" in answer["cause"]
    assert account.group("green")["AutoScalingGroupName"] == name
    assert account.weights() == {"shop-1": 100}


def test_blues_template_image_and_guard_survive(account: Account) -> None:
    account.shifted()
    converge(account)
    assert account.client("ec2").describe_images(ImageIds=[account.shop.image_id])["Images"]
    assert [
        alarm["AlarmName"] for alarm in account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    ] == ["shop-errors"]


def test_a_promotion_that_died_leaves_no_protected_image_behind(account: Account) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    account.before("promote")
    call = ("ec2", "EnableImageDeregistrationProtection")
    with account.hooked("after-call", *call, die), pytest.raises(KeyboardInterrupt):
        account.run("promote")
    image = account.record().image
    assert protected(account) == {image}
    assert converge(account)["end"] == "RolledBack"
    assert protected(account) == set()
    assert image not in [each["ImageId"] for each in account.world()["images"]]


def test_an_image_that_was_given_is_not_deregistered(account: Account) -> None:
    plan = account.event("acquire_lock")["plan"]
    source = {"type": "ami", "image_id": account.shop.image_id}
    account.run("acquire_lock", {"plan": {**plan, "source": source}})
    account.run("bake_image")
    account.run("create_green")
    assert converge(account)["end"] == "RolledBack"
    assert account.client("ec2").describe_images(ImageIds=[account.shop.image_id])["Images"]
    assert "DeregisterImage" not in account.writes()


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("elbv2", "ModifyRule"),
        ("elbv2", "ModifyTargetGroupAttributes"),
        ("autoscaling", "UpdateAutoScalingGroup"),
        ("autoscaling", "DeleteAutoScalingGroup"),
        ("cloudwatch", "DeleteAlarms"),
        ("elbv2", "DeleteRule"),
        ("elbv2", "DeleteTargetGroup"),
        ("ec2", "DeleteLaunchTemplateVersions"),
        ("ec2", "DeregisterImage"),
    ],
)
def test_a_way_back_that_died_after_any_call_is_gone_on_with(
    account: Account, service: str, call: str
) -> None:
    class Dead(BaseException):
        pass

    def die() -> None:
        raise Dead

    account.shifted()
    with account.hooked("after-call", service, call, die), pytest.raises(Dead):
        converge(account)
    account.later(seconds=120)
    assert converge(account)["end"] == "RolledBack"
    assert account.group("blue")["MinSize"] == 2
