"""The figures say what clients, call log and alarms say, whatever the release says of itself."""

from dataclasses import replace
from typing import Any

import pytest

from local.demo.figures import Evidence, Played, measure, summary, weight_changes
from local.demo.promises import (
    broken,
    broken_by_control,
    broken_by_fault,
    broken_by_load,
    broken_by_name,
    broken_by_order,
    broken_by_stop,
)
from local.demo.scenes import Side
from local.demo.watch import Sight, Turn
from local.plane.load import Event
from viridian_cli.course import percent, states

ROUTE = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/shop/1/2/3"
BLUE, GREEN = "arn:aws:x:targetgroup/shop-1/1", "arn:aws:x:targetgroup/shop-2/2"
VERSIONS = {BLUE: "1.0.0", GREEN: "2.0.0"}
RUN = "arn:aws:states:us-east-1:123456789012:execution:release:x"


def event(cloud: float, version: str | None = "1.0.0", kind: str = "keep-alive", **other: Any) -> Event:
    fields: dict[str, Any] = {"status": 200, "error": None, "latency": 0.01, **other}
    return Event(due=cloud / 30, cloud=cloud, kind=kind, version=version, **fields)


def write(at: float, weights: dict[str, int], **other: Any) -> dict[str, Any]:
    call = {"at": at, "call": "ModifyRule", "request": {"RuleArn": ROUTE}, "error": None, "after": weights}
    return {"execution": RUN, "principal": "ShiftTrafficFunction", **call, **other}


def entered(name: str, at: str) -> dict[str, Any]:
    return {"type": "TaskStateEntered", "timestamp": at, "stateEnteredEventDetails": {"name": name}}


PLAYED = Played(
    name="good",
    version="2.0.0",
    blue="1.0.0",
    expected="Promoted",
    bad=False,
    began=1000.0,
    ended=1600.0,
    ran_until=1500.0,
    outcome="Promoted",
    executions=(RUN,),
    history=[
        {"type": "ExecutionStarted", "timestamp": "1970-01-01T00:16:40.000Z"},
        entered("PlanRelease", "1970-01-01T00:16:41.000Z"),
        entered("Promoted", "1970-01-01T00:25:00.000Z"),
    ],
)
BAD = replace(PLAYED, expected="RolledBack", bad=True, outcome="RolledBack")
STOPPED = replace(BAD, bad=False)
EVIDENCE = Evidence(
    speed=30,
    route=ROUTE,
    guards=["shop-errors"],
    events=[
        *(event(1000.0 + tick / 2.5) for tick in range(1000)),
        event(1150.0, kind="sticky"),
        event(1195.0, kind="long", latency=5.0),
        event(1210.0, "2.0.0"),
        event(1290.0, kind="long", latency=5.0),
        event(1310.0, "2.0.0"),
    ],
    calls=[write(1200.0, {BLUE: 50, GREEN: 50}), write(1300.0, {GREEN: 100})],
    invocations=[{"execution": RUN, "at": 1200.0}, {"execution": None, "at": 1200.0}],
    turns=[],
    sights=[
        *(Sight(at, "shop-1", "1.0.0", 3, 3, 3) for at in (1000.0, 1300.0, 1500.0)),
        *(
            Sight(at, "viridian-shop-2.0.0-x", "2.0.0", 3, 3, int(at >= 1200))
            for at in (1100.0, 1200.0, 1400.0)
        ),
    ],
    versions=VERSIONS,
)


def figures(played: Played = PLAYED, evidence: Evidence = EVIDENCE, **other: Any) -> Any:
    given: dict[str, Any] = {
        "final_weights": {"1.0.0": 0, "2.0.0": 100},
        "orphans": [],
        "balancer": {},
        **other,
    }
    return measure(played, evidence, **given)


def test_only_requests_due_in_the_scene_count() -> None:
    outside = [event(999.9), event(1600.0)]
    assert figures(evidence=replace(EVIDENCE, events=outside)).requests == 0
    assert figures().requests == 1005


