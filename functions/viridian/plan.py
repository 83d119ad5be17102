"""The plan of a release: everything decided before anything is touched."""

import shlex
from datetime import datetime, timedelta
from typing import Any

import msgspec

from viridian import dns, gates, names, traffic
from viridian.diff import Change
from viridian.fleet import ENOUGH, Side
from viridian.gates import Gate
from viridian.request import (
    Build,
    ImageBuilderSource,
    InstanceSource,
    Overrides,
    OverrideWindow,
    PackerSource,
    Profile,
    ReadySource,
    Source,
    Waiver,
)
from viridian.traffic import Forward


class LaunchTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A launch template by id and numeric version."""

    template: str
    version: str


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where the load balancer listens; `host` is what the rule wants in the Host header, if anything, `path` one it takes."""

    dns_name: str
    protocol: str
    port: int
    host: str | None = None
    path: str = "/"


class Standby(msgspec.Struct, frozen=True, kw_only=True):
    """The rule through which the side that isn't serving is reached: conditions as Elastic Load Balancing takes them.

    Where there are no rules it is a listener of its own, at `port`.
    """

    value: str
    priority: int
    conditions: tuple[dict[str, Any], ...]
    port: int | None = None

    @property
    def kind(self) -> str:
        return "preview listener" if self.port else "standby rule"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One release, decided: copied into the record, and read from there by every later state.

    `resumed` is what the rule showed when a Held release was resumed, `resume_reason` why that was; `diff` is what green
    has otherwise than blue. `image` is the one that is ready, whatever its parameter says later; `unchecked` is what
    could not be seen of it. `rate` is how many requests a minute blue had when its size was read, 0 if that isn't known.
    `key` is what whoever asks for this release again names it by. `gates` are those at which something stands. `preview`
    says how a person reaches green before anybody else. `window` is what the service's windows said as it was planned, if
    it was outside of them; then `started_at` is when they open, unless they are overridden. `asked_at` is when its
    execution was started. `judge_seconds` lie between two looks at a green that carries its share.
    """

    service: str
    release: str
    version: str
    execution: str
    started_at: datetime
    deadline: datetime
    route: str
    listener: str
    load_balancer: str
    endpoint: Endpoint
    profile: Profile
    profile_version: int
    source: Source
    build: Build
    waive: Waiver | None
    blue: Side
    blue_launch_template: LaunchTemplate
    blue_owner: str | None
    blue_image: str | None = None
    blue_version: str | None = None
    before: Forward
    sticky_seconds: int
    cross_zone: bool
    green_group: str
    green_target_group: str
    standby: Standby
    standby_before: Forward | None = None
    resumed: Forward | None = None
    resume_reason: str = ""
    steps: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    fleet: Overrides = Overrides()
    diff: tuple[Change, ...] = ()
    timetable: tuple[str, ...] = ()
    head_room: tuple[str, ...] = ()
    cost: tuple[str, ...] = ()
    image: str | None = None
    unchecked: tuple[str, ...] = ()
    rate: float = 0.0
    key: str | None = None
    gates: tuple[Gate, ...] = ()
    preview: str = ""
    asked_at: datetime | None = None
    override_window: OverrideWindow | None = None
    window: str = ""
    judge_seconds: int = 60

    @property
    def ready(self) -> str:
        """The image of a source that needs no baking; plans made before it was pinned have it in the source."""
        return str(self.image or getattr(self.source, "image_id", ""))

    @property
    def settle_seconds(self) -> int:
        """How long what was in flight may take once the weights are known everywhere; a name is kept for its TTL first."""
        return self.profile.settle_seconds + (dns.TTL if dns.is_name(self.route) else 0)

    def minimum(self) -> int:
        """Green's MinSize once it is promoted: what is asked for, or else what blue's was."""
        return self.blue.minimum if self.fleet.min_size is None else self.fleet.min_size

    def split(self, green: str, weight: int, now: Forward) -> Forward:
        """The rule as it is to be with green at `weight` percent."""
        blue, sticky = self.blue.target_group, self.before.sticky_seconds
        return traffic.split(blue, green, weight, now, sticky=sticky, sticky_targets=self.sticky_seconds)


def times(profile: Profile, started_at: datetime) -> datetime:
    """The moment after which the release may not go on: every wait at its longest, one after the other."""
    deadlines = profile.deadlines
    observing = sum(step.observe_minutes + profile.inconclusive.minutes for step in profile.steps)
    return started_at + timedelta(
        minutes=deadlines.image_minutes + deadlines.healthy_minutes + observing + gates.minutes(profile) + 30
    )


def preview(plan: Plan, green: Endpoint | None = None) -> str:
    """Where a person sees green before anybody else, by which header, and a line to paste that does the same.

    Where green has a load balancer or a listener of its own, that is where; no header is needed there.
    """
    endpoint, header = green or plan.endpoint, f"{names.STANDBY_HEADER}: {plan.standby.value}"
    usual = endpoint.port == {"HTTP": 80, "HTTPS": 443}.get(endpoint.protocol)
    host = f"{endpoint.host or endpoint.dns_name}{'' if usual else f':{endpoint.port}'}"
    url = f"{endpoint.protocol.lower()}://{host}{endpoint.path}"
    # The rule's host need not lead here, and AWS's name is in nobody's certificate.
    unnamed = ["--insecure"] if endpoint.protocol == "HTTPS" else []
    way = ["--connect-to", f"::{endpoint.dns_name}:"] if endpoint.host else unnamed
    if dns.is_name(plan.route):
        at = green.dns_name if green else "green's own load balancer, once it stands"
        return f"{url} at {at}" + (f" ({shlex.join(['curl', *way, url])})" if green else "")
    if plan.standby.port:
        return f"{url} ({shlex.join(['curl', *way, url])})"
    line = shlex.join(["curl", *way, "--header", header, url])
    return f"{url} with the header {header} ({line})"


def in_words(profile: Profile) -> tuple[str, ...]:
    """The steps as a person would say them."""
    return tuple(f"{step.weight}% for {step.observe_minutes} min" for step in profile.steps)


def makes(
    service: str,
    release: str,
    source: Source,
    blue: LaunchTemplate,
    kind: str = "standby rule",
    *,
    by_name: bool = False,
) -> tuple[str, ...]:
    """What a release makes, in the order it is made; `by_name` a load balancer for green alone, else a standby of this kind."""
    own = f"load balancer {names.balancer(service, release)}, cloned from blue's"
    baked = () if isinstance(source, ReadySource) else (_baked(service, release, source),)
    return (
        *baked,
        f"target group {names.target_group(service, release)}",
        f"a version of launch template {blue.template}, from version {blue.version}",
        own if by_name else f"the {kind} of {service}",
        f"Auto Scaling group {names.group(service, release)}",
        f"alarms {names.alarm(service, release, '*')}",
    )


def _baked(service: str, release: str, source: Source) -> str:
    if isinstance(source, ImageBuilderSource):
        return f"image of {source.pipeline_arn}"
    if isinstance(source, PackerSource):
        return f"image of CodeBuild project {source.project}"
    return f"image {names.image(service, release)}"


def image_in_words(service: str, release: str, source: Source, ready: str | None) -> str:
    """Green's image: it may not be there yet."""
    made = f", made of {source.instance_id}" if isinstance(source, InstanceSource) else ""
    return ready or f"{_baked(service, release, source)}{made}".removeprefix("image ")


def changes(route: str, blue: Side, rate: float) -> tuple[str, ...]:
    """What a release changes of what was there before."""
    follow = f"up to {blue.maximum}, as requests rise from {rate:.0f} a minute"
    return (
        f"the weights of {route}, step by step",
        f"MinSize of {blue.group}: {blue.minimum} to {blue.desired} while the release runs",
        f"both floors: {follow if rate >= ENOUGH else 'whatever the requests: there are too few to compare with'}",
    )


def keeps(blue: Side, profile: Profile, kind: str) -> tuple[str, ...]:
    """What stays after promotion, and for how long."""
    standing = (
        f"{blue.group} at {blue.desired} instances behind the {kind}, for {profile.keep_minutes} minutes"
    )
    return (
        standing,
        *((f"{blue.group} at zero, for {days} days more",) if (days := profile.retain_days) else ()),
    )
