"""The call log: one line for each API call that reaches the cloud, written by the cloud, not by the product."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

from moto.autoscaling.models import autoscaling_backends
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.responses import BaseResponse
from moto.core.utils import get_service_model
from moto.dynamodb.models import dynamodb_backends
from moto.elbv2.models import elbv2_backends

from local.clocks.clock import Clock
from local.plane import zones

PERSON, STATES, CLOUD = "person", "states", "cloud"
READS = re.compile(r"^(Describe|Get|List|Search|Lookup|Query|Scan|BatchGet|TransactGet|Head|Filter|Invoke)")
GROUP_WRITES = re.compile(
    r"^(Create|Update|Delete)AutoScalingGroup$|^SetDesiredCapacity$|InAutoScalingGroup$"
)
ROUTE_WRITES = re.compile(r"^(Create|Modify|Delete)(Rule|Listener)$|^ChangeResourceRecordSets$")
LONG = 300

_principal: ContextVar[str] = ContextVar("principal", default=PERSON)
_execution: ContextVar[str | None] = ContextVar("execution", default=None)
_ledger: ContextVar[str | None] = ContextVar("ledger", default=None)
_invocation: ContextVar[str | None] = ContextVar("invocation", default=None)


@contextmanager
def made_by(principal: str, ledger: str | None = None, invocation: str | None = None) -> Iterator[None]:
    """Calls made inside belong to this principal; `ledger` is the table where its epochs stand."""
    who, table, request = _principal.set(principal), _ledger.set(ledger), _invocation.set(invocation)
    try:
        yield
    finally:
        _principal.reset(who)
        _ledger.reset(table)
        _invocation.reset(request)


@contextmanager
def of_execution(arn: str | None) -> Iterator[None]:
    """Calls made inside belong to this execution, as Step Functions unless a function says otherwise."""
    who, run, request = _principal.set(STATES), _execution.set(arn), _invocation.set(None)
    try:
        yield
    finally:
        _principal.reset(who)
        _execution.reset(run)
        _invocation.reset(request)


def current_execution() -> str | None:
    return _execution.get()


def current_principal() -> str:
    return _principal.get()


def current_invocation() -> str | None:
    """The request id of the function's invocation that this is part of."""
    return _invocation.get()


