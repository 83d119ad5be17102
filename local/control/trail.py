"""CloudTrail: who started or stopped which execution, some minutes after the fact. moto lacks LookupEvents.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from moto.cloudtrail.responses import CloudTrailResponse
from moto.stepfunctions.responses import StepFunctionResponse

from local.clocks.clock import Clock
from local.control import identity
from local.control.calls import PERSON, current_principal
from local.control.session import ACCOUNT, REGION
from local.hooks import Hooks
from local.reality import Reality

_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


class Trail:
    """The management events of one cloud, as far as anything here looks for them: StartExecution and StopExecution."""

    def __init__(self, clock: Clock, reality: Reality) -> None:
        self._clock, self._reality = clock, reality
        self._events: list[dict[str, Any]] = []
        self._hooks = Hooks()

    def install(self) -> None:
        self._hooks.wrap(StepFunctionResponse, "start_execution", self._started)
        self._hooks.wrap(StepFunctionResponse, "stop_execution", self._stopped)
        self._hooks.set(CloudTrailResponse, "lookup_events", lambda response: self._lookup(response))

    def uninstall(self) -> None:
        self._hooks.undo()

    def _started(self, original: Any, response: Any) -> Any:
        answer = original(response)
        asked = {name: response._get_param(name) for name in ("stateMachineArn", "name")}
        asked |= {"input": _HIDDEN}
        self._note(response, "StartExecution", asked, {"executionArn": answer.result["executionArn"]})
        return answer

    def _stopped(self, original: Any, response: Any) -> Any:
        answer = original(response)
        asked = {"executionArn": response._get_param("executionArn"), "error": _HIDDEN, "cause": _HIDDEN}
        self._note(response, "StopExecution", asked, None)
        return answer

    def _note(self, response: Any, call: str, asked: dict[str, Any], answered: Any) -> None:
        told = {
            "eventVersion": "1.08",
            "userIdentity": _identity(response),
            "eventSource": "states.amazonaws.com",
            "eventName": call,
            "awsRegion": REGION,
            "requestParameters": asked,
            "responseElements": answered,
        }
        self._events.append({"at": self._clock.now(), "id": str(uuid.uuid4()), "told": told})

    def _lookup(self, response: Any) -> str:
        asked = json.loads(response.body)
        names = [each["AttributeValue"] for each in asked.get("LookupAttributes", [])]
        shown = self._clock.now() - self._reality.trail_seconds
        first, last = float(asked.get("StartTime", 0)), float(asked.get("EndTime", shown))
        found = [
            event
            for event in self._events
            if event["told"]["eventName"] in names and first <= event["at"] <= min(last, shown)
        ]
        return json.dumps({"Events": [_shown(event) for event in reversed(found)]})


def _identity(response: Any) -> dict[str, str]:
    principal = current_principal()
    who = identity.named(response.headers.get("Authorization", "")) if principal == PERSON else None
    if who is None:
        return {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{principal}/{principal}"}
    kind = "IAMUser" if ":user/" in who.arn else "AssumedRole" if ":assumed-role/" in who.arn else "Root"
    return {"type": kind, "arn": who.arn}


def _shown(event: dict[str, Any]) -> dict[str, Any]:
    moment = datetime.fromtimestamp(event["at"], UTC)
    told = {**event["told"], "eventTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "eventID": event["id"]}
    return {
        "EventId": event["id"],
        "EventName": told["eventName"],
        "EventSource": told["eventSource"],
        "EventTime": event["at"],
        "CloudTrailEvent": json.dumps(told),
    }
