"""What AWS charges for what a release uses: list prices of US East (N. Virginia), read in November 2026, no free tier."""

from dataclasses import dataclass

READ = "2026-11"


@dataclass(frozen=True)
class Price:
    """Dollars for one unit, and the page that says so."""

    dollars: float
    unit: str
    source: str


PRICES = {
    "transitions": Price(0.025 / 1e3, "state transition", "https://aws.amazon.com/step-functions/pricing/"),
    "invocations": Price(0.20 / 1e6, "request", "https://aws.amazon.com/lambda/pricing/"),
    "gigabyte_seconds": Price(0.0000133334, "GB-second on Arm", "https://aws.amazon.com/lambda/pricing/"),
    "ledger_reads": Price(
        0.125 / 1e6, "read request unit", "https://aws.amazon.com/dynamodb/pricing/on-demand/"
    ),
    "ledger_writes": Price(
        0.625 / 1e6, "write request unit", "https://aws.amazon.com/dynamodb/pricing/on-demand/"
    ),
    "metrics": Price(
        0.01 / 1e3, "metric asked for by GetMetricData", "https://aws.amazon.com/cloudwatch/pricing/"
    ),
    "alarm_hours": Price(
        0.10 / 730, "hour of an alarm's metric", "https://aws.amazon.com/cloudwatch/pricing/"
    ),
}


def dollars(used: dict[str, float]) -> float:
    """What so many units of each cost."""
    return sum(PRICES[name].dollars * amount for name, amount in used.items())
