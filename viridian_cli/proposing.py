"""What `viridian init` would write for a service, before it does."""

from typing import Any

import msgspec

from viridian import names, preflight, request
from viridian.acts import floors
from viridian.aws import alarms, images
from viridian.preflight import Lent
from viridian.request import Profile
from viridian_cli import finding
from viridian_cli.aws import account, behind, registering
from viridian_cli.aws.behind import Behind
from viridian_cli.exits import Stop
from viridian_cli.finding import Way


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A service's profile and what it must lend; `registered` is whether it stands already."""

    service: str
    way: Way
    profile: dict[str, Any]
    registered: bool
    overwrite: bool
    lends: tuple[Lent, ...]
    no_guards: dict[str, str]
    owner: str | None
    image: str

    @property
    def done(self) -> bool:
        """Whether nothing is left to write."""
        return self.registered and not self.lends

    @property
    def next(self) -> str:
        """What to type then: with blue's own image it says all that is in the way of a release, but of its image."""
        return f"viridian plan {self.service} 1.0.0 --ami {self.image}"

    def by_hand(self) -> list[str]:
        """The AWS CLI lines that do the same."""
        lines = [preflight.lend(thing, self.service) for thing in self.lends]
        if not self.registered:
            parameter = registering.parameter(self.service)
            lines.append(finding.registration(parameter, self.profile, self.overwrite))
        return lines

    def write(self) -> None:
        """Does it: first what is lent, since a release of a service that lends nothing is refused."""
        for thing in self.lends:
            registering.lend(thing, self.service)
        if not self.registered:
            registering.register(self.service, self.profile, self.overwrite)


def propose(service: str, way: Way, asked: dict[str, Any], overwrite: bool) -> Proposal:
    """The profile as it stands, or one with what was found and `asked`; reads only."""
    finding.ensure_name(service)
    standing = {} if overwrite else account.registered(service)
    if standing and standing | asked != standing:
        raise Stop(f"service: {service} is registered otherwise. Say --overwrite to replace its profile.")
    found = behind.find(way.entrance.route)
    things = found.lent()
    finding.ensure_free(service, things)
    suggested, no_guards = (standing, {}) if standing else _suggested(way, found)
    profile = suggested | asked
    parsed = request.parse_profile(profile)
    if not standing:
        finding.ensure_guards(parsed, alarms.states(parsed.guards), found.blue)
    return Proposal(
        service=service,
        way=way,
        profile=profile,
        registered=bool(standing),
        overwrite=overwrite,
        lends=tuple(preflight.not_lent(service, *things)),
        no_guards=no_guards,
        owner=preflight.iac_owner(names.tags_on(found.group)),
        image=images.template_image(found.launches) or "AMI",
    )


def _suggested(way: Way, found: Behind) -> tuple[dict[str, Any], dict[str, str]]:
    balancer, usual = way.entrance.load_balancer, Profile(route=way.entrance.route)
    guards, no_guards = finding.guards(account.watching(balancer), found.blue, usual)
    test = finding.smoke_test(found.target_group.description, found.route.conditions)
    limits = finding.thresholds(floors.rate_of(balancer, way.target_group), usual)
    told = {"steps": usual.steps, "guards": guards, "smoke_tests": [test], "thresholds": limits}
    plain = msgspec.to_builtins(told)
    plain["thresholds"] = {name: value for name, value in plain["thresholds"].items() if value is not None}
    return {"route": usual.route, **plain}, no_guards
