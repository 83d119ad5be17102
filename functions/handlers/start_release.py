"""Starts the release of a new image, if its service wants that."""

from viridian.acts import starting
from viridian.aws.function import handler
from viridian.messages import ReleaseStarted, StartRelease


@handler(StartRelease)
def lambda_handler(ask: StartRelease) -> ReleaseStarted:
    """The event says where to look, and nothing else is believed of it: it may come twice, late, or after a newer one."""
    started, reason = starting.start(ask.resources[0], ask.account, ask.region)
    return ReleaseStarted(started=started, reason=reason)
