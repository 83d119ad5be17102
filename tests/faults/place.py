"""A world with the instrument in it: where faults are armed, and where each call is looked at."""

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from moto.autoscaling.models import autoscaling_backends
from moto.elbv2.models import elbv2_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local import seed
from local.cloud import Cloud
from local.control.calls import CLOUD, made_by
from local.control.session import ACCOUNT, REGION
from local.reality import Reality
from tests import ledger
from tests.faults import calls as calls
from tests.faults import sight
from tests.faults.checks import CANARY, Checks
from tests.faults.injector import Injector
from tests.faults.points import Fault, Run
from tests.faults.traffic import Traffics
from tests.speed import fast
from tests.workflow.faults import Faults
from tests.workflow.world import Release, World

ROOT = Path(__file__).parents[2]
MINUTE = 60.0

# A release of the matrix: two steps, few polls, everything that merely takes time kept short.
STEPS = ({"weight": 50, "observe_minutes": 2}, {"weight": 100, "observe_minutes": 2})
REALITY: Mapping[str, Any] = {}
SERVICE: Mapping[str, Any] = {"deregistration_delay": 30, "keep_minutes": 2, "retain_days": 0}
BY_NAME = {"route": "name"}
BY_FLOWS = {"route": "network", "tracking": "cpu", "preview_port": 8080}
# What the service of a scenario is, if it isn't like the others'.
SEEDED: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(("named", "named_bad", "named_ordered"), BY_NAME),
    **dict.fromkeys(("network", "network_bad", "network_ordered"), BY_FLOWS),
}
RESOLVERS = 50  # clients that look a name up


class Place(World):
    """The world of one run."""

    def __init__(
        self, cloud: Cloud, faults: Faults, shop: seed.Seeded, outputs: dict[str, str], run: Run
    ) -> None:
        super().__init__(cloud, faults, shop, outputs)
        self.run = run
        self.injector = Injector(cloud, run.seed)
        self.checks = Checks(self)
        self.loads = Traffics(self)
        self.reached: dict[Fault, float] = {}
        self.foreign: dict[str, str] = {}  # whose limits of a group somebody else changed, and who
        self.began = cloud.clock.now()
        self.injector.listeners.append(self.checks.sent)
        self.owed = 0
        self.facts: dict[str, Any] = {}

    def owe(self, times: int = 1) -> None:
        """Something is still to happen: the run isn't over before `paid`."""
        self.owed += times

    def paid(self) -> None:
        self.owed -= 1

    @contextmanager
    def owing(self) -> Iterator[None]:
        """While inside, something is still to happen."""
        self.owe()
        try:
            yield
        finally:
            self.paid()

    def fired(self, fault: Fault) -> None:
        """The fault has really happened: its run counts."""
        self.reached.setdefault(fault, self.cloud.clock.now())

    def since(self) -> float:
        """Cloud seconds since the scenario began."""
        return self.cloud.clock.now() - self.began

    # --- executions, without the price of a copied history ------------------------------------------------

    def status(self, arn: str) -> str:
        return str(self.cloud._execution(arn).status)

    def running(self, release: Release) -> bool:
        return self.status(release.arn) == "RUNNING"

    def states(self, arn: str) -> list[str]:
        """The names of the states an execution has entered, in order."""
        worker = self.cloud._execution(arn).exec_worker
        events = worker.env.event_manager._history_event_list if worker and worker.env else []
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in events
            if "stateEnteredEventDetails" in event
        ]

    def entered(self, release: Release, state: str, times: int = 1) -> bool:
        return self.states(release.arn).count(state) >= times

    def executions(self) -> list[Any]:
        """moto's own executions of all machines, oldest first."""
        backend: Any = stepfunctions_parser_backends[ACCOUNT][REGION]
        return sorted(
            backend.executions if hasattr(backend, "executions") else self._all(backend), key=_started
        )

    def _all(self, backend: Any) -> list[Any]:
        return [run for machine in backend.state_machines for run in machine.executions]

    # --- the ledger, read where it stands -----------------------------------------------------------------

    def items(self) -> list[dict[str, Any]]:
        """Every item of the ledger, as plain values; documents stay text."""
        return ledger.items(self.table)

    def record_of(self, release: Release) -> dict[str, Any]:
        """A release's record; empty if it never took its route."""
        found = [
            item
            for item in self.items()
            if item["sk"] == "record" and json.loads(item["plan"])["execution"] == release.arn
        ]
        return found[0] if found else {}

    # --- what scenarios and kinds need --------------------------------------------------------------------

    def image_of(self, version: str, fault: str | None = None) -> str:
        """An image that is ready to be released."""
        tags = [{"Key": "local:disk", "Value": json.dumps(seed.disk(version, fault))}]
        made = self.cloud.client("ec2").register_image(
            Name=f"shop-{version}-ready",
            Architecture="x86_64",
            RootDeviceName="/dev/xvda",
            VirtualizationType="hvm",
            TagSpecifications=[{"ResourceType": "image", "Tags": tags}],
        )
        return str(made["ImageId"])

    def snapshot(self) -> "Snapshot":
        """What puts every route's actions and every group's sizes back as they are now."""
        elb, groups = elbv2_backends[ACCOUNT][REGION], autoscaling_backends[ACCOUNT][REGION]
        routes = [
            (route, name, list(getattr(route, name)))
            for balancer in elb.load_balancers.values()
            for listener in balancer.listeners.values()
            for route, name in [
                (listener, "default_actions"),
                *((rule, "actions") for rule in listener.rules.values()),
            ]
        ]
        sizes = [
            (group, name, getattr(group, name))
            for group in groups.autoscaling_groups.values()
            for name in ("min_size", "max_size", "desired_capacity")
        ]
        return Snapshot([*routes, *sizes])


