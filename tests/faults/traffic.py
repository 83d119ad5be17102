"""What became of the requests of a run, and by whose doing: ours, the fault's, or a green that was let near users."""

from random import Random
from typing import TYPE_CHECKING

from local.control.calls import route_of
from tests.faults import sight
from tests.faults.checks import ROUTE_WRITES
from tests.faults.points import Traffic

if TYPE_CHECKING:
    from tests.faults.place import Place

OURS, FAULT = "viridian", "fault"
# How long a rule takes to reach the data plane: assumed. Two ticks of the emulated world come on top: 120 s in all.
USUAL_SECONDS, LATEST_SECONDS, TAIL = 60.0, 110.0, 0.2

FORGIVEN = 180.0  # seconds in which another's weight for an empty side is theirs: two sweeps, and the lag


class Traffics:
    """Charges each lost request of one world as it is lost.

    Ours are those that our own doing made unanswerable: capacity that we took away, targets that were cut before their
    deregistration delay had passed, a route that we wrote, weight that we gave to a side that had nobody. A request to
    an instance that died otherwise is the fault's: until health checks have seen it, nobody can know.
    """

    def __init__(self, world: "Place") -> None:
        self.world = world
        self.lost: dict[str, float] = {OURS: 0.0, FAULT: 0.0}
        self.told: dict[str, float] = {}
        self._counting = False
        self._shrunk: dict[str, tuple[str, set[str]]] = {}
        self._hopeless: set[str] = set()
        self._given: tuple[float, set[str]] = (0.0, set())
        self._random = Random(f"lag {world.run.seed}")
        self._wrote: list[tuple[float, str]] = []
        self._unnamed: dict[str, str] = {}

    def begin(self) -> None:
        """From here on it counts, and each change of a rule reaches the data plane in its own time."""
        plane = self.world.cloud.plane
        plane.counts()
        self._versions = plane.by_version()
        self._open = self._opened()
        self._requests = self._carried()
        plane.lost = self._charge
        if "propagation_seconds" not in self.world.run.reality:
            self.world.cloud.fleet.targets.lag = self._lag
        self.world.cloud.calls.listeners.append(self._saw)
        self._counting = True

    def _lag(self) -> float:
        late = self._random.random() < TAIL
        return (
            self._random.uniform(USUAL_SECONDS, LATEST_SECONDS)
            if late
            else self._random.uniform(0, USUAL_SECONDS)
        )

    def shrunk(self, group: str, writer: str) -> None:
        """An Auto Scaling group lost capacity by somebody's order: those of its instances that stand go by that order."""
        self._shrunk[group] = writer, sight.instances()

    def _saw(self, entry: dict[str, object]) -> None:
        """Who wrote the production route last, and whether the weight it gave had anybody behind it."""
        request = entry["request"]
        assert isinstance(request, dict)
        function = str(entry["principal"]).endswith("Function")
        if entry["call"] == "DeleteLoadBalancer" and not entry["error"]:
            self._unnamed[str(request["LoadBalancerArn"])] = OURS if function else FAULT
        if entry["call"] not in ROUTE_WRITES or entry["error"]:
            return
        if route_of(request) != self.world.shop.route_arn:
            return
        self._wrote.append((self._told(), OURS if function else FAULT))
        before, after = entry.get("before") or {}, entry.get("after") or {}
        assert isinstance(before, dict)
        assert isinstance(after, dict)
        if not function:
            given = {group for group in after if after[group] > 0 >= before.get(group, 0)}
            self._given = (self.world.cloud.clock.now(), given)
            return
        able = sight.healthy(self.world.cloud)
        sides = [group for group in after if after[group] > 0]
        others = any(able.get(group, 0) >= self.world.checks.need for group in able if group not in sides)
        self._hopeless = {group for group in sides if able.get(group, 0) <= 0 and others}

    def _charge(self, how: str, group: str, target: str, requests: float) -> None:
        if not self._counting:
            return
        writer = self._blame(how, group, target)
        self.lost[writer] += requests
        words = f"{how} {sight.named(group)} {writer}".replace("  ", " ")
        self.told[words] = self.told.get(words, 0.0) + requests

    def _blame(self, how: str, group: str, target: str) -> str:
        if how == "unresolved":  # the name leads nowhere, or to a load balancer that is gone
            return next(reversed(self._unnamed.values()), self._writer())
        if how == "unrouted":
            return self._writer()
        if how == "cut" and self._drained(group, target):
            return FAULT  # its owner gave it no more time than that
        if group in self._hopeless:
            return OURS
        at, given = self._given
        if group in given and self.world.cloud.clock.now() - at <= FORGIVEN:
            return FAULT  # somebody else sent them there, and nobody could have mended it yet
        return self._by_order(group, target)

    def _told(self) -> float:
        """When users hear of what is written now: a rule's as soon as anybody counts it, a name's from its DNS servers."""
        coming = self.world.cloud.names._coming if sight.name_of(self.world.shop.route_arn) else ()
        return max((due for due, _, _ in coming), default=0.0)

    def _writer(self) -> str:
        """Whose weights those are that users go by."""
        now = self.world.cloud.clock.now()
        return next((writer for due, writer in reversed(self._wrote) if due <= now), OURS)

    def _by_order(self, group: str, target: str) -> str:
        """Whose order took an instance, or all of them, from the fleet behind a target group."""
        gone = group not in sight.target_groups()
        holders = [size.name for size in sight.groups().values() if group in size.target_groups]
        names = holders or list(self._shrunk if gone else ())
        orders = [self._shrunk[name] for name in names if name in self._shrunk]
        return next((writer for writer, stood in orders if not target or target in stood), FAULT)

    def _drained(self, group: str, target: str) -> bool:
        """Whether a target that is cut off has had its whole deregistration delay."""
        due = self.world.cloud.fleet.targets._draining.get((group, target))
        return due is not None and self.world.cloud.clock.now() >= due

    def count(self) -> Traffic:
        """All of it, since the scenario began."""
        plane = self.world.cloud.plane
        plane.counts()
        bad = sum(
            served.requests - getattr(self._versions.get(version), "requests", 0.0)
            for version, served in plane.by_version().items()
            if served.errors > 0
        )
        return Traffic(
            requests=self._carried() - self._requests + sum(self.lost.values()),
            lost_by_us=self.lost[OURS],
            lost_by_fault=self.lost[FAULT],
            served_by_bad_green=bad,
            failed_open=self._opened() - self._open,
        )

    def _carried(self) -> float:
        return float(
            sum(totals.requests - totals.unanswered for totals in self.world.cloud.plane._totals.values())
        )

    def _opened(self) -> float:
        return float(sum(totals.unhealthy_routing for totals in self.world.cloud.plane._totals.values()))
