"""What is told of a release: each phase once and in its order, to programs as events, to people in their words."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from moto.events.models import EventsBackend

from tests import aws_cli
from tests.workflow.test_break_glass import Pager, over_http
from tests.workflow.world import ONE_STEP, ROOT, World
from viridian.tellings import PHASES

Event = dict[str, Any]
FORWARD = ["Releasing", "ImageKnown", "CreatingGreen", "ShiftingTraffic", "ShiftingTraffic", "Promoted"]


@pytest.fixture
def world(prepared: World) -> World:
    listen(prepared)
    return prepared


def listen(world: World) -> None:
    """A queue that somebody has put behind a rule of their own."""
    sqs, rules = world.cloud.client("sqs"), world.cloud.client("events")
    sqs.create_queue(QueueName="heard")
    queue = "arn:aws:sqs:us-east-1:123456789012:heard"
    allows = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
            }
        ]
    }
    sqs.set_queue_attributes(QueueUrl=_url(world), Attributes={"Policy": json.dumps(allows)})
    rules.put_rule(Name="heard", EventPattern=json.dumps({"source": ["viridian.release"]}))
    rules.put_targets(Rule="heard", Targets=[{"Id": "1", "Arn": queue}])


def _url(world: World) -> str:
    return str(world.cloud.client("sqs").get_queue_url(QueueName="heard")["QueueUrl"])


def heard(world: World) -> list[Event]:
    """The details of all events since it was last asked, a minute after whatever was written last."""
    world.pass_minutes(1)
    sqs, found = world.cloud.client("sqs"), []
    while messages := sqs.receive_message(QueueUrl=_url(world), MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"])["detail"] for message in messages]
    sqs.purge_queue(QueueUrl=_url(world))
    return sorted(found, key=lambda detail: int(detail["sequence"]))


def phases(events: list[Event]) -> list[str]:
    return [event["phase"] for event in events]


def announced(world: World) -> list[str]:
    """The subjects of what people were told."""
    return [each.subject for each in world.cloud.published(world.outputs["TellingsTopicArn"])]


def test_a_promoted_release_is_told_phase_by_phase_until_its_blue_is_at_zero(world: World) -> None:
    release = world.release()
    events = heard(world)
    assert phases(events) == FORWARD
    assert [event["green_percent"] for event in events] == [0, 0, 0, 50, 100, 100]
    assert {event["execution"] for event in events} == {release.arn}
    assert len({event["id"] for event in events}) == len(events)
    promoted = events[-1]
    assert promoted["weights"] == {release.record["green_target_group"]: 100}
    assert announced(world) == ["shop 2.0.0 is being released", "shop 2.0.0 is promoted"]
    assert world.cloud.published(world.outputs["TellingsTopicArn"])[-1].message.splitlines() == [
        "shop 2.0.0 is promoted.",
        "",
        "Why: It carried all traffic, and was judged good at each step.",
        f"Next: Nothing to do. shop-1 keeps its size until {release.record['retire_at'][:19]}Z.",
        f'To take the release back: viridian rollback shop {release.id} --reason "..."',
        "",
        f"Release {release.id}, {promoted['at']}",
        f"https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/{release.arn}",
    ]
    world.pass_minutes(80)
    assert phases(heard(world)) == ["BlueEmptied"]

    world.rollback(release, reason="prices are wrong in the basket")
    back = heard(world)
    assert phases(back) == ["TakingBack", "ShiftingTraffic", "TrafficRestored", "RolledBack"]
    assert back[0]["why"] == "A person ordered it: prices are wrong in the basket."
    assert announced(world)[2:] == ["shop 2.0.0 is being taken back", "shop 2.0.0 is rolled back"]


def test_a_bad_green_is_told_with_what_failed_and_how_soon_blue_served_again(world: World) -> None:
    release = world.half_way(fault="third").wait()
    events = heard(world)
    assert phases(events) == [*FORWARD[:4], "RollingBack", "TrafficRestored", "RolledBack"]
    for event in events[4:]:
        assert event["failure"].startswith(
            f"GreenFailed: alarm viridian-shop-{release.id}-errors is in ALARM"
        )
    restored = events[5]
    assert (restored["weights"], restored["green_percent"]) == ({world.shop.target_group_arn: 100}, 0)
    assert 0 <= restored["seconds_to_blue"] < 60
    assert announced(world)[1:] == ["shop 2.0.0 is being rolled back", "shop 2.0.0 is rolled back"]
    assert (
        f"executions/details/{world.outputs['RollbackStateMachineArn'].replace('stateMachine', 'execution')}"
        in str(events[-1]["link"])
    )


def test_a_held_release_says_to_people_how_to_go_back_and_how_to_go_on(world: World) -> None:
    world.traffic(0)
    release = world.release(inconclusive={"minutes": 1, "then": "hold"}, steps=ONE_STEP)
    world.traffic(20)
    held = heard(world)[-1]
    assert (held["phase"], held["green_percent"]) == ("Held", 0)
    assert held["why"].startswith("Inconclusive: 0 requests to green, 50 needed. All traffic is on blue")
    _, back, on = held["next"].splitlines()
    assert back == f'To go back: viridian rollback shop {release.id} --reason "..."'
    assert on == f'To go on: viridian resume shop {release.id} --reason "..."'
    assert world.resume(release, reason="nobody shops at night").wait().end == "Promoted"
    assert phases(heard(world)) == ["Resumed", "ShiftingTraffic", "Promoted"]


def test_whoever_brings_a_release_back_is_told_of_all_the_same(world: World) -> None:
    release = world.half_way()
    world.stop(release, error="Stopped", cause="by a person")
    world.pass_minutes(10)
    events = heard(world)
    assert phases(events)[4:] == ["RollingBack", "ShiftingTraffic", "TrafficRestored", "RolledBack"]
    assert events[-1]["why"] == "Stopped: by a person."


def test_no_event_and_no_message_has_the_standby_value(world: World) -> None:
    release = world.half_way(fault="third").wait()
    told = json.dumps(heard(world)) + "".join(
        each.message for each in world.cloud.published(world.outputs["TellingsTopicArn"])
    )
    assert release.id in told
    assert release.plan["standby"]["value"] not in told


def test_what_is_delivered_twice_has_the_same_id(world: World) -> None:
    world.cloud.streams.courier = lambda _, batch: [*batch, *batch]
    world.release(source=world.ami(), steps=ONE_STEP)
    events = heard(world)
    once = {event["id"]: event for event in events}
    assert len(events) == 2 * len(once)
    assert phases(list(once.values())) == [*FORWARD[:4], "Promoted"]
    assert all(once[event["id"]] == event for event in events)


def test_what_the_bus_refuses_is_told_later_once_and_in_its_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, refused = EventsBackend.put_events, list(range(3))

    def put(bus: Any, entries: list[Any]) -> Any:
        ours = [entry for entry in entries if entry["Source"] == "viridian.release"]
        if ours and refused:
            refused.pop()
            return [{"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}]
        return whole(bus, entries)

    monkeypatch.setattr(EventsBackend, "put_events", put)
    release = world.release(source=world.ami(), steps=ONE_STEP)
    assert release.end == "Promoted"
    assert refused == []
    assert phases(heard(world)) == [*FORWARD[:4], "Promoted"]


def test_a_telling_that_is_given_up_is_a_dead_letter_and_the_release_ends_well(world: World) -> None:
    world.faults.raises("TellFunction", "Busy", "no answer from AWS")
    release = world.release(source=world.ami(), steps=ONE_STEP)
    assert release.end == "Promoted"
    world.pass_minutes(90)  # an hour, and a queue that was idle is slow to be seen
    assert heard(world) == []
    assert world.alarmed("DeadLettersAlarm")


def test_a_chat_gets_a_release_in_one_thread_in_the_form_that_it_shows(world: World) -> None:
    """examples/chat, deployed as it is: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html"""
    chat = world.cloud.deploy(
        ROOT / "examples" / "chat" / "template.yaml",
        {"SlackWorkspaceId": "T0123456789", "SlackChannelId": "C0123456789"},
        stack="chat",
    )
    release = world.half_way(fault="third").wait()
    events = {event["phase"]: event for event in heard(world)}
    shown = [json.loads(each.message) for each in world.cloud.published(chat.outputs["ChatTopicArn"])]
    assert [each["metadata"]["eventType"] for each in shown] == [
        "Releasing", "ShiftingTraffic", "RollingBack", "TrafficRestored", "RolledBack",
    ]  # fmt: skip
    assert {each["metadata"]["threadId"] for each in shown} == {release.id}
    told = events["RolledBack"]
    assert shown[-1] == {
        "version": "1.0",
        "source": "custom",
        "id": told["id"],
        "content": {
            "textType": "client-markdown",
            "title": "shop 2.0.0 is rolled back",
            "description": told["why"],
            "nextSteps": [told["next"], told["link"]],
            "keywords": ["shop", "RolledBack"],
        },
        "metadata": {"threadId": release.id, "summary": told["what"], "eventType": "RolledBack"},
    }


def test_tellings_take_less_than_ten_invocations_of_a_release(world: World) -> None:
    world.release()
    heard(world)
    invoked = [run for run in world.cloud.lambda_invocations if run["function"] == "TellFunction"]
    assert len(invoked) <= 10
    assert {run["error"] for run in invoked} == {None}
    assert {run["execution"] for run in invoked} == {None}


# --- the page -----------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "tellings.md").read_text(encoding="utf-8")
SUBSCRIBE, FOLLOW = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
(EVENT,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
(MESSAGE,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_pages_commands_bring_what_the_page_shows(world: World, tmp_path: Path) -> None:
    queue = "arn:aws:sqs:us-east-1:123456789012:heard"
    with aws_cli.on_path() as aws, over_http() as endpoint:
        shell = Pager(aws, endpoint, tmp_path)
        given = {"TELLINGS_TOPIC_ARN": world.outputs["TellingsTopicArn"], "QUEUE_ARN": queue}
        exports = "".join(f"export {name}={value}\n" for name, value in given.items())
        shell.types(exports + SUBSCRIBE)
        world.cloud.client("events").remove_targets(Rule="heard", Ids=["1"])
        shell.types(exports + FOLLOW)
    world.half_way(fault="third").wait()
    (event,) = heard(world)
    shown = json.loads(EVENT)
    assert list(event) == list(shown["detail"])
    for name in ("format", "phase", "service", "version", "what", "green_percent", "seconds_to_blue"):
        assert event[name] == shown["detail"][name]
    for name in ("why", "next", "message"):
        assert event[name].startswith(_beginning(shown["detail"][name], event))
    sns = world.cloud.client("sns")
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=given["TELLINGS_TOPIC_ARN"])["Subscriptions"]
    kept = sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])["Attributes"]
    assert "RolledBack" in json.loads(kept["FilterPolicy"])["phase"]
    (*_, last) = world.cloud.published(world.outputs["TellingsTopicArn"])
    for line, told in zip(MESSAGE.splitlines(), last.message.splitlines(), strict=True):
        assert told.startswith(_beginning(line, event))


def _beginning(text: str, event: Event) -> str:
    """A text of the page up to where it is cut, with the ids of the event; whether alarm or poll is first, chance says."""
    fitted = text.replace("2.0.0-3f9c21", event["release"]).replace("eu-west-1", "us-east-1")
    return re.split(r"\.\.\.|alarm ", fitted.replace("2026-01-05T09:10:05Z", event["at"]))[0]


def test_the_page_names_every_phase() -> None:
    table = PAGE.split("## The phases")[1].split("\n## ")[0]
    named = re.findall(
        r"`([A-Z]\w+)`", "".join(row.split("|")[1] for row in table.splitlines() if "|" in row)
    )
    assert named == [name for name, _, _ in PHASES]


@pytest.mark.profile(steps=ONE_STEP, approval={"before_traffic": True, "minutes": 60})
def test_a_release_that_waits_for_a_person_says_so_and_leaves_the_id_to_the_page(world: World) -> None:
    release = world.start(source=world.ami()).until("AwaitApproval")
    told = heard(world)
    assert phases(told) == [*FORWARD[:3], "AwaitingApproval"]
    assert told[-1]["why"] == "Its profile asks for one before its first traffic."
    (passage,) = json.loads(release.record["passages"])
    assert passage["approval"] not in json.dumps(told)
    assert announced(world) == [
        "shop 2.0.0 is being released",
        "shop 2.0.0 waits for a person's approval",
    ]
