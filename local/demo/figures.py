"""The figures of a scene, from what clients, load balancer and cloud wrote down: never from what the release says."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from local.demo.scenes import Side
from local.demo.watch import Sight, Turn
from local.plane.load import Event, summarise
from viridian_cli.course import percent

WALL_DIGITS = 2
ENDS_SECONDS = 180.0  # of a scene's beginning and end, to compare their load
# Who writes the routes when a release is taken back, by the function that does.
RESCUERS = {
    "BrakeFunction": "brake",
    "GuardFunction": "guard",
    "SweepFunction": "sweeper",
    "RestoreBlueFunction": "Catch",
    "ConvergeFunction": "Catch",
}


@dataclass(frozen=True)
class Played:
    """A scene that is over; times in cloud seconds. A scene that a script released has no executions.

    `fleets` are those of an upgrade that was taken back: blue's and green's at promotion, and blue's again at the end.
    `sides` are the load balancers that a name led to, by version, once green had its first share.
    """

    name: str
    version: str
    blue: str
    expected: str
    bad: bool
    began: float
    ended: float
    ran_until: float
    outcome: str
    executions: Sequence[str] = ()
    history: Sequence[Mapping[str, Any]] = ()
    cause: str | None = None
    fleets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sides: Mapping[str, Side] = field(default_factory=dict)


@dataclass(frozen=True)
class WayBack:
    """What turned a release back, when all the traffic was blue's again, and who wrote that when."""

    alarm: float | None = None
    aborted: float | None = None
    ordered: float | None = None
    all_blue: float | None = None
    written: float | None = None
    by: str | None = None


@dataclass(frozen=True)
class Evidence:
    """What was written down while the scenes were played; `versions` names what target groups run.

    `told` has, of each change of a hosted zone, when it was made and when all DNS servers had it.
    """

    speed: float
    route: str
    guards: Sequence[str]
    events: Sequence[Event]
    calls: Sequence[Mapping[str, Any]]
    invocations: Sequence[Mapping[str, Any]]
    turns: Sequence[Turn]
    sights: Sequence[Sight]
    versions: Mapping[str, str]
    told: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class ByName:
    """What a scene by DNS has beside, by version: load balancers, and the certificates that each offers.

    `weights` are percents, from so many cloud seconds of the scene on. After the last of them it took so long until all
    DNS servers had it, and until a client sent the last request to the side that then had nothing.
    """

    weights: list[tuple[float, dict[str, int]]]
    balancers: dict[str, str]
    certificates: dict[str, list[str]]
    seconds_in_sync: dict[str, float] | None
    seconds_followed: dict[str, float] | None
    standing: list[str]


@dataclass(frozen=True)
class Figures:
    """One scene of summary.json."""

    name: str
    version: str
    blue: str
    outcome: str
    requests: int
    requests_per_wall_second: float
    lost: int
    errors: int
    served_by_green_while_bad: int
    seconds_alarm_to_blue: dict[str, float] | None
    seconds_abort_to_blue: dict[str, float] | None
    seconds_rollback_command_to_blue: dict[str, float] | None
    restored_by: str | None
    seconds: dict[str, float]
    state_transitions: int
    history_events: int
    lambda_invocations: int
    api_calls: int
    final_weights: dict[str, int]
    orphans: list[str]
    answered: dict[str, int]
    lost_to: dict[str, int]
    kinds: dict[str, int]
    weight_changes: int
    fewest_long_requests_at_a_change: int | None
    need: int
    lowest_blue: int | None
    lowest_green: int | None
    in_service_at_the_order: dict[str, int] | None = None
    in_service_at_the_way_back: dict[str, int] | None = None
    load_at_the_end: float | None = None
    floors_at_the_last_change: dict[str, int] | None = None
    fleets: dict[str, dict[str, str]] = field(default_factory=dict)
    balancer: dict[str, int] = field(default_factory=dict)
    by_name: ByName | None = None


