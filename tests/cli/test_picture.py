"""The picture: from what one look has seen to what is said of it, with no AWS in sight."""

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tests import stack
from tests.account import EXECUTION, NOW
from viridian.fleet import Member, Side
from viridian.gates import Passage
from viridian.plan import Plan
from viridian.record import Record
from viridian.request import Approval, Step, Waiver
from viridian.traffic import Forward
from viridian.verdict import AlarmState
from viridian_cli import journal, picture, waits
from viridian_cli.app import found as commands
from viridian_cli.aws.releases import Entry
from viridian_cli.picture import Picture
from viridian_cli.plot import STAGES
from viridian_cli.seen import Planning, Seen, State

_PLAN = msgspec.convert(json.loads((stack.ROOT / "events" / "acquire_lock.json").read_text())["plan"], Plan)
STEPS = (Step(weight=10, observe_minutes=10), Step(weight=100, observe_minutes=5))
PLAN = replace(_PLAN, started_at=NOW, profile=replace(_PLAN.profile, steps=STEPS, guards=("shop-5xx",)))
BLUE, GREEN = PLAN.blue.target_group, f"{PLAN.blue.target_group}-green"
BEGUN = Record(plan=PLAN, status="Releasing", epoch=1, taken_at=NOW, need=3, written=(PLAN.before,))
MINUTE = timedelta(minutes=1)


def at(minutes: float) -> datetime:
    return NOW + minutes * MINUTE


def weighing(green: int) -> Forward:
    return Forward(weights={group: share for group, share in ((BLUE, 100 - green), (GREEN, green)) if share})


def made(**fields: Any) -> Record:
    known = {"image": "ami-1", "launch_template_version": "4", "green_target_group": GREEN, "green_at": at(1)}
    return replace(BEGUN, **{**known, **fields})


def carrying(green: int, **fields: Any) -> Record:
    known = {"first_weight_at": at(3), "written": (weighing(0), weighing(green))}
    return made(**{**known, **fields})


def back(**fields: Any) -> Record:
    known = {
        "failure": "GreenFailed: 9% errors",
        "converger": EXECUTION,
        "taken_at": at(5),
        "rollback_by": at(65),
    }
    return carrying(10, **{"status": "RollingBack", **known, **fields})


def wrote(green: int, minutes: float) -> Entry:
    after = msgspec.json.encode(weighing(green)).decode()
    return entry("ModifyRule", PLAN.route, minutes, after)


def entry(call: str, resource: str, minutes: float, after: str | None = None, outcome: str = "done") -> Entry:
    return Entry(
        at=at(minutes).isoformat(), call=call, resource=resource, epoch=1, after=after, outcome=outcome
    )


def paused(minutes: float, until: float) -> Entry:
    told = {"by": "mara", "why": "checkout looks slow", "until": at(until).isoformat()}
    return entry("Order:pause", PLAN.release, minutes, json.dumps(told))


def seen(record: Record, minutes: float, state: str | None = None, **also: Any) -> Seen:
    in_state = State(name=state, since=at(minutes)) if state else None
    return Seen(now=at(minutes), record=record, state=in_state, **also)


def side(group: str, *health: str) -> Side:
    members = tuple(
        Member(instance=f"i-{n}", zone="us-east-1" + "ab"[n % 2], health=each)
        for n, each in enumerate(health)
    )
    return Side(group=group, target_group=BLUE, minimum=3, desired=3, maximum=9, members=members)


def marks(drawn: Picture) -> str:
    signs = {"done": "+", "now": "*", "ahead": " ", "failed": "x"}
    return " ".join(f"{signs[stage.mark]}{stage.name}" for stage in drawn.plot)


# --- where in the plot ----------------------------------------------------------------------------------------

FORTH = ["PlanRelease", "BakeImage", "CreateGreen", "RunSmokeTests", "10%", "100%", "Promoted"]


def going(here: int, names: list[str] = FORTH) -> str:
    return " ".join(f"{'+' if n < here else '*' if n == here else ' '}{name}" for n, name in enumerate(names))


def gone(until: str, *then: str) -> str:
    done = FORTH[: FORTH.index(until)]
    return " ".join([*(f"+{name}" for name in done), f"x{until}", *then])


