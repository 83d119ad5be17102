"""Collect: what releases left behind goes where ledger, tags and age agree, and people hear of it; nothing else does."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.account import EXECUTION, NOW, PLOT, RELEASE, Account
from tests.adapters.network import Network
from viridian import names
from viridian.acts import collecting
from viridian.aws import clients, ledger, load_balancer
from viridian.errors import NotPermitted
from viridian.leftovers import KINDS, SAFE_AGE

FATES = ("removed", "left", "failed", "reported", "kept")
# Day by day, since a thing goes only once nothing uses it any more.
WRITES = [
    ["DeleteRule", "DeleteAlarms", "DeleteAlarms", "DeleteAlarms", "DeleteAlarms"],
    ["UpdateAutoScalingGroup", "DeleteAutoScalingGroup"],
    ["DeleteTargetGroup", "DeleteLaunchTemplateVersions", "DeregisterImage"],
    [],
]


@pytest.fixture
def topic(account: Account, monkeypatch: pytest.MonkeyPatch) -> str:
    arn = str(account.client("sns").create_topic(Name="pages")["TopicArn"])
    monkeypatch.setenv("PAGES_TOPIC_ARN", arn)
    return arn


@pytest.fixture
def left(account: Account) -> Account:
    """A release that was rolled back, by the ledger, and everything of it still stands; it has been so for long."""
    account.before("shift_traffic")
    ledger.end(account.record().fence(), "RolledBack", "all traffic is on blue")
    account.later(seconds=SAFE_AGE.total_seconds() + 1)
    account.calls.clear()
    return account


@pytest.fixture
def retired(account: Account) -> Account:
    """A release that was promoted, whose blue is at zero for good, with nobody left to take it back."""
    account.promoted()
    record = account.record()
    locked = ledger.lock_to_retire(record, EXECUTION)
    assert locked is not None
    ledger.end(locked.fence(), "Retired", "shop-1 stays, at zero", retire_at=None)
    account.later(days=30)
    account.calls.clear()
    return account


def collect(account: Account, **asked: Any) -> dict[str, Any]:
    return dict(account.run("collect", {}, **asked))


def whole(account: Account) -> dict[str, Any]:
    """Everything that stands, the ledger's journal and blue's instances' own doings apart."""
    return {kind: found for kind, found in account.world().items() if kind != "ledger"}


def later_release(account: Account, release: str, status: str = "Retired") -> None:
    """Another release of the service that has ended so, with nothing but a launch template version of its own."""
    made = account.client("ec2").create_launch_template_version(
        LaunchTemplateId=account.shop.launch_template_id,
        SourceVersion="1",
        VersionDescription=f"viridian {release}",
        LaunchTemplateData={"ImageId": account.shop.image_id},
    )
    number = str(made["LaunchTemplateVersion"]["VersionNumber"])
    plan = account.record().plan
    plan = replace(plan, release=release, execution=f"{EXECUTION}-{release}", started_at=account.now())
    ledger.take_lock(plan, NOW)
    record = ledger.find("shop", release)
    assert record is not None
    ledger.end(record.fence(), status, "", launch_template_version=number)


@pytest.mark.parametrize("stem", [*PLOT[2:], "shifted", "promoted"])
def test_a_release_that_runs_or_can_be_taken_back_is_left_alone(account: Account, stem: str) -> None:
    if stem in ("shifted", "promoted"):
        getattr(account, stem)()
    else:
        account.before(stem)
    account.later(days=30)
    stood = whole(account)
    answer = collect(account)
    assert answer["removed"] == answer["left"] == answer["failed"] == answer["reported"] == []
    assert answer["kept"]
    assert (whole(account), account.writes()) == (stood, [])


@pytest.mark.parametrize("status", ["Held", "RollbackIncomplete"])
def test_a_release_that_waits_for_a_person_is_left_alone(account: Account, status: str) -> None:
    account.shifted()
    ledger.end(account.record().fence(), status, "somebody else wrote the weights")
    account.later(days=30)
    answer = collect(account)
    assert {line.rsplit(": ", 1)[1] for line in answer["kept"]} == {f"its release is {status}"}
    assert account.writes() == []


