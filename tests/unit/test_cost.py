"""The cost: both fleets, each at its own price, for as long as both may run."""

from datetime import timedelta

from viridian import cost

PRICES = {"t2.small": 0.023, "t3.small": 0.0208, "m5.large": 0.096}


def test_both_fleets_are_priced_alone_and_together() -> None:
    told = cost.in_words(
        {"t2.small": 3}, {"m5.large": 1, "t3.small": 2}, PRICES, timedelta(minutes=90), timedelta(hours=10)
    )
    assert told[:4] == (
        "blue: 3 t2.small at $0.023: $0.0690 an hour",
        "green: 1 m5.large at $0.096, 2 t3.small at $0.0208: $0.1376 an hour",
        "both for 1 h 30 min, the soonest that blue can retire: $0.31",
        "both for 10 h 0 min, the longest: $2.07",
    )
    assert "without volumes" in told[4]


def test_what_an_image_is_billed_as_is_linux_unless_it_says_otherwise() -> None:
    assert cost.usage_operation({}) == "RunInstances"
    assert cost.usage_operation({"UsageOperation": "RunInstances:0002"}) == "RunInstances:0002"