ASKED = Passage(gate="before_traffic", reached_at=at(2), approval="ab" * 12, until=at(60))
ASKING = replace(
    PLAN, gates=("before_traffic",), profile=replace(PLAN.profile, approval=Approval(before_traffic=True))
)
LAST = replace(ASKED, gate="before_promote")
GATED = [*FORTH[:4], "AwaitApproval", *FORTH[4:]]


@pytest.mark.parametrize(
    ("record", "state", "shown"),
    [
        (BEGUN, "WaitForImage", going(1)),
        (BEGUN, None, going(1)),
        (made(), "WaitForGreen", going(2)),
        (made(), None, going(2)),
        (made(), "RunSmokeTests", going(3)),
        (made(), "ShiftTraffic", going(4)),
        (made(plan=ASKING, passages=(ASKED,)), "AwaitApproval", going(4, GATED)),
        (made(plan=ASKING, passages=(ASKED,)), "CheckGreen", going(2, GATED)),
        (carrying(10), "Observe", going(4)),
        (carrying(10), None, going(4)),
        (carrying(100), "JudgeGreen", going(5)),
        (carrying(100), "Promote", going(6)),
        (carrying(100, status="Promoted"), None, going(7)),
        (back(), "RestoreBlue", gone("10%", "*RestoreBlue", " Converge", " RolledBack")),
        (back(restored_at=at(6)), "Converge", gone("10%", "+RestoreBlue", "*Converge", " RolledBack")),
        (
            back(status="RolledBack", restored_at=at(6)),
            None,
            gone("10%", "+RestoreBlue", "+Converge", "+RolledBack"),
        ),
        (back(status="Held"), None, gone("10%", " RestoreBlue", "+Converge", "xHeld")),
        (
            back(status="RollbackIncomplete", restored_at=at(6)),
            None,
            gone("10%", "+RestoreBlue", "+Converge", "xRollbackIncomplete"),
        ),
        (
            back(written=(weighing(100), weighing(0)), taken_back=True),
            "RestoreBlue",
            f"{going(7)} *RestoreBlue  Converge  RolledBack",
        ),
    ],
)
def test_the_plot_shows_where_a_release_is(record: Record, state: str | None, shown: str) -> None:
    assert marks(picture.drawn(seen(record, 7, state))) == shown


def test_the_plot_knows_every_state_of_both_machines() -> None:
    def names(states: dict[str, Any]) -> set[str]:
        inner = (branch["States"] for state in states.values() for branch in state.get("Branches", ()))
        return set(states).union(*map(names, inner))

    machines = [
        json.loads((stack.ROOT / "statemachine" / f"{name}.asl.json").read_text())
        for name in ("release", "rollback")
    ]
    ends = {"Succeed", "Fail"}
    states = set()
    for machine in machines:
        whole = (
            machine["States"]
            | machine["States"].get("Release", {"Branches": [{"States": {}}]})["Branches"][0]["States"]
        )
        states |= {name for name, state in whole.items() if state["Type"] not in {*ends, "Parallel"}}
    assert states == {state for stage in STAGES.values() for state in stage}


# --- how long it takes ----------------------------------------------------------------------------------------

UP: dict[str, Any] = {"blue": side("shop-1", *["healthy"] * 3), "green": side("green", "healthy", "initial")}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (seen(BEGUN, 6, "WaitForImage"), [("bake", 0.1, "6:00 of at most 60:00")]),
        (
            seen(made(), 3, "WaitForGreen", **UP),
            [
                ("launch", 2 / 3, "2 of 3"),
                ("health", 1 / 3, "1 of 3"),
                ("until healthy", 0.1, "2:00 of at most 20:00"),
            ],
        ),
        (
            seen(made(plan=ASKING, passages=(ASKED,)), 31, "AwaitApproval"),
            [("approval", 0.5, "29:00 of at most 58:00")],
        ),
        (
            seen(carrying(10), 8, "Observe", entries=(wrote(10, 3),)),
            [("observe step 1", 0.5, "5:00 of 10:00")],
        ),
        (
            seen(carrying(10), 8, "Observe", entries=(wrote(10, 3), paused(4, 24))),
            [("paused", 0.2, "4:00 of 20:00"), ("observe step 1", 0.5, "5:00 of 10:00")],
        ),
        (
            seen(carrying(10), 8, "Observe", entries=(wrote(10, 3), paused(4, 7))),
            [("observe step 1", 0.5, "5:00 of 10:00")],
        ),
        (
            seen(carrying(10), 16, "Observe", entries=(wrote(10, 3),)),
            [("evidence", 0.2, "3:00 of at most 15:00")],
        ),
        (
            seen(back(), 11, "Converge", **UP),
            [("blue's capacity", 1.0, "3 of 3"), ("the way back", 0.1, "6:00 of at most 60:00")],
        ),
        (
            seen(back(restored_at=at(10)), 11, "Converge"),
            [("settle", 0.5, "1:00 of 2:00"), ("the way back", 0.1, "6:00 of at most 60:00")],
        ),
        (
            seen(carrying(100, status="Promoted", ended_at=at(20), retire_at=at(80)), 35),
            [("blue is kept", 0.25, "15:00 of 60:00")],
        ),
        (seen(back(status="Held"), 35), []),
    ],
)
def test_every_long_wait_says_how_much_of_it_is_over(
    now: Seen, expected: list[tuple[str, float, str]]
) -> None:
    found = [(wait.what, round(wait.done, 3), wait.words) for wait in waits.of(now)]
    assert found == [(what, round(done, 3), words) for what, done, words in expected]


