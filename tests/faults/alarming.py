"""What becomes of alarms, and of the metrics that they are judged by."""

from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from local.control.session import ACCOUNT, REGION
from tests.faults.kinds import kind
from tests.faults.moments import NATURE, at, later
from tests.faults.place import Place
from tests.faults.points import Fault

GUARD = "shop-errors"


def alarms(which: str) -> list[Any]:
    """The guard, one of green's own by its signal, or with "green" all of those."""
    found = list(cloudwatch_backends[ACCOUNT][REGION].alarms.values())
    if which == "guard":
        return [alarm for alarm in found if alarm.name == GUARD]
    return [alarm for alarm in found if _is_greens(alarm, which)]


def _is_greens(alarm: Any, which: str) -> bool:
    own = alarm.name.startswith("viridian-shop-")
    return own and (which == "green" or alarm.name.endswith(f"-{which}"))


@kind("alarm_stuck")
def alarm_stuck(world: Place, fault: Fault) -> None:
    """Args which stays in args state from now on (for args seconds), whatever its metrics say."""
    which, state = str(fault.args["which"]), str(fault.args["state"])
    evaluate, standing = world.cloud.alarms._evaluate, [False]

    def look(backend: Any, alarm: Any, now: float) -> None:
        if standing[0] and alarm in alarms(which):
            _set(alarm, state)
        else:
            evaluate(backend, alarm, now)

    def act() -> None:
        standing[0] = True
        for alarm in alarms(which):
            _set(alarm, state)
        if "seconds" in fault.args:
            later(world, float(fault.args["seconds"]), lambda: standing.__setitem__(0, False))

    world.cloud.alarms._evaluate = look
    at(world, fault, act, NATURE)


@kind("alarm_flaps")
def alarm_flaps(world: Place, fault: Fault) -> None:
    """Args which goes red for args seconds and is OK again, once."""
    which, seconds = str(fault.args["which"]), float(fault.args["seconds"])

    def act() -> None:
        for alarm in alarms(which):
            _set(alarm, "ALARM")
            later(world, seconds, lambda alarm=alarm: _set(alarm, "OK"))  # type: ignore[misc]

    at(world, fault, act, NATURE)


@kind("alarm_vanishes")
def alarm_vanishes(world: Place, fault: Fault) -> None:
    """A person deletes args which; with args renamed it comes back under another name, without its tags."""

    def act() -> None:
        backend = cloudwatch_backends[ACCOUNT][REGION]
        for alarm in alarms(str(fault.args["which"])):
            world.cloud.client("cloudwatch").delete_alarms(AlarmNames=[alarm.name])
            if fault.args.get("renamed"):
                alarm.name, alarm.alarm_arn = f"{alarm.name}-2", f"{alarm.alarm_arn}-2"
                backend.alarms[alarm.name] = alarm

    at(world, fault, act)


@kind("alarm_muted")
def alarm_muted(world: Place, fault: Fault) -> None:
    """A person disables the actions of args which; its state is still evaluated."""

    def act() -> None:
        names = [alarm.name for alarm in alarms(str(fault.args["which"]))]
        world.cloud.client("cloudwatch").disable_alarm_actions(AlarmNames=names)

    at(world, fault, act)


@kind("alarm_redefined")
def alarm_redefined(world: Place, fault: Fault) -> None:
    """A person changes args which so that it can never be red: its state stays as it was until it is evaluated."""

    def act() -> None:
        for alarm in alarms(str(fault.args["which"])):
            alarm.threshold = 1e9

    at(world, fault, act)


@kind("guard_belongs_to_blue")
def guard_belongs_to_blue(world: Place, fault: Fault) -> None:
    """The guard's only action is a scaling policy of blue's: it goes when blue's group goes (aws-facts A3)."""

    def act() -> None:
        policies = world.cloud.client("autoscaling").describe_policies(
            AutoScalingGroupName=world.shop.group_name
        )["ScalingPolicies"]
        for alarm in alarms("guard"):
            alarm.alarm_actions[:] = [policies[0]["PolicyARN"]]

    at(world, fault, act)


@kind("slow_metrics")
def slow_metrics(world: Place, fault: Fault) -> None:
    """The run's reality has metrics come args seconds late: this says that it does."""
    world.fired(fault)


@kind("metrics_stop")
def metrics_stop(world: Place, fault: Fault) -> None:
    """From now on (for args seconds) no metric arrives."""
    publish, stopped = world.cloud.metrics._publish, [False]

    def late(now: float) -> None:
        if not stopped[0]:
            publish(now)

    def act() -> None:
        stopped[0] = True
        if "seconds" in fault.args:
            later(world, float(fault.args["seconds"]), lambda: stopped.__setitem__(0, False))

    world.cloud.metrics._publish = late
    at(world, fault, act, NATURE)


def _set(alarm: Any, state: str) -> None:
    if alarm.state_value != state:
        alarm.update_state(f"{alarm.name} is made {state} by a fault", "{}", state)
        alarm.state_transitioned_timestamp = alarm.state_updated_timestamp
