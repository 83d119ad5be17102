"""A route by DNS: a name in a hosted zone, whose weighted records say which load balancer gets how much."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from viridian.errors import Refusal
from viridian.traffic import Forward

ROUTE = (
    r"^arn:aws[a-z-]*:route53:::hostedzone/[0-9A-Z]{1,32}"
    r"/(?=[^/]{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{1,63}$(?!\n)"
)
TYPES = ("A", "AAAA", "CNAME")  # the ways in which a name leads to a load balancer
TTL = 60  # seconds that an alias to a load balancer is kept; nobody can set it (aws-facts R4)

Record = Mapping[str, Any]  # a record set as Route 53 shows it


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What Route 53 holds of a name: its records by what they lead to, and what their weights mean."""

    route: str
    records: dict[str, dict[str, Any]]
    forward: Forward


def is_name(route: str) -> bool:
    """Whether a route is a name in a hosted zone; any other is a listener or a rule."""
    return ":route53:" in route


def place(route: str) -> tuple[str, str]:
    """The hosted zone's id and the record's name, as Route 53 writes it."""
    _, zone, name = route.split("/", 2)
    return zone, f"{name}."


def answers(route: str, records: Sequence[Record], target_groups: Mapping[str, str]) -> Answers:
    """A name's records by target group, where their load balancer is known to have one; by their own names otherwise.

    A record without a weight is the only one of its name: all the traffic is its.
    """
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        group = target_groups.get(target(record), "")
        key = group if group and group not in found else f"record {identifier(record)}"
        found[key] = dict(record)
    weights = {key: int(record.get("Weight", 1)) for key, record in found.items()}
    return Answers(route=route, records=found, forward=Forward(weights=weights))


def target(record: Record) -> str:
    """The name of the load balancer that a record leads to; the console writes `dualstack.` in front of it."""
    name = str(record.get("AliasTarget", {}).get("DNSName", ""))
    return name.lower().removesuffix(".").removeprefix("dualstack.")


def identifier(record: Record) -> str:
    """What tells a record from the others of its name."""
    return str(record.get("SetIdentifier") or record["Type"])


def ensure_weighted(route: str, records: Sequence[Record]) -> None:
    """Refuses what can't be split by weight, or not cloned: anything but weighted aliases of type A."""
    fix = "Make each record of the name a weighted alias of type A to an Application Load Balancer, with no health check."
    if not records:
        raise Refusal("route", route, "Register a name that has a record.")
    for record in records:
        if (
            record["Type"] != "A"
            or "Weight" not in record
            or not target(record)
            or record.get("HealthCheckId")
        ):
            raise Refusal("route", f"record {identifier(record)} of type {record['Type']}", fix)


def batch(
    now: Answers, wanted: Forward, made: Mapping[str, Record], *, anew: bool = False
) -> list[dict[str, Any]]:
    """The changes, to be made all or none, that give each load balancer its weight; `anew` those that it has, too.

    Each record that changes is deleted as it was seen and made anew: Route 53 refuses the batch if somebody has changed
    it meanwhile. One that is wanted no more goes: a weight of 0 isn't off where health counts (aws-facts R3, R5).
    """
    old = {k: r for k, r in now.records.items() if anew or wanted.weights.get(k) != r.get("Weight")}
    new = [
        {**(now.records.get(key) or made[key]), "Weight": weight}
        for key, weight in wanted.weights.items()
        if key in old or key not in now.records
    ]
    return [
        *({"Action": "DELETE", "ResourceRecordSet": record} for record in old.values()),
        *({"Action": "CREATE", "ResourceRecordSet": record} for record in new),
    ]


def record(name: str, like: Record, balancer: str, zone: str, set_identifier: str) -> Record:
    """A record that leads to another load balancer, and is like one that there is."""
    return {
        "Name": name,
        "Type": "A",
        "SetIdentifier": set_identifier,
        "AliasTarget": {
            "HostedZoneId": zone,
            "DNSName": f"{balancer}.",
            "EvaluateTargetHealth": like["AliasTarget"]["EvaluateTargetHealth"],
        },
    }
