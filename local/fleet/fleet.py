"""Makes moto's instances live: they take time to launch and to boot, serve, and die."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.elbv2.models import elbv2_backends

from local.fleet.groups import Groups
from local.fleet.targets import Targets
from local.hooks import Hooks
from local.plane.plane import Plane
from local.reality import Reality

ACCOUNT, REGION = "123456789012", "us-east-1"


class Time(Protocol):
    def now(self) -> float: ...


class Images(Protocol):
    def disk_of(self, image_id: str) -> dict[str, Any]: ...
    def disk_of_instance(self, instance_id: str) -> dict[str, Any] | None: ...
    def rebooting(self, instance_id: str) -> bool: ...


@dataclass
class Life:
    """When an instance runs and answers; `None` once the app was started."""

    running: float
    answering: float | None
    killed: float | None = None
    forgotten: bool = False


class Fleet:
    """Instances, target groups and Auto Scaling groups, moved along by one tick."""

    def __init__(self, clock: Time, plane: Plane, reality: Reality, images: Images) -> None:
        self._clock = clock
        self._plane = plane
        self._reality = reality
        self._images = images
        self._lives: dict[str, Life] = {}
        self._hooks = Hooks()
        self.targets = Targets(clock, plane, reality, _backend_of(elbv2_backends))
        self.groups = Groups(clock, self.targets, reality, _backend_of(autoscaling_backends))

    def install(self) -> None:
        self.targets.install(self._hooks)
        self.groups.install(self._hooks)
        self._hooks.set(InstanceBackend, "get_instance_by_id", _by_id)
        self._hooks.wrap(InstanceBackend, "get_instance", _named)
        if self._reality.instances_boot:
            self._hooks.wrap(Instance, "__init__", self._launched)
            self._hooks.wrap(Instance, "start", self._started)
            self._hooks.wrap(Instance, "reboot", self._rebooted)

    def uninstall(self) -> None:
        self._hooks.undo()

    def tick(self, now: float) -> None:
        for instance in self._instances():
            self._live(instance, now)
        self.groups.tick(now)
        self.targets.tick(now)

    def _instances(self) -> list[Any]:
        reservations = list(ec2_backends[ACCOUNT][REGION].reservations.values())
        return [instance for reservation in reservations for instance in reservation.instances]

    def _live(self, instance: Any, now: float) -> None:
        life = self._lives.setdefault(instance.id, Life(now, now))
        if instance.state == "pending" and now >= life.running:
            _show(instance, "running", 16)
        if self._images.rebooting(instance.id):
            self._restart(instance, now)
        booted = instance.state == "running" and life.answering is not None and now >= life.answering
        if booted and (self.groups.holds(instance.id) or self.targets.is_registered(instance.id)):
            life.answering, life.killed = None, None
            self._plane.launch(instance.id, self._disk(instance))
        if instance.state in ("stopped", "terminated") and life.killed is None:
            life.killed = now
            self._plane.kill(instance.id)
        if instance.state == "terminated" and self._noticed(life, now):
            life.forgotten = True
            self.targets.forget(instance.id)

    def _noticed(self, life: Life, now: float) -> bool:
        """The load balancer learns late that an instance was terminated: until then it sends requests there."""
        lost = life.killed is not None and not life.forgotten
        return lost and now - (life.killed or now) >= self._reality.propagation_seconds

    def _disk(self, instance: Any) -> dict[str, Any]:
        return self._images.disk_of_instance(instance.id) or self._images.disk_of(instance.image_id)

    def _launched(self, original: Any, instance: Any, *arguments: Any, **named: Any) -> None:
        original(instance, *arguments, **named)
        _show(instance, "pending", 0)
        self._boot(instance)

    def _started(self, original: Any, instance: Any) -> Any:
        before = original(instance)
        _show(instance, "pending", 0)
        self._boot(instance)
        return before

    def _rebooted(self, original: Any, instance: Any) -> Any:
        """A reboot keeps the instance "running"; its app is away until it has booted."""
        answer = original(instance)
        self._restart(instance, self._clock.now())
        return answer

    def _restart(self, instance: Any, now: float) -> None:
        self._plane.kill(instance.id)
        self._lives[instance.id] = Life(now, now + self._reality.boot_seconds)

    def _boot(self, instance: Any) -> None:
        running = self._clock.now() + self._reality.launch_seconds
        self._lives[instance.id] = Life(running, running + self._reality.boot_seconds)


def _by_id(backend: Any, instance_id: str) -> Any:
    """moto copies every reservation to find one instance, and a large fleet's are looked for one by one."""
    known = vars(backend).setdefault("known_instances", {})
    if instance_id not in known:
        reservations = list(backend.reservations.values())
        known.update({each.id: each for reservation in reservations for each in reservation.instances})
    return known.get(instance_id)


def _named(original: Any, backend: Any, instance_id: str) -> Any:
    return _by_id(backend, instance_id) or original(backend, instance_id)


def _show(instance: Any, name: str, code: int) -> None:
    instance._state.name, instance._state.code = name, code


def _backend_of(backends: Any) -> Callable[[], Any]:
    return lambda: backends[ACCOUNT][REGION]
