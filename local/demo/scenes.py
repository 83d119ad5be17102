"""The demo's scenes: a service, its traffic, and what is released onto it one after the other."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import seed
from local.control.session import ACCOUNT
from local.plane.nameserver import NameServer
from viridian_cli.report.charts import RELEASED

SERVICE, FIRST = "shop", "1.0.0"
PARAMETERS = {"InstanceRoleArns": f"arn:aws:iam::{ACCOUNT}:role/{SERVICE}-instance"}
ROOT = Path(__file__).resolve().parents[2]
LOOK_SECONDS = 10.0
HEALTHY_SECONDS = 900.0
STEPS = (10, 50, 100)
OBSERVE_MINUTES = 5
HALF = 50  # percent of the traffic, when something is done to a release or its world
RETAIN_DAYS = 7
DRAIN_WALL_SECONDS = 30.0


@dataclass(frozen=True)
class Stop:
    """How a scene's execution is stopped under traffic: who must notice, and within how many cloud seconds."""

    told: bool
    by: str
    within: float


@dataclass(frozen=True)
class Order:
    """How a promoted release is taken back: so many cloud minutes after, and how long its blue was to be kept."""

    after_minutes: int
    keep_minutes: int

    @property
    def finds_blue_at_zero(self) -> bool:
        return self.keep_minutes < self.after_minutes


@dataclass(frozen=True)
class Scene:
    """A version to release, what is wrong with it or with the world, and how the release must end.

    `fleet` is what it changes of the fleet, with security groups by name; `doubles` if its load does.
    """

    version: str
    story: str
    fault: str | None
    expected: str
    stop: Stop | None = None
    fleet: Mapping[str, Any] | None = None
    order: Order | None = None
    doubles: bool = False

    @property
    def title(self) -> str:
        if self.order is not None:
            stands = "at zero" if self.order.finds_blue_at_zero else "on its floor"
            return f"{self.version} upgrades the fleet, and is taken back with blue {stands}"
        if self.doubles:
            return f"{self.version} is good, and its load doubles at {HALF} %"
        if self.stop is None:
            return f"{self.version} {'is good' if self.fault is None else FAULTS[self.fault]}"
        return f"{self.version} is good, and aborted at {HALF} %" + (
            "" if self.stop.told else "; nobody is told"
        )


FAULTS = {
    "third": "passes its smoke tests, then fails a third of its requests",
    "unhealthy": "never becomes healthy",
}
SCENES = (
    Scene("2.0.0", "Released step by step and promoted.", None, "Promoted"),
    Scene("3.0.0", "The alarm goes off under traffic, and all of it goes back.", "third", "RolledBack"),
    Scene("4.0.0", "Rolled back before it gets any traffic.", "unhealthy", "RolledBack"),
    Scene(
        "5.0.0",
        "A person stops the execution. Its Catch never runs; the guard hears of it and gives blue everything back.",
        None,
        "RolledBack",
        Stop(told=True, by="guard", within=60.0),
    ),
    Scene(
        "6.0.0",
        "The same, and the event is lost on its way. The sweeper looks into the ledger every minute, and finds it.",
        None,
        "RolledBack",
        Stop(told=False, by="sweeper", within=120.0),
    ),
    Scene(
        "7.0.0",
        "Both fleets grow with the load before the new one gets the rest of it, so that either could carry it all.",
        None,
        "Promoted",
        doubles=True,
    ),
)
CONTROL = Scene("2.0.0", "Released by a careless script: blue is gone before its traffic is.", None, RELEASED)
OLD = {
    "InstanceType": "t2.small",
    "MetadataOptions": {"HttpTokens": "optional", "HttpEndpoint": "enabled"},
}
TIGHT = f"{SERVICE}-app"
UPGRADE = {
    "instance_type": "t3.small",
    "metadata": {"http_tokens": "required"},
    "security_groups": [TIGHT],
    "max_size": 18,
}
UPGRADES = (
    Scene(
        "2.0.0",
        "Promoted with t3 for t2, IMDSv2, a tighter security group and room for twice as many. An hour later a person "
        "orders it back: blue still stands on its floor.",
        None,
        "RolledBack",
        fleet=UPGRADE,
        order=Order(after_minutes=60, keep_minutes=240),
    ),
    Scene(
        "3.0.0",
        "The same, but blue was scaled in to nothing in that hour. It gets its capacity first, then the traffic.",
        None,
        "RolledBack",
        fleet=UPGRADE,
        order=Order(after_minutes=60, keep_minutes=10),
    ),
)

NAME = f"{SERVICE}.example.com"
BY_NAME = (
    Scene(
        "2.0.0",
        "Green is behind a load balancer of its own. The weights are those of the name's records, and a step counts from "
        "when nobody may keep the answer from before it.",
        None,
        "Promoted",
    ),
    Scene(
        "3.0.0",
        "The alarm goes off at its first share. The name leads to blue alone again, and green serves whoever keeps the "
        "old answer until its TTL is over.",
        "third",
        "RolledBack",
    ),
)


