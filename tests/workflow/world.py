"""A service, its traffic and the deployed stack in virtual time, in the words that the tests are written in."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from local import seed
from local.cloud import Cloud, Execution
from local.control.session import ACCOUNT, REGION
from local.control.topics import Published
from local.demo import orphans
from local.reality import Reality
from tests import ledger
from tests.speed import fast
from tests.workflow.faults import LEDGER, Faults

ROOT = Path(__file__).parents[2]
STEPS = [{"weight": 50, "observe_minutes": 4}, {"weight": 100, "observe_minutes": 4}]
ONE_STEP = [{"weight": 100, "observe_minutes": 4}]
MINUTE = 60.0
# Who brings a release back when its own execution can't; they run in no execution.
RESCUERS = ("BrakeFunction", "GuardFunction", "SweepFunction")
STACK_ALARMS = ("DeadLettersAlarm", "SweeperSilentAlarm")
_TAKEN_BACK = re.compile(r"(release#[a-z0-9-]+#[0-9A-Za-z.-]+)\\?\"")

Item = dict[str, Any]


@dataclass(frozen=True)
class Release:
    """One execution of the release machine, and what the world knows of it."""

    world: "World"
    arn: str

    @property
    def execution(self) -> Execution:
        return self.world.cloud.execution(self.arn)

    @property
    def states(self) -> list[str]:
        """The names of the states it has entered, in order; without the price of a copied history."""
        worker = self.world.cloud._execution(self.arn).exec_worker
        events = worker.env.event_manager._history_event_list if worker and worker.env else []
        return [
            str(event["stateEnteredEventDetails"]["name"])
            for event in events
            if "stateEnteredEventDetails" in event
        ]

    @property
    def running(self) -> bool:
        return bool(self.world.cloud._execution(self.arn).status == "RUNNING")

    @property
    def end(self) -> str:
        """Promoted, or the error it failed with."""
        run = self.execution
        return run.error or "" if run.status == "FAILED" else self.states[-1]

    @property
    def cause(self) -> str:
        return self.execution.cause or ""

    @property
    def record(self) -> Item:
        """Its record in the ledger; empty if it never took its route."""
        key = self.world.release_of(self.arn)
        return next((item for item in self.world.ledger("record") if item["pk"] == key), {})

    @cached_property
    def plan(self) -> Item:
        """What was decided before anything was touched; it never changes."""
        return dict(self.record["plan"])

    @property
    def id(self) -> str:
        return str(self.plan["release"])

    @property
    def journal(self) -> list[Item]:
        return [
            item
            for item in self.world.ledger("journal#")
            if item["pk"] == f"release#{self.plan['service']}#{self.id}"
        ]

    @property
    def green(self) -> str:
        """The name of its target group."""
        return str(self.plan["green_target_group"])

    @property
    def group(self) -> str:
        """The name of its Auto Scaling group."""
        return str(self.plan["green_group"])

    def mutations(self) -> list[Item]:
        """What was changed for it: by its own execution, and by whoever took it back when that couldn't.

        What a rollback changes that a person ordered is that rollback's.
        """
        if not self._is_release:
            return self.world.mutations(self.arn)
        rescued = self.world.rescued(self.world.release_of(self.arn))
        return [
            call for call in self.world.mutations() if call["execution"] == self.arn or call["n"] in rescued
        ]

    @property
    def _is_release(self) -> bool:
        machine = self.world.outputs["ReleaseStateMachineArn"].replace(":stateMachine:", ":execution:")
        return self.arn.startswith(f"{machine}:")

    def wrote_weights(self) -> list[dict[str, int]]:
        """What its calls made of the production route, in order."""
        return [
            self.world.named(call["after"])
            for call in self.mutations()
            if call["request"].get("RuleArn", call["request"].get("ListenerArn")) == self.world.shop.route_arn
            and call["call"] in ("ModifyRule", "ModifyListener")
        ]

    def wait(self) -> "Release":
        self.world.cloud.wait(self.arn, timeout=12 * 60 * MINUTE)
        return self

    def until(self, state: str, times: int = 1) -> "Release":
        """Lets the world go on until it has entered a state so many times."""
        reached = self.world.cloud.until(lambda: self.states.count(state) >= times or not self.running, 7200)
        assert reached, f"it never came to {state}"
        assert self.states.count(state) >= times, f"it ended {self.end}: {self.cause}"
        return self


@dataclass(frozen=True)
class Group:
    """An Auto Scaling group's sizes, and how many of its instances are in service."""

    minimum: int
    desired: int
    maximum: int
    in_service: int