@pytest.mark.parametrize(
    ("lost", "why"),
    [
        (event(1100, None, status=None, error="reset"), "reset"),
        (event(1100, None, status=None, error="refused"), "refused"),
        (event(1100, None, status=502), "502"),
        (event(1100, None, status=503), "503"),
        (event(1100, None, status=504), "504"),
    ],
)
def test_what_a_client_lost_is_lost_and_named(lost: Event, why: str) -> None:
    seen = figures(evidence=replace(EVIDENCE, events=[*EVIDENCE.events, lost]))
    assert (seen.lost, seen.lost_to) == (1, {why: 1})
    assert f"1 requests were lost: {why} 1" in broken(seen, "Promoted")


def test_an_error_of_the_app_is_no_loss() -> None:
    seen = figures(evidence=replace(EVIDENCE, events=[*EVIDENCE.events, event(1100, "1.0.0", status=500)]))
    assert (seen.lost, seen.errors) == (0, 1)


def test_only_what_a_bad_version_answered_was_served_while_bad() -> None:
    assert figures().served_by_green_while_bad == 0
    assert figures(BAD).served_by_green_while_bad == 2
    assert figures(STOPPED).served_by_green_while_bad == 0


def test_alarm_to_blue_ends_with_the_last_request_that_green_answered() -> None:
    turns = [Turn(1250.0, "viridian-shop-2.0.0-x-errors", "ALARM"), Turn(1260.0, "shop-errors", "ALARM")]
    seen = figures(BAD, replace(EVIDENCE, turns=turns))
    assert seen.seconds_alarm_to_blue == {"cloud": 60.0, "wall": 2.0}


@pytest.mark.parametrize(
    "turn",
    [
        Turn(1250.0, "viridian-shop-2.0.0-x-errors", "OK"),
        Turn(990.0, "viridian-shop-2.0.0-x-errors", "ALARM"),
        Turn(1250.0, "viridian-shop-1.9.0-x-errors", "ALARM"),
        Turn(1250.0, "TargetTracking-shop-1-AlarmHigh", "ALARM"),
    ],
)
def test_other_alarms_and_times_are_not_the_releases(turn: Turn) -> None:
    assert figures(BAD, replace(EVIDENCE, turns=[turn])).seconds_alarm_to_blue is None


def stopped(*more: Any, **changes: Any) -> Evidence:
    stop = {"at": 1250.0, "call": "StopExecution", "request": {"executionArn": RUN}, "error": None}
    calls = [EVIDENCE.calls[0], {**stop, "principal": "person"}, *more]
    return replace(EVIDENCE, calls=calls, **changes)


BACK = write(1280.0, {BLUE: 100, GREEN: 0}, principal="GuardFunction", execution=None)


def test_abort_to_blue_ends_with_the_last_request_that_green_answered() -> None:
    seen = figures(STOPPED, stopped(BACK))
    assert seen.seconds_abort_to_blue == {"cloud": 60.0, "wall": 2.0}
    assert seen.seconds_alarm_to_blue is None


def test_without_an_abort_there_is_nothing_to_measure() -> None:
    assert figures(STOPPED, replace(EVIDENCE, calls=[EVIDENCE.calls[0], BACK])).seconds_abort_to_blue is None
    other = {**stopped().calls[1], "request": {"executionArn": RUN + "y"}}
    assert figures(STOPPED, replace(EVIDENCE, calls=[other, BACK])).seconds_abort_to_blue is None


@pytest.mark.parametrize(
    ("principal", "by"),
    [
        ("BrakeFunction", "brake"),
        ("GuardFunction", "guard"),
        ("SweepFunction", "sweeper"),
        ("RestoreBlueFunction", "Catch"),
        ("person", "person"),
    ],
)
def test_who_took_it_back_is_who_wrote_greens_last_weight_away(principal: str, by: str) -> None:
    again = write(1290.0, {BLUE: 100}, principal="ConvergeFunction")
    seen = figures(STOPPED, stopped({**BACK, "principal": principal}, again))
    assert seen.restored_by == by


def test_who_gave_traffic_or_was_refused_took_nothing_back() -> None:
    refused = {**BACK, "error": "Throttling"}
    assert figures(STOPPED, stopped(refused)).restored_by is None
    late = write(1300.0, {BLUE: 50, GREEN: 50}), {**BACK, "at": 1310.0, "principal": "SweepFunction"}
    assert figures(STOPPED, stopped(BACK, *late)).restored_by == "sweeper"


