"""The ledger: one lock per route that can't be stolen, a record, a journal, and a fence that holds under any order."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.account import EXECUTION, NOW, RELEASE, TABLE, Account
from viridian.aws import ledger
from viridian.errors import Busy, Fenced, HandsOff, Refusal, RouteLocked
from viridian.fence import Fence


def test_a_mutation_that_fails_is_journaled_as_unknown_and_tells_its_own_error(account: Account) -> None:
    fence = account.before("bake_image").record().fence()
    with pytest.raises(ZeroDivisionError), ledger.mutation(fence, "ModifyRule", "r", before={"a": 1}):
        raise ZeroDivisionError
    (entry,) = account.journal()
    assert (entry["outcome"], entry["shown"], entry["before"]) == ("unknown", "ZeroDivisionError", '{"a":1}')


def test_a_mutation_that_dies_leaves_its_intent(account: Account) -> None:
    fence = account.before("bake_image").record().fence()
    with (
        account.failing("dynamodb", "UpdateItem", "InternalServerError", 500),
        pytest.raises(KeyboardInterrupt),
        ledger.mutation(fence, "ModifyRule", "r"),
    ):
        raise KeyboardInterrupt
    (entry,) = account.journal()
    assert "outcome" not in entry
    assert entry["call"] == "ModifyRule"


def test_what_must_be_true_before_a_call_is_written_with_its_intent(account: Account) -> None:
    fence = account.before("bake_image").record().fence()
    with ledger.mutation(fence, "CreateImage", "i", image="ami-1"):
        assert account.record().image == "ami-1"


def test_two_mutations_of_one_moment_are_two_entries(account: Account) -> None:
    fence = account.before("bake_image").record().fence()
    for _ in range(3):
        with ledger.mutation(fence, "PutMetricAlarm", "a"):
            pass
    assert len(account.journal()) == 3


@pytest.mark.parametrize("change", [{"epoch": 2}, {"epoch": 0}, {"release": "3.0.0-a"}, {"route": "other"}])
def test_another_epoch_release_or_route_may_not_write(account: Account, change: dict[str, Any]) -> None:
    fence = account.before("bake_image").record().fence()
    other = Fence(
        **{"service": "shop", "release": RELEASE, "route": fence.route, "epoch": fence.epoch, **change}
    )
    before = account.world()
    with pytest.raises(Fenced), ledger.mutation(other, "ModifyRule", "r"):
        raise AssertionError("the call would have been sent")
    with pytest.raises(Fenced):
        ledger.note(other, need=9)
    with pytest.raises(Fenced):
        ledger.end(other, "RolledBack", "")
    assert account.world() == before


@pytest.mark.parametrize("call", ["TransactWriteItems", "GetItem"])
@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
def test_without_the_ledger_nothing_is_written(account: Account, call: str, code: str) -> None:
    account.before("shift_traffic")
    with account.failing("dynamodb", call, code), pytest.raises(Busy):
        account.run("shift_traffic")
    assert account.writes() == []


def test_taking_over_bumps_the_epoch_and_keeps_the_first_failure(account: Account) -> None:
    record = account.before("shift_traffic").record()
    taken = ledger.take_over(record, "guard", "GreenFailed: a", hold=True, overwrite=False)
    assert (taken.epoch, taken.status, taken.converger, taken.hold) == (2, "RollingBack", "guard", True)
    again = ledger.take_over(taken, "person", "RollbackOrdered: b", hold=False, overwrite=True)
    assert (again.epoch, again.failure, again.hold, again.overwrite) == (3, "GreenFailed: a", False, True)


def test_who_is_taken_up_again_from_an_end_keeps_it_with_what_was_said(account: Account) -> None:
    record = account.before("bake_image").record()
    rolling = ledger.take_over(record, "guard", "GreenFailed: a", hold=True)
    assert rolling.past == ()
    ledger.note(rolling.fence(), restored_at=datetime.now(UTC))
    ledger.end(rolling.fence(), "Held", "all traffic is on blue")
    held = account.record()
    again = ledger.take_over(held, "person", "RollbackOrdered: b", ordered=True)
    (past,) = again.past
    assert (past.status, past.outcome, past.then) == ("Held", "all traffic is on blue", "RollbackOrdered: b")
    assert (past.converger, past.failure, past.hold, past.ordered) == ("guard", "GreenFailed: a", True, False)
    assert (past.ended_at, past.restored_at) == (held.ended_at, held.restored_at)
    assert past.rollback_by == held.rollback_by
    assert (again.ended_at, again.outcome, again.failure) == (None, None, "GreenFailed: a")


def test_of_the_ends_that_a_release_left_the_last_twenty_are_kept(account: Account) -> None:
    record = account.before("bake_image").record()
    for n in range(22):
        ledger.end(record.fence(), "RollbackIncomplete", f"{n} healthy")
        record = ledger.take_over(account.record(), f"person-{n}", "RollbackOrdered: once more")
    assert [past.outcome for past in record.past] == [f"{n} healthy" for n in range(2, 22)]


def test_of_two_that_take_over_at_once_one_is_fenced(account: Account) -> None:
    record = account.before("shift_traffic").record()
    ledger.take_over(record, "guard", "", hold=False, overwrite=False)
    with pytest.raises(Fenced):
        ledger.take_over(record, "person", "", hold=False, overwrite=False)
    assert account.record().converger == "guard"


@pytest.mark.parametrize(
    ("status", "free", "open_"),
    [
        ("Promoted", True, True),
        ("RolledBack", True, False),
        ("Retired", True, False),
        ("Held", False, True),
        ("RollbackIncomplete", False, True),
    ],
)
def test_an_end_frees_the_route_unless_a_person_must_decide(
    account: Account, status: str, free: bool, open_: bool
) -> None:
    fence = account.before("shift_traffic").record().fence()
    ledger.end(fence, status, "so it is", retire_at=datetime(2026, 1, 5, 10, tzinfo=UTC))
    record = account.record()
    assert (record.status, record.outcome) == (status, "so it is")
    assert record.retire_at == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert (ledger.holder(account.shop.route_arn) is None) is free
    assert (("shop", RELEASE) in ledger.open_releases()) is open_


def test_a_lock_outlives_nothing_but_its_release(account: Account) -> None:
    account.before("shift_traffic").later(days=30)
    plan = account.record().plan
    other = msgspec.structs.replace(plan, release="3.0.0-abcdef", execution=f"{EXECUTION}-2")
    with pytest.raises(RouteLocked):
        ledger.take_lock(other, NOW)


def test_an_epoch_never_comes_back(account: Account) -> None:
    record = account.before("shift_traffic").record()
    ledger.end(record.fence(), "RolledBack", "")
    other = msgspec.structs.replace(record.plan, release="3.0.0-abcdef", execution=f"{EXECUTION}-2")
    assert ledger.take_lock(other, NOW) == 2
    with pytest.raises(Fenced):
        ledger.note(record.fence(), need=1)


def test_a_release_that_nobody_knows_is_refused(account: Account) -> None:
    assert account
    assert ledger.find("shop", "none") is None
    with pytest.raises(Refusal, match="No such release of shop"):
        ledger.read("shop", "none", 1)


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_state_of_another_epoch_is_fenced_as_it_reads(account: Account, epoch: int) -> None:
    account.before("shift_traffic")
    with pytest.raises(Fenced, match=f"this state acts for {epoch}"):
        ledger.read("shop", RELEASE, epoch)


def test_reads_are_consistent(account: Account) -> None:
    account.before("shift_traffic").record()
    assert {call["ConsistentRead"] for call in account.requests("GetItem")} == {True}


def test_a_later_version_may_have_written_fields_that_this_one_does_not_know(account: Account) -> None:
    account.before("shift_traffic")
    key = {"pk": {"S": f"release#shop#{RELEASE}"}, "sk": {"S": "record"}}
    account.client("dynamodb").update_item(
        TableName=TABLE,
        Key=key,
        UpdateExpression="SET colour = :c",
        ExpressionAttributeValues={":c": {"S": "blue"}},
    )
    assert account.record().status == "Releasing"


def test_every_item_says_which_shape_it_has(account: Account) -> None:
    account.shifted()
    assert {item["schema"] for item in account.ledger()} == {"1"}


def test_a_retirement_waits_for_whoever_holds_the_route(account: Account) -> None:
    promoted = account.promoted().record()
    taken = ledger.lock_to_retire(promoted, "retire-1")
    assert taken is not None
    assert taken.epoch == 2
    again = ledger.lock_to_retire(taken, "retire-1")
    assert again is not None
    assert again.epoch == 2, "the same execution takes it once"
    other = msgspec.structs.replace(promoted.plan, release="3.0.0-abcdef", execution=f"{EXECUTION}-2")
    with pytest.raises(RouteLocked, match=f"held by release {RELEASE}"):
        ledger.take_lock(other, NOW)
    ledger.end(taken.fence(), "Retired", "")
    ledger.take_lock(other, NOW)
    assert ledger.lock_to_retire(promoted, "retire-2") is None


def test_an_idle_fence_is_had_while_nobody_holds_the_route_and_broken_by_whoever_takes_it(
    account: Account,
) -> None:
    record = account.promoted().record()
    idle = ledger.idle(record)
    assert idle is not None
    ledger.note(idle, told="a first")
    ledger.note(idle, told="and a second")
    locked = ledger.lock_to_retire(record, "retire-1")
    assert locked is not None
    assert ledger.idle(record) is None
    with pytest.raises(Fenced):
        ledger.note(idle, told="while it is held")
    ledger.end(locked.fence(), "Retired", "")
    with pytest.raises(Fenced):
        ledger.note(idle, told="once it is free again")
    assert account.record().told == "and a second"


def test_an_idle_fence_yields_to_hands_off(account: Account) -> None:
    record = account.promoted().record()
    idle = ledger.idle(record)
    assert idle is not None
    account.take_hands_off("the auditors are in", account.shop.route_arn)
    with pytest.raises(HandsOff, match="the auditors are in"), ledger.mutation(idle, "DeleteRule", "r"):
        raise AssertionError("it was let through")
    known = ledger.idle(record)
    assert known is not None
    assert known.hands_off == "the auditors are in"


def test_people_are_told_news_once(account: Account) -> None:
    assert account
    told = [ledger.is_news(words) for words in ("a", "a", "b", "", "", "b")]
    assert told == [True, False, True, True, False, True]
