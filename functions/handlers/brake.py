"""Gives blue its traffic back the moment an alarm goes red, and stays until no late writer can undo that."""

from viridian import converge
from viridian.acts import rescue
from viridian.aws.function import handler
from viridian.messages import Brake, Braked


@handler(Brake)
def lambda_handler(ask: Brake) -> Braked:
    """Needs no state machine: what it starts there is only the rest. Braking twice is harmless."""
    alarm = f"alarm {ask.detail.alarmName} is in ALARM: {ask.detail.state.reason[:300]}"
    failure = converge.first_error("GreenFailed", alarm)
    return Braked(started=rescue.brake(ask.resources[0], ask.time, failure))
