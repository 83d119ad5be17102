"""Route 53: the weighted records of a name, which are changed in one batch or not at all."""

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from viridian import dns, traffic
from viridian.aws import balancers, clients, ledger
from viridian.dns import Answers
from viridian.errors import Drifted, NotKept, Refusal
from viridian.fence import Fence
from viridian.traffic import Forward


def find(route: str) -> Answers:
    """What a name's records say now; a Refusal if its hosted zone is gone."""
    records = list(_records(route))
    found = balancers.by_name({dns.target(record) for record in records})
    groups = {
        name: balancer.target_groups[0]
        for name, balancer in found.items()
        if len(balancer.target_groups) == 1
    }
    return dns.answers(route, records, groups)


def set_forward(now: Answers, wanted: Forward, fence: Fence, *, anew: bool = False, **notes: Any) -> Forward:
    """Sets all weights in one batch; answers with what Route 53 then shows, which its DNS servers don't know yet.

    The record of the release has the `change` by which that is asked for, and None until it is known. Weights that stand
    already are written only if `anew`: where a try died before it knew its change, that is how to come by one.
    Raises Drifted if somebody has written since `now` was read, NotKept if something else is shown afterwards.
    """
    new = {group: made(now, group) for group in wanted.weights if group not in now.records}
    changes = dns.batch(now, wanted, new) or (dns.batch(now, wanted, new, anew=True) if anew else [])
    if not changes:
        return wanted
    zone, _ = dns.place(now.route)
    client, written = clients.writer("route53"), (now.forward, wanted)
    with ledger.mutation(
        fence, "ChangeResourceRecordSets", now.route,
        before=now.forward, after=wanted, written=written, change=None, told_at=None, **notes,
    ) as entry:  # fmt: skip
        try:
            answer = client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
        except client.exceptions.InvalidChangeBatch as error:
            raise Drifted(f"the records of {now.route} changed before they were written: {error}") from error
        entry.shown = shown = find(now.route).forward
    ledger.note(fence, change=str(answer["ChangeInfo"]["Id"]))
    if shown.weights != wanted.weights:
        raise NotKept(f"wrote {traffic.describe(wanted)}, the records show {traffic.describe(shown)}")
    return shown


def in_sync(change: str) -> bool:
    """Whether all DNS servers of Route 53 have a change."""
    return bool(clients.reader("route53").get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC")


def made(now: Answers, target_group: str) -> dns.Record:
    """The record that leads to a target group's load balancer, like one of those there are."""
    balancer = balancers.of(target_group)
    like = next(record for record in now.records.values() if dns.target(record))
    _, name = dns.place(now.route)
    return dns.record(name, like, balancer.dns_name, balancer.zone, balancer.name)


def _records(route: str) -> Iterator[dict[str, Any]]:
    """Those of the name that lead anywhere; Route 53 lists from a name on."""
    zone, name = dns.place(route)
    client = clients.reader("route53")
    pages = client.get_paginator("list_resource_record_sets").paginate(
        HostedZoneId=zone, StartRecordName=name, StartRecordType="A"
    )
    listed = (record for page in pages for record in page["ResourceRecordSets"])
    try:
        for record in takewhile(lambda record: record["Name"] == name, listed):
            if record["Type"] in dns.TYPES:
                yield dict(record)
    except client.exceptions.NoSuchHostedZone:
        raise Refusal("route", route, "Register a name in a hosted zone that exists.") from None
