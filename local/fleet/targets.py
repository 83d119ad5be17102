"""Target health as AWS shows it: registered, checked, drained, and in use only through a listener's rule."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup

from local.hooks import Hooks
from local.plane.plane import Plane, State
from local.plane.routing import Listener, read
from local.reality import Reality

Key = tuple[str, str]  # target group ARN, instance id
UNCHECKED = ("unused", "draining")

REASONS = {
    "initial": ("Elb.RegistrationInProgress", "Target registration is in progress"),
    "unhealthy": ("Target.FailedHealthChecks", "Health checks failed"),
    "unused": ("Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"),
    "draining": ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
    "healthy": (None, None),
}
GONE = ("Target.NotRegistered", "Target is not registered to the target group")
STOPPED = ("Target.InvalidState", "Target is in the stopped state")


class Time(Protocol):
    def now(self) -> float: ...


@dataclass
class Target:
    """One registration: `streak` counts equal answers in a row, `placed` is what the plane was told.

    `used` is when its group was last listed by a rule.
    """

    state: str
    next_check: float
    streak: int = 0
    last_good: bool = False
    checked: bool = False
    placed: State | None = None
    used: float | None = None


class Targets:
    """Keeps the data plane as the ELBv2 API says, with the API's delays between."""

    def __init__(self, clock: Time, plane: Plane, reality: Reality, backend: Callable[[], Any]) -> None:
        self._clock = clock
        self._plane = plane
        self._reality = reality
        self._backend = backend
        self._targets: dict[Key, Target] = {}
        self._draining: dict[Key, float] = {}
        self._seen: tuple[Listener, ...] | None = None
        self._coming: list[tuple[float, tuple[Listener, ...]]] = []
        self.lag: Callable[[], float] = lambda: reality.propagation_seconds
        self._applied: tuple[Listener, ...] = ()
        self._lock = threading.RLock()  # API calls come from other threads than the ticks

    def install(self, hooks: Hooks) -> None:
        if self._reality.targets_are_checked:
            hooks.wrap(FakeTargetGroup, "health_for", self._health_for)
            hooks.wrap(ELBv2Backend, "describe_target_health", self._describe)
        hooks.wrap(FakeTargetGroup, "deregister", self._deregistered)
        hooks.set(ELBv2Backend, "notify_terminate_instances", lambda *_: None)

    def tick(self, now: float) -> None:
        with self._lock:
            self._propagate(now)
            self._follow_registrations(now)
            due = self._due(now)
        answers = self._plane.probe([(key[1], group.health_check_path or "/") for key, _, group in due])
        with self._lock:
            self._learn(due, answers, now)
            self._finish_draining(now)
            self._place()

    def register(self, group: Any, instance: str) -> None:
        """As RegisterTargets of a running instance; a draining one comes back."""
        group.targets[instance] = {"Id": instance, "Port": group.port}
        group.deregistered_targets.pop(instance, None)

    def deregister(self, group: Any, instance: str) -> None:
        if instance in group.targets:
            group.deregister([{"Id": instance}])

    def is_draining(self, instance: str) -> bool:
        return any(target == instance for _, target in list(self._draining))

    def is_registered(self, instance: str) -> bool:
        return any(instance in group.targets for group in self._groups())

    def is_unhealthy(self, instance: str) -> bool:
        return any(
            t.state == "unhealthy" for (_, target), t in list(self._targets.items()) if target == instance
        )

    def forget(self, instance: str) -> None:
        """A terminated instance leaves its groups at once: there is nothing left to drain."""
        with self._lock:
            for group in self._groups():
                group.targets.pop(instance, None)
            for key in [key for key in {*self._targets, *self._draining} if key[1] == instance]:
                self._cut(key)

    def _groups(self) -> list[Any]:
        return list(self._backend().target_groups.values())

    # rules reach the data plane late

    def _propagate(self, now: float) -> None:
        """Each change takes a lag of its own; one that overtakes an earlier one replaces it."""
        listeners = read(self._backend())
        if self._seen != listeners:
            self._seen = listeners
            self._coming.append((now + (self.lag() if self._reality.rules_propagate else 0.0), listeners))
        ripe = [index for index, (due, _) in enumerate(self._coming) if due <= now]
        if not ripe:
            return
        latest = self._coming[ripe[-1]][1]
        self._coming = self._coming[ripe[-1] + 1 :]
        if latest != self._applied:
            self._applied = latest
            self._plane.route(self._applied)

    def _in_use(self) -> set[str]:
        if not self._reality.unused_groups_stay_unhealthy:
            return {group.arn for group in self._groups()}
        return {group for listener in self._applied for group in listener.groups()}

    # registrations

    def _follow_registrations(self, now: float) -> None:
        used = self._in_use()
        registered = {(group.arn, target) for group in self._groups() for target in list(group.targets)}
        for key in registered:
            came_back = self._draining.pop(key, None) is not None
            target = self._targets.setdefault(key, Target("unused", now))
            if came_back or (target.state == "unused") == (key[0] in used):
                state = "initial" if key[0] in used else "unused"
                target = self._targets[key] = Target(state, now, placed=target.placed, used=target.used)
            target.used = now if key[0] in used else target.used
        for key in set(self._targets) - registered - set(self._draining):
            self._drain(key, now)

    def _deregistered(self, original: Any, group: Any, targets: list[dict[str, Any]]) -> Any:
        with self._lock:
            known = [target["Id"] for target in targets if target["Id"] in group.targets]
            answer = original(group, targets)
            for instance in known:
                self._drain((group.arn, instance), self._clock.now())
            return answer

    def _drain(self, key: Key, now: float) -> None:
        target = self._targets.setdefault(key, Target("unused", now))
        group = self._backend().target_groups.get(key[0])
        delay = float(group.attributes["deregistration_delay.timeout_seconds"]) if group else 0.0
        idle = target.used is None or now - target.used >= delay  # nothing can still be in flight
        if idle or not self._reality.targets_drain:
            self._cut(key)
            return
        target.state = "draining"
        self._draining[key] = now + delay
        self._put(key, target, "draining")

    def _finish_draining(self, now: float) -> None:
        for key in [key for key, until in self._draining.items() if now >= until]:
            self._cut(key)

    def _cut(self, key: Key) -> None:
        target = self._targets.pop(key, None)
        if target and target.placed:
            self._plane.remove(*key)
        self._draining.pop(key, None)

    # health checks

    def _due(self, now: float) -> list[tuple[Key, Target, Any]]:
        return [
            (key, target, group)
            for group in self._groups()
            for key, target in self._of(group)
            if target.state not in UNCHECKED and now >= target.next_check
        ]

    def _learn(self, due: list[tuple[Key, Target, Any]], answers: list[int | None], now: float) -> None:
        for (key, target, group), status in zip(due, answers, strict=True):
            if self._targets.get(key) is target and target.state not in UNCHECKED:
                _judge(target, _matches(status, group), group)
                target.next_check = max(target.next_check + float(group.health_check_interval_seconds), now)

    def _of(self, group: Any) -> Iterator[tuple[Key, Target]]:
        return ((key, target) for key, target in list(self._targets.items()) if key[0] == group.arn)

    def _place(self) -> None:
        for key, target in list(self._targets.items()):
            if target.state != "draining":
                self._put(key, target, "up" if target.state == "healthy" else "down")

    def _put(self, key: Key, target: Target, state: State) -> None:
        if target.placed != state:
            target.placed = state
            self._plane.place(*key, state)

    # what DescribeTargetHealth shows

    def _describe(self, original: Any, backend: Any, group_arn: str, targets: list[dict[str, Any]]) -> Any:
        shown = original(backend, group_arn, targets)
        if targets:
            return shown
        group = backend.target_groups[group_arn]
        leaving = [{"Id": target} for arn, target in list(self._draining) if arn == group_arn]
        return shown + [group.health_for(target, backend.ec2_backend) for target in leaving]

    def _health_for(self, original: Any, group: Any, target: dict[str, Any], ec2: Any) -> Any:
        instance = target["Id"]
        port = group.targets.get(instance, target).get("Port", group.port)
        state, (reason, description) = self._shown(group, instance, ec2)
        return FakeHealthStatus(instance, port, group.health_check_port, state, reason, description)

    def _shown(self, group: Any, instance: str, ec2: Any) -> tuple[str, tuple[str | None, str | None]]:
        key = (group.arn, instance)
        if key in self._draining:
            return "draining", REASONS["draining"]
        if instance not in group.targets:
            return "unused", GONE
        found = ec2.get_instance_by_id(instance)
        if found is not None and found.state == "stopped":
            return "unused", STOPPED
        known = self._targets.get(key)
        if known is None:
            return (
                ("initial", REASONS["initial"])
                if group.arn in self._in_use()
                else ("unused", REASONS["unused"])
            )
        if known.state == "initial" and known.checked:
            return "initial", ("Elb.InitialHealthChecking", "Initial health checks in progress")
        return known.state, REASONS[known.state]


def _judge(target: Target, good: bool, group: Any) -> None:
    """A new target is healthy after its first good check, whatever the threshold; later, thresholds decide.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-register-targets.html
    """
    target.streak = target.streak + 1 if target.checked and good == target.last_good else 1
    target.last_good, target.checked = good, True
    needed = int(group.healthy_threshold_count if good else group.unhealthy_threshold_count)
    if good and (target.state == "initial" or target.streak >= needed):
        target.state = "healthy"
    elif not good and target.streak >= needed:
        target.state = "unhealthy"


def _matches(status: int | None, group: Any) -> bool:
    if status is None or group.health_check_protocol == "TCP":
        return status is not None
    accepted = str((group.matcher or {}).get("HttpCode") or "200")
    spans = (span.partition("-") for span in accepted.split(","))
    return any(int(low) <= status <= int(high or low) for low, _, high in spans)
