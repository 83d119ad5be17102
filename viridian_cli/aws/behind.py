"""Who is behind a route now, with all that a service lends."""

from typing import Any

import msgspec

from viridian import clone, traffic
from viridian.acts import entry, survey
from viridian.aws import auto_scaling, target_groups
from viridian.aws.load_balancer import Route
from viridian.aws.target_groups import TargetGroup
from viridian.fleet import Side
from viridian.plan import LaunchTemplate
from viridian.preflight import Lent


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """The route as it stands, and the one fleet that has all its traffic."""

    route: Route
    target_group: TargetGroup
    group: dict[str, Any]
    launches: LaunchTemplate
    blue: Side

    def lent(self) -> tuple[Lent, ...]:
        """What the service must lend, with the tags that it has."""
        return survey.lent(self.route, self.target_group, self.group, self.launches)


def find(route: str) -> Behind:
    """Blue, by the weights that a route shows; a Refusal if it isn't one fleet, or can't be released."""
    shown = entry.find(route)
    target = traffic.find_blue(shown.forward)
    group = auto_scaling.attached(target)
    return Behind(
        route=shown,
        target_group=target_groups.find(target),
        group=group,
        launches=clone.launches(group),
        blue=auto_scaling.side(group, target),
    )