@pytest.mark.parametrize(
    ("now", "soonest", "latest"),
    [
        (seen(BEGUN, 2), at(2 + 10 + 5), PLAN.deadline),
        (seen(carrying(10), 8, entries=(wrote(10, 3),)), at(13 + 5), PLAN.deadline),
        (seen(carrying(10), 20, entries=(wrote(10, 3),)), at(20 + 5), PLAN.deadline),
        (seen(carrying(10), 8, entries=(wrote(10, 3), paused(7, 67))), at(67 + 5), PLAN.deadline),
        (seen(carrying(100), 15, entries=(wrote(10, 3), wrote(100, 14))), at(19), PLAN.deadline),
        (seen(back(), 8), None, at(65)),
        (seen(carrying(100, status="Promoted"), 30), None, None),
    ],
)
def test_the_end_is_as_near_as_what_is_left_to_observe(
    now: Seen, soonest: datetime | None, latest: datetime | None
) -> None:
    drawn = picture.drawn(now)
    assert (drawn.soonest, drawn.latest) == (soonest, latest)


# --- both fleets and the alarms -------------------------------------------------------------------------------


def test_the_fleets_are_compared_by_full_minutes_and_by_what_the_newest_one_says_of_errors() -> None:
    def minutes(**values: float) -> dict[datetime, float]:
        return {at(int(name[1:])): value for name, value in values.items()}

    measured = {
        "green_requests": minutes(m1=900, m12=100, m13=300, m14=5),
        "green_errors": minutes(m1=900, m13=4),
        "green_latency": minutes(m12=0.1, m13=0.2),
        "blue_requests": minutes(m14=5),
    }
    blue, green = picture.drawn(seen(carrying(10), 15, measured=measured, **UP)).fleets
    assert green.requests == 200
    assert green.error_percent == pytest.approx(100 * 4 / 405)
    assert green.latency_seconds == pytest.approx(0.175)
    assert (blue.requests, blue.error_percent, blue.latency_seconds) == (None, 0.0, None)


def test_a_fleet_says_who_is_healthy_in_which_zone_and_who_is_not() -> None:
    blue, green = picture.drawn(seen(made(), 3, **UP)).fleets
    assert [msgspec.structs.astuple(zone) for zone in green.zones] == [
        ("us-east-1a", 1, 1),
        ("us-east-1b", 0, 1),
    ]
    assert (green.healthy, green.wanted, green.ails) == (1, 3, "i-1 initial")
    assert (blue.healthy, blue.wanted, blue.ails) == (3, 3, "")


@pytest.mark.parametrize(
    ("forward", "percent", "others"),
    [
        (weighing(10), 10, 0),
        (Forward(weights={BLUE: 50, "arn:else": 50}), 0, 50),
        (None, None, 0),
    ],
)
def test_the_weights_are_what_the_route_shows(
    forward: Forward | None, percent: int | None, others: int
) -> None:
    drawn = picture.drawn(seen(carrying(10), 5, forward=forward))
    assert (drawn.percent, drawn.others) == (percent, others)


def alarm(name: str, state: str) -> AlarmState:
    return AlarmState(name=name, arn=name, state=state, reason="9% 5xx", since=at(1), evaluation_seconds=60)


