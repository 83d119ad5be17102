"""What a release asks green to have other than blue, checked against AWS, and how the two differ then. Reads only."""

from collections.abc import Mapping
from typing import Any

from viridian import diff, overrides, preflight, relaxations
from viridian.aws import launches
from viridian.diff import Change
from viridian.fleet import Side
from viridian.overrides import Setup
from viridian.relaxations import Security
from viridian.request import Overrides, Relaxation

Described = Mapping[str, Any]


def check(fleet: Overrides, setup: Setup, blue: Side, vpc: str, image: Described, source: Described) -> Setup:
    """Green's setup; a Refusal of what can't be launched, and of what is less secure and not asked for by name.

    `image` is blue's; `source` is the image that green gets, or the instance that it is made of; nothing if neither is
    known yet.
    """
    wanted = overrides.applied(setup, fleet)
    preflight.ensure_limits(wanted, blue)
    if fleet.instance_type or fleet.instance_types:
        types = launches.types(wanted.instance_types())
        preflight.ensure_types(fleet, types, source)
        if "ImageId" in source and "InstanceId" not in source:
            preflight.ensure_bootable(source, "source", types.values())
    if fleet.security_groups:
        preflight.ensure_groups(fleet.security_groups, launches.networks(fleet.security_groups), vpc)
    relaxations.ensure_named(relaxed(fleet, setup, wanted, image, source), fleet)
    return wanted


def relaxed(
    fleet: Overrides, setup: Setup, wanted: Setup, image: Described, source: Described
) -> dict[Relaxation, str]:
    """How green is less secure than blue; what neither the request nor its image changes is not read."""
    was, groups = setup.security_groups(), wanted.security_groups()
    rules = launches.ingress((*was, *groups)) if set(groups) - set(was) else ()
    profiles: dict[str, str | None] = {}
    if (asked := fleet.instance_profile) is not None:
        profiles = {name: launches.role(name) for name in (diff.profile(setup.template), asked)}
        preflight.ensure_role(asked, profiles[asked])
    green_image = image if "InstanceId" in source else source or image
    before, after = (
        Security(
            setup=side,
            role=profiles.get(diff.profile(side.template)),
            ingress=tuple(rule for rule in rules if rule.group in side.security_groups()),
            encrypted=relaxations.encrypted(of, side),
        )
        for side, of in ((setup, image), (wanted, green_image))
    )
    return relaxations.found(before, after)


def changes(setup: Setup, wanted: Setup, image: str) -> tuple[Change, ...]:
    """How green differs from blue, in words; `image` are those for green's."""
    blue = str(setup.template.get("ImageId", "not said"))
    return diff.between(diff.describe(blue, setup), diff.describe(image, wanted))
