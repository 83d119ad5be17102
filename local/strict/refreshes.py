"""Instance refreshes, which moto doesn't know: one at a time and group, listed newest first.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_StartInstanceRefresh.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceRefresh.html
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.moto_api._internal import mock_random

from local.hooks import Hooks


@dataclass
class Refresh:
    """One refresh; times in cloud seconds, `left` are the instances still to be replaced."""

    id: str
    group: str
    preferences: dict[str, Any]
    left: int
    status: str = "Pending"
    began: float | None = None
    ended: float | None = None

    def begin(self, now: float) -> float:
        """When it began: now, unless it has."""
        if self.began is None:
            self.began, self.status = now, "InProgress"
        return self.began

    def end(self, now: float, status: str) -> None:
        self.status, self.ended = status, now

    def warms_up(self, group: Any) -> float:
        """Seconds until a new instance counts: the refresh's own, or else those of its group's health checks."""
        return float(self.preferences.get("InstanceWarmup", group.health_check_grace_period or 0))

    def shown(self) -> dict[str, Any]:
        told = {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": self.group,
            "Status": self.status,
            "InstancesToUpdate": self.left,
            "Preferences": self.preferences,
        }
        times = {"StartTime": self.began, "EndTime": self.ended}
        return told | {name: datetime.fromtimestamp(at, UTC) for name, at in times.items() if at is not None}


def install(hooks: Hooks) -> None:
    hooks.set(AutoScalingResponse, "start_instance_refresh", _start)
    hooks.set(AutoScalingResponse, "describe_instance_refreshes", _describe)


def going(group: Any) -> Refresh | None:
    """The group's refresh that isn't over."""
    return next((each for each in _of(group) if each.ended is None), None)


def _start(response: AutoScalingResponse) -> Any:
    group = _group(response)
    if going(group) is not None:
        raise AutoscalingClientError(
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
        )
    preferences = response._get_param("Preferences", {})
    left = len(group.instance_states)
    _of(group).insert(0, Refresh(str(mock_random.uuid4()), group.name, preferences, left))
    return ActionResult({"InstanceRefreshId": _of(group)[0].id})


def _describe(response: AutoScalingResponse) -> Any:
    return ActionResult({"InstanceRefreshes": [each.shown() for each in _of(_group(response))]})


def _of(group: Any) -> list[Refresh]:
    """A group's refreshes, newest first."""
    found: list[Refresh] = vars(group).setdefault("instance_refreshes", [])
    return found


def _group(response: AutoScalingResponse) -> Any:
    name = response._get_param("AutoScalingGroupName")
    if name not in response.autoscaling_backend.autoscaling_groups:
        raise ValidationError("AutoScalingGroup name not found - null")
    return response.autoscaling_backend.autoscaling_groups[name]