ROLLBACK = RUN.replace(":release:", ":rollback:") + "-1"
TAKEN_BACK = replace(STOPPED, executions=(RUN, ROLLBACK))
WROTE = write(1420.0, {BLUE: 100}, principal="ConvergeFunction", execution=ROLLBACK)


def ordered(name: str = "x-1", *more: Any, **other: Any) -> Evidence:
    order = {"at": 1330.0, "call": "StartExecution", "request": {"name": name}, "error": None}
    calls = [*EVIDENCE.calls, {**order, "principal": "person", "execution": None, **other}, WROTE, *more]
    return replace(EVIDENCE, calls=calls)


def test_an_order_to_blue_ends_with_the_write_that_gave_blue_everything() -> None:
    seen = figures(TAKEN_BACK, ordered())
    assert seen.seconds_rollback_command_to_blue == {"cloud": 90.0, "wall": 3.0}
    assert seen.restored_by == "order"
    assert seen.seconds_abort_to_blue is None


@pytest.mark.parametrize(
    "evidence", [ordered("x"), ordered("x-2"), ordered(principal="GuardFunction"), EVIDENCE]
)
def test_only_a_persons_order_for_this_release_is_one(evidence: Evidence) -> None:
    seen = figures(TAKEN_BACK, evidence)
    assert seen.seconds_rollback_command_to_blue is None
    assert seen.in_service_at_the_order is None
    assert seen.restored_by != "order"


def test_what_was_in_service_is_what_was_seen_last_before_the_moment() -> None:
    sights = [
        Sight(at, group, version, 0, count, count)
        for at, blue in ((1300.0, 3), (1325.0, 0), (1335.0, 1), (1415.0, 3), (1425.0, 4))
        for group, version, count in (("shop-1", "1.0.0", blue), ("green", "2.0.0", 3))
    ]
    seen = figures(TAKEN_BACK, replace(ordered(), sights=sights))
    assert seen.in_service_at_the_order == {"1.0.0": 0, "2.0.0": 3}
    assert seen.in_service_at_the_way_back == {"1.0.0": 3, "2.0.0": 3}


def test_weights_are_percents_by_version() -> None:
    assert percent({BLUE: 30, GREEN: 10}, VERSIONS) == {"1.0.0": 75, "2.0.0": 25}
    assert percent({GREEN: 1, BLUE: 0}, VERSIONS) == {"2.0.0": 100}
    assert percent({BLUE: 1}, {}) == {"shop-1": 100}


def test_only_writes_that_changed_the_production_rule_are_changes() -> None:
    other = {"request": {"RuleArn": ROUTE + "4"}}
    calls = [
        write(1100.0, {BLUE: 100}),
        write(1150.0, {GREEN: 100}, **other),
        write(1160.0, {GREEN: 100}, error="TargetGroupNotFound"),
        *EVIDENCE.calls,
        write(1301.0, {GREEN: 100}),
    ]
    found = weight_changes(PLAYED, replace(EVIDENCE, calls=calls))
    assert found == [(1200.0, {"1.0.0": 50, "2.0.0": 50}), (1300.0, {"2.0.0": 100})]


def test_long_requests_are_counted_at_the_moment_of_each_change() -> None:
    assert figures().fewest_long_requests_at_a_change == 1
    short = [event for event in EVIDENCE.events if event.kind != "long"]
    seen = figures(evidence=replace(EVIDENCE, events=short))
    assert seen.fewest_long_requests_at_a_change == 0
    assert "no long request was in flight at a change of weights" in broken(seen, "Promoted")


def test_calls_and_invocations_are_those_of_the_scenes_execution() -> None:
    seen = figures(evidence=replace(EVIDENCE, calls=[*EVIDENCE.calls, write(1210.0, {}, execution=None)]))
    assert (seen.api_calls, seen.lambda_invocations) == (2, 1)
    assert (seen.state_transitions, seen.history_events) == (2, 3)


def test_a_scripts_calls_are_a_persons() -> None:
    calls = [write(1210.0, {}, principal="person"), write(1510.0, {}, principal="person"), write(1210.0, {})]
    assert figures(replace(PLAYED, executions=()), replace(EVIDENCE, calls=calls)).api_calls == 1


