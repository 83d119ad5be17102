"""Tell: from two images of a release's record to the phases between them, in words that a person can act on."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tests import stack
from tests.account import ACCOUNT, EXECUTION, NOW, Account
from viridian import tellings
from viridian.gates import Passage
from viridian.orders import Taken
from viridian.plan import Plan
from viridian.record import Record
from viridian.request import Build
from viridian.tellings import PHASES, Telling, Write
from viridian.traffic import Forward

PLAN = msgspec.convert(json.loads((stack.ROOT / "events" / "acquire_lock.json").read_text())["plan"], Plan)
BLUE, GREEN = PLAN.blue.target_group, f"{PLAN.blue.target_group}-green"
BEGUN = Record(plan=PLAN, status="Releasing", epoch=0, taken_at=NOW, need=3, written=(PLAN.before,))


def weighing(green: int) -> Forward:
    shares = {BLUE: 100 - green, GREEN: green}
    return Forward(weights={group: share for group, share in shares.items() if share})


def shifted(green: int, **fields: Any) -> Record:
    """A release whose green has a share of the traffic."""
    known = {"image": "ami-1", "launch_template_version": "4", "green_target_group": GREEN}
    return replace(BEGUN, **known, first_weight_at=NOW, written=(weighing(0), weighing(green)), **fields)


def rolling(**fields: Any) -> Record:
    until = NOW + timedelta(minutes=PLAN.profile.deadlines.rollback_minutes)
    return shifted(
        50, **{"failure": "GreenFailed: 9% errors", "rollback_by": until, "converger": EXECUTION, **fields}
    )


def told(old: Record | None, new: Record) -> list[Telling]:
    return list(tellings.of(Write("e1", "100", NOW, old, new)))


def words(old: Record | None, new: Record) -> tuple[str, str, str, str]:
    (telling,) = told(old, new)
    return telling.phase, telling.what, telling.why, telling.next


STAYS = replace(PLAN, profile=replace(PLAN.profile, rollback="hold"))
ASKED = Passage(gate="before_promote", reached_at=NOW, approval="ab" * 12, until=NOW)
RELEASING, HALF = shifted(10), shifted(50)
ROLLING = replace(rolling(), status="RollingBack")
PROMOTED = replace(shifted(100), status="Promoted", outcome="2.0.0 serves alone", retire_at=NOW)
PAUSE = Taken(order="pause", by="mara", at=NOW, reason="looks slow to me", until=NOW + timedelta(minutes=60))
PAUSED = replace(RELEASING, last_order=PAUSE)
HELD = replace(ROLLING, status="Held", outcome="blue carries 1 of 3")

# what there was, what there is, the phase, what is told, why, what next: a part of each
WORDS: list[tuple[Record | None, Record, str, str, str, str]] = [
    (None, BEGUN, "Releasing", "is being released", "follow", "10% for 10 min"),
    (None, replace(BEGUN, plan=replace(PLAN, blue_version="1.0.0", build=Build(commit="3f9c21a"))), "Releasing",
     "is being released", "It is to follow 1.0.0, built from commit 3f9c21a.", "at the soonest"),
    (HELD, RELEASING, "Resumed", "goes on", "a person", "from the first step"),
    (RELEASING, PAUSED, "Paused", "is paused at 10% of the traffic",
     "Paused by mara until 2026-01-05T10:00:00Z: looks slow to me.", "until the pause is over or a person resumes it"),
    (PAUSED, replace(PAUSED, last_order=replace(PAUSE, reason="and I am still looking")), "Paused", "is paused", "still", "no more"),
    (PAUSED, replace(PAUSED, ran_out=PAUSE.until), "Resumed", "goes on", "Its pause is over.", "the next step"),
    (PAUSED, replace(PAUSED, last_order=Taken(order="resume", by="joe", at=NOW, reason="it was the network")), "Resumed",
     "goes on", "Resumed by joe: it was the network.", "the next step"),
    (PAUSED, replace(PAUSED, last_order=Taken(order="promote", by="joe", at=NOW, reason="it is urgent now")), "Hastened",
     "is to be promoted", "Observing skipped by joe: it is urgent now.", "judged once more"),
    (BEGUN, replace(BEGUN, image="ami-1"), "ImageKnown", "has its image", "ami-1, given to", "A green fleet"),
    (BEGUN, replace(BEGUN, image="ami-1", image_is_ours=True), "ImageKnown", "has its image", "made for", "green"),
    (BEGUN, replace(BEGUN, launch_template_version="4"), "CreatingGreen", "gets its green fleet", "3 instances", "Smoke"),
    (BEGUN, replace(BEGUN, passages=(ASKED,)), "AwaitingApproval", "waits for a person's approval",
     "asks for one before its promotion", "until 2026-01-05T09:00:00Z"),
    (RELEASING, HALF, "ShiftingTraffic", "gets 50% of the traffic", "Step 2 of 3.", "observed for 10 min"),
    (HALF, shifted(100), "ShiftingTraffic", "gets 100% of the traffic", "Step 3 of 3.", "it is promoted"),
    (HALF, ROLLING, "RollingBack", "is being rolled back", "GreenFailed: 9% errors.", "then green is removed"),
    (HALF, replace(ROLLING, hold=True), "RollingBack", "is being rolled back", "9%", "green stands for people"),
    (ROLLING, replace(ROLLING, written=(weighing(50), weighing(20))), "ShiftingTraffic", "keeps 20%", "9%", "the rest"),
    (ROLLING, replace(ROLLING, written=(weighing(50), weighing(0))), "ShiftingTraffic", "gives its traffic back", "9%",
     "serves alone"),
    (HALF, replace(ROLLING, plan=STAYS), "RollingBack", "has failed", "9%", "stays as it is, as its profile says"),
    (HALF, replace(ROLLING, plan=STAYS, ordered=True), "RollingBack", "is being rolled back", "9%", "All traffic"),
    (PROMOTED, replace(PROMOTED, written=(weighing(100), weighing(90))), "ShiftingTraffic", "gets 90%", "Somebody", "kept"),
    (ROLLING, replace(ROLLING, restored_at=NOW + timedelta(seconds=7)), "TrafficRestored", "has no traffic",
     "serves alone, 7 s after the way back began", "settles"),
    (HALF, PROMOTED, "Promoted", "is promoted", "judged good", 'viridian rollback shop 2.0.0-'),
    (ROLLING, replace(PROMOTED, resolved=True), "Promoted", "is promoted", "A person has resolved", "Nothing to do"),
    (ROLLING, replace(ROLLING, status="RolledBack"), "RolledBack", "is rolled back", "9% errors", "release again"),
    (ROLLING, HELD, "Held", "is held: a person must decide", "9% errors. Blue carries 1 of 3.", 'viridian resume shop 2.0.0-'),
    (ROLLING, replace(HELD, status="RollbackIncomplete"), "RollbackIncomplete", "a person is needed now",
     "9% errors. Blue carries 1 of 3.", "once more"),
    (HELD, replace(ROLLING, past=HELD.set_aside("RollbackOrdered: nobody can buy")), "RollingBack", "is being rolled back",
     "A person ordered it: nobody can buy. What came first: GreenFailed: 9% errors.", "then green is removed"),
    (HELD, replace(ROLLING, past=HELD.set_aside("RollbackOrdered: it is as it should be"), resolved=True), "RollingBack",
     "is being resolved", "A person has resolved it: it is as it should be. What came first:", "serves alone stays"),
    (HELD, replace(RELEASING, plan=replace(PLAN, resume_reason="the shop is open")), "Resumed", "goes on",
     "a person has resumed it: the shop is open.", "from the first step"),
    (PROMOTED, replace(ROLLING, taken_back=True, failure="RollbackOrdered: wrong prices"), "TakingBack",
     "is being taken back", "A person ordered it: wrong prices.", "then all traffic"),
    (PROMOTED, replace(PROMOTED, emptied_at=NOW, outcome="shop-1 stands at zero"), "BlueEmptied", "old blue at zero",
     "Shop-1 stands at zero.", "taken back"),
    (PROMOTED, replace(PROMOTED, outcome="not permitted"), "BlueKept", "keeps its old blue", "Not permitted.", "tried again"),
    (PROMOTED, replace(PROMOTED, outcome="short", retire_at=None), "BlueKept", "keeps", "Short.", "until a person"),
    (PROMOTED, replace(PROMOTED, status="Retired", outcome="shop-1 is gone"), "Retired", "no old blue", "gone.", "Nothing"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "phase", "what", "why", "following"),
    WORDS,
    ids=[f"{n}-{w[2]}" for n, w in enumerate(WORDS)],
)
def test_a_phase_says_what_why_and_what_next(
    old: Record | None, new: Record, phase: str, what: str, why: str, following: str
) -> None:
    said = words(old, new)
    assert said[0] == phase
    assert said[1].startswith("shop 2.0.0 ")
    assert what in said[1]
    assert why in said[2]
    assert following in said[3]


def test_every_phase_has_its_words() -> None:
    assert {name for name, _, _ in PHASES} == {phase for _, _, phase, *_ in WORDS}


def test_people_may_be_told_of_every_phase_and_of_nothing_else() -> None:
    parameter = stack.template()["Parameters"]["ToldPhases"]
    assert parameter["AllowedValues"] == [name for name, _, _ in PHASES]
    assert set(parameter["Default"].split(",")) < set(parameter["AllowedValues"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (BEGUN, replace(BEGUN, need=4)),
        (BEGUN, replace(BEGUN, bake="b-1")),
        (replace(BEGUN, passages=(ASKED,)), replace(BEGUN, passages=(replace(ASKED, passed=True),))),
        (HALF, HALF),
        (PAUSED, replace(PAUSED, extended_to=NOW, need=4)),
        (ROLLING, replace(ROLLING, told="a page", evidence="{}")),
        (ROLLING, replace(ROLLING, converger=f"{EXECUTION}-2", taken_at=NOW + timedelta(minutes=9))),
        (replace(ROLLING, restored_at=NOW), replace(ROLLING, restored_at=None)),
        (PROMOTED, replace(PROMOTED, launches_suspended=True)),
    ],
)
def test_of_most_writes_there_is_nothing_to_tell(old: Record, new: Record) -> None:
    assert told(old, new) == []


def test_what_a_new_status_begins_with_is_no_shift_of_traffic() -> None:
    resumed = replace(RELEASING, written=(*HELD.written, weighing(0)))
    assert [telling.phase for telling in told(HELD, resumed)] == ["Resumed"]


def test_the_message_is_all_of_it_for_a_person() -> None:
    (telling,) = told(HALF, replace(ROLLING, status="RolledBack"))
    assert telling.message.splitlines() == [
        "shop 2.0.0 is rolled back.",
        "",
        "Why: GreenFailed: 9% errors.",
        f"Next: {telling.next}",
        "",
        f"Release {PLAN.release}, 2026-01-05T09:00:00Z",
        f"https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/{EXECUTION}",
    ]


@pytest.mark.parametrize(
    ("partition", "region", "link"),
    [
        ("aws", "eu-west-1", "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/"),
        (
            "aws-cn",
            "cn-north-1",
            "https://cn-north-1.console.amazonaws.cn/states/home?region=cn-north-1#/v2/",
        ),
        (
            "aws-us-gov",
            "us-gov-west-1",
            "https://console.amazonaws-us-gov.com/states/home?region=us-gov-west-1#/v2/",
        ),
    ],
)
def test_the_link_leads_to_the_console_of_the_partition(partition: str, region: str, link: str) -> None:
    execution = f"arn:{partition}:states:{region}:{ACCOUNT}:execution:m:e"
    assert tellings.link(execution) == f"{link}executions/details/{execution}"


def test_where_no_console_is_known_there_is_no_link() -> None:
    execution = "arn:aws-iso:states:us-iso-east-1:123456789012:execution:m:e"
    (telling,) = told(None, replace(BEGUN, plan=replace(PLAN, execution=execution)))
    assert telling.link is None
    assert telling.message.endswith("2026-01-05T09:00:00Z")


def test_the_link_leads_to_who_is_at_it() -> None:
    assert told(None, BEGUN)[0].execution == PLAN.execution
    assert told(HALF, replace(ROLLING, converger=f"{EXECUTION}-9"))[0].execution == f"{EXECUTION}-9"


def test_once_blue_serves_alone_that_is_told_though_the_brake_wrote_no_weights_down() -> None:
    (telling,) = told(ROLLING, replace(ROLLING, restored_at=NOW))
    assert (telling.weights, telling.green_percent) == ({BLUE: 100}, 0)
    (promoted,) = told(HALF, PROMOTED)
    assert (promoted.weights, promoted.green_percent) == ({GREEN: 100}, 100)


def test_the_time_to_blue_begins_with_the_first_take_over() -> None:
    later = replace(ROLLING, taken_at=NOW + timedelta(seconds=60))
    (telling,) = told(later, replace(later, restored_at=NOW + timedelta(seconds=90)))
    assert telling.seconds_to_blue == 90


def test_a_green_without_traffic_has_no_time_to_blue() -> None:
    idle = replace(ROLLING, first_weight_at=None)
    (telling,) = told(idle, replace(idle, restored_at=NOW))
    assert telling.seconds_to_blue is None
    assert "after the way back began" not in telling.why


def test_the_standby_value_is_told_to_nobody() -> None:
    failure = f"GreenFailed: / answered 500: x-viridian-standby: {PLAN.standby.value}"
    for status in ("RollingBack", "RolledBack", "Held"):
        (telling,) = told(HALF, replace(ROLLING, status=status, failure=failure, outcome=failure))
        assert PLAN.standby.value not in msgspec.json.encode(telling).decode()
        assert "(the standby value)" in telling.message


def test_an_event_stays_far_below_what_eventbridge_takes() -> None:
    endless = "ä" * 400_000
    (telling,) = told(ROLLING, replace(HELD, failure=endless, outcome=endless))
    assert len(msgspec.json.encode(telling)) < 64 * 1024


def test_of_one_write_each_phase_has_an_id_of_its_own() -> None:
    both = told(BEGUN, replace(BEGUN, image="ami-1", launch_template_version="4"))
    assert [telling.id for telling in both] == ["e1-ImageKnown", "e1-CreatingGreen"]
    assert {telling.sequence for telling in both} == {"100"}


# --- the handler --------------------------------------------------------------------------------------------


@pytest.fixture
def topic(account: Account) -> None:
    account.client("sns").create_topic(Name="viridian-tellings")


def entries(account: Account) -> list[Any]:
    return [entry for asked in account.requests("PutEvents") for entry in asked["Entries"]]


@pytest.mark.usefixtures("topic")
def test_a_record_that_begins_is_told_and_what_changes_no_phase_is_not(account: Account) -> None:
    assert account.run("tell") == {"batchItemFailures": []}
    (entry,) = entries(account)
    assert (entry["Source"], entry["DetailType"]) == ("viridian.release", "Viridian Release Phase Change")
    assert entry["Detail"].startswith('{"format":1,"id":"00000000000000000000000000000001-Releasing"')
    assert entry["Resources"] == [account.event("acquire_lock")["plan"]["execution"], account.shop.rule_arn]
    (published,) = account.requests("Publish")
    assert published["Subject"] == "shop 2.0.0 is being released"
    assert published["MessageAttributes"]["phase"] == {"DataType": "String", "StringValue": "Releasing"}
    assert published["MessageAttributes"]["service"]["StringValue"] == "shop"


@pytest.mark.usefixtures("topic")
def test_people_are_told_of_the_phases_that_they_chose(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLD_PHASES", "Promoted")
    account.run("tell")
    assert (len(entries(account)), account.requests("Publish")) == (1, [])


@pytest.mark.usefixtures("topic")
def test_phases_become_metrics_of_the_service(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.run("tell")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    (line,) = lines
    (metric,) = line["_aws"]["CloudWatchMetrics"]
    assert (metric["Namespace"], metric["Dimensions"]) == ("Viridian", [["service"]])
    assert (line["service"], line["Releasing"]) == ("shop", [1.0])


@pytest.mark.usefixtures("topic")
@pytest.mark.parametrize(("service", "call"), [("events", "PutEvents"), ("sns", "Publish")])
def test_what_cannot_be_told_is_to_come_again_with_all_that_follows(
    account: Account, service: str, call: str
) -> None:
    event = account.event("tell")
    number = event["Records"][0]["dynamodb"]["SequenceNumber"]
    event["Records"].append(event["Records"][0])
    with account.failing(service, call, "InternalFailure", 500):
        assert account.run("tell", event) == {"batchItemFailures": [{"itemIdentifier": number}]}
    assert len(account.requests(call)) <= 1


@pytest.mark.usefixtures("topic")
def test_a_record_that_cannot_be_read_keeps_those_before_it_from_nothing(account: Account) -> None:
    event = account.event("tell")
    newer = json.loads(json.dumps(event["Records"][0]))
    newer["dynamodb"]["NewImage"]["schema"] = {"N": "2"}
    newer["dynamodb"]["SequenceNumber"] = "200"
    event["Records"].append(newer)
    assert account.run("tell", event) == {"batchItemFailures": [{"itemIdentifier": "200"}]}
    assert len(entries(account)) == 1


def test_one_that_was_promoted_before_it_was_held_can_not_go_on() -> None:
    assert "viridian resume" in words(ROLLING, HELD)[3]
    assert "viridian resume" not in words(ROLLING, replace(HELD, taken_back=True))[3]


def test_whoever_resumed_it_has_nothing_to_do_with_how_it_fails_then() -> None:
    again = replace(rolling(status="RolledBack"), plan=replace(PLAN, execution=f"{PLAN.execution}-2"))
    failed = replace(again, past=HELD.set_aside("the shop is open"))
    assert words(replace(failed, status="RollingBack"), failed)[2] == "GreenFailed: 9% errors."