def profile(speed: float, rate: float) -> dict[str, Any]:
    """The service's profile, with a request floor that this load reaches in its first step."""
    expected = rate * 60 / speed * STEPS[0] / 100 * OBSERVE_MINUTES
    return {
        "steps": [{"weight": weight, "observe_minutes": OBSERVE_MINUTES} for weight in STEPS],
        "thresholds": {"error_percent": 5, "minimum_requests": max(5, int(expected * 0.4))},
        "smoke_tests": [{"path": "/", "contains": "version"}],
        "settle_seconds": 120,
        "deadlines": {"healthy_minutes": 8},
        "keep_minutes": 240,
    }


def service(
    cloud: Any, rate: float, speed: float, launched: dict[str, Any] | None = None, **otherwise: Any
) -> seed.Seeded:
    """Version 1.0.0, serving: its fleet is as large as its target tracking wants it under this load."""
    per_minute = rate * 60 / speed
    seeded: dict[str, Any] = {"register": True, **profile(speed, rate), **otherwise}
    return seed.service(
        cloud,
        SERVICE,
        FIRST,
        instances=3,
        sticky=True,
        tracking_target=per_minute / 2.4,
        launched=launched,
        **seeded,
    )


def named(cloud: Any, seeded: seed.Seeded) -> seed.Seeded:
    """The same service as its clients know it, by a name, with a certificate for that and one for another."""
    seed.certified(cloud, seeded, NAME, f"www.{NAME}")
    return seed.named(cloud, seeded)


def is_named(seeded: seed.Seeded) -> bool:
    return ":route53:" in seeded.route_arn


def tighten(cloud: Any, seeded: seed.Seeded) -> None:
    """Makes a security group that lets in the load balancer only, where the service's own lets in everybody."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    (balancer,) = elb.describe_load_balancers(LoadBalancerArns=[seeded.load_balancer_arn])["LoadBalancers"]
    made = ec2.create_security_group(
        GroupName=TIGHT, Description="from the load balancer", VpcId=seeded.vpc_id
    )
    peers = [{"GroupId": group} for group in balancer["SecurityGroups"]]
    ec2.authorize_security_group_ingress(
        GroupId=made["GroupId"],
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": peers}],
    )


def builders(cloud: Any, scenes: Sequence[Scene]) -> dict[str, str]:
    """An instance to make each scene's image from, by version; all of them run."""
    made = {scene.version: seed.builder(cloud, scene.version, scene.fault, SERVICE) for scene in scenes}
    ec2 = cloud.client("ec2")

    def running() -> bool:
        found = ec2.describe_instances(InstanceIds=list(made.values()))["Reservations"]
        return all(
            each["State"]["Name"] == "running" for reservation in found for each in reservation["Instances"]
        )

    if not cloud.until(running, HEALTHY_SECONDS):
        raise TimeoutError(f"the builders don't run after {HEALTHY_SECONDS:g} cloud seconds")
    return made


def await_calm(cloud: Any, seeded: seed.Seeded) -> None:
    """Waits until what serves is whole and no guard is red; raises TimeoutError if that takes too long."""
    deadline = cloud.clock.now() + HEALTHY_SECONDS
    while unrest := _unrest(cloud, seeded):
        if cloud.clock.now() > deadline:
            raise TimeoutError(f"{unrest} after {HEALTHY_SECONDS:g} cloud seconds")
        cloud.until(lambda: False, LOOK_SECONDS)


def _unrest(cloud: Any, seeded: seed.Seeded) -> str | None:
    """What is not yet as it should be, as a person finds out."""
    for arn in route_weights(cloud, seeded):
        found = cloud.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        states = [str(target["TargetHealth"]["State"]) for target in found]
        fleets = cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        wanted = sum(fleet["DesiredCapacity"] for fleet in fleets if arn in fleet["TargetGroupARNs"])
        if states.count("healthy") != wanted or len(states) != wanted:
            return f"{states.count('healthy')} of {wanted} targets are healthy"
    guards = cloud.client("cloudwatch").describe_alarms(AlarmNames=[seeded.guard_alarm])["MetricAlarms"]
    return next((f"{each['AlarmName']} is red" for each in guards if each["StateValue"] == "ALARM"), None)


def route_weights(cloud: Any, seeded: seed.Seeded) -> dict[str, int]:
    """The weights of the production rule, or name, by target group, as the APIs show them to a person."""
    if is_named(seeded):
        return {side.target_group: side.weight for side in sides(cloud, seeded)}
    rules = cloud.client("elbv2").describe_rules(RuleArns=[seeded.route_arn])["Rules"]
    forward = rules[0]["Actions"][-1]["ForwardConfig"]["TargetGroups"]
    return {group["TargetGroupArn"]: group["Weight"] for group in forward}


@dataclass(frozen=True)
class Side:
    """A load balancer that a name leads to; `certificates` are the ARNs of all that its listeners offer."""

    target_group: str
    weight: int
    name: str
    certificates: tuple[str, ...]