def test_floors_are_judged_by_what_stood_in_service() -> None:
    seen = figures()
    assert (seen.need, seen.lowest_blue, seen.lowest_green) == (3, 3, 1)
    assert "green stood at 1 instances while 3 were needed" in broken(seen, "Promoted")


def test_states_keep_their_moments() -> None:
    assert states(PLAYED.history) == [(1001.0, "PlanRelease"), (1500.0, "Promoted")]
    aborted = {"type": "ExecutionAborted", "timestamp": "1970-01-01T00:25:01.000Z"}
    assert states([*PLAYED.history, aborted])[-1] == (1501.0, "Aborted")


def kept(**other: Any) -> Any:
    whole = [s for s in EVIDENCE.sights if s.version == "1.0.0"]
    whole += [replace(s, group="g", version="2.0.0") for s in whole]
    seen = figures(evidence=replace(EVIDENCE, sights=whole))
    return replace(seen, **{"requests_per_wall_second": 60.0, **other})


def test_nothing_is_broken_where_all_is_kept() -> None:
    assert broken(kept(), "Promoted") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcome": "Held"},
        {"lost": 1},
        {"final_weights": {"1.0.0": 10, "2.0.0": 90}},
        {"final_weights": {"1.0.0": 100, "2.0.0": 0}},
        {"orphans": ["image ami-1 of 2.0.0-x"]},
        {"requests_per_wall_second": 49.9},
        {"kinds": {"keep-alive": 9, "long": 1}},
        {"answered": {"1.0.0": 9}},
        {"lowest_blue": 2},
        {"lowest_green": None},
    ],
)
def test_each_promise_can_break_alone(wrong: dict[str, Any]) -> None:
    assert len(broken(kept(**wrong), "Promoted")) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, []),
        ({"load_at_the_end": 1.7}, ["the load ended at 1.7 times what it was: nothing was to see"]),
        ({"load_at_the_end": None}, ["the load ended at None times what it was: nothing was to see"]),
        (
            {"floors_at_the_last_change": {"1.0.0": 5, "2.0.0": 6}},
            ["1.0.0 stood on a floor of 5, not 6, at the last change of weights"],
        ),
        (
            {"floors_at_the_last_change": {"1.0.0": 6}},
            ["2.0.0 stood on a floor of 0, not 6, at the last change of weights"],
        ),
    ],
)
def test_a_doubled_load_must_be_seen_and_held_by_both_floors(wrong: dict[str, Any], words: list[str]) -> None:
    seen = kept(
        **{"load_at_the_end": 2.0, "floors_at_the_last_change": {"1.0.0": 6, "2.0.0": 6}, "need": 3, **wrong}
    )
    assert broken_by_load(seen) == words


def test_a_floor_is_what_was_seen_last_before_the_change_and_stood_in_service() -> None:
    sights = [
        Sight(at, group, version, minimum, 6, count)
        for at, minimum in ((1290.0, 5), (1299.0, 6), (1301.0, 3))
        for group, version, count in (("shop-1", "1.0.0", 6), ("green", "2.0.0", 4))
    ]
    assert figures(evidence=replace(EVIDENCE, sights=sights)).floors_at_the_last_change == {
        "1.0.0": 6,
        "2.0.0": 4,
    }


def test_the_load_at_the_end_is_told_in_times_that_of_the_start() -> None:
    ends = PLAYED.began + 1, PLAYED.ended - 1
    events = [event(ends[0]), event(ends[0]), *(event(ends[1]) for _ in range(5)), event(PLAYED.ended + 1)]
    assert figures(evidence=replace(EVIDENCE, events=events)).load_at_the_end == 2.5
    assert figures(evidence=replace(EVIDENCE, events=[event(ends[1])])).load_at_the_end is None


