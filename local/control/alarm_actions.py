"""Carries out what an alarm is to do when its state changes: it tells topics; other actions are nobody's here.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

import json
from datetime import UTC, datetime
from typing import Any

from moto.sns.models import sns_backends

from local.clocks.clock import Clock

REGION_IN_WORDS = "US East (N. Virginia)"


def carry_out(alarm: Any, before: str, clock: Clock) -> None:
    """Each topic of the new state hears of it, unless the alarm's actions are switched off."""
    if str(alarm.actions_enabled).lower() == "false":
        return
    by_state = {
        "ALARM": alarm.alarm_actions,
        "OK": alarm.ok_actions,
        "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
    }
    for action in by_state[alarm.state_value] or []:
        _, _, service, region, account, *_ = action.split(":")
        if service != "sns":
            continue
        subject = f'{alarm.state_value}: "{alarm.name}" in {REGION_IN_WORDS}'
        try:
            sns_backends[account][region].publish(
                _message(alarm, before, clock), action, subject=subject[:100]
            )
        except Exception as problem:
            clock.failures.append(f"{alarm.name} can't tell {action}: {problem!r}")


def _message(alarm: Any, before: str, clock: Clock) -> str:
    at = datetime.fromtimestamp(clock.now(), UTC)
    return json.dumps(
        {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "AWSAccountId": alarm.alarm_arn.split(":")[4],
            "NewStateValue": alarm.state_value,
            "NewStateReason": alarm.state_reason,
            "StateChangeTime": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
            "Region": REGION_IN_WORDS,
            "AlarmArn": alarm.alarm_arn,
            "OldStateValue": before,
            "OKActions": list(alarm.ok_actions or []),
            "AlarmActions": list(alarm.alarm_actions or []),
            "InsufficientDataActions": list(alarm.insufficient_data_actions or []),
        }
    )
