"""The ledger as people ask it: which releases a service has had, and what was written for one."""

import msgspec

from viridian.aws import items, ledger, profiles
from viridian.record import Record
from viridian_cli.exits import Stop

SEARCHED = 100  # releases back
NEVER = "never answered"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a release's journal: a write to AWS, or what a person said."""

    at: str
    call: str
    resource: str
    epoch: int
    before: str | None = None
    after: str | None = None
    shown: str | None = None
    outcome: str = NEVER


def newest(service: str, count: int) -> list[Record]:
    """A service's releases, the one that was last taken up first."""
    keys = [item["pk"].split("#", 2)[2] for item in items.newest("Releases", "service", service, count)]
    return [record for release in keys if (record := ledger.find(service, release))]


def pick(service: str, named: str = "") -> Record:
    """The release of this id or version; without either, the one that was taken up last."""
    if named and (record := ledger.find(service, named)):
        return record
    for record in newest(service, SEARCHED if named else 1):
        if named in ("", record.plan.version):
            return record
    profiles.find(service)  # refuses a service that isn't registered
    if named:
        raise Stop(
            f"release: {named}. {service} has none of that id or version: see `viridian history {service}`."
        )
    raise Stop(
        f"service: {service}. It has no release yet: begin one with `viridian release {service} VERSION`."
    )


def journal(record: Record) -> list[Entry]:
    """Everything that was written for a release, oldest first."""
    found = items.under(f"release#{record.plan.service}#{record.plan.release}", "journal#")
    return [msgspec.convert(item, Entry) for item in found]
