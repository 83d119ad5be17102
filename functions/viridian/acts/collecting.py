"""What releases left behind: found by tag, judged, removed where ledger, tags and age agree, and told to people."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from viridian import dns, leftovers, names
from viridian.aws import (
    alarms,
    auto_scaling,
    balancers,
    images,
    ledger,
    load_balancer,
    pages,
    previews,
    router,
    target_groups,
)
from viridian.errors import Busy, Fenced, HandsOff
from viridian.fence import Fence
from viridian.leftovers import KINDS, Known, Thing
from viridian.record import Record

REMOVALS = 20  # in one run: whatever goes wrong, goes wrong slowly

_FATES = {"keep": "kept", "report": "reported", "remove": "left"}

Records = dict[tuple[str, str], Record]


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of each thing, in words; `left` is for the next run."""

    removed: tuple[str, ...]
    left: tuple[str, ...]
    failed: tuple[str, ...]
    reported: tuple[str, ...]
    kept: tuple[str, ...]


def collect(now: datetime, dry_run: bool) -> Collection:
    """Looks through everything that releases made, and removes what nobody needs; a dry run only says so.

    The fences are taken before it is seen who uses what: a release that begins in between breaks them.
    """
    things = _find()
    records = _records(things)
    fences = {record.plan.route: ledger.idle(record) for record in records.values()}
    known = Known(records=records, uses=_uses(things, fences), closed=_closed(fences))
    fates: dict[str, list[str]] = {fate: [] for fate in Collection.__struct_fields__}
    tries = 0
    for each in sorted(things, key=lambda thing: (KINDS.index(thing.kind), str(thing))):
        verdict = leftovers.judge(each, known, now)
        fate, more = _FATES[verdict.action], ""
        if fate == "left" and not dry_run and tries < REMOVALS:
            tries += 1
            record = records[each.service, each.release]
            fate, more = _try_to_remove(each, record, fences[record.plan.route])
        fates[fate].append(f"{each}: {verdict.why}{more}")
    found = Collection(**{fate: tuple(lines) for fate, lines in fates.items()})
    if not dry_run:
        _tell(found)
    return found


def _find() -> list[Thing]:
    versions = [
        version
        for template, service in images.templates().items()
        for version in images.left_versions(template, service)
    ]
    return [
        *load_balancer.left(),
        *previews.left(),
        *auto_scaling.left(),
        *alarms.left(),
        *balancers.left(),
        *target_groups.left(),
        *versions,
        *images.left(),
    ]


def _records(things: list[Thing]) -> Records:
    """The record of each release that left something, and of all that isn't over."""
    asked = {(each.service, each.release) for each in things} | set(ledger.open_releases())
    found = {key: ledger.find(*key) for key in sorted(asked)}
    return {key: record for key, record in found.items() if record is not None}


def _closed(fences: dict[str, Fence | None]) -> dict[str, str]:
    """The routes to which nothing may be written now, and why."""
    held = {route: f"its route is held by {ledger.holder(route)}" for route in fences if not fences[route]}
    hands_off = {
        r: f"hands off: {fence.hands_off}" for r, fence in fences.items() if fence and fence.hands_off
    }
    return held | hands_off


def _uses(things: list[Thing], routes: Iterable[str]) -> dict[str, str]:
    groups = auto_scaling.everywhere()
    behind = {each.id: balancers.groups_of(each.id) for each in things if each.kind == "load balancer"}
    named = {route: router.forward(route) for route in routes if behind and dns.is_name(route)}
    templates = {*leftovers.templates(groups), *images.templates()}
    return leftovers.balancer_uses(behind, groups, named) | leftovers.uses(
        things,
        groups,
        load_balancer.forwards_everywhere(),
        {template: images.versions(template) for template in sorted(templates)},
        images.run_on([each.id for each in things if each.kind == "image"]),
    )


def _try_to_remove(thing: Thing, record: Record, fence: Fence | None) -> tuple[str, str]:
    """What has become of it, and what there is to say of that."""
    assert fence is not None  # a route without one is closed
    try:
        mine = replace(fence, service=thing.service, release=thing.release)
        return ("removed", "") if _remove(thing, record, mine) else ("left", "; it takes its time")
    except (Fenced, HandsOff) as error:
        return "kept", f"; but its route was taken meanwhile: {error}"
    except Busy as error:
        return "left", f"; {error}"
    except Exception as error:  # one that can't go keeps no other
        return "failed", f"; but {type(error).__name__}: {error}"


def _remove(thing: Thing, record: Record, fence: Fence) -> bool:
    """Removes one thing, which may be gone already; False while it still takes its time."""
    ours = names.tags(thing.service, thing.release)
    match thing.kind:
        case "standby rule" | "preview listener":
            router.delete_standby(record.plan.listener, thing.service, fence)
        case "Auto Scaling group":
            auto_scaling.empty(thing.id, ours, fence)
            return auto_scaling.delete(thing.id, ours, fence)
        case "alarm":
            alarms.delete([thing.id], fence)
        case "load balancer":
            balancers.delete(thing.id, fence)
        case "target group":
            target_groups.delete(thing.id, fence)
        case "launch template version":
            images.delete_version(thing.id.split(" ")[0], thing.release, fence)
        case "image":
            images.deregister(thing.id, ours, fence)
        case "snapshot":
            images.delete_snapshot(thing.id, fence)
    return True


def _tell(found: Collection) -> None:
    """Pages people about what was removed; about what needs them, once for the same words."""
    needs = "\n".join((*found.reported, *found.failed))
    news = ledger.is_news(needs)
    if found.removed or (needs and news):
        told = {
            "For a person": found.reported,
            "Could not be removed": found.failed,
            "Removed": found.removed,
        }
        words = "\n\n".join("\n".join((f"{title}:", *lines)) for title, lines in told.items() if lines)
        pages.tell(f"leftovers: {len(found.removed)} removed, {len(needs.splitlines())} for a person", words)