class World:
    """A service `shop` in two zones, three instances of version 1.0.0, twenty requests a second."""

    def __init__(self, cloud: Cloud, faults: Faults, shop: seed.Seeded, outputs: dict[str, str]) -> None:
        self.cloud, self.faults, self.shop, self.outputs = cloud, faults, shop, outputs
        self.table = outputs["ReleasesTableName"]

    # --- releases -----------------------------------------------------------------------------------------

    def start(self, version: str = "2.0.0", fault: str | None = None, **asked: Any) -> Release:
        """Starts a release from a fresh builder instance, unless it is told the source."""
        request = {"service": "shop", "version": version, **asked}
        if "source" not in request:
            request["source"] = {"type": "instance", "instance_id": self.builder(version, fault)}
        return self.submit(request)

    def builder(self, version: str = "2.0.0", fault: str | None = None) -> str:
        """An instance outside any group, running, to bake a version from."""
        instance = seed.builder(self.cloud, version, fault=fault)
        self.cloud.clock.sleep(30)
        return instance

    def ami(
        self, version: str = "2.0.0", fault: str | None = None, tags: Mapping[str, str] | None = None
    ) -> Item:
        """A source that is ready: an image of this version."""
        given = {"local:disk": json.dumps(seed.disk(version, fault)), **(tags or {})}
        made = self.cloud.client("ec2").register_image(
            Name=f"ready-{version}-{len(self.cloud.calls.entries)}",
            Architecture="x86_64",
            RootDeviceName="/dev/xvda",
            EnaSupport=True,
            TagSpecifications=[
                {"ResourceType": "image", "Tags": [{"Key": k, "Value": v} for k, v in given.items()]}
            ],
        )
        return {"type": "ami", "image_id": made["ImageId"]}

    def half_way(self, fault: str | None = None, **asked: Any) -> Release:
        """A release of a ready image whose green has its first share of the traffic, judged once."""
        return self.start(fault=fault, source=self.ami(fault=fault), **asked).until("JudgeGreen")

    def submit(self, request: Any) -> Release:
        """Starts the release machine with exactly this input."""
        return Release(self, self.cloud.start(self.outputs["ReleaseStateMachineArn"], request))

    def release(self, version: str = "2.0.0", fault: str | None = None, **asked: Any) -> Release:
        return self.start(version, fault, **asked).wait()

    def resume(self, release: Release, **asked: Any) -> Release:
        """A Held release goes on, under an execution of its own."""
        request = {
            "service": "shop",
            "resume": release.id,
            "reason": "a person says that it is good",
            **asked,
        }
        return self.submit({name: value for name, value in request.items() if value is not None})

    def start_rollback(self, release: Release, **order: Any) -> Release:
        order = {"service": release.plan["service"], "release": release.id, **order}
        return Release(self, self.cloud.start(self.outputs["RollbackStateMachineArn"], order))

    def rollback(self, release: Release, **order: Any) -> Release:
        return self.start_rollback(release, **order).wait()

    def pass_minutes(self, minutes: float) -> None:
        self.cloud.clock.sleep(minutes * MINUTE)

    # --- what AWS shows -----------------------------------------------------------------------------------

    def route(self) -> Item:
        """The production rule or listener, as AWS shows it."""
        elb, arn = self.cloud.client("elbv2"), self.shop.route_arn
        if self.shop.rule_arn:
            return dict(elb.describe_rules(RuleArns=[arn])["Rules"][0])
        listener = elb.describe_listeners(ListenerArns=[arn])["Listeners"][0]
        return {**listener, "Actions": listener["DefaultActions"]}

    def weights(self) -> dict[str, int]:
        """The production route's weights, by the name of the target group."""
        return _weights(self.route())

    def sticky_seconds(self) -> int:
        """The production route's group stickiness; 0 when it is off."""
        config = _forward(self.route())["TargetGroupStickinessConfig"]
        return int(config.get("DurationSeconds", 3600)) if config["Enabled"] else 0

    def set_weights(self, **weights: int) -> None:
        """A person writes the production rule; `_` stands for `-` in a target group's name."""
        elb = self.cloud.client("elbv2")
        groups = {group["TargetGroupName"]: group["TargetGroupArn"] for group in self.target_groups()}
        pairs = [
            {"TargetGroupArn": groups[name.replace("_", "-")], "Weight": weight}
            for name, weight in weights.items()
        ]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": pairs}}
        elb.modify_rule(RuleArn=self.shop.rule_arn, Actions=[action])

    def target_groups(self) -> list[Item]:
        return list(self.cloud.client("elbv2").describe_target_groups()["TargetGroups"])

    def standby(self) -> dict[str, int] | None:
        """The standby rule's weights; None if there is none."""
        rules = self.cloud.client("elbv2").describe_rules(ListenerArn=self.shop.listener_arn)["Rules"]
        standing = [rule for rule in rules if "x-viridian-standby" in json.dumps(rule["Conditions"])]
        return _weights(standing[0]) if standing else None

    def named(self, weights: dict[str, int] | None) -> dict[str, int]:
        """Weights by the name of the target group, from weights by ARN."""
        return {_name(arn): weight for arn, weight in (weights or {}).items()}

    def group(self, name: str | None = None) -> Group:
        """An Auto Scaling group; blue's, if no other is named."""
        found = self._group(name or self.shop.group_name)
        assert found, f"no group {name}"
        standing = [each for each in found["Instances"] if each["LifecycleState"] == "InService"]
        return Group(found["MinSize"], found["DesiredCapacity"], found["MaxSize"], len(standing))

    def has_group(self, name: str) -> bool:
        return self._group(name) is not None

    def has_target_group(self, name: str) -> bool:
        return name in [group["TargetGroupName"] for group in self.target_groups()]

    def instances(self, group: str | None = None) -> list[str]:
        """The instances of an Auto Scaling group that stand or come up."""
        found = self._group(group or self.shop.group_name)
        return [each["InstanceId"] for each in (found or {}).get("Instances", [])]

    def suspended(self) -> list[str]:
        """The processes of blue's group that somebody suspended."""
        found = self._group(self.shop.group_name) or {}
        return sorted(each["ProcessName"] for each in found.get("SuspendedProcesses", []))

    def alarms(self) -> list[str]:
        """The names of all alarms but the stack's own."""
        found = self.cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
        names = sorted(str(alarm["AlarmName"]) for alarm in found)
        return [name for name in names if not any(own in name for own in STACK_ALARMS)]

    def healthy(self, target_group: str) -> int:
        """How many targets of a target group are healthy."""
        arn = next(
            group["TargetGroupArn"]
            for group in self.target_groups()
            if group["TargetGroupName"] == target_group
        )
        found = self.cloud.client("elbv2").describe_target_health(TargetGroupArn=arn)
        states = [each["TargetHealth"]["State"] for each in found["TargetHealthDescriptions"]]
        return states.count("healthy")

    # --- what the cloud wrote down ------------------------------------------------------------------------

    def calls(self, execution: str | None = None) -> list[Item]:
        """Every changing call that a function sent, refused ones included; the ledger's own, and tellings, apart."""
        return [
            entry
            for entry in self.cloud.calls.entries
            if entry["mutating"]
            and entry["principal"].endswith("Function")
            and entry["principal"] != "TellFunction"
            and entry["call"] not in LEDGER
            and (execution is None or entry["execution"] == execution)
        ]

    def mutations(self, execution: str | None = None) -> list[Item]:
        """Every call by which a function changed something outside the ledger."""
        return [entry for entry in self.calls(execution) if entry["error"] is None]

    def rescued(self, release: str | None) -> set[int]:
        """The calls, by number, that took a release back outside its own execution.

        Those of the rollback that one of its epochs names; and the brake's, the guard's and the sweeper's, whose each
        call follows a fence that the same invocation has taken in the ledger.
        """
        if release is None:
            return set()
        named = re.compile(rf":{re.escape(release.rsplit('#', 1)[1])}-[0-9]+$")
        rollbacks = self.outputs["RollbackStateMachineArn"].replace(":stateMachine:", ":execution:")
        found, fenced = set(), {}
        for entry in self.cloud.calls.entries:
            execution, by = entry["execution"], entry["invocation"]
            if execution and execution.startswith(f"{rollbacks}:") and named.search(execution):
                found.add(int(entry["n"]))
            if execution is None and entry["principal"] in RESCUERS:
                if entry["call"] in LEDGER and (told := _TAKEN_BACK.search(json.dumps(entry["request"]))):
                    fenced[by] = told[1]
                if fenced.get(by) == release:
                    found.add(int(entry["n"]))
        return found

    def rollbacks(self) -> list[str]:
        """The names of all executions of the rollback machine, oldest first."""
        found = self.cloud.executions(self.outputs["RollbackStateMachineArn"])
        return [arn.rsplit(":", 1)[1] for arn in found]

    def pages(self) -> list[Published]:
        """What people were told of releases, oldest first."""
        return [page for page in self._told() if page.subject.startswith("viridian: ")]

    def paged(self) -> list[str]:
        """The subjects of all pages about releases, oldest first."""
        return [page.subject for page in self.pages()]

    def alarmed(self, alarm: str) -> list[float]:
        """When people were told that an alarm of the stack's own is red."""
        return [
            page.at for page in self._told() if page.subject.startswith("ALARM: ") and alarm in page.subject
        ]

    def _told(self) -> list[Published]:
        return self.cloud.published(self.outputs["PagesTopicArn"])

    def ledger_writes(self) -> list[Item]:
        """Every write of a function's that the ledger took."""
        return [
            entry
            for entry in self.cloud.calls.entries
            if entry["principal"].endswith("Function") and entry["call"] in LEDGER and not entry["error"]
        ]

    def ledger(self, key: str) -> list[Item]:
        """The ledger's items whose sort key begins like this, oldest first."""
        found = [_documented(item) for item in ledger.items(self.table, key)]
        return sorted(found, key=lambda item: (item["pk"], item["sk"]))

    def release_of(self, execution: str) -> str | None:
        """The release, by its key in the ledger, that an execution worked for."""
        key = f"execution#{execution}"
        rows = [item for item in self.ledger("release") if item["pk"] == key]
        return f"release#{rows[0]['service']}#{rows[0]['release']}" if rows else None

    def holder(self) -> str | None:
        """The release that holds the production route."""
        locks = [item for item in self.ledger("lock") if item["pk"] == f"route#{self.shop.route_arn}"]
        return locks[0].get("release") if locks else None

    def orphans(self) -> list[str]:
        """Everything with a release's tags that should be gone by now."""
        return orphans.find(self.cloud, self.table, self.cloud.clock.now())

    def leftovers(self, release: Release) -> list[str]:
        """Everything with this release's tags."""
        return [str(left) for left in orphans.leftovers(self.cloud) if left.release == release.id]

    # --- what people and nature do ------------------------------------------------------------------------

    def traffic(self, rate: float) -> None:
        self.cloud.plane.traffic(rate_per_second=rate)

    def lose(self, *instances: str) -> None:
        """These instances die."""
        self.cloud.client("ec2").terminate_instances(InstanceIds=list(instances))

    def fall_ill(self, *instances: str) -> None:
        """The app on these instances answers its health checks with 500 from now on."""
        for instance in instances:
            self.cloud.plane._apps[instance].fault = "unhealthy"

    def fill_zones(self) -> None:
        """EC2 launches nothing from now on: the zones have no capacity left."""

        def refuse(_: Any) -> Any:
            raise RuntimeError("We currently do not have sufficient t3.small capacity")

        self.cloud.fleet.groups._run = refuse

    def redden(self, alarm: str, reason: str, state: str = "ALARM") -> None:
        """An alarm is in this state from now on, until its metrics say otherwise."""
        self.cloud.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue=state, StateReason=reason)

    def stop(self, release: Release, **why: str) -> float:
        """A person aborts an execution; answers with when that was."""
        self.cloud.client("stepfunctions").stop_execution(executionArn=release.arn, **why)
        return float(self.cloud.clock.now())

    def drop_events(self, *functions: str) -> None:
        """From now on no event reaches these functions; the brake and the guard, if none is named."""
        events = self.cloud.client("events")
        for rule in events.list_rules()["Rules"]:
            if any(function in rule["Name"] for function in functions or RESCUERS):
                events.disable_rule(Name=rule["Name"])

    def bring_forward(self, release: Release, seconds: float) -> None:
        """What a promoted release has to wait for comes after so many seconds, instead of days."""
        due = datetime.fromtimestamp(self.cloud.clock.now() + seconds, UTC)
        self.cloud.client("dynamodb").update_item(
            TableName=self.table,
            Key={"pk": {"S": f"release#shop#{release.id}"}, "sk": {"S": "record"}},
            UpdateExpression="SET retire_at = :due",
            ExpressionAttributeValues={":due": {"S": due.isoformat()}},
        )

    def age(self, days: float) -> None:
        """So many days pass without what they cost: whatever stands, and each end in the ledger, is so much older."""
        past = datetime.fromtimestamp(self.cloud.clock.now(), UTC) - timedelta(days=days)
        naive = past.replace(tzinfo=None)  # as moto keeps moments
        ec2 = ec2_backends[ACCOUNT][REGION]
        for image in ec2.amis.values():
            image.creation_date = naive
        for snapshot in ec2.snapshots.values():
            snapshot.start_time = naive
        for template in ec2.launch_templates.values():
            for version in template.versions:
                version.create_time = naive
        for group in autoscaling_backends[ACCOUNT][REGION].autoscaling_groups.values():
            group.created_time = naive.isoformat()
        for alarm in cloudwatch_backends[ACCOUNT][REGION].alarms.values():
            alarm.configuration_updated_timestamp = naive
        for record in self.ledger("record"):
            if "ended_at" in record:
                self.cloud.client("dynamodb").update_item(
                    TableName=self.table,
                    Key={"pk": {"S": record["pk"]}, "sk": {"S": "record"}},
                    UpdateExpression="SET ended_at = :past",
                    ExpressionAttributeValues={":past": {"S": past.isoformat()}},
                )

    def collect(self, **asked: Any) -> dict[str, Any]:
        """What a person sees who invokes the collector."""
        answer = self.cloud.client("lambda").invoke(
            FunctionName=self.outputs["CollectFunctionName"], Payload=json.dumps(asked)
        )
        told = json.loads(answer["Payload"].read())
        assert "errorMessage" not in told, told
        return dict(told)

    def hands_off(self, why: str | None, route: str | None = None) -> None:
        """A person wants nothing written to a route (the production one, or `*`); None takes that back."""
        self.cloud.client("dynamodb").update_item(
            TableName=self.table,
            Key={"pk": {"S": f"route#{route or self.shop.route_arn}"}, "sk": {"S": "lock"}},
            **(
                {"UpdateExpression": "REMOVE hands_off"}
                if why is None
                else {
                    "UpdateExpression": "SET hands_off = :why",
                    "ExpressionAttributeValues": {":why": {"S": why}},
                }
            ),
        )

    def image(self, release: Release) -> Any:
        """The release's image in moto's own memory."""
        name, images = f"viridian-{release.plan['service']}-{release.id}", ec2_backends[ACCOUNT][REGION].amis
        return next(image for image in images.values() if image.name == name)

    def each_five_seconds(self, look: Callable[[], None]) -> None:
        """Looks at the world all along, beside the call log."""
        self.cloud.clock.every(5, lambda _: look(), "a look")

    def nobody_lost_anything(self) -> bool:
        """Whether neither the load balancer nor the app has answered anybody with an error so far."""
        return not any(counts.elb_5xx + counts.target_5xx for counts in self.cloud.plane.counts().values())

    def sizes(self, name: str) -> Group | None:
        """A group's sizes as `group` has them; None while there is none."""
        return self.group(name) if self._group(name) else None

    def _group(self, name: str) -> Item | None:
        found = self.cloud.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return dict(found["AutoScalingGroups"][0]) if found["AutoScalingGroups"] else None


