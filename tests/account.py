"""An AWS account in memory, as strict as the local cloud, with a service to release; and the samples, made to fit it."""

import importlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
import time_machine
from moto import mock_aws
from moto.cloudwatch.models import cloudwatch_backends

from local import seed, strict
from local.control.calls import Calls
from local.fleet import builds, commands, images, pipelines
from local.metrics.metrics import Metrics
from local.reality import Reality
from tests import stack
from tests.snapshot import Snapshot
from tests.speed import fast
from viridian import signals
from viridian.aws import clients, ledger
from viridian.record import Record

ACCOUNT, REGION = "123456789012", "us-east-1"
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
TABLE = "viridian-releases"
EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:viridian-release:5d8f2c1e"
RELEASE = "2.0.0-2010a8"
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": REGION,
    "PAGES_TOPIC_ARN": "",
    "TELLINGS_TOPIC_ARN": f"arn:aws:sns:{REGION}:{ACCOUNT}:viridian-tellings",
    "TOLD_PHASES": "Releasing,Promoted,RolledBack,Held,RollbackIncomplete",
    "RELEASE_STATE_MACHINE_ARN": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:viridian-release",
    "RETIRE_STATE_MACHINE_ARN": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:viridian-retire",
    "ROLLBACK_STATE_MACHINE_ARN": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:viridian-rollback",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "POWERTOOLS_SERVICE_NAME": "viridian",
    "POWERTOOLS_TRACE_DISABLED": "1",
    "RELEASES_TABLE": TABLE,
    "SERVICES_PREFIX": "/viridian/services",
}
CONTEXT = SimpleNamespace(
    aws_request_id="4a0b", function_name="viridian", memory_limit_in_mb=256, invoked_function_arn=EXECUTION
)
# The states that write, in the order of the plot; the three shifts take green to its whole.
PLOT = (
    "acquire_lock",
    "bake_image",
    "check_image",
    "create_green",
    "run_smoke_tests",
    "shift_traffic",
    "promote",
)
Stage = tuple[datetime, seed.Seeded, str, Snapshot]
_stages: dict[str, Stage] = {}
_client: Any = boto3.client
person = cache(_client)  # what the service's owner, or anybody else, has at hand


