"""What `make bench-rollback` adds up: the calls are those of a real run, and every part of the sum is there once."""

import shutil
from pathlib import Path

import pytest

from bench import package, rollback
from bench.rollback import Assumed, Counted

BRAKE = (
    "BatchGetItem",
    "TransactWriteItems",
    "DescribeRules",
    "DescribeTargetHealth",
    "ModifyRule",
    "DescribeRules",
)


def test_the_calls_are_counted_in_a_release_that_is_taken_back() -> None:
    counted = rollback.count()
    assert counted.brake == BRAKE
    assert counted.poll_seconds == 60
    assert counted.memory_megabytes == 1769
    assert "DescribeAlarms" in counted.judge_green
    assert "ModifyRule" not in counted.judge_green
    assert counted.restore_blue[-2:] == ("ModifyRule", "DescribeRules")
    assert counted.restore_blue.count("ModifyRule") == 1
    assert len(counted.restore_blue) == 13, "docs/reliability.md says so"
    assert counted.restore_blue.count("TransactWriteItems") == 2, "the epoch, then the intent"


def test_each_way_is_the_sum_of_its_parts() -> None:
    counted = Counted(
        brake=("A",) * 6,
        judge_green=("B",) * 8,
        restore_blue=("C",) * 13,
        poll_seconds=60,
        memory_megabytes=1769 / 2,
    )
    start = package.Start(importing=0.4, clients=0.1, source="a package")
    rows = rollback.parts(counted, start, start, Assumed(delivery=2, start=1, call=0.5, transition=0.25))
    shared = 1 + 2 * 0.5
    polled = 0.25 + 8 * 0.5 + 0.25 + shared + 13 * 0.5
    assert rollback.totals(rows) == pytest.approx(
        {"brake": 2 + shared + 6 * 0.5, "polling_mean": 30 + polled, "polling_worst": 60 + polled}
    )
    last = rollback.table(rows).split("\n\n")[0].splitlines()[-1]
    assert last.split() == ["from", "red", "to", "restored", "7.0", "43.0", "73.0"]


def test_a_package_of_other_code_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "BUILT", tmp_path)
    built = tmp_path / "BrakeFunction"
    shutil.copytree(package.ROOT / "functions", built)
    assert package.is_current(built)
    (built / "handlers" / "brake.py").write_text("")
    assert not package.is_current(built)
    start = package.measure("handlers.brake", [("reader", "dynamodb")], runs=1)
    assert start.source.endswith("is older than the code")
    assert start.importing > 0
    assert start.clients > 0
