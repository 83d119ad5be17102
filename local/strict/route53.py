"""What Route 53 refuses and moto accepts: halves of a batch, weights, aliases, haste (aws-facts.md R1, R2, R4, R5, R6)."""

import time
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from moto.route53.exceptions import Route53ClientError
from moto.route53.models import RecordSet, Route53Backend
from moto.route53.responses import Route53
from moto.route53.utils import validate_domain_name

from local.hooks import Hooks
from local.plane import zones
from local.plane.zones import normal

MOST_WEIGHT = 255
REQUESTS, SECONDS = 5, 1.0
BUSY_SECONDS = 0.5  # that a hosted zone takes to process a batch; AWS names no figure
WEIGHTED_RECORDS = 100
VALUES = ("ttl", "records", "weight", "alias_target", "health_check_id", "region", "failover", "geo_location")

Key = tuple[str, str, str | None]  # name, type, set identifier


def install(hooks: Hooks) -> None:
    # Throttling is an error of every service, and in few models: moto warns of each.
    warnings.filterwarnings("ignore", ".*with code Throttling does not match an error shape", UserWarning)
    for name, method in list(vars(Route53).items()):
        if not name.startswith("_") and callable(method):
            hooks.wrap(Route53, name, _in_turn)
    hooks.wrap(RecordSet, "__init__", _named)
    hooks.set(Route53Backend, "change_resource_record_sets", _change)


def _in_turn(original: Any, response: Route53) -> Any:
    """Five requests a second from a whole account, whatever they ask.

    https://repost.aws/knowledge-center/route-53-avoid-throttling-errors
    """
    asked: deque[float] = vars(response.backend).setdefault("asked", deque(maxlen=REQUESTS))
    now = time.time()
    if len(asked) == REQUESTS and now - asked[0] < SECONDS:
        raise Route53ClientError("Throttling", "Rate exceeded")
    asked.append(now)
    return original(response)


def _named(original: Any, record: RecordSet, given: dict[str, Any]) -> None:
    original(record, given)
    record.name = normal(record.name)


def _change(backend: Route53Backend, zoneid: str, change_list: list[dict[str, Any]]) -> None:
    """All of a batch or none of it.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
    """
    zone: Any = backend.get_hosted_zone(zoneid)
    now = time.time()
    if now - vars(zone).get("batch_at", -BUSY_SECONDS) < BUSY_SECONDS:
        raise Route53ClientError(
            "PriorRequestNotComplete",
            "The request was rejected because Route 53 was still processing a prior request.",
        )
    records = {_key(record): record for record in zone.rrsets}
    for change in change_list:
        _check_shape(change)
    if problems := [*_applied(zone, records, change_list), *_clashes(records.values())]:
        raise Route53ClientError("InvalidChangeBatch", f"[{', '.join(problems)}]")
    zone.rrsets, zone.batch_at = list(records.values()), now


def _key(record: RecordSet) -> Key:
    return record.name, str(record.type), record.set_identifier


def _check_shape(change: dict[str, Any]) -> None:
    """What the API's own schema refuses, before anything is looked up."""
    record = change["ResourceRecordSet"]
    validate_domain_name(record["Name"], code="InvalidChangeBatch")
    where = ", ".join(
        [
            f"Action={change['Action']}",
            f"Name={normal(record['Name'])}",
            f"Type={record['Type']}",
            f"SetIdentifier={record.get('SetIdentifier', 'null')}",
        ]
    )
    if change["Action"] not in ("CREATE", "UPSERT", "DELETE"):
        raise Route53ClientError("InvalidInput", f"Invalid request: no such action in Change with [{where}]")
    plain = "TTL" in record and bool(record.get("ResourceRecords"))
    if plain == ("AliasTarget" in record) or ("TTL" in record and "AliasTarget" in record):
        raise Route53ClientError(
            "InvalidInput",
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or"
            f" TrafficPolicyInstanceId], but found {'more than one' if plain else 'none'} in Change with [{where}]",
        )
    weight = record.get("Weight")
    if weight is not None and not 0 <= int(weight) <= MOST_WEIGHT:
        raise Route53ClientError(
            "InvalidInput",
            f"Invalid XML ; cvc-maxInclusive-valid: Value '{weight}' is not facet-valid with respect to"
            f" maxInclusive '{MOST_WEIGHT}' for type 'RRWeight'",
        )
    if (weight is None) == ("SetIdentifier" in record) and not _routed_otherwise(record):
        missing = "SetIdentifier" if weight is not None else "Weight"
        raise Route53ClientError(
            "InvalidInput", f"Invalid request: Missing field '{missing}' in Change with [{where}]"
        )


