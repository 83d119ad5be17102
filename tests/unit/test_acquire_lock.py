"""AcquireLock: one release per route at a time, and its record opened in the same transaction."""

import msgspec
import pytest

from tests.account import EXECUTION, NOW, RELEASE, Account
from viridian.aws import ledger
from viridian.errors import AlreadyBegun, Refusal, RouteLocked
from viridian.plan import Plan


def test_the_lock_is_taken_once_however_often_it_is_asked_for(account: Account) -> None:
    assert account.twice("acquire_lock") == {"epoch": 1}
    assert account.writes() == []


def test_the_record_opens_with_the_plan_and_with_blues_size_as_the_need(account: Account) -> None:
    plan = account.event("acquire_lock")["plan"]
    account.run("acquire_lock")
    record = account.record()
    assert record.plan == msgspec.convert(plan, Plan)
    assert (record.status, record.epoch, record.need) == ("Releasing", 1, 3)
    assert [forward.weights for forward in record.written] == [{account.shop.target_group_arn: 100}]


def test_whoever_comes_second_is_told_who_holds_the_route(account: Account) -> None:
    plan = account.event("acquire_lock")["plan"]
    account.run("acquire_lock")
    stood = account.world()
    second = {**plan, "service": "store", "release": "3.0.0-abcdef", "execution": f"{EXECUTION}-2"}
    with pytest.raises(RouteLocked, match=f"held by release {RELEASE} of service shop") as locked:
        account.run("acquire_lock", {"plan": second})
    assert EXECUTION in str(locked.value)
    assert account.world() == stood


def test_a_key_stands_for_one_release_for_good(account: Account) -> None:
    plan = {**account.event("acquire_lock")["plan"], "key": "pipeline/1842"}
    assert [account.run("acquire_lock", {"plan": plan}) for _ in range(2)] == [{"epoch": 1}] * 2
    second = {**plan, "version": "3.0.0", "release": "3.0.0-abcdef", "execution": f"{EXECUTION}-2"}
    for end in (None, "RolledBack"):
        if end:
            ledger.end(account.record().fence(), end, "it was no good")
        stood = account.world()
        with pytest.raises(AlreadyBegun, match=f"the key pipeline/1842 stands for release {RELEASE}"):
            account.run("acquire_lock", {"plan": second})
        assert account.world() == stood
    begun = ledger.find_by_key("shop", "pipeline/1842")
    assert begun
    assert begun.plan.release == RELEASE
    assert ledger.find_by_key("store", "pipeline/1842") is None


def test_the_next_release_of_a_free_route_gets_the_next_epoch(account: Account) -> None:
    account.promoted()
    plan = account.event("acquire_lock")["plan"]
    again = {**plan, "release": "3.0.0-abcdef", "execution": f"{EXECUTION}-2"}
    assert account.run("acquire_lock", {"plan": again}) == {"epoch": 2}


def test_a_release_that_has_ended_does_not_begin_again(account: Account) -> None:
    account.promoted()
    with pytest.raises(Refusal, match="It has ended Promoted"):
        account.run("acquire_lock")


def test_the_sample_is_what_planning_the_sample_request_gives(account: Account) -> None:
    asked = account.event("acquire_lock")["plan"]
    planned = account.run("plan_release")["plan"]
    assert asked["started_at"] == f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    for plan in (asked, planned):  # the standby rule's header value is drawn by lot
        value = plan["standby"].pop("value")
        plan["standby"]["conditions"][-1]["HttpHeaderConfig"]["Values"] = [value[:5]]
        plan["preview"] = plan["preview"].replace(value, value[:5])
    assert asked == planned
