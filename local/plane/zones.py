"""Route 53's hosted zones as its DNS servers see them, read from moto: which record answers, and for how long."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from moto.elbv2.models import elbv2_backends
from moto.route53.models import route53_backends

BALANCERS = ".elb.amazonaws.com."
BALANCER_SECONDS = 60  # the TTL of a load balancer's own name, and so of an alias to it


@dataclass(frozen=True)
class Record:
    """One record set; `target` is a load balancer's name, or the address or name that it holds itself."""

    name: str
    type: str
    target: str
    ttl: int
    weight: int | None = None
    evaluates_health: bool = False


@dataclass(frozen=True)
class Answer:
    """What a name leads to, how many seconds a client may keep that, and by which type of record."""

    target: str
    ttl: int
    type: str = "A"


def normal(name: str) -> str:
    """A domain name as Route 53 keeps it."""
    return name.lower().rstrip(".") + "."


def read(record_sets: Iterable[Any]) -> tuple[Record, ...]:
    """Those that can lead to a load balancer: A and CNAME."""
    return tuple(_record(each) for each in record_sets if each.type in ("A", "CNAME"))


def choose(records: Sequence[Record], healthy: Callable[[str], bool], turn: float) -> Record | None:
    """The record that answers; `turn`, of [0, 1), falls into one's share of the weights.

    With nobody healthy all are taken to be; a record of weight 0 answers when none above 0 is left; weights that are
    all 0 are equal ones (R2, R3).
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-how-route-53-chooses-records.html
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-policy-weighted.html
    """
    alive = [each for each in records if not each.evaluates_health or healthy(each.target)] or records
    drawn = [each for each in alive if each.weight] or alive
    shares = [each.weight or 1 for each in drawn]
    at = turn * sum(shares)
    for record, share in zip(drawn, shares, strict=True):
        at -= share
        if at < 0:
            return record
    return drawn[-1] if drawn else None


def balancer_of(name: str) -> Any | None:
    """The load balancer with this DNS name; the console writes `dualstack.` in front of it.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-alias-common.html
    """
    wanted = normal(name).removeprefix("dualstack.")
    for _, _, backend in elbv2_backends.iter_backends():
        for balancer in list(backend.load_balancers.values()):  # type: ignore[attr-defined]
            if normal(balancer.dns_name) == wanted:
                return balancer
    return None


def routes(account: str) -> dict[str, dict[str, int]]:
    """The weights of every weighted name, by the ARNs of its target groups; a record that leads to none by what it says."""
    found: dict[str, dict[str, int]] = {}
    zones: dict[str, Any] = route53_backends[account]["aws"].zones
    for zone in zones.values():
        for record in read(zone.rrsets):
            if record.weight is not None:
                route = f"arn:aws:route53:::hostedzone/{zone.id.split('/')[-1]}/{record.name.rstrip('.')}"
                balancer = balancer_of(record.target)
                groups = sorted(_groups(balancer)) if balancer else []
                key = groups[0] if len(groups) == 1 else f"record to {record.target}"
                found.setdefault(route, {})[key] = record.weight
    return found


def is_healthy(backend: Any, balancer: Any) -> bool:
    """As EvaluateTargetHealth finds it: every group that its rules name has a healthy target (H1).

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html
    """
    return all(_has_healthy(backend, group) for group in _groups(balancer))


def _groups(balancer: Any) -> set[str]:
    return {
        pair["TargetGroupArn"]
        for listener in list(balancer.listeners.values())
        for rule in list(listener.rules.values())
        for action in rule.actions
        for pair in action.data.get("ForwardConfig", {}).get("TargetGroups", [])
    }


def _has_healthy(backend: Any, group: str) -> bool:
    return any(target.status == "healthy" for target in backend.describe_target_health(group, []))


def _record(record: Any) -> Record:
    alias = record.alias_target or {}
    target = normal(alias["DNSName"] if alias else record.records[0]).removeprefix("dualstack.")
    return Record(
        name=normal(record.name),
        type=record.type,
        target=target if alias or record.type == "CNAME" else target.rstrip("."),
        ttl=BALANCER_SECONDS if alias else int(record.ttl),
        weight=None if record.weight is None else int(record.weight),
        evaluates_health=str(alias.get("EvaluateTargetHealth")).lower() == "true",
    )
