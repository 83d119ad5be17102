"""Planning a release, unless one has begun under its key: that one is joined."""

from datetime import UTC, datetime

from viridian import dns, joining, request, windows
from viridian.acts import survey
from viridian.arns import own
from viridian.aws import ledger, profiles
from viridian.errors import Refusal
from viridian.joining import Joined
from viridian.plan import Plan
from viridian.request import Request


def plan(
    wanted: Request, execution: str, started_at: datetime, planned_at: datetime
) -> tuple[Plan, Joined | None]:
    """The plan of a release; or of the one to join, and how that stands. Reads only."""
    if begun := _begun(wanted, started_at):
        return begun
    try:
        return _plan(wanted, execution, started_at, planned_at), None
    except Refusal:
        # What stood in the way may be the doing of one that has begun meanwhile.
        if begun := _begun(wanted, started_at):
            return begun
        raise


def _plan(wanted: Request, execution: str, started_at: datetime, planned_at: datetime) -> Plan:
    registered, version = profiles.find(wanted.service)
    profile = request.merge(wanted, registered)
    if not dns.is_name(profile.route):  # Route 53 knows no Regions
        own("profile.route", profile.route, execution)
    windows.ensure_sound(profile.windows)
    begins = windows.begins(wanted, profile, started_at, planned_at)
    return survey.make_plan(wanted, profile, version, execution, begins)


def _begun(wanted: Request, started_at: datetime) -> tuple[Plan, Joined] | None:
    if wanted.key is None or wanted.dry_run:
        return None
    record = ledger.find_by_key(wanted.service, wanted.key)
    return (record.plan, joining.join(wanted, record, datetime.now(UTC) - started_at)) if record else None