class Account:
    """One test's account: `shop` is what stands, `calls` what has been asked of it."""

    def __init__(self, traveller: time_machine.Traveller, pending: images.Images, calls: Calls) -> None:
        self._traveller, self._pending, self._calls = traveller, pending, calls
        self._untouched = True
        if (seeded := _stages.get("")) is None:
            _make_table()
            self.shop = seed.service(self, register=True)
            self.builder = seed.builder(self, "2.0.0")
            self._keep("")
        else:
            self._go_back_to(seeded)
            seed.registered(self, "shop", self.shop.profile)
        self.calls.clear()

    @property
    def calls(self) -> list[dict[str, Any]]:
        return self._calls.entries

    def client(self, service: str) -> Any:
        return person(service)

    def writes(self) -> list[str]:
        """Everything that was changed outside the ledger, in order; what AWS refused included."""
        return [call["call"] for call in self.calls if call["mutating"] and call["service"] != "dynamodb"]

    def requests(self, call: str) -> list[dict[str, Any]]:
        """What each call of this name asked for."""
        return [entry["request"] for entry in self.calls if entry["call"] == call]

    def later(self, **duration: float) -> None:
        """Lets time pass; images get ready meanwhile."""
        self._untouched = False
        self._traveller.shift(timedelta(**duration))
        self._pending.tick(time.time())

    def event(self, stem: str, **changes: Any) -> Any:
        """The sample event of a handler, its ids replaced by those that stand here."""
        return {**self.fitted((stack.ROOT / "events" / f"{stem}.json").read_text()), **changes}

    def fitted(self, sample: str) -> Any:
        for made_up, actual in self._ids():
            sample = sample.replace(made_up, actual)
        return json.loads(sample)

    def sample(self, document: Any) -> Any:
        """The reverse: a document of this account with the ids that the samples use."""
        text = json.dumps(document)
        for made_up, actual in self._ids():
            text = text.replace(actual, made_up)
        return json.loads(text)

    def run(self, stem: str, event: Any = None, **changes: Any) -> Any:
        """Calls a handler as Lambda does: JSON in, JSON out."""
        asked = self.event(stem) if event is None else event
        if "order" in asked:  # its fields are what tests speak of
            terms = {
                name: changes.pop(name)
                for name in ("service", "release", "overwrite", "resolve", "reason")
                if name in changes
            }
            asked = {**asked, "order": {**asked["order"], **terms}}
        handler = importlib.import_module(f"handlers.{stem}").lambda_handler
        asked = {**asked, **changes}
        return json.loads(json.dumps(handler(json.loads(json.dumps(asked)), CONTEXT)))

    def twice(self, stem: str, **changes: Any) -> Any:
        """Calls a handler as Step Functions may, twice: the second call finds nothing left to change."""
        first = self.run(stem, **changes)
        left, sent = self.world(), self.writes()
        again = self.run(stem, **changes)
        assert self.writes() == sent
        assert self.world() == left
        for moment in ("shifted_at", "plan"):
            assert (moment in first) == (moment in again)
            again[moment] = first.get(moment)
        assert {**first, **again} == {**again, **first}
        return first

    def before(self, stem: str) -> "Account":
        """Takes the sample release to where the state of this handler comes next."""
        return self._staged(stem, lambda: self._play(stem))

    def shifted(self, steps: int = 1) -> "Account":
        """Takes the sample release through its first shifts."""

        def play() -> None:
            self._play("shift_traffic")
            for step in range(steps):
                self.run("shift_traffic", step=step)

        return self._staged(f"{steps} shifts", play)

    def promoted(self) -> "Account":
        def play() -> None:
            self._play("promote")
            self.run("promote")

        return self._staged("promoted", play)

    def upgrading(self, stem: str, fleet: dict[str, Any]) -> "Account":
        """The same as `before`, for a release that asks for these overrides of the fleet."""
        return self.planned(stem, fleet=fleet)

    def planned(self, stem: str, **differently: Any) -> "Account":
        """The same as `before`, for a release whose plan has these fields otherwise than the sample."""
        plan = self.event("acquire_lock")["plan"]
        self.run("acquire_lock", {"plan": {**plan, **differently}})
        self._play(stem)
        self.calls.clear()
        return self

    def _staged(self, stage: str, play: Callable[[], None]) -> "Account":
        """A stage is played once a process; an account that something has happened to plays it itself."""
        untouched = self._untouched and not any(call["mutating"] for call in self.calls)
        if untouched and stage in _stages:
            self._go_back_to(_stages[stage])
        else:
            play()
            if untouched:
                self._keep(stage)
        self._untouched = False
        self.calls.clear()
        return self

    def _keep(self, stage: str) -> None:
        more = (self._pending._disks, self._pending._due, self._pending._rebooted)
        _stages[stage] = (datetime.now(UTC), self.shop, self.builder, Snapshot(ACCOUNT, REGION, *more))

    def _go_back_to(self, stage: "Stage") -> None:
        moment, self.shop, self.builder, snapshot = stage
        self._traveller.move_to(moment)
        snapshot.restore(self._pending._disks, self._pending._due, self._pending._rebooted)

    def _play(self, stem: str) -> None:
        for earlier in PLOT[: PLOT.index(stem)]:
            if earlier == "run_smoke_tests":
                continue
            if earlier == "check_image":
                self.later(minutes=5)
            if earlier != "shift_traffic":
                self.run(earlier)
                continue
            for step in range(3):
                self.run(earlier, step=step)

    def record(self) -> Record:
        found = ledger.find("shop", RELEASE)
        assert found is not None
        return found

    def make_machines(self) -> None:
        """Machines under the names of the real ones, whose executions run until they are stopped."""
        for name in ("release", "rollback", "retire"):
            self.client("stepfunctions").create_state_machine(
                name=f"viridian-{name}",
                roleArn=f"arn:aws:iam::{ACCOUNT}:role/viridian",
                definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
            )
        machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:viridian-release"
        name = EXECUTION.rsplit(":", 1)[1]
        self.client("stepfunctions").start_execution(stateMachineArn=machine, name=name)
        self.calls.clear()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def take_hands_off(self, why: str, route: str) -> None:
        """What people do who want nothing written: one update of the ledger, as docs/break-glass.md has it."""
        self.client("dynamodb").update_item(
            TableName=TABLE,
            Key={"pk": {"S": f"route#{route}"}, "sk": {"S": "lock"}},
            UpdateExpression="SET hands_off = :why",
            ExpressionAttributeValues={":why": {"S": why}},
        )

    def stop_execution(self, execution: str = EXECUTION) -> None:
        self.client("stepfunctions").stop_execution(executionArn=execution)
        self.calls.clear()

    def executions(self, machine: str) -> dict[str, Any]:
        """The input of each execution of a machine, by its name."""
        client, arn = (
            self.client("stepfunctions"),
            f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:viridian-",
        )
        found = client.list_executions(stateMachineArn=f"{arn}{machine}")["executions"]
        asked = {each["name"]: client.describe_execution(executionArn=each["executionArn"]) for each in found}
        return {name: json.loads(each["input"]) for name, each in asked.items()}

    def weights(self) -> dict[str, int]:
        """The production rule's weights, under the names of their target groups."""
        rule = self.client("elbv2").describe_rules(RuleArns=[self.shop.route_arn])["Rules"][0]
        forward = next(action for action in rule["Actions"] if action["Type"] == "forward")
        groups = forward["ForwardConfig"]["TargetGroups"]
        return {group["TargetGroupArn"].split("/")[1]: group["Weight"] for group in groups}

    def set_weights(self, *, sticky: int = 0, **weights: int) -> None:
        """What a person does to the production rule: `blue`, `green` and `third` are target groups."""
        groups = [{"TargetGroupArn": self.target_group(side), "Weight": n} for side, n in weights.items()]
        stickiness = {"Enabled": True, "DurationSeconds": sticky} if sticky else {"Enabled": False}
        config = {"TargetGroups": groups, "TargetGroupStickinessConfig": stickiness}
        self.client("elbv2").modify_rule(
            RuleArn=self.shop.route_arn, Actions=[{"Type": "forward", "ForwardConfig": config}]
        )

    def target_group(self, side: str) -> str:
        if side == "blue":
            return self.shop.target_group_arn
        if side == "green":
            return self.record().green_target_group or ""
        made = self.client("elbv2").create_target_group(
            Name=side, Protocol="HTTP", Port=80, VpcId=self.shop.vpc_id
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def group(self, side: str) -> dict[str, Any]:
        """Blue's or green's Auto Scaling group as AWS shows it."""
        name = self.shop.group_name if side == "blue" else self.record().plan.green_group
        found = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return dict((found["AutoScalingGroups"] or [{}])[0])

    def stop(self, side: str, count: int = 1) -> None:
        """Instances that no longer answer: to the load balancer they are not healthy."""
        ids = [instance["InstanceId"] for instance in self.group(side)["Instances"][:count]]
        self.client("ec2").stop_instances(InstanceIds=ids)

    def start(self, side: str) -> None:
        ids = [instance["InstanceId"] for instance in self.group(side)["Instances"]]
        self.client("ec2").start_instances(InstanceIds=ids)

    def served(self, side: str, requests: int) -> None:
        """A side had so many requests, and its next minute has been published too."""
        self.serve(side, requests)
        self.later(seconds=signals.PERIOD)
        self.serve(side, 0)

    def asked_for(self, minutes: int = 6, **requests: int) -> None:
        """Each side has so many requests a minute, for minutes on end."""
        for _ in range(minutes):
            self.later(minutes=1)
            for side, count in requests.items():
                self.serve(side, count)

    def serve(self, side: str, requests: int, metric: str = "RequestCount") -> None:
        """What the load balancer would have counted for a side in this minute."""
        dimensions = [
            {"Name": "LoadBalancer", "Value": self.shop.load_balancer_arn.split(":loadbalancer/")[1]},
            {"Name": "TargetGroup", "Value": self.target_group(side).split(":")[-1]},
        ]
        datum: dict[str, Any] = {"MetricName": metric, "Value": requests, "Dimensions": dimensions}
        datum["Timestamp"] = datetime.now(UTC).replace(tzinfo=None)  # moto keeps naive moments
        cloudwatch_backends[ACCOUNT][REGION].put_metric_data("AWS/ApplicationELB", [datum])

    def turn(self, alarm: str, state: str) -> None:
        self.client("cloudwatch").set_alarm_state(
            AlarmName=alarm, StateValue=state, StateReason="because of a test"
        )

    def move_epoch_on(self) -> None:
        """What a rollback elsewhere does: from here on nobody else may write."""
        ledger.take_over(self.record(), f"{EXECUTION}-other", "", hold=False, overwrite=False)

    def world(self) -> dict[str, Any]:
        """Everything that stands, the ledger included; two equal worlds differ in nothing that matters."""
        elb, ec2 = self.client("elbv2"), self.client("ec2")
        groups = elb.describe_target_groups()["TargetGroups"]
        arns = [group["TargetGroupArn"] for group in groups]
        asked = {
            "rules": elb.describe_rules(ListenerArn=self.shop.listener_arn)["Rules"],
            "listeners": [
                elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
                for balancer in elb.describe_load_balancers()["LoadBalancers"]
            ],
            "target groups": groups,
            "attributes": [
                elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"] for arn in arns
            ],
            "targets": [
                elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"] for arn in arns
            ],
            "groups": self.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"],
            "policies": self.client("autoscaling").describe_policies()["ScalingPolicies"],
            "schedules": self.client("autoscaling").describe_scheduled_actions()[
                "ScheduledUpdateGroupActions"
            ],
            "notified": self.client("autoscaling").describe_notification_configurations()[
                "NotificationConfigurations"
            ],
            "images": ec2.describe_images(Owners=["self"])["Images"],
            "versions": ec2.describe_launch_template_versions(LaunchTemplateId=self.shop.launch_template_id)[
                "LaunchTemplateVersions"
            ],
            "instances": ec2.describe_instances()["Reservations"],
            "alarms": self.client("cloudwatch").describe_alarms()["MetricAlarms"],
            "ledger": self.ledger(),
        }
        return cast("dict[str, Any]", json.loads(json.dumps(asked, default=str)))

    def ledger(self) -> list[dict[str, Any]]:
        """Every item of the ledger."""
        items = self.client("dynamodb").scan(TableName=TABLE)["Items"]
        return [{name: next(iter(value.values())) for name, value in item.items()} for item in items]

    def journal(self) -> list[dict[str, Any]]:
        """The journal's entries, oldest first."""
        entries = [item for item in self.ledger() if item["sk"].startswith("journal#")]
        return sorted(entries, key=lambda entry: str(entry["sk"]))

    @contextmanager
    def failing(self, service: str, call: str, code: str, status: int = 400) -> Iterator[None]:
        """One kind of call, as the product sends it, is answered with an error instead of being carried out."""
        refusal = {
            "Error": {"Code": code, "Message": f"told to answer {code}"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        with self.hooked(
            "before-call", service, call, lambda: (SimpleNamespace(status_code=status), refusal)
        ):
            yield

    @contextmanager
    def asked(self, service: str, call: str, change: Callable[..., None]) -> Iterator[None]:
        """Changes the parameters of one kind of call before the product sends it."""
        client = clients.reader(service)
        name = f"provide-client-params.{client.meta.service_model.service_id.hyphenize()}.{call}"
        client.meta.events.register(name, change)
        try:
            yield
        finally:
            client.meta.events.unregister(name, change)

    @contextmanager
    def hooked(self, when: str, service: str, call: str, act: Callable[[], Any]) -> Iterator[None]:
        """Does something `before-call` or `after-call`, in AWS's place or in somebody else's."""
        known = [clients.brief(service), clients.reader(service), clients.writer(service)]
        name = f"{when}.{known[0].meta.service_model.service_id.hyphenize()}.{call}"

        def hook(**_: Any) -> Any:
            return act()

        for client in known:
            client.meta.events.register(name, hook)
        try:
            yield
        finally:
            for client in known:
                client.meta.events.unregister(name, hook)

    def _ids(self) -> list[tuple[str, str]]:
        blue = self.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[self.shop.group_name]
        )["AutoScalingGroups"][0]
        _, balancer, listener, rule = str(self.shop.rule_arn).rsplit("/", 3)
        instances = [instance["InstanceId"] for instance in blue["Instances"]]
        return [
            ("50dc6c495c0c9188", balancer),
            ("f2f7dc8efc522ab2", listener),
            ("9683b2d02a6cabee", rule),
            ("73e2d6bc24d8a067", self.shop.target_group_arn.rsplit("/", 1)[1]),
            ("lt-0a20c965061f64abc", self.shop.launch_template_id),
            ("i-0b01de20000000000", self.builder),
            ("ami-0c5f2a9e81b6d3470", self.shop.image_id),
            *((f"i-0b10e000000000{n:03}", each) for n, each in enumerate(instances, start=1)),
        ]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    clock: Any = SimpleNamespace(now=time.time, wall=time.monotonic)
    reality = Reality()
    pending = images.Images(clock, reality)
    calls = Calls(clock, None, ACCOUNT, REGION)
    metrics = Metrics(clock, reality, None)
    with time_machine.travel(NOW) as traveller, fast(), _mocked():
        strict.install(reality)
        makers = [made(clock, reality) for made in (builds.Builds, commands.Commands, pipelines.Pipelines)]
        parts: tuple[Any, ...] = (pending, *makers, calls, metrics)
        for part in parts:
            part.install()
        try:
            yield Account(traveller, pending, calls)
        finally:
            for part in reversed(parts):
                part.uninstall()
            strict.uninstall()


@contextmanager
def _mocked() -> Iterator[None]:
    """moto, which forgets what was before as it begins: once more as it ends would be half the price of a test."""
    mocked = mock_aws()
    mocked.start()
    try:
        yield
    finally:
        mocked.stop(remove_data=False)


def _make_table() -> None:
    (properties,) = stack.resources("DynamoDB::Table").values()
    shape = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    person("dynamodb").create_table(TableName=TABLE, **{key: properties[key] for key in shape})
