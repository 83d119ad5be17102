"""Looks at the emulated world behind its API, each tick: how large the fleets are, which alarms go off."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.elbv2.models import elbv2_backends

from local.control.session import ACCOUNT, REGION
from local.plane import zones
from local.plane.routing import read

TICK_SECONDS, TICK_WALL_SECONDS = 5.0, 0.1


@dataclass(frozen=True)
class Sight:
    """One Auto Scaling group at one moment; `version` is what its instances run."""

    at: float
    group: str
    version: str
    minimum: int
    desired: int
    in_service: int


@dataclass(frozen=True)
class Turn:
    """An alarm changes its state."""

    at: float
    alarm: str
    state: str


class Watch:
    """Keeps what it sees; `versions` says what a target group's instances run, also once it is gone."""

    def __init__(self, cloud: Any) -> None:
        self.sights: list[Sight] = []
        self.turns: list[Turn] = []
        self.versions: dict[str, str] = {}
        self._disk_of: Callable[[str], dict[str, Any]] = cloud.images.disk_of_instance
        self._states: dict[str, str] = {}
        cloud.clock.every(min(TICK_SECONDS, TICK_WALL_SECONDS * cloud.clock.speed), self.tick, "watch")

    def tick(self, now: float) -> None:
        for arn, group in list(elbv2_backends[ACCOUNT][REGION].target_groups.items()):
            if arn not in self.versions and (target := next(iter(list(group.targets)), None)):
                self.versions[arn] = str(self._disk_of(target)["version"])
        for fleet in list(autoscaling_backends[ACCOUNT][REGION].autoscaling_groups.values()):
            self.sights.append(self._sight(now, fleet))
        for alarm in list(cloudwatch_backends[ACCOUNT][REGION].alarms.values()):
            if self._states.get(alarm.name) != alarm.state_value:
                self._states[alarm.name] = alarm.state_value
                since = alarm.state_updated_timestamp.replace(tzinfo=UTC).timestamp()
                self.turns.append(Turn(min(now, since), alarm.name, alarm.state_value))

    def fleets(self) -> list[Sight]:
        """Every group as it was last seen, oldest first."""
        latest = self.sights[-1].at if self.sights else 0.0
        return [sight for sight in self.sights[-20:] if sight.at == latest]

    @staticmethod
    def weights(route: str) -> dict[str, int]:
        """The weights of a rule, a listener or a name, by target group."""
        if ":route53:" in route:
            return zones.routes(ACCOUNT).get(route, {})
        listeners = read(elbv2_backends[ACCOUNT][REGION])
        rules = (rule for each in listeners for rule in each.rules if route in (rule.arn, each.arn))
        return next((dict(rule.weights) for rule in rules), {})

    def alarming(self) -> list[str]:
        return sorted(name for name, state in self._states.items() if state == "ALARM")

    def _sight(self, now: float, group: Any) -> Sight:
        serving = sum(state.lifecycle_state == "InService" for state in list(group.instance_states))
        version = next((self.versions[arn] for arn in group.target_group_arns if arn in self.versions), "")
        return Sight(now, group.name, version, group.min_size, group.desired_capacity, serving)
