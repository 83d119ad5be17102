"""What nature does to a service: instances fall ill, die or crash, zones are full, quotas are spent, images fail, load changes."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from moto.ec2.models import ec2_backends

from local.control.session import ACCOUNT, REGION
from tests.faults import floors
from tests.faults.kinds import kind
from tests.faults.moments import NATURE, at, later
from tests.faults.place import Place
from tests.faults.points import Fault
from tests.faults.sides import (
    fleet,
    green_group,
    members,
    running_release,
    scaling,
    target_group_arn,
    version_of,
)

# What EC2 answers, as a group's activities tell it; each is followed by "Launching EC2 instance failed."
REFUSALS: Mapping[str, str] = {
    "capacity": "We currently do not have sufficient t3.small capacity in the Availability Zone you requested",
    "quota": "You have requested more vCPU capacity than your current vCPU limit of 32 allows",
    "image": "The image id '[ami-0deadbeef]' does not exist",
    "key": "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state",
    "profile": "Value (shop) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
}


class NotLaunched(Exception):
    """EC2 launches nothing, and says why."""


# --- health -------------------------------------------------------------------------------------------------


@kind("ill")
def ill(world: Place, fault: Fault) -> None:
    """A side's instances fail their health checks from now on, at once; `lasting` ones are replaced by ill ones."""
    side, count = str(fault.args["side"]), fault.args.get("count")

    def act() -> None:
        for instance in members(world, side)[:count]:
            sicken(world, side, instance)
        if fault.args.get("lasting"):
            version = version_of(world, side)
            after_launch(world, lambda instance, born: _born_ill(world, instance, born, version))

    at(world, fault, act, NATURE)


@kind("both_ill")
def both_ill(world: Place, fault: Fault) -> None:
    """Every instance of either side fails its checks from now on, and so do those that replace them."""

    def act() -> None:
        for side in ("blue", "green"):
            for instance in members(world, side):
                sicken(world, side, instance)
        after_launch(world, lambda instance, born: _born_ill(world, instance, born, born))

    at(world, fault, act, NATURE)


@kind("slow_rules")
def slow_rules(world: Place, fault: Fault) -> None:
    """The run's reality has rules reach the data plane args seconds late: this says that it does."""
    world.fired(fault)


@kind("well_again")
def well_again(world: Place, fault: Fault) -> None:
    """A side falls ill as a whole, and all of it recovers after so many seconds."""
    side, seconds = str(fault.args["side"]), float(fault.args["seconds"])

    def act() -> None:
        struck = members(world, side)
        for instance in struck:
            sicken(world, side, instance)
        later(world, seconds, lambda: _cure(world, struck))

    at(world, fault, act, NATURE)


@kind("dead")
def dead(world: Place, fault: Fault) -> None:
    """A side's apps stop answering: what is sent to them is lost until the load balancer has noticed."""
    side, count = str(fault.args["side"]), fault.args.get("count")

    def act() -> None:
        for instance in members(world, side)[:count]:
            world.cloud.plane.kill(instance)

    at(world, fault, act, NATURE)


@kind("terminated")
def terminated(world: Place, fault: Fault) -> None:
    """EC2 loses some of a side's instances; their group replaces them."""
    side, count = str(fault.args["side"]), fault.args.get("count")

    def act() -> None:
        ec2_backends[ACCOUNT][REGION].terminate_instances(members(world, side)[:count])

    at(world, fault, act, NATURE)


@kind("reclaimed")
def reclaimed(world: Place, fault: Fault) -> None:
    """A Spot instance is wanted back: its group drains it and launches another."""
    side = str(fault.args["side"])

    def act() -> None:
        for instance in members(world, side)[: fault.args.get("count", 1)]:
            scaling().terminate_instance(instance, False)

    at(world, fault, act, NATURE)


@kind("crashes")
def crashes(world: Place, fault: Fault) -> None:
    """Each of green's instances boots, passes, and stops answering so many seconds after its app started."""
    seconds, blue = float(fault.args["seconds"]), version_of(world, "blue")

    def launched(instance: str, version: str) -> None:
        if version != blue:
            world.fired(fault)
            later(world, seconds, lambda: world.cloud.plane.kill(instance))

    after_launch(world, launched)


@kind("never_healthy")
def never_healthy(world: Place, fault: Fault) -> None:
    """Green's user data is wrong: its instances run, and never pass a check."""
    blue = version_of(world, "blue")

    def launched(instance: str, version: str) -> None:
        if version != blue:
            world.fired(fault)
            world.cloud.plane._apps[instance].fault = "unhealthy"

    after_launch(world, launched)


def sicken(world: Place, side: str, instance: str) -> None:
    """The instance fails its checks, and the load balancer knows it already."""
    targets, arn = world.cloud.fleet.targets, target_group_arn(world, side)
    if app := world.cloud.plane._apps.get(instance):
        app.fault = "unhealthy"
    with targets._lock:
        if known := targets._targets.get((arn, instance)):
            known.state, known.checked, known.last_good, known.streak = "unhealthy", True, False, 9
            targets._place()


def _cure(world: Place, struck: list[str]) -> None:
    for instance in struck:
        if app := world.cloud.plane._apps.get(instance):
            app.fault = None


def _born_ill(world: Place, instance: str, born: str, version: str) -> None:
    if born == version:
        world.cloud.plane._apps[instance].fault = "unhealthy"


def after_launch(world: Place, then: Callable[[str, str], None]) -> None:
    """Calls `then` with each instance whose app starts from now on, and its version."""
    original = world.cloud.plane.launch

    def launch(instance: str, disk: Mapping[str, Any]) -> None:
        original(instance, disk)
        then(instance, str(disk.get("version")))

    world.cloud.plane.launch = launch


