"""Route 53 at work: a change reaches its DNS servers after a while, and they answer by weight and health."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from moto.core.responses import ActionResult
from moto.elbv2.models import elbv2_backends
from moto.route53.exceptions import Route53ClientError
from moto.route53.models import Route53Backend
from moto.route53.responses import Route53

from local.hooks import Hooks
from local.plane import zones
from local.plane.zones import Answer, Record, normal
from local.reality import Reality

ACCOUNT, REGION = "123456789012", "us-east-1"
GOLDEN = 0.6180339887498949  # multiples of it, less their whole part, fall evenly into any shares


class Time(Protocol):
    def now(self) -> float: ...


class Names:
    """What its DNS servers answer. Until a hosted zone is made, it does nothing at all."""

    def __init__(self, clock: Time, reality: Reality) -> None:
        self._clock = clock
        self._hooks = Hooks()
        self._serials = itertools.count(1)
        self._turns: dict[str, itertools.count[int]] = {}
        self._changes: dict[str, tuple[float, float]] = {}
        self._coming: list[tuple[float, str, tuple[Record, ...]]] = []
        self._zones: dict[str, tuple[Record, ...]] = {}
        self._health: dict[str, bool] = {}
        self.lag: Callable[[], float] = lambda: (
            reality.names_propagation_seconds if reality.names_propagate else 0.0
        )

    def install(self) -> None:
        self._hooks.wrap(Route53Backend, "create_hosted_zone", self._created)
        self._hooks.wrap(Route53Backend, "delete_hosted_zone", self._deleted)
        self._hooks.wrap(Route53, "change_resource_record_sets", self._changed)
        self._hooks.wrap(Route53, "get_change", self._told)

    def uninstall(self) -> None:
        self._hooks.undo()

    def tick(self, _: float) -> None:
        self._health.clear()

    def resolve(self, name: str) -> Answer | None:
        """What a DNS server answers now; None when there is no such name."""
        name = normal(name)
        if name.endswith(zones.BALANCERS):
            return Answer(name, zones.BALANCER_SECONDS) if zones.balancer_of(name) else None
        self._arrive()
        within = [zone for zone in self._zones if f".{name}".endswith(f".{zone}")]
        records = [each for each in self._zones[max(within, key=len)] if each.name == name] if within else []
        turn = next(self._turns.setdefault(name, itertools.count())) * GOLDEN % 1
        chosen = zones.choose(records, self._is_healthy, turn)
        return Answer(chosen.target, chosen.ttl, chosen.type) if chosen else None

    def told(self) -> list[tuple[float, float]]:
        """Of each change, when it was made, and when all DNS servers had it or will."""
        return list(self._changes.values())

    # what the API does

    def _created(self, original: Any, backend: Any, *arguments: Any, **named: Any) -> Any:
        zone = original(backend, *arguments, **named)
        self._zones[normal(zone.name)] = ()
        return zone

    def _deleted(self, original: Any, backend: Any, id_: str) -> Any:
        zone = original(backend, id_)
        self._zones.pop(normal(zone.name), None)
        return zone

    def _changed(self, original: Any, response: Route53) -> ActionResult:
        original(response)
        zone: Any = response.backend.get_hosted_zone(response._get_param("HostedZoneId"))
        now, change = self._clock.now(), f"/change/C{next(self._serials):013d}"
        due = max(now + self.lag(), *(due for due, _, _ in self._coming), now)  # never before an earlier one
        self._changes[change] = now, due
        self._coming.append((due, normal(zone.name), zones.read(zone.rrsets)))
        return self._info(change)

    def _told(self, original: Any, response: Route53) -> ActionResult:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html"""
        original(response)
        change = f"/change/{response._get_param('Id').removeprefix('/change/')}"
        if change not in self._changes:
            raise Route53ClientError("NoSuchChange", f"Could not find resource with ID: {change}")
        return self._info(change)

    def _info(self, change: str) -> ActionResult:
        submitted, due = self._changes[change]
        status = "INSYNC" if self._clock.now() >= due else "PENDING"
        at = datetime.fromtimestamp(submitted, UTC)
        return ActionResult({"ChangeInfo": {"Id": change, "Status": status, "SubmittedAt": at}})

    # what the DNS servers know

    def _arrive(self) -> None:
        """Until a change is in sync, all answer as before it: some do, and a release must not rest on the others."""
        now = self._clock.now()
        for _, zone, records in [each for each in self._coming if each[0] <= now]:
            self._zones[zone] = records
        self._coming = [each for each in self._coming if each[0] > now]

    def _is_healthy(self, target: str) -> bool:
        found = self._health.get(target)  # a tick may forget it meanwhile
        if found is None:
            balancer = zones.balancer_of(target)
            backend = elbv2_backends[ACCOUNT][REGION]
            found = self._health[target] = balancer is not None and zones.is_healthy(backend, balancer)
        return found