class Calls:
    """The log of one cloud; `entries` holds what the file does, `listeners` are told each entry as it is made."""

    def __init__(self, clock: Clock, out: Path | None, account: str, region: str) -> None:
        self.entries: list[dict[str, Any]] = []
        self.listeners: list[Callable[[dict[str, Any]], None]] = []
        self._clock = clock
        self._account, self._region = account, region
        self._lock = threading.Lock()
        self._file: IO[str] | None = None
        self._hook: Any = None
        self._path = out / "calls.jsonl" if out else None

    def install(self) -> None:
        if self._path:
            self._file = self._path.open("w", encoding="utf-8")
        self._hook = patch.object(BaseResponse, "call_action", self._around(BaseResponse.call_action))
        self._hook.start()

    def uninstall(self) -> None:
        self._hook.stop()
        if self._file:
            self._file.close()
            self._file = None

    def by(self, principal: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries if entry["principal"] == principal]

    def of(self, execution: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries if entry["execution"] == execution]

    def _around(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        calls = self

        def call_action(response: Any) -> Any:
            call = response._get_action() or response.path
            mutating = not READS.match(call)
            principal = _principal.get()
            if principal == CLOUD and not mutating:
                return original(response)
            return calls._logged(original, response, call, mutating, principal)

        return call_action

    def _logged(self, original: Any, response: Any, call: str, mutating: bool, principal: str) -> Any:
        request = _request(response)
        entry = {
            "at": self._clock.now(),
            "wall": self._clock.wall(),
            "principal": principal,
            "execution": _execution.get(),
            "invocation": _invocation.get(),
            "service": response.boto3_service_name,
            "call": call,
            "request": _abridged(request),
            "error": None,
            "mutating": mutating,
            "epoch": self._epoch(request) if _ledger.get() else None,
        }
        entry |= self._sizes("before", call, request)
        try:
            answer = original(response)
        except Exception as error:
            self._write(entry | {"error": getattr(error, "error_type", None) or type(error).__name__})
            raise
        entry |= self._sizes("after", call, request)
        self._write(entry | {"error": _error(answer)})
        return answer

    def _write(self, entry: dict[str, Any]) -> None:
        with self._lock:
            entry = {"n": len(self.entries) + 1, **entry}
            self.entries.append(entry)
            if self._file:
                self._file.write(json.dumps(entry, default=str) + "\n")
                self._file.flush()
        for listener in self.listeners:
            listener(entry)

    def _sizes(self, key: str, call: str, request: dict[str, Any]) -> dict[str, Any]:
        """What a route's weights, or a group's sizes, are at this moment."""
        if ROUTE_WRITES.match(call):
            return {key: self._weights(request)}
        if GROUP_WRITES.search(call):
            return {key: self._group(request)}
        return {}

    def _weights(self, request: dict[str, Any]) -> dict[str, int] | None:
        arn = route_of(request)
        if arn and ":route53:" in arn:
            return zones.routes(self._account).get(arn, {})
        for balancer in elbv2_backends[self._account][self._region].load_balancers.values():
            for listener in balancer.listeners.values():
                for route in [listener, *getattr(listener, "rules", {}).values()]:
                    if getattr(route, "arn", None) == arn:
                        return _forwarded(getattr(route, "actions", None) or route.default_actions)
        return None

    def _group(self, request: dict[str, Any]) -> dict[str, int] | None:
        name = request.get("AutoScalingGroupName")
        group: Any = autoscaling_backends[self._account][self._region].autoscaling_groups.get(name or "")
        if group is None:
            return None
        return {"min": group.min_size, "max": group.max_size, "desired": group.desired_capacity}

    def _epoch(self, request: dict[str, Any]) -> int | None:
        """The epoch in the ledger of the route that this execution holds, or that the request names."""
        table: Any = dynamodb_backends[self._account][self._region].tables.get(_ledger.get() or "")
        locks = list(_locks(table)) if table else []
        named = {request.get("RuleArn"), request.get("ListenerArn"), route_of(request)}
        mine = [lock for lock in locks if lock["pk"].removeprefix("route#") in named]
        mine = mine or [lock for lock in locks if lock.get("execution") in (_execution.get(),)]
        mine = mine or (locks if len(locks) == 1 else [])
        return int(mine[0]["epoch"]) if mine and mine[0].get("epoch") is not None else None


def route_of(request: dict[str, Any]) -> str | None:
    """The ARN of the route that a request writes: a rule, a listener, or the name whose records a batch changes."""
    for change in (request.get("ChangeBatch") or {}).get("Changes", []):
        zone, name = request["HostedZoneId"].split("/")[-1], change["ResourceRecordSet"]["Name"]
        return f"arn:aws:route53:::hostedzone/{zone}/{name.rstrip('.')}"
    return request.get("RuleArn") or request.get("ListenerArn")


def _locks(table: Any) -> Iterator[dict[str, Any]]:
    for key, items in list(table.items.items()):
        if str(key.value).startswith("route#"):
            for item in items.values():
                plain = {name: attribute.value for name, attribute in item.attrs.items()}
                if plain.get("sk") == "lock":
                    yield plain


def _forwarded(actions: Any) -> dict[str, int]:
    weights: dict[str, int] = {}
    for action in actions or []:
        data = action.data if hasattr(action, "data") else action
        groups = data.get("ForwardConfig", {}).get("TargetGroups", [])
        if not groups and data.get("TargetGroupArn"):
            groups = [{"TargetGroupArn": data["TargetGroupArn"], "Weight": 1}]
        weights |= {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}
    return weights


def _request(response: Any) -> dict[str, Any]:
    """The call's parameters, by the service's own model."""
    try:
        if response.automated_parameter_parsing:
            return dict(response.params)
        model = get_service_model(response.boto3_service_name)
        request = response.normalized_request
        protocol = determine_request_protocol(model, request.content_type)
        parser = PROTOCOL_PARSERS[protocol](model.operation_model(response._get_action()))
        return dict(
            parser.parse(
                {
                    "method": request.method,
                    "values": request.values,
                    "headers": request.headers,
                    "body": request.data,
                    "url_path": request.path,
                    "url_params": response.uri_match,
                }
            )
        )
    except Exception:  # a call that moto itself can't read is still a call
        return {}


def _abridged(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _abridged(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_abridged(item) for item in value[:20]]
    if isinstance(value, bytes):
        return _abridged(value.decode("utf-8", "replace"))
    if isinstance(value, str) and len(value) > LONG:
        return value[:LONG] + "..."
    return value


_CODE = re.compile(r"<Code>([^<]+)</Code>|\"(?:__type|code)\":\s*\"([^\"]+)\"")


def _error(answer: Any) -> str | None:
    status, _, body = answer
    if int(status) < 400:
        return None
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    found = _CODE.search(text)
    return (found.group(1) or found.group(2)).split("#")[-1] if found else str(status)