def test_while_a_retirement_has_the_route_nothing_goes_and_afterwards_it_does(left: Account) -> None:
    locked = ledger.lock_to_retire(left.record(), "retire-1")
    assert locked is not None
    held = collect(left)
    assert (held["removed"], left.writes()) == ([], [])
    assert any("its route is held by" in line for line in held["kept"])
    ledger.end(locked.fence(), "RolledBack", "")
    left.later(days=4)
    assert len(collect(left)["removed"]) == 5


def test_what_a_rollback_left_goes_from_the_outside_in_and_nothing_else_does(left: Account) -> None:
    for writes in WRITES:
        left.calls.clear()
        answer = collect(left)
        assert left.writes() == writes
        assert len(answer["removed"]) == len(
            [each for each in writes if not each.startswith("UpdateAutoScaling")]
        )
    assert [answer[fate] for fate in FATES] == [[], [], [], [], []]
    assert left.weights() == {"shop-1": 100}
    assert left.group("blue")["DesiredCapacity"] == 3
    found = left.client("ec2").describe_images(ImageIds=[left.shop.image_id])["Images"]
    assert [image["State"] for image in found] == ["available"]
    assert not left.client("ec2").describe_snapshots(
        Filters=[{"Name": "tag-key", "Values": [names.RELEASE]}]
    )["Snapshots"]


def test_what_is_removed_is_in_the_journal_of_the_release_that_made_it(left: Account) -> None:
    known = len(left.journal())
    collect(left)
    (entry, *_) = left.journal()[known:]
    assert (entry["call"], entry["outcome"], entry["pk"]) == ("DeleteRule", "done", f"release#shop#{RELEASE}")


def test_a_dry_run_says_it_all_and_touches_nothing(left: Account, topic: str) -> None:
    assert topic
    left.calls.clear()
    stood = left.world()
    answer = left.run("collect")
    assert answer["dry_run"] is True
    assert len(answer["left"]) == 5
    assert answer["left"][0].endswith(f"of release {RELEASE} of shop: its release was rolled back")
    assert {line.split(" ")[0] for line in answer["kept"]} == {
        "Auto",
        "target",
        "launch",
        "image",
        "snapshot",
    }
    assert (left.writes(), left.world()) == ([], stood)


def test_what_was_left_a_moment_ago_is_kept(left: Account) -> None:
    left.later(seconds=-2)
    answer = collect(left)
    assert left.writes() == []
    assert any("less than 3 days" in line for line in answer["kept"])


def test_nothing_goes_while_a_release_holds_the_route(left: Account) -> None:
    plan = replace(left.record().plan, release="3.0.0-abcdef", execution=f"{EXECUTION}-2")
    ledger.take_lock(plan, NOW)
    answer = collect(left)
    assert left.writes() == []
    assert any("its route is held by release 3.0.0-abcdef of service shop" in line for line in answer["kept"])


def test_nothing_goes_while_people_want_nothing_written(left: Account) -> None:
    left.take_hands_off("the auditors are in", left.shop.route_arn)
    left.calls.clear()
    answer = collect(left)
    assert left.writes() == []
    assert any(line.endswith("hands off: the auditors are in") for line in answer["kept"])


def test_a_release_that_begins_meanwhile_stops_it(left: Account) -> None:
    plan = replace(left.record().plan, release="3.0.0-abcdef", execution=f"{EXECUTION}-2")
    begun: list[int] = []

    def begin() -> None:
        if not begun:
            begun.append(1)
            begun.append(ledger.take_lock(plan, NOW))

    with left.hooked("before-call", "ec2", "DescribeInstances", begin):
        answer = collect(left)
    assert begun == [1, 2]
    assert left.writes() == []
    assert any("its route was taken meanwhile" in line for line in answer["kept"])


def test_a_group_whose_instances_take_their_time_is_left_for_the_next_run(left: Account) -> None:
    collect(left)
    with left.failing("autoscaling", "DeleteAutoScalingGroup", "ScalingActivityInProgress"):
        answer = collect(left)
    assert (answer["removed"], answer["failed"]) == ([], [])
    assert "is not ready to go" in answer["left"][0]
    assert len(collect(left)["removed"]) == 1


def test_one_that_can_not_go_keeps_no_other_and_people_are_told_once(left: Account, topic: str) -> None:
    assert topic
    left.calls.clear()
    with left.failing("elbv2", "DeleteRule", "AccessDenied", 403):
        answer = collect(left)
        assert len(answer["removed"]) == 4
        assert "AccessDenied" in answer["failed"][0]
        collect(left)
        collect(left)
    told = left.requests("Publish")
    assert [each["Subject"] for each in told] == ["viridian: leftovers: 4 removed, 1 for a person"]
    assert "Could not be removed:\nstandby rule" in told[0]["Message"]