def test_alarms_are_guards_that_may_be_gone_or_waived_and_greens_own_by_their_signal() -> None:
    own = f"viridian-{PLAN.service}-{PLAN.release}-errors"
    waived = replace(PLAN, waive=Waiver(alarms=("shop-p99",), reason="slow since Monday"))
    guards = ("shop-5xx", "shop-p99")
    plan = replace(waived, profile=replace(PLAN.profile, guards=guards))
    states = (alarm("shop-p99", "ALARM"), alarm(own, "OK"))
    drawn = picture.drawn(seen(carrying(10, plan=plan), 5, alarms=states, own=(own, "not-yet-made")))
    assert [(each.name, each.own, each.state, each.waived) for each in drawn.alarms] == [
        ("shop-5xx", False, "GONE", False), ("shop-p99", False, "ALARM", True), ("errors", True, "OK", False),
    ]  # fmt: skip


# --- what was -------------------------------------------------------------------------------------------------


def test_what_has_happened_is_told_in_its_order_phases_and_writes_and_people() -> None:
    entries = (
        entry("PutMetricAlarm", "errors", 1.1),
        entry("PutMetricAlarm", "latency", 1.2),
        entry(
            "CreateTargetGroup",
            "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/shop-12/ab",
            1.3,
            outcome="unknown",
        ),
        wrote(10, 3),
        paused(4, 64),
        entry("ModifyRule", PLAN.route, 5, outcome="unknown"),
        entry("Restore", PLAN.route, 5, f"all traffic on {BLUE}"),
    )
    until = f"{at(64):%Y-%m-%dT%H:%M:%SZ}"
    events = picture.drawn(seen(back(restored_at=at(6)), 7, entries=entries)).events
    assert [(event.what, event.why, event.detail) for event in events[3:]] == [
        ("put metric alarm errors and 1 more", "", True),
        ("create target group shop-12 (unknown)", "", True),
        ("gets 10% of the traffic", "Step 1 of 2.", False),
        ("is paused at 10% of the traffic", f"Paused by mara until {until}: checkout looks slow.", False),
        ("is being rolled back", "GreenFailed: 9% errors.", False),
        ("write the route (unknown)", "", False),
        ("blue gets all traffic", "", False),
        ("has no traffic", f"{PLAN.blue.group} serves alone, 60 s after the way back began.", False),
    ]
    assert [event.what for event in events[:3]] == [
        "is being released",
        "has its image",
        "gets its green fleet",
    ]


def test_a_paused_release_says_so_first_and_a_question_comes_before_everything() -> None:
    held = picture.drawn(seen(carrying(10), 8, entries=(wrote(10, 3), paused(4, 64))))
    assert held.what.endswith("is paused at 10% of the traffic")
    asking = made(plan=ASKING, passages=(ASKED,))
    assert picture.drawn(seen(asking, 8, entries=(paused(4, 64),))).what.endswith("a person's approval")


def test_without_the_journal_the_record_says_where_it_is() -> None:
    assert picture.drawn(seen(carrying(10), 8)).what.endswith("gets 10% of the traffic")
    assert picture.drawn(seen(back(), 8)).what.endswith("is being rolled back")


def test_what_turned_it_back_stays_in_sight() -> None:
    drawn = picture.drawn(seen(back(restored_at=at(6)), 7))
    assert drawn.what.endswith("has no traffic")
    assert drawn.cause == "GreenFailed: 9% errors."
    assert picture.drawn(seen(carrying(10), 7)).cause == ""


@pytest.mark.parametrize(
    ("minutes", "following"),
    [(7, "The load balancer settles; then green is removed."), (9, "Green is removed.")],
)
def test_what_comes_next_is_said_no_longer_once_it_has_come(minutes: float, following: str) -> None:
    assert picture.drawn(seen(back(restored_at=at(6)), minutes)).next == following


@pytest.mark.parametrize(("failure", "shown"), [("GreenFailed: 9%", "x10%"), ("RollbackOrdered: no", "+10%")])
def test_a_step_that_failed_stays_so_whoever_ordered_the_way_back(failure: str, shown: str) -> None:
    drawn = picture.drawn(seen(back(failure=failure, ordered=True), 7))
    assert shown in marks(drawn).split()


def test_at_the_last_gate_nothing_is_left_to_skip() -> None:
    waits_there = carrying(100, plan=replace(ASKING, gates=("before_promote",)), passages=(LAST,))
    types = [order.type.split()[1] for order in picture.drawn(seen(waits_there, 30)).orders]
    assert types == ["approve", "reject", "pause", "rollback", "brake"]
    assert picture.drawn(seen(waits_there, 30)).orders[2].does == "no promotion, for an hour"