def test_a_bad_version_must_be_seen_to_be_bad() -> None:
    seen = kept(served_by_green_while_bad=40, errors=9, seconds_alarm_to_blue={"cloud": 60.0, "wall": 2.0})
    assert broken_by_fault(seen, before_traffic=False) == []
    assert broken_by_fault(replace(seen, errors=0), before_traffic=False)
    assert broken_by_fault(replace(seen, seconds_alarm_to_blue=None), before_traffic=False)
    assert broken_by_fault(seen, before_traffic=True)
    assert broken_by_fault(replace(seen, served_by_green_while_bad=0), before_traffic=True) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, []),
        ({"seconds_abort_to_blue": None}, ["2.0.0 was never aborted under traffic"]),
        (
            {"seconds_abort_to_blue": {"cloud": 60.5, "wall": 2.0}},
            ["it took 60 s from the abort until all was on 1.0.0, not 60 s"],
        ),
        ({"restored_by": "sweeper"}, ["1.0.0 was restored by sweeper, not by the guard"]),
        ({"restored_by": None}, ["1.0.0 was restored by nobody, not by the guard"]),
    ],
)
def test_a_stopped_release_must_come_back_in_time_by_whom_it_should(
    wrong: dict[str, Any], words: list[str]
) -> None:
    whole = {"seconds_abort_to_blue": {"cloud": 60.0, "wall": 2.0}, "restored_by": "guard"}
    assert broken_by_stop(kept(**{**whole, **wrong}), by="guard", within=60.0) == words


OLD = {"instance_type": "t2.small", "max_size": "9"}
NEW = {"instance_type": "t3.small", "max_size": "18"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, []),
        (
            {"seconds_rollback_command_to_blue": None},
            ["2.0.0 was never taken back by an order"],
        ),
        (
            {"in_service_at_the_order": {"1.0.0": 3, "2.0.0": 3}},
            ["1.0.0 had 3 in service when the order came"],
        ),
        (
            {"in_service_at_the_way_back": {"1.0.0": 2, "2.0.0": 3}},
            ["1.0.0 had 2 in service when it got everything, 2.0.0 had 3"],
        ),
        (
            {"in_service_at_the_way_back": {"1.0.0": 0, "2.0.0": 0}},
            ["1.0.0 had 0 in service when it got everything, 2.0.0 had 0"],
        ),
        (
            {"fleets": {"blue": OLD, "green": {**NEW, "max_size": "9"}, "blue again": OLD}},
            ["the upgrade didn't change max_size"],
        ),
        (
            {"fleets": {"blue": OLD, "green": NEW, "blue again": {**OLD, "max_size": "18"}}},
            [
                "1.0.0 came back as instance_type t2.small, max_size 18, not instance_type t2.small, max_size 9"
            ],
        ),
    ],
)
def test_an_upgrade_must_be_one_and_blue_whole_before_it_serves_again(
    wrong: dict[str, Any], words: list[str]
) -> None:
    whole = {
        "seconds_rollback_command_to_blue": {"cloud": 90.0, "wall": 3.0},
        "in_service_at_the_order": {"1.0.0": 0, "2.0.0": 3},
        "in_service_at_the_way_back": {"1.0.0": 3, "2.0.0": 3},
        "fleets": {"blue": OLD, "green": NEW, "blue again": OLD},
    }
    assert broken_by_order(kept(**{**whole, **wrong}), at_zero=True) == words


def test_a_blue_that_should_stand_on_its_floor_must() -> None:
    seen = kept(
        seconds_rollback_command_to_blue={"cloud": 2.0, "wall": 0.1},
        in_service_at_the_order={"1.0.0": 0, "2.0.0": 3},
        in_service_at_the_way_back={"1.0.0": 3, "2.0.0": 3},
        fleets={"blue": OLD, "green": NEW, "blue again": OLD},
    )
    assert broken_by_order(seen, at_zero=False) == ["1.0.0 had 0 in service when the order came"]


NAMED = "arn:aws:route53:::hostedzone/Z1/shop.example.com"
CERTIFICATES = ("arn:aws:acm:us-east-1:123456789012:certificate/1",)
SIDES = {
    "1.0.0": Side(BLUE, 50, "shop", CERTIFICATES),
    "2.0.0": Side(GREEN, 50, "viridian-shop", CERTIFICATES),
}


def change(at: float, weights: dict[str, int], name: str = "shop.example.com.") -> dict[str, Any]:
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": {"Name": name}}]}
    request = {"HostedZoneId": "Z1", "ChangeBatch": batch}
    return write(at, weights, call="ChangeResourceRecordSets", request=request)


