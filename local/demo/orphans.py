"""Looks for what releases left behind: everything with their tags, against what the ledger says should be there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

RELEASE = "viridian:release"
GONE = "RolledBack"
KEPT = ("Promoted", "Retired")
WAY_BACK = ("image", "snapshot", "launch template version")  # of a promoted release: how one goes back to it
RETIRING_SECONDS = 900.0  # the sweeper's minute, the longest drain, and the steps between


@dataclass(frozen=True)
class Left:
    """One resource that a release made."""

    kind: str
    name: str
    release: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} of {self.release}"


@dataclass(frozen=True)
class Entry:
    """What the ledger says of a release; `blue_group` is the one it took over from."""

    status: str
    retire_at: float | None
    blue_group: str

    def overdue(self, now: float) -> bool:
        """Whether blue should have been retired by now; draining takes its time."""
        return (
            self.status == "Promoted"
            and self.retire_at is not None
            and self.retire_at + RETIRING_SECONDS < now
        )


def find(cloud: Any, table: str, now: float) -> list[str]:
    """Everything that should be gone: of a release rolled back, or of one whose blue's time has come."""
    ledger = entries(cloud, table)
    left = [str(left) for left in leftovers(cloud) if is_orphan(left, ledger, now)]
    return left + [
        f"blue's {entry.blue_group}, kept past its time" for entry in ledger.values() if entry.overdue(now)
    ]


def is_orphan(left: Left, ledger: dict[str, Entry], now: float) -> bool:
    """An alarm that watches is for a release's time alone; the rest of a promoted one serves, until it is retired as blue."""
    entry = ledger.get(left.release)
    if entry is None or entry.status == GONE:
        return True
    if entry.status not in KEPT or left.kind in WAY_BACK:
        return False
    watches = left.kind == "alarm" and f"{left.release}-scaling-" not in left.name
    return watches or any(_past(later, left, now) for later in ledger.values())


def _past(later: Entry, left: Left, now: float) -> bool:
    """Whether a later release has replaced this one, and its recorded time has passed."""
    return later.retire_at is not None and later.retire_at < now and later.blue_group.endswith(left.release)


def entries(cloud: Any, table: str) -> dict[str, Entry]:
    """Every release in the ledger."""
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    items = [item for page in pages for item in page["Items"] if item["sk"]["S"] == "record"]
    return {item["pk"]["S"].split("#")[2]: _entry(item) for item in items}


def _entry(item: dict[str, Any]) -> Entry:
    retire_at = item.get("retire_at", {}).get("S")
    return Entry(
        status=item["status"]["S"],
        retire_at=datetime.fromisoformat(retire_at).timestamp() if retire_at else None,
        blue_group=json.loads(item["plan"]["S"])["blue"]["group"],
    )


def leftovers(cloud: Any) -> list[Left]:
    """Everything in the account that carries a release's name."""
    return [*_routing(cloud), *_groups(cloud), *_alarms(cloud), *_images(cloud), *_versions(cloud)]


def _routing(cloud: Any) -> Iterator[Left]:
    elb = cloud.client("elbv2")
    balancers = [each["LoadBalancerArn"] for each in elb.describe_load_balancers()["LoadBalancers"]]
    listeners = [
        each["ListenerArn"]
        for arn in balancers
        for each in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    ]
    rules = [
        rule["RuleArn"]
        for arn in listeners
        for rule in elb.describe_rules(ListenerArn=arn)["Rules"]
        if not rule["IsDefault"]
    ]
    groups = [each["TargetGroupArn"] for each in elb.describe_target_groups()["TargetGroups"]]
    kinds = {"load balancer": balancers, "listener": listeners, "rule": rules, "target group": groups}
    for kind, arns in kinds.items():
        for arn in arns:
            tags = elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
            yield from _of_release(kind, arn.split(":")[-1], tags)


def _groups(cloud: Any) -> Iterator[Left]:
    for group in cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]:
        yield from _of_release("Auto Scaling group", group["AutoScalingGroupName"], group["Tags"])


def _alarms(cloud: Any) -> Iterator[Left]:
    cloudwatch = cloud.client("cloudwatch")
    for alarm in cloudwatch.describe_alarms()["MetricAlarms"]:
        tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        yield from _of_release("alarm", alarm["AlarmName"], tags)


def _images(cloud: Any) -> Iterator[Left]:
    ec2 = cloud.client("ec2")
    tagged = [{"Name": "tag-key", "Values": [RELEASE]}]
    for image in ec2.describe_images(Filters=tagged)["Images"]:
        yield from _of_release("image", image["ImageId"], image["Tags"])
    for snapshot in ec2.describe_snapshots(Filters=tagged)["Snapshots"]:
        yield from _of_release("snapshot", snapshot["SnapshotId"], snapshot["Tags"])
    alive = [
        *tagged,
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    for reservation in ec2.describe_instances(Filters=alive)["Reservations"]:
        for instance in reservation["Instances"]:
            yield from _of_release("instance", instance["InstanceId"], instance["Tags"])


def _versions(cloud: Any) -> Iterator[Left]:
    """Launch template versions carry no tags: their description says whose they are."""
    ec2 = cloud.client("ec2")
    for template in ec2.describe_launch_templates()["LaunchTemplates"]:
        identity = template["LaunchTemplateId"]
        versions = ec2.describe_launch_template_versions(LaunchTemplateId=identity)
        for version in versions["LaunchTemplateVersions"]:
            words = version.get("VersionDescription", "").split(" ")
            if len(words) == 2 and words[0] == "viridian":
                yield Left("launch template version", f"{identity} {version['VersionNumber']}", words[1])


def _of_release(kind: str, name: str, tags: list[dict[str, str]]) -> Iterator[Left]:
    found = {tag["Key"]: tag["Value"] for tag in tags}
    if RELEASE in found:
        yield Left(kind, name, found[RELEASE])