def test_a_resumed_release_is_paused_no_more() -> None:
    resumed = entry("Order:resume", PLAN.release, 5, '{"by": "mara", "why": "it was the cache"}')
    assert journal.paused((paused(4, 64), resumed), at(6)) is None


# --- what may be typed ----------------------------------------------------------------------------------------

PROMOTED = carrying(100, status="Promoted", ended_at=at(20), retire_at=at(80))


@pytest.mark.parametrize(
    ("record", "also", "may"),
    [
        (made(), {}, ["pause", "rollback"]),
        (made(plan=ASKING, passages=(ASKED,)), {}, ["approve", "reject", "pause", "rollback"]),
        (carrying(10), {}, ["pause", "promote", "rollback", "brake"]),
        (carrying(10), {"entries": (paused(4, 64),)}, ["resume", "promote", "rollback", "brake"]),
        (carrying(10, hands_off="audit"), {}, ["hands-off", "pause", "promote", "rollback", "brake"]),
        (back(), {}, ["brake", "brake --without-ledger", "explain"]),
        (back(restored_at=at(6)), {}, ["explain"]),
        (back(status="Held"), {}, ["rollback", "resume", "resolve", "explain"]),
        (back(status="RollbackIncomplete"), {}, ["rollback", "resolve", "explain"]),
        (back(status="RolledBack"), {}, ["explain"]),
        (PROMOTED, {}, ["rollback"]),
        (replace(PROMOTED, status="Retired"), {}, ["history"]),
    ],
)
def test_what_may_be_typed_is_what_helps_now(record: Record, also: dict[str, Any], may: list[str]) -> None:
    typed = [order.type.split() for order in picture.drawn(seen(record, 30, **also)).orders]
    assert [" ".join([words[1], *(w for w in words if w == "--without-ledger")]) for words in typed] == may
    assert all(words[2] == PLAN.service for words in typed)


def test_a_promoted_release_says_until_when_it_can_be_taken_back_at_once() -> None:
    def does(minutes: float) -> str:
        return picture.drawn(seen(PROMOTED, minutes)).orders[0].does

    assert does(30) == f"take it back (blue is kept until {at(80):%Y-%m-%dT%H:%M:%SZ})"
    assert does(90) == "take it back: blue launches first"


# --- before the ledger has it, and what counts as a change ----------------------------------------------------


def test_a_release_that_waits_for_its_window_says_until_when_and_holds_nothing() -> None:
    drawn = picture.drawn(
        Planning(
            now=at(30), service="shop", version="2.0.0", execution=EXECUTION, began=at(0), opens_at=at(60),
            why="outside its windows",
        )
    )  # fmt: skip
    assert (drawn.what, drawn.why) == ("shop 2.0.0 waits for its window", "Outside its windows.")
    assert [(wait.what, wait.done) for wait in drawn.waits] == [("window", 0.5)]
    assert marks(drawn).startswith("*PlanRelease  BakeImage")
    assert drawn.orders[0].type == f"viridian abort shop {drawn.release} -m WHY"


def test_time_and_measurements_alone_are_no_change() -> None:
    first = picture.drawn(seen(carrying(10), 8, "Observe", **UP))
    later = picture.drawn(
        seen(carrying(10), 9, "Observe", measured={"blue_requests": {at(7): 9.0, at(8): 1.0}}, **UP)
    )
    assert not picture.differs(first, later)
    for other in (
        picture.drawn(seen(carrying(100), 9, "Observe", **UP)),
        picture.drawn(seen(carrying(10), 9, "Observe", **{**UP, "blue": side("shop-1", "healthy")})),
        picture.drawn(seen(carrying(10), 9, "Observe", alarms=(alarm("shop-5xx", "ALARM"),), **UP)),
        replace(first, lost="AWS can't be reached."),
    ):
        assert picture.differs(first, other)


def test_every_command_that_the_screen_names_is_one() -> None:
    named = {
        order.type.split()[1]
        for record in (made(plan=ASKING, passages=(ASKED,)), carrying(10, hands_off="x"), back(), PROMOTED)
        for order in picture.drawn(seen(record, 30)).orders
    }
    assert named <= set(commands)