def measure(
    played: Played,
    evidence: Evidence,
    final_weights: Mapping[str, int],
    orphans: Sequence[str],
    balancer: Mapping[str, int],
    standing: Sequence[str] = (),
) -> Figures:
    """Everything that is said of one scene."""
    mine = [event for event in evidence.events if played.began <= event.cloud < played.ended]
    total = summarise(mine)
    changes = weight_changes(played, evidence)
    sights = [s for s in evidence.sights if played.began <= s.at <= played.ran_until]
    blue = [s for s in sights if s.version == played.blue]
    with_traffic = _with_traffic(played, changes)
    green = [s for s in sights if s.version == played.version and with_traffic[0] <= s.at < with_traffic[1]]
    answers = sum(event.version == played.version for event in mine)
    back = way_back(played, evidence)
    wall = (played.ended - played.began) / evidence.speed
    return Figures(
        name=played.name,
        version=played.version,
        blue=played.blue,
        outcome=played.outcome,
        requests=total.requests,
        requests_per_wall_second=round(total.requests / wall, 1) if wall else 0.0,
        lost=total.lost_total,
        errors=sum(total.errors.values()),
        served_by_green_while_bad=answers if played.bad else 0,
        seconds_alarm_to_blue=_between(back.alarm, back.all_blue, evidence.speed),
        seconds_abort_to_blue=_between(back.aborted, back.all_blue, evidence.speed),
        seconds_rollback_command_to_blue=_between(back.ordered, back.written, evidence.speed),
        restored_by=back.by,
        seconds=_in_both_times(played.ran_until - played.began, evidence.speed),
        state_transitions=sum(event["type"].endswith("StateEntered") for event in played.history),
        history_events=len(played.history),
        lambda_invocations=sum(_belongs(entry, played) for entry in evidence.invocations),
        api_calls=sum(_belongs(call, played) for call in evidence.calls),
        final_weights=dict(final_weights),
        orphans=list(orphans),
        answered=dict(sorted(total.answered.items())),
        lost_to=dict(total.lost),
        kinds=dict(sorted(total.kinds.items())),
        weight_changes=len(changes),
        fewest_long_requests_at_a_change=min(
            (_long_in_flight(evidence, at) for at, _ in changes), default=None
        ),
        need=blue[0].desired if blue else 0,
        lowest_blue=min((min(s.in_service, s.desired) for s in blue), default=None),
        lowest_green=min((min(s.in_service, s.desired) for s in green), default=None),
        load_at_the_end=_growth(played, mine),
        floors_at_the_last_change=_floors(sights, changes[-1][0]) if changes else None,
        in_service_at_the_order=_in_service(sights, back.ordered),
        in_service_at_the_way_back=_in_service(sights, back.written) if back.ordered else None,
        fleets={side: dict(fleet) for side, fleet in played.fleets.items()},
        balancer=dict(balancer),
        by_name=_by_name(played, evidence, standing) if played.sides else None,
    )


def _by_name(played: Played, evidence: Evidence, standing: Sequence[str]) -> ByName:
    changes = weight_changes(played, evidence)
    at, weights = changes[-1] if changes else (None, {played.blue: 100})
    left = next((version for version in (played.blue, played.version) if version not in weights), "")
    asked = [event.cloud for event in evidence.events if event.version == left]
    last = max((sent for sent in asked if at is not None and at <= sent < played.ended), default=None)
    in_sync = next((due for made, due in evidence.told if at is not None and made >= at), None)
    return ByName(
        weights=[(round(when - played.began, 1), shares) for when, shares in changes],
        balancers={version: side.name for version, side in played.sides.items()},
        certificates={version: list(side.certificates) for version, side in played.sides.items()},
        seconds_in_sync=_between(at, in_sync, evidence.speed),
        seconds_followed=_between(at, last, evidence.speed),
        standing=list(standing),
    )


def way_back(played: Played, evidence: Evidence) -> WayBack:
    """What turned the release back, and when a client sent the last request that green answered.

    That is later than our own write: the load balancer takes its time to follow.
    """
    alarm, aborted, ordered = _alarm(played, evidence), _aborted(played, evidence), _ordered(played, evidence)
    turned = next((at for at in (ordered, aborted, alarm) if at is not None), None)
    sent = [
        event.cloud
        for event in evidence.events
        if event.version == played.version and played.began <= event.cloud < played.ended
    ]
    if turned is None or not sent or played.expected != "RolledBack":
        return WayBack(alarm, aborted, ordered)
    written, by = _written(played, evidence)
    return WayBack(alarm, aborted, ordered, max(turned, *sent), written, by if ordered is None else "order")


def _alarm(played: Played, evidence: Evidence) -> float | None:
    """When the first alarm of the release went off."""
    own = f"-{played.version}-"
    return next(
        (
            turn.at
            for turn in evidence.turns
            if turn.state == "ALARM"
            and played.began <= turn.at < played.ended
            and (turn.alarm in evidence.guards or (turn.alarm.startswith("viridian-") and own in turn.alarm))
        ),
        None,
    )


def _aborted(played: Played, evidence: Evidence) -> float | None:
    """When a person stopped the release's execution."""
    return next(
        (
            float(call["at"])
            for call in evidence.calls
            if call["call"] == "StopExecution" and call["request"].get("executionArn") in played.executions
        ),
        None,
    )


