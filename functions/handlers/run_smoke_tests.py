"""Asks green a few questions through the standby rule, before any user does."""

from viridian import smoke
from viridian.aws.function import handler
from viridian.messages import RunSmokeTests, SmokeTestsRun


@handler(RunSmokeTests)
def lambda_handler(ask: RunSmokeTests) -> SmokeTestsRun:
    """The verdict is a value: a failed test is no error of the check."""
    verdict = smoke.run(ask.endpoint, ask.standby, ask.tests)
    return SmokeTestsRun(verdict=verdict.outcome, reason=verdict.reason)
