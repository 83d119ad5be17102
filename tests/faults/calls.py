"""Kinds of faults on single calls: what botocore's hooks can do to one attempt, or to all of a sort."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse

from local.control.calls import made_by
from tests.faults.injector import Send
from tests.faults.kinds import kind
from tests.faults.points import Fault, Point

if TYPE_CHECKING:
    from tests.faults.place import Place

FAULT = "fault"  # the principal of what an injected fault writes


def _at(world: "Place", fault: Fault, how: Callable[[Send], Any]) -> None:
    def fire(send: Send) -> Any:
        world.fired(fault)
        return how(send)

    world.injector.at(_point(fault), fire)


def _point(fault: Fault) -> Point:
    if fault.point is None:
        raise ValueError(f"{fault.kind} needs a point")
    return fault.point


@kind("crash_before")
def crash_before(world: "Place", fault: Fault) -> None:
    """The function dies before the call is sent."""
    _at(world, fault, Send.die)


@kind("crash_after")
def crash_after(world: "Place", fault: Fault) -> None:
    """AWS has done it; the function dies before it hears so."""

    def how(send: Send) -> Any:
        send.proceed()
        return send.die()

    _at(world, fault, how)


@kind("lost")
def lost(world: "Place", fault: Fault) -> None:
    """AWS has done it; its answer never arrives."""

    def how(send: Send) -> Any:
        send.proceed()
        return send.lose()

    _at(world, fault, how)


@kind("fail_before")
def fail_before(world: "Place", fault: Fault) -> None:
    """AWS refuses with this code and does nothing: args code, status."""
    code, status = str(fault.args["code"]), int(fault.args.get("status", 400))
    _at(world, fault, lambda send: send.answer(code, status))


@kind("resend")
def resend(world: "Place", fault: Fault) -> None:
    """The request reaches AWS twice; the function sees the second answer."""

    def how(send: Send) -> Any:
        send.proceed()
        return send.proceed()

    _at(world, fault, how)


@kind("delay")
def delay(world: "Place", fault: Fault) -> None:
    """The call takes so many seconds, before AWS has it (or after, with args after): the function may time out."""
    seconds = float(fault.args["seconds"])

    def how(send: Send) -> Any:
        if fault.args.get("after"):
            answer = send.proceed()
            world.injector.pause(seconds)
            return answer
        world.injector.pause(seconds)
        return send.proceed()

    _at(world, fault, how)


@kind("mangle")
def mangle(world: "Place", fault: Fault) -> None:
    """The answer lacks what is at args path ("Rules.0.Actions"; "*" is everything)."""

    def how(send: Send) -> Any:
        world.injector.changes_answer(send, lambda answer: _without(answer, str(fault.args.get("path", "*"))))
        return send.proceed()

    _at(world, fault, how)


def _without(answer: Any, path: str) -> Any:
    if path == "*":
        return {"ResponseMetadata": answer.get("ResponseMetadata", {})}
    *way, last = path.split(".")
    found = answer
    for part in way:
        found = found[int(part)] if isinstance(found, list) else found.get(part, {})
        if isinstance(found, list) and not found:
            return answer
    if isinstance(found, dict):
        found.pop(last, None)
    return answer


@kind("throttle")
def throttle(world: "Place", fault: Fault) -> None:
    """At a point: this one. With args p: that share of all calls (of args call or service) for the whole run."""
    if fault.point:
        _at(world, fault, Send.throttle)
        return
    share = float(fault.args["p"])
    _whenever(world, fault, lambda send: world.injector.random.random() < share, Send.throttle)


@kind("deny")
def deny(world: "Place", fault: Fault) -> None:
    """The permission for args call is missing (for args function, or all), from args after seconds on, for args minutes."""
    _whenever(world, fault, lambda _: True, Send.deny)


@kind("outage")
def outage(world: "Place", fault: Fault) -> None:
    """args service can't be reached from args after seconds on, for args minutes."""
    _whenever(world, fault, lambda _: True, lambda send: send.answer("ServiceUnavailable", 503))


def _whenever(world: "Place", fault: Fault, also: Callable[[Send], bool], how: Callable[[Send], Any]) -> None:
    """Args function, call, service, after (seconds from the start) and minutes narrow it; a list is any of them."""
    asked = {
        name: _several(fault.args[name]) for name in ("function", "call", "service") if name in fault.args
    }
    begin = float(fault.args.get("after", 0))
    end = begin + 60 * float(fault.args["minutes"]) if "minutes" in fault.args else float("inf")

    def where(send: Send) -> bool:
        named = all(getattr(send, name) in wanted for name, wanted in asked.items())
        return named and begin <= send.at < end and also(send)

    def fire(send: Send) -> Any:
        world.fired(fault)
        return how(send)

    world.injector.whenever(where, fire)


def _several(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@kind("lost_update")
def lost_update(world: "Place", fault: Fault) -> None:
    """AWS says yes and nothing changes (a route's weights, a group's sizes)."""

    def how(send: Send) -> Any:
        undo = world.snapshot()
        answer = send.proceed()
        undo()
        return answer

    _at(world, fault, how)


@kind("reverted")
def reverted(world: "Place", fault: Fault) -> None:
    """What was written is as it was before, args seconds later."""

    def how(send: Send) -> Any:
        undo = world.snapshot()
        answer = send.proceed()
        taken_back = undo.changed()

        def later() -> None:
            world.cloud.clock.sleep(float(fault.args["seconds"]))
            taken_back()

        with made_by(FAULT):
            world.cloud.clock.spawn(later, "a write is taken back")
        return answer

    _at(world, fault, how)


@dataclass(frozen=True)
class _Kept:
    """An answer that can be given more than once: its body is a stream that is read only once."""

    url: str
    status: int
    headers: Any
    content: bytes

    @classmethod
    def of(cls, answer: Any) -> "_Kept":
        return cls(answer.url, answer.status_code, answer.headers, answer.content)

    def answer(self) -> Any:
        raw: Any = MockRawResponse(self.content)
        return AWSResponse(self.url, self.status, copy.deepcopy(self.headers), raw)


@kind("stale")
def stale(world: "Place", fault: Fault) -> None:
    """Reads of args call answer as they would have args ticks ago, for what had been asked for by then."""
    call, ticks = str(fault.args["call"]), int(fault.args["ticks"])
    history: dict[Any, list[tuple[float, _Kept]]] = {}
    asked: dict[Any, tuple[float, Callable[[], Any]]] = {}

    def look(now: float) -> None:
        with made_by("cloud"):
            for key, (at, ask) in list(asked.items()):
                if now - at <= 70:  # a poll and a little: what nobody asks for any more needs no past
                    history.setdefault(key, []).append((now, _Kept.of(ask())))

    def how(send: Send) -> Any:
        key, now = (send.request.url, str(send.request.body)), world.cloud.clock.now()
        asked[key] = (now, send.proceed)
        old = [answer for at, answer in history.get(key, []) if at <= now - 5 * ticks]
        fresh = _Kept.of(send.proceed())
        history.setdefault(key, []).append((now, fresh))
        if not old:
            return fresh.answer()
        world.fired(fault)
        return old[-1].answer()

    world.injector.whenever(lambda send: send.call == call, how)
    world.cloud.clock.every(5, look, "what reads would have shown")