@contextmanager
def opened(reality: Reality | None = None, rate: float = 20.0, **service: Any) -> Iterator[World]:
    """A world in which blue is healthy, has had its traffic, and its guard is OK.

    Two minutes later target tracking would scale blue in to two.
    """
    with fast(), Cloud.virtual(reality=reality) as cloud, Faults(cloud) as faults:
        usual = {"register": True, "steps": STEPS, "deregistration_delay": 30}
        shop = seed.service(cloud, **{**usual, **service})
        stack = cloud.deploy(
            ROOT / "template.yaml",
            parameters={"InstanceRoleArns": f"arn:aws:iam::{ACCOUNT}:role/shop-instance"},
        )
        cloud.clock.sleep(1.5 * MINUTE)
        cloud.plane.traffic(rate_per_second=rate)
        cloud.clock.sleep(2.5 * MINUTE)
        yield World(cloud, faults, shop, stack.outputs)


def in_elb(target_group: str) -> Any:
    """A target group in moto's own memory, by its name."""
    groups = elbv2_backends[ACCOUNT][REGION].target_groups.values()
    return next(group for group in groups if group.name == target_group)


def _weights(rule: Item) -> dict[str, int]:
    groups = _forward(rule)["TargetGroups"]
    return {_name(group["TargetGroupArn"]): int(group.get("Weight", 1)) for group in groups}


def _forward(rule: Item) -> Item:
    return next(dict(action["ForwardConfig"]) for action in rule["Actions"] if action["Type"] == "forward")


def _name(arn: str) -> str:
    return arn.split("/")[1]


def _documented(item: Item) -> Item:
    return {**item, **{name: json.loads(item[name]) for name in ("plan", "written") if name in item}}
