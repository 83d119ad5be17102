"""What an Auto Scaling group did and why, as DescribeScalingActivities tells it."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass
class Activity:
    """One launch or termination; moto's serializer reads the names as they are."""

    AutoScalingGroupName: str
    AutoScalingGroupARN: str
    Description: str
    Cause: str
    StartTime: datetime
    StatusCode: str = "InProgress"
    StatusMessage: str | None = None
    EndTime: datetime | None = None
    Progress: int = 0
    Details: str = "{}"
    ActivityId: str = field(default_factory=lambda: str(uuid.uuid4()))

    def end(self, now: float, status: str = "Successful", message: str | None = None) -> None:
        self.StatusCode, self.StatusMessage, self.Progress = status, message, 100
        self.EndTime = datetime.fromtimestamp(now, UTC)


class Activities:
    """Every group's activities, newest first; a deleted group's are shown only when asked for."""

    def __init__(self) -> None:
        self._all: list[Activity] = []

    def begin(self, group: Any, now: float, description: str, cause: str) -> Activity:
        at = datetime.fromtimestamp(now, UTC)
        activity = Activity(group.name, group.arn, description, f"At {at:%Y-%m-%dT%H:%M:%SZ} {cause}", at)
        self._all.insert(0, activity)
        return activity

    def find(self, group: str | None, ids: list[str], existing: set[str], deleted: bool) -> list[Activity]:
        return [
            activity
            for activity in self._all
            if (group is None or activity.AutoScalingGroupName == group)
            and (not ids or activity.ActivityId in ids)
            and (deleted or activity.AutoScalingGroupARN in existing)
        ]
