"""Looks once a day for what releases left behind, and removes what nobody needs."""

from datetime import UTC, datetime

from msgspec.structs import asdict

from viridian.acts import collecting
from viridian.aws.function import handler
from viridian.messages import Collect, Collected


@handler(Collect)
def lambda_handler(ask: Collect) -> Collected:
    """Collecting twice removes nothing twice. What can't be removed is told, and doesn't end the run."""
    found = collecting.collect(datetime.now(UTC), ask.dry_run)
    return Collected(dry_run=ask.dry_run, **asdict(found))