# --- capacity -----------------------------------------------------------------------------------------------


@kind("launches_fail")
def launches_fail(world: Place, fault: Fault) -> None:
    """A side's launches are refused with `why`: all, those after the first `spared`, or only the first `times`.

    With a zone only that zone's: the group then launches in another one, as AWS does.
    """
    side, zone = str(fault.args.get("side", "green")), fault.args.get("zone")
    spared, times = int(fault.args.get("spared", 0)), int(fault.args.get("times", 1_000_000))
    groups, asked, refused = world.cloud.fleet.groups, itertools.count(), [0]
    run, place = groups._run, groups._place_for
    turned: dict[str, bool] = {}

    def concerns(group: Any) -> bool:
        return bool(group.name == world.shop.group_name) == (side == "blue")

    def refuse(group: Any) -> Any:
        if not concerns(group) or (zone and place(group)[1] != zone) or next(asked) < spared:
            return run(group)
        if refused[0] >= times or (zone and turned.get(group.name)):
            turned[group.name] = False
            return run(group)
        refused[0] += 1
        turned[group.name] = bool(zone)
        world.fired(fault)
        raise NotLaunched(REFUSALS[str(fault.args["why"])])

    def elsewhere(group: Any) -> tuple[str | None, str]:
        subnet, found = place(group)
        if not zone or found != zone or not concerns(group):
            return subnet, found
        subnets = str(group.vpc_zone_identifier).split(",")
        zones = {each: group.ec2_backend.get_subnet(each).availability_zone for each in subnets}
        return next((each, there) for each, there in zones.items() if there != zone)

    def arm() -> None:
        groups._run, groups._place_for = refuse, elsewhere

    at(world, fault, arm, NATURE, quietly=True)


# --- images -------------------------------------------------------------------------------------------------


@kind("image_fails")
def image_fails(world: Place, fault: Fault) -> None:
    """The image that the release bakes ends in this state."""
    at(world, fault, lambda: _settle(world, str(fault.args.get("state", "failed"))), NATURE)


@kind("image_pends")
def image_pends(world: Place, fault: Fault) -> None:
    """The image that the release bakes never becomes available."""

    def act() -> None:
        for identity in list(world.cloud.images._due):
            world.cloud.images._due[identity] = float("inf")

    at(world, fault, act, NATURE)


def _settle(world: Place, state: str) -> None:
    name = f"viridian-shop-{running_release(world)}"
    images = ec2_backends[ACCOUNT][REGION]
    for image in [each for each in images.amis.values() if each.name == name]:
        world.cloud.images._due.pop(image.id, None)
        if state == "deregistered":
            images.deregister_image(image.id)
        else:
            image.state = state


# --- load and time ------------------------------------------------------------------------------------------


@kind("load")
def load(world: Place, fault: Fault) -> None:
    """From now on so many requests a second arrive, a share of them with the load balancer's cookie."""
    floors.watch(world)
    rate, sticky = float(fault.args["rate"]), float(fault.args.get("sticky", 0.0))
    at(world, fault, lambda: world.cloud.plane.traffic(rate, sticky_share=sticky), NATURE)


@kind("scaled")
def scaled(world: Place, fault: Fault) -> None:
    """A scaling policy or a scheduled action of a side's own changes its sizes."""
    floors.watch(world)

    def act() -> None:
        group = fleet(world, str(fault.args["side"]))
        for name in ("min_size", "max_size"):
            setattr(group, name, int(fault.args.get(name, getattr(group, name))))
        wanted = int(fault.args.get("desired", group.desired_capacity))
        group.desired_capacity = min(max(wanted, group.min_size), group.max_size)

    at(world, fault, act, NATURE)


@kind("scales_in_and_out")
def scales_in_and_out(world: Place, fault: Fault) -> None:
    """Blue's own policies never rest: every so many seconds it wants one more, then one fewer, as its sizes allow."""
    floors.watch(world)
    turns = itertools.cycle((1, -1, -1, 1))

    def act() -> None:
        def turn(_: float) -> None:
            for side in ("blue", "green"):
                group = fleet(world, side) if side == "blue" or green_group(world) else None
                if group is not None and group.desired_capacity:
                    wanted = int(group.desired_capacity) + next(turns)
                    group.desired_capacity = min(max(wanted, group.min_size), group.max_size)

        world.cloud.clock.every(float(fault.args.get("seconds", 90)), turn, "scaling")

    at(world, fault, act, NATURE)


# --- how blue is made -----------------------------------------------------------------------------------------

DRESSES: Mapping[str, Mapping[str, Any]] = {
    "sizes": {"MaxInstanceLifetime": 604_800, "DefaultCooldown": 120, "DefaultInstanceWarmup": 45},
    "health": {"HealthCheckGracePeriod": 90, "HealthCheckType": "ELB"},
    "instances": {"TerminationPolicies": ["NewestInstance", "Default"], "CapacityRebalance": True},
    "hooks": {},
    "metrics": {},
}


@kind("blue_is_dressed")
def blue_is_dressed(world: Place, fault: Fault) -> None:
    """Blue's group has more set than what it needs: args with names what."""
    client, group, what = world.cloud.client("autoscaling"), world.shop.group_name, str(fault.args["with"])

    def act() -> None:
        if members := DRESSES[what]:
            client.update_auto_scaling_group(AutoScalingGroupName=group, **members)
        if what == "hooks":
            client.put_lifecycle_hook(
                AutoScalingGroupName=group,
                LifecycleHookName="last-words",
                LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
                HeartbeatTimeout=60,
                DefaultResult="CONTINUE",
            )
        if what == "metrics":
            client.enable_metrics_collection(
                AutoScalingGroupName=group, Metrics=["GroupDesiredCapacity"], Granularity="1Minute"
            )

    at(world, fault, act)