class Snapshot:
    """Attributes of moto's own objects as they were."""

    def __init__(self, were: Sequence[tuple[Any, str, Any]]) -> None:
        self._were = list(were)

    def __call__(self) -> None:
        """Puts them back."""
        for owner, name, value in self._were:
            setattr(owner, name, value)

    def changed(self) -> "Snapshot":
        """Only those that are something else now."""
        return Snapshot([each for each in self._were if _now(*each[:2]) != each[2]])


def _now(owner: Any, name: str) -> Any:
    value = getattr(owner, name)
    return list(value) if isinstance(value, list | tuple) else value


class Prepared:
    """A world that is warmed up and waits for its run: blue is healthy, has had its traffic, its guard is OK."""

    def __init__(self, cloud: Cloud, faults: Faults, shop: seed.Seeded, outputs: dict[str, str]) -> None:
        self.cloud, self.faults, self.shop, self.outputs = cloud, faults, shop, outputs

    def wake(self) -> None:
        """In a forked process there is only the thread that forked: the world's ticker begins again."""
        clock: Any = self.cloud.clock
        clock._actors.clear()
        clock._timers.clear()
        clock._ready.clear()
        self.cloud._tick()

    @contextmanager
    def placed(self, run: Run) -> Iterator[Place]:
        """The world of this run, which may differ from the prepared one in times and in its profile."""
        for name, value in run.reality.items():
            object.__setattr__(self.cloud.reality, name, value)
        profile = {name: value for name, value in run.service.items() if name not in _SEEDED}
        if profile:
            seed.registered(self.cloud, "shop", {**self.shop.profile, **profile})
        place = Place(self.cloud, self.faults, self.shop, self.outputs, run)
        with place.injector, self._read(place):
            yield place

    @contextmanager
    def _read(self, place: Place) -> Iterator[None]:
        """What functions print, for whoever looks for secrets."""
        noting = self.cloud.functions._note

        def note(entry: dict[str, Any], printed: str) -> None:
            place.checks.printed.append(printed)
            noting(entry, printed)

        with patch.object(self.cloud.functions, "_note", note):
            yield


_SEEDED = {
    *inspect.signature(seed.service).parameters,
    "preview_port",
    "rate",
    "sticky_share",
    "long_share",
    "long_seconds",
    "past_minutes",
} - {"profile"}


def world_of(run: Run) -> str:
    """Runs of which this is equal can share a prepared world."""
    switches = {name: value for name, value in run.reality.items() if isinstance(value, bool)}
    service = {**SEEDED.get(run.scenario, {}), **run.service}
    seeded = {name: value for name, value in service.items() if name in _SEEDED}
    return json.dumps([switches, seeded], sort_keys=True)


@contextmanager
def prepared(run: Run) -> Iterator[Prepared]:
    """The world for this run and all that share it."""
    switches, seeded = json.loads(world_of(run))
    service = {"steps": [dict(step) for step in STEPS], **SERVICE, **seeded}
    traffic = {name: float(service.pop(name)) for name in _TRAFFIC if name in service}
    past = float(service.pop("past_minutes", 2.5))  # for so long it has had its traffic
    with fast(), Cloud.virtual(reality=Reality(**switches)) as cloud, Faults(cloud) as faults:
        with made_by(CLOUD), patch.object(seed, "START", f"{seed.START}# {CANARY}\n"):
            shop = seed.service(cloud, register=True, **service)
        stack = cloud.deploy(
            ROOT / "template.yaml",
            parameters={
                "InstanceRoleArns": f"arn:aws:iam::{ACCOUNT}:role/shop-instance",
                **({"RecordNames": name} if (name := sight.name_of(shop.route_arn)) else {}),
            },
        )
        cloud.clock.sleep(1.5 * MINUTE)
        cloud.plane.traffic(traffic.pop("rate", 20.0), name, resolvers=RESOLVERS if name else 0, **traffic)
        cloud.clock.sleep(past * MINUTE + 2.5)  # half a tick off: nothing of ours is at work just now
        yield Prepared(cloud, faults, shop, stack.outputs)


_TRAFFIC = ("rate", "sticky_share", "long_share", "long_seconds")


@contextmanager
def opened(run: Run) -> Iterator[Place]:
    """A world for this run alone, warmed up; no fault is armed yet."""
    with prepared(run) as ready, ready.placed(run) as place:
        yield place


def _started(run: Any) -> Any:
    return run.start_date
