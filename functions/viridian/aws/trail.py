"""CloudTrail: who started an execution, and who stopped it."""

import json
from datetime import datetime, timedelta

from viridian.aws import clients

_AROUND = timedelta(
    seconds=30
)  # a busy account starts hundreds a minute, and CloudTrail tells fifty a call, twice a second


def starter(execution: str, started_at: datetime) -> str | None:
    """The ARN of whoever called StartExecution; None while CloudTrail doesn't show it, which takes some minutes."""
    return _caller("StartExecution", "responseElements", execution, started_at)


def stopper(execution: str, stopped_at: datetime) -> str | None:
    """The same of StopExecution."""
    return _caller("StopExecution", "requestParameters", execution, stopped_at)


def _caller(call: str, part: str, execution: str, at: datetime) -> str | None:
    """Who made a call that names an execution in this part of it, at about a moment.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
    """
    pages = (
        clients.reader("cloudtrail")
        .get_paginator("lookup_events")
        .paginate(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": call}],
            StartTime=at - _AROUND,
            EndTime=at + _AROUND,
        )
    )
    for page in pages:
        for event in page["Events"]:
            told = json.loads(event["CloudTrailEvent"])
            if (told.get(part) or {}).get("executionArn") == execution:
                return str(told["userIdentity"].get("arn") or told["userIdentity"].get("invokedBy"))
    return None