def test_what_the_ledger_does_not_know_is_reported_once_and_stays(left: Account, topic: str) -> None:
    ec2 = left.client("ec2")
    made = ec2.register_image(
        Name="foreign",
        RootDeviceName="/dev/xvda",
        TagSpecifications=[
            {
                "ResourceType": "image",
                "Tags": [{"Key": k, "Value": v} for k, v in names.tags("shop", "9.9.9-f").items()],
            }
        ],
    )["ImageId"]
    for _ in WRITES:
        answer = collect(left)
    (line,) = answer["reported"]
    assert line == f"image {made} of release 9.9.9-f of shop: its release is not in the ledger"
    assert ec2.describe_images(ImageIds=[made])["Images"][0]["State"] == "available"
    subjects = [each["Subject"] for each in left.requests("Publish")]
    assert [subject.split(" ", 2)[2] for subject in subjects] == [
        "5 removed, 1 for a person", "1 removed, 1 for a person", "3 removed, 1 for a person",
    ]  # fmt: skip
    assert topic


def test_an_image_that_is_protected_is_reported(left: Account) -> None:
    def protect(parsed: dict[str, Any], **_: Any) -> None:
        for image in parsed["Images"]:
            image["DeregistrationProtection"] = "enabled-without-cooldown"

    for _ in WRITES[:2]:
        collect(left)
    events = clients.reader("ec2").meta.events
    events.register("after-call.ec2.DescribeImages", protect)
    try:
        answer = collect(left)
    finally:
        events.unregister("after-call.ec2.DescribeImages", protect)
    (line,) = answer["reported"]
    assert line.endswith("its release was rolled back, but it is protected from deregistration")
    assert "DeregisterImage" not in left.writes()


def test_snapshots_that_an_image_left_behind_go_too(left: Account) -> None:
    image = left.record().image
    left.client("ec2").deregister_image(ImageId=image)
    left.calls.clear()
    answer = collect(left)
    assert "DeleteSnapshot" in left.writes()
    assert any(line.startswith("snapshot ") for line in answer["removed"])


def test_a_run_removes_no_more_than_its_share(left: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "REMOVALS", 2)
    answer = collect(left)
    assert left.writes() == ["DeleteRule", "DeleteAlarms"]
    assert (len(answer["removed"]), len(answer["left"])) == (2, 3)


def test_the_newest_that_were_promoted_keep_their_image_and_version(retired: Account) -> None:
    for n in range(4):
        later_release(retired, f"3.{n}.0-abcdef")
    retired.later(days=30)
    retired.calls.clear()
    answer = collect(retired)
    assert answer["removed"] == ["standby rule " + answer["removed"][0].split(" ", 2)[2]]
    assert any(line.endswith("one of the newest 5 that were promoted") for line in answer["kept"])


def test_what_is_not_among_the_newest_goes_once_no_fleet_is_made_of_it(retired: Account) -> None:
    """Its own group still serves, in this account: it keeps image and version, whatever came after it."""
    for n in range(6):
        later_release(retired, f"3.{n}.0-abcdef")
    retired.later(days=30)
    retired.calls.clear()
    answer = collect(retired)
    assert retired.writes() == ["DeleteRule", "DeleteLaunchTemplateVersions"], "of 3.0.0, which nobody uses"
    version = retired.record().launch_template_version
    lines = [line for line in answer["kept"] if line.startswith(("launch template version", "image"))]
    assert any(f" {version} of release {RELEASE}" in line and "launches from it" in line for line in lines)
    assert any("image " in line and "runs on it" in line for line in lines)

    group, image = retired.record().plan.green_group, retired.record().image
    retired.set_weights(blue=100)
    retired.client("ec2").disable_image_deregistration_protection(ImageId=image)  # as its retirement does
    retired.client("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=group, ForceDelete=True)
    retired.calls.clear()
    collect(retired)
    assert retired.writes() == ["DeleteLaunchTemplateVersions", "DeregisterImage"]
    standing = retired.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=retired.shop.launch_template_id
    )["LaunchTemplateVersions"]
    assert {each.get("VersionDescription") for each in standing} == {
        "as registered", *(f"viridian 3.{n}.0-abcdef" for n in range(1, 6)),
    }  # fmt: skip