def _routed_otherwise(record: dict[str, Any]) -> bool:
    return any(policy in record for policy in ("Region", "Failover", "GeoLocation", "MultiValueAnswer"))


def _applied(zone: Any, records: dict[Key, RecordSet], changes: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Carries the changes out on `records`, and says what is wrong with them."""
    done: set[tuple[str, Key]] = set()
    for change in changes:
        asked = _record(change["ResourceRecordSet"])
        key, action = _key(asked), change["Action"]
        what = f"[name='{asked.name}', type='{asked.type}'"
        what += f", set identifier='{asked.set_identifier}']" if asked.set_identifier else "]"
        if not f".{asked.name}".endswith(f".{normal(zone.name)}"):
            yield f"RRSet with DNS name {asked.name} is not permitted in zone {zone.name}"
        elif (action, key) in done:
            yield f"The request contains an invalid set of changes for a resource record set {what}"
        elif action == "CREATE" and key in records:
            yield f"Tried to create resource record set {what} but it already exists"
        elif action == "DELETE" and key not in records:
            yield f"Tried to delete resource record set {what} but it was not found"
        elif action == "DELETE" and _values(records[key]) != _values(asked):
            yield f"Tried to delete resource record set {what} but the values provided do not match the current values"
        elif action == "DELETE":
            del records[key]
        else:
            yield from _astray(asked)
            records[key] = asked
        done.add((action, key))


def _record(given: dict[str, Any]) -> RecordSet:
    values = [each["Value"] for each in given.get("ResourceRecords", [])]
    return RecordSet({**given, "ResourceRecords": values})  # type: ignore[abstract]


def _values(record: RecordSet) -> dict[str, Any]:
    values = {name: getattr(record, name) or None for name in VALUES} | {"weight": record.weight}
    if record.alias_target:
        target = normal(record.alias_target["DNSName"])
        values["alias_target"] = {**record.alias_target, "DNSName": target}
    return values


def _astray(record: RecordSet) -> Iterator[str]:
    """https://github.com/harmony-one/harmony-ops/issues/491 has both of AWS's sentences."""
    alias = record.alias_target or {"DNSName": "", "HostedZoneId": ""}
    target, zone = normal(alias["DNSName"]), alias["HostedZoneId"]
    if not target.endswith(zones.BALANCERS):
        return
    balancer = zones.balancer_of(target)
    said = f"Tried to create an alias that targets {target}, type {record.type} in zone {zone},"
    if balancer is None:
        yield f"{said} but that target was not found"
    elif zone != balancer.canonical_hosted_zone_id:
        yield f"{said} but the alias target name does not lie within the target zone"


def _clashes(records: Iterable[RecordSet]) -> Iterator[str]:
    """Records of one name and type: one routing policy, and one TTL if they are weighted.

    The second as in https://github.com/aws/aws-sdk-go-v2/issues/518, the first as in
    https://github.com/kubernetes-sigs/external-dns/issues/4345.
    """
    sets: dict[tuple[str, str], list[RecordSet]] = {}
    for record in records:
        sets.setdefault((record.name, str(record.type)), []).append(record)
    for (name, kind), mine in sets.items():
        said = f"RRSet with DNS name {name} and type {kind}, SetIdentifier {mine[-1].set_identifier} cannot be created"
        weighted = [record for record in mine if record.weight is not None]
        if weighted and len(weighted) < len(mine):
            yield f"{said} as a non-weighted set exists with the same name and type."
        if len({record.ttl for record in weighted if not record.alias_target}) > 1:
            yield f"{said} as weighted sets must contain the same TTL."
        if len(weighted) > WEIGHTED_RECORDS:
            yield f"{said} as there can be at most {WEIGHTED_RECORDS} weighted sets of a name and type."