def sides(cloud: Any, seeded: seed.Seeded) -> list[Side]:
    """Where a service's name leads, as the APIs of Route 53 and ELBv2 show it to a person."""
    _, zone, name = seeded.route_arn.split("/")
    records = cloud.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    weights = {
        each["AliasTarget"]["DNSName"].rstrip("."): int(each["Weight"])
        for each in records
        if each["Name"] == f"{name}." and each["Type"] == "A"
    }
    found = cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]
    return [_side(cloud, each, weights[each["DNSName"]]) for each in found if each["DNSName"] in weights]


def _side(cloud: Any, balancer: Mapping[str, Any], weight: int) -> Side:
    elb, arn = cloud.client("elbv2"), balancer["LoadBalancerArn"]
    (group,) = elb.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]
    listeners = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    certificates = {
        str(certificate["CertificateArn"])
        for each in listeners
        for certificate in elb.describe_listener_certificates(ListenerArn=each["ListenerArn"])["Certificates"]
    }
    return Side(
        group["TargetGroupArn"], weight, str(balancer["LoadBalancerName"]), tuple(sorted(certificates))
    )


def release_input(version: str, builder: str, **asked: Any) -> dict[str, Any]:
    """What a person gives to the state machine."""
    return {
        "service": SERVICE,
        "version": version,
        "source": {"type": "instance", "instance_id": builder},
        "build": {"builder": "demo"},
        **asked,
    }


def asked(cloud: Any, scene: Scene) -> dict[str, Any]:
    """What a scene's release asks for beside its version; a person looks up the ids of the groups it names."""
    wanted: dict[str, Any] = {}
    if scene.fleet is not None:
        named = [{"Name": "group-name", "Values": scene.fleet["security_groups"]}]
        found = cloud.client("ec2").describe_security_groups(Filters=named)["SecurityGroups"]
        wanted["fleet"] = {**scene.fleet, "security_groups": [group["GroupId"] for group in found]}
    if scene.order is not None:
        wanted |= {"keep_minutes": scene.order.keep_minutes, "retain_days": RETAIN_DAYS}
    return wanted


def fleet(cloud: Any, group: str) -> dict[str, str]:
    """What a group's fleet is made of, in the words of what an upgrade changes, as the EC2 API shows it to a person."""
    named = {"AutoScalingGroupNames": [group]}
    (found,) = cloud.client("autoscaling").describe_auto_scaling_groups(**named)["AutoScalingGroups"]
    ids = [each["InstanceId"] for each in found["Instances"]]
    shown = cloud.client("ec2").describe_instances(InstanceIds=ids)["Reservations"]
    instances = [instance for reservation in shown for instance in reservation["Instances"]]
    made = {
        "instance_type": {each["InstanceType"] for each in instances},
        "http_tokens": {each["MetadataOptions"]["HttpTokens"] for each in instances},
        "security_groups": {group["GroupName"] for each in instances for group in each["SecurityGroups"]},
        "max_size": {str(found["MaxSize"])},
    }
    return {name: ", ".join(sorted(values)) for name, values in made.items()}


@dataclass(frozen=True)
class Traffic:
    """Load from a process of its own; each of its requests is a line in `log`."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def double(self) -> None:
        """From now on there is twice as much of it."""
        self.process.send_signal(signal.SIGUSR1)


@contextmanager
def traffic(cloud: Any, seeded: seed.Seeded, rate: float, out: Path) -> Iterator[Traffic]:
    """Open-loop load from a process of its own while the block runs; its last requests are waited for.

    Where the service has a name, the load's clients ask a name server for it.
    """
    log = out / "events.jsonl"
    log.unlink(missing_ok=True)
    host, port = cloud.plane.address(seeded.load_balancer_dns, 80)
    command = [sys.executable, "-m", "local.plane.load", "--url", f"http://{host}:{port}/"]
    command += ["--out", str(log), "--rate", str(rate)]
    command += ["--speed", str(cloud.clock.speed), "--origin", f"{cloud.clock.now()},{cloud.clock.wall()}"]
    command += ["--seconds", str(8 * 3600), "--count", str(10**9)]
    with _door(cloud, seeded) as door:
        process = subprocess.Popen([*command, *door], cwd=ROOT, start_new_session=True)
        try:
            _await_first(process, log)
            yield Traffic(process, log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(DRAIN_WALL_SECONDS + 300 / cloud.clock.speed)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _door(cloud: Any, seeded: seed.Seeded) -> Iterator[list[str]]:
    """By which host its clients ask for the service, and whom they ask where that is."""
    if not is_named(seeded):
        yield ["--host", seeded.load_balancer_dns]
        return
    with NameServer(cloud.names.resolve, cloud.plane.host) as server:
        host, port = server.address
        yield ["--host", NAME, "--dns", f"{host}:{port}"]


def _await_first(process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError("the load generator doesn't start")
        if log.exists() and log.stat().st_size:
            return
        time.sleep(0.05)
    raise RuntimeError("the load generator sends nothing")