def _ordered(played: Played, evidence: Evidence) -> float | None:
    """When a person started a rollback of it."""
    names = [arn.rsplit(":", 1)[1] for arn in played.executions[1:]]
    return next(
        (
            float(call["at"])
            for call in evidence.calls
            if call["call"] == "StartExecution"
            and call["principal"] == "person"
            and call["request"].get("name") in names
        ),
        None,
    )


def _written(played: Played, evidence: Evidence) -> tuple[float | None, str | None]:
    """When the write of the production rule was made that took green's last traffic away, and by whom."""
    taken: Mapping[str, Any] | None = None
    given = False
    for call in _route_writes(played, evidence):
        share = percent(call.get("after") or {}, evidence.versions).get(played.version, 0)
        if given and not share:
            taken = call
        given = share > 0
    if taken is None:
        return None, None
    by = str(taken["principal"])
    return float(taken["at"]), RESCUERS.get(by, by)


def _in_service(sights: Sequence[Sight], at: float | None) -> dict[str, int] | None:
    """How many instances of each version were in service when it was last looked before a moment."""
    return None if at is None else {sight.version: sight.in_service for sight in _last(sights, at)}


def _floors(sights: Sequence[Sight], at: float) -> dict[str, int]:
    """Below how many instances of each version nothing could scale in then."""
    return {sight.version: min(sight.minimum, sight.in_service) for sight in _last(sights, at)}


def _last(sights: Sequence[Sight], at: float) -> list[Sight]:
    latest = max((sight.at for sight in sights if sight.at <= at), default=at)
    return [sight for sight in sights if sight.at == latest]


def _growth(played: Played, events: Sequence[Event]) -> float | None:
    """How many requests the scene's last minutes had for each of its first."""
    first = sum(event.cloud < played.began + ENDS_SECONDS for event in events)
    last = sum(event.cloud >= played.ended - ENDS_SECONDS for event in events)
    return round(last / first, 1) if first else None


def weight_changes(played: Played, evidence: Evidence) -> list[tuple[float, dict[str, int]]]:
    """Each change of the production rule in the scene, from the call log: when, and percent by version."""
    found = [
        (float(call["at"]), percent(call.get("after") or {}, evidence.versions))
        for call in _route_writes(played, evidence)
    ]
    before = [(played.began, {played.blue: 100}), *found]
    return [after for (_, old), after in pairwise(before) if old != after[1]]


def _route_writes(played: Played, evidence: Evidence) -> list[Mapping[str, Any]]:
    return [
        call
        for call in evidence.calls
        if _is_of(evidence.route, call) and not call["error"] and played.began <= call["at"] < played.ended
    ]


def _is_of(route: str, call: Mapping[str, Any]) -> bool:
    """Whether a call writes the weights of this rule, listener or name."""
    request = call["request"]
    if call["call"] == "ChangeResourceRecordSets":
        changed = {
            each["ResourceRecordSet"]["Name"].rstrip(".") for each in request["ChangeBatch"]["Changes"]
        }
        return any(route.endswith(f"hostedzone/{request['HostedZoneId']}/{name}") for name in changed)
    return call["call"] in ("ModifyRule", "ModifyListener") and route in (
        request.get("RuleArn"),
        request.get("ListenerArn"),
    )


def _with_traffic(played: Played, changes: Sequence[tuple[float, dict[str, int]]]) -> tuple[float, float]:
    """From green's first weight to its last."""
    given = [at for at, weights in changes if weights.get(played.version)]
    taken = [at for at, weights in changes if given and at > given[0] and not weights.get(played.version)]
    return (given[0] if given else played.ended), (taken[0] if taken else played.ended)


def summary(speed: float, scenes: Sequence[Figures]) -> dict[str, Any]:
    """The document summary.json."""
    return {
        "speed": int(speed) if speed == int(speed) else speed,
        "scenes": [asdict(scene) for scene in scenes],
    }


def _belongs(entry: Mapping[str, Any], played: Played) -> bool:
    """To the scene's executions; where a script released, a person's calls are the scene's."""
    if played.executions:
        return entry.get("execution") in played.executions
    return entry.get("principal") == "person" and played.began <= entry["at"] < played.ran_until


def _long_in_flight(evidence: Evidence, at: float) -> int:
    return sum(
        event.kind == "long" and event.cloud <= at < event.cloud + event.latency * evidence.speed
        for event in evidence.events
    )


def _between(since: float | None, until: float | None, speed: float) -> dict[str, float] | None:
    return _in_both_times(until - since, speed) if since is not None and until is not None else None


def _in_both_times(seconds: float, speed: float) -> dict[str, float]:
    return {"cloud": round(seconds, 1), "wall": round(seconds / speed, WALL_DIGITS)}
