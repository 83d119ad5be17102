"""CloudTrail: who started an execution."""

import json
from datetime import datetime, timedelta

from viridian.aws import clients

_AROUND = timedelta(
    seconds=30
)  # a busy account starts hundreds a minute, and CloudTrail tells fifty a call, twice a second


def starter(execution: str, started_at: datetime) -> str | None:
    """The ARN of whoever called StartExecution; None while CloudTrail doesn't show it, which takes some minutes.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
    """
    pages = (
        clients.reader("cloudtrail")
        .get_paginator("lookup_events")
        .paginate(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "StartExecution"}],
            StartTime=started_at - _AROUND,
            EndTime=started_at + _AROUND,
        )
    )
    for page in pages:
        for event in page["Events"]:
            told = json.loads(event["CloudTrailEvent"])
            if (told.get("responseElements") or {}).get("executionArn") == execution:
                return str(told["userIdentity"].get("arn") or told["userIdentity"].get("invokedBy"))
    return None