def by_name(**other: Any) -> Any:
    """The name's last change is at 1300, in sync 30 s later; a client follows it 80 s after that."""
    calls = [
        change(1200.0, {BLUE: 50, GREEN: 50}),
        change(1250.0, {BLUE: 7}, name="www.shop.example.com."),
        change(1300.0, {GREEN: 100}),
    ]
    events = [event(1290.0), event(1410.0), event(1450.0, "2.0.0"), event(1600.0)]
    seen = replace(
        EVIDENCE, route=NAMED, calls=calls, events=events, told=[(1200.1, 1230.1), (1300.1, 1330.1)]
    )
    played = replace(PLAYED, sides=SIDES)
    return figures(played, replace(seen, **other), standing=["shop", "viridian-shop"])


def test_a_name_is_followed_when_its_clients_ask_the_side_without_weight_no_more() -> None:
    seen = by_name().by_name
    assert seen.weights == [(200.0, {"1.0.0": 50, "2.0.0": 50}), (300.0, {"2.0.0": 100})]
    assert seen.seconds_in_sync == {"cloud": 30.1, "wall": 1.0}
    assert seen.seconds_followed == {"cloud": 110.0, "wall": 3.67}
    assert seen.balancers == {"1.0.0": "shop", "2.0.0": "viridian-shop"}
    assert figures().by_name is None


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (1419.0, []),
        (1421.0, ["a client kept its answer for 91 s after the last change was told, not 60 s"]),
        (1299.0, ["no client kept an answer from before the last change: nothing was to see"]),
    ],
)
def test_an_answer_is_kept_for_its_ttl_and_no_longer(last: float, words: list[str]) -> None:
    assert broken_by_name(by_name(events=[event(1290.0), event(last)]), [50, 100], 0.0) == words


def test_a_change_that_no_server_has_is_not_followed() -> None:
    assert broken_by_name(by_name(told=[]), [50, 100], 0.0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, []),
        (
            {"certificates": {"1.0.0": ["a"], "2.0.0": ["b"]}},
            ["blue offers a, and green b"],
        ),
        ({"certificates": {}}, ["blue offers nothing, and green nothing"]),
        ({"standing": ["viridian-shop"]}, ["shop is gone"]),
        (
            {"balancers": {"1.0.0": "shop", "2.0.0": "shop"}},
            ["the name led to shop, shop, not to two load balancers"],
        ),
        ({"weights": []}, ["2.0.0 was given nothing percent, not 50, 100"]),
    ],
)
def test_each_promise_of_a_name_can_break_alone(wrong: dict[str, Any], words: list[str]) -> None:
    whole = by_name()
    assert broken_by_name(replace(whole, by_name=replace(whole.by_name, **wrong)), [50, 100], 0.0) == words


def test_a_step_counts_from_when_nobody_may_keep_the_answer_before_it() -> None:
    words = "1.0.0 50, 2.0.0 50 percent stood for 100 s, not 100 s"
    assert broken_by_name(by_name(), [50, 100], 9.0) == []
    assert broken_by_name(by_name(), [50, 100], 10.0) == [words]
    assert words not in broken_by_name(replace(by_name(), outcome="RolledBack"), [50, 100], 10.0)


def test_what_was_rolled_back_has_no_load_balancer_any_more() -> None:
    seen = replace(by_name(), final_weights={"1.0.0": 100, "2.0.0": 0})
    assert broken_by_name(seen, [50, 100], 0.0) == ["viridian-shop still stands"]


def test_a_release_that_never_had_a_share_of_its_name_shows_nothing() -> None:
    assert broken_by_name(figures(), [50, 100], 0.0) == ["2.0.0 never had a share of the name"]


def test_the_control_must_lose() -> None:
    assert broken_by_control([kept()])
    assert not broken_by_control([kept(lost=3)])


def test_the_summary_has_what_was_asked_for() -> None:
    document = summary(30, [figures()])
    assert document["speed"] == 30
    asked = (
        "name version outcome requests lost errors served_by_green_while_bad seconds_alarm_to_blue seconds "
    )
    asked += "seconds_abort_to_blue seconds_rollback_command_to_blue restored_by "
    asked += "state_transitions history_events lambda_invocations api_calls final_weights orphans"
    assert set(asked.split()) <= set(document["scenes"][0])