@pytest.mark.parametrize("when", ["before-call", "after-call"])
@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("elbv2", "DeleteRule"),
        ("cloudwatch", "DeleteAlarms"),
        ("autoscaling", "UpdateAutoScalingGroup"),
        ("autoscaling", "DeleteAutoScalingGroup"),
        ("elbv2", "DeleteTargetGroup"),
        ("ec2", "DeleteLaunchTemplateVersions"),
        ("ec2", "DeregisterImage"),
    ],
)
def test_a_run_that_dies_at_any_call_is_made_good_by_the_next_ones(
    left: Account, service: str, call: str, when: str
) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    blue = left.group("blue"), left.weights()
    for _ in WRITES:
        died = False
        with left.hooked(when, service, call, die):
            try:
                collect(left)
            except KeyboardInterrupt:
                died = True
        if died:
            break
    assert died, f"{call} was never sent"
    for _ in WRITES:
        answer = collect(left)
    assert [answer[fate] for fate in FATES] == [[], [], [], [], []]
    assert (left.group("blue"), left.weights()) == blue


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("elbv2", "DescribeRules"),
        ("elbv2", "DescribeTags"),
        ("ec2", "DescribeInstances"),
        ("ec2", "DescribeLaunchTemplateVersions"),
        ("autoscaling", "DescribeAutoScalingGroups"),
        ("dynamodb", "GetItem"),
        ("dynamodb", "Query"),
    ],
)
def test_a_look_that_is_refused_ends_the_run_before_anything_goes(
    left: Account, service: str, call: str
) -> None:
    with left.failing(service, call, "AccessDeniedException", 403), pytest.raises(NotPermitted, match=call):
        collect(left)
    assert left.writes() == []


def test_a_launch_template_that_is_gone_is_no_obstacle(left: Account) -> None:
    group = left.group("blue")["AutoScalingGroupName"]
    other = left.client("ec2").create_launch_template(
        LaunchTemplateName="gone", LaunchTemplateData={"ImageId": left.shop.image_id}
    )["LaunchTemplate"]["LaunchTemplateId"]
    left.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=group, LaunchTemplate={"LaunchTemplateId": other, "Version": "1"}
    )
    left.client("ec2").delete_launch_template(LaunchTemplateId=other)
    assert len(collect(left)["removed"]) == 5


def own_balancer(account: Account) -> str:
    """The load balancer that the sample release would have made of its own."""
    made = account.client("elbv2").create_load_balancer(
        Name=names.balancer("shop", RELEASE),
        Subnets=account.shop.subnet_ids,
        Tags=[{"Key": key, "Value": value} for key, value in names.tags("shop", RELEASE).items()],
    )
    return str(made["LoadBalancers"][0]["LoadBalancerArn"])


def test_a_load_balancer_goes_that_nobody_stands_behind(left: Account) -> None:
    arn = own_balancer(left)
    left.calls.clear()
    removed = collect(left)["removed"]
    assert f"load balancer {arn} of release {RELEASE} of shop: its release was rolled back" in removed
    assert "DeleteLoadBalancer" in left.writes()


def test_a_load_balancer_stays_while_a_group_is_behind_it(left: Account) -> None:
    arn, green = own_balancer(left), left.target_group("green")
    elb = left.client("elbv2")
    (rule,) = [
        rule["RuleArn"]
        for rule in elb.describe_rules(ListenerArn=left.shop.listener_arn)["Rules"]
        if rule["Priority"] == "99"
    ]
    elb.delete_rule(RuleArn=rule)
    action = {"Type": "forward", "TargetGroupArn": green}
    elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[action])
    left.calls.clear()
    kept = [line for line in collect(left)["kept"] if line.startswith("load balancer")]
    assert len(kept) == 1
    assert "is behind it" in kept[0]
    assert "DeleteLoadBalancer" not in left.writes()


def test_every_kind_of_thing_is_found(left: Account) -> None:
    own_balancer(left)
    Network(left).listens(8080, Tags=load_balancer.tag_list(names.tags("shop", RELEASE)))
    answer = left.run("collect")
    lines = [line for fate in FATES for line in answer[fate]]
    assert [kind for kind in KINDS if not any(line.startswith(f"{kind} ") for line in lines)] == []
