"""A release waits for people: who is asked, who may answer, which answer counts, and what becomes of it meanwhile."""

import json
import re
from typing import Any

import pytest

from local import seed
from local.control.session import session
from local.control.urls import Answer
from tests.person import Person
from tests.workflow.world import MINUTE, ONE_STEP, Release, World

WHY = "looked at the checkout by hand"
BOTH = {"before_traffic": True, "before_promote": True, "minutes": 60}


pytestmark = pytest.mark.profile(steps=ONE_STEP, approval={"before_traffic": True, "minutes": 60})


def waiting(world: World, **asked: Any) -> Release:
    """A release that people have been asked about."""
    release = world.start(source=world.ami(), **asked).until("AwaitApproval")
    world.pass_minutes(1)
    return release


def asked(world: World) -> dict[str, str]:
    """What the last question's message says to send."""
    told = [page.message for page in world.pages() if "waits for a yes" in page.subject]
    found = re.search(r"-d '(\{.*?\})'", told[-1])
    assert found, told
    return dict(json.loads(found[1]))


def say(world: World, who: Person, answer: str = "approve", **other: Any) -> Answer:
    """A person answers the last question, as its message says."""
    reply = {**asked(world), "answer": answer, "reason": WHY, **other}
    return who.post(world.outputs["ApprovalsUrl"], reply)


def person(world: World, name: str = "mara") -> Person:
    return Person.named(world.cloud, name)


def test_green_gets_no_traffic_until_a_person_says_yes(world: World) -> None:
    release = waiting(world)
    world.pass_minutes(20)
    assert release.wrote_weights() == []
    (page,) = world.pages()
    assert page.subject == f"viridian: shop {release.id} waits for a yes before its first traffic"
    assert release.plan["standby"]["value"] in page.message
    mara = person(world)
    assert say(world, mara).status == 200
    assert release.wait().end == "Promoted", release.cause
    assert release.states.count("RunSmokeTests") == 2, "green is looked at again, since that took time"
    (entry,) = [entry for entry in release.journal if entry["call"] == "Answer:approve"]
    assert json.loads(entry["after"]) == {"by": mara.arn, "why": WHY}


def test_a_no_takes_it_back_before_any_user_has_seen_it(world: World) -> None:
    release = waiting(world)
    assert say(world, person(world), "reject").status == 200
    assert release.wait().end == "RolledBack"
    assert release.cause.startswith(f"GateClosed: rejected by arn:aws:iam::123456789012:user/mara: {WHY}")
    assert release.wrote_weights() == []
    assert world.leftovers(release) == []


def test_silence_is_a_no(world: World) -> None:
    release = waiting(world)
    begun = world.cloud.clock.now()
    assert release.wait().end == "RolledBack"
    assert "nobody answered in time" in release.cause
    assert 59 * MINUTE < world.cloud.clock.now() - begun < 90 * MINUTE
    late = say(world, person(world))
    assert late.status == 409
    assert "nobody answered in time" in late.body


def test_only_the_first_answer_counts(world: World) -> None:
    release = waiting(world)
    mara, joe = person(world), person(world, "joe")
    assert [say(world, mara, "reject").status, say(world, joe).status] == [200, 409]
    again = say(world, mara, "reject")
    assert again.status == 200, "said again by the same person it is harmless"
    changed = say(world, mara)
    assert changed.status == 409
    assert "rejected by" in changed.body
    assert release.wait().end == "RolledBack"


def test_an_answer_for_another_release_or_to_no_question_is_refused(world: World) -> None:
    release = waiting(world)
    mara = person(world)
    other = say(world, mara, release="2.0.0-ffffff")
    forged = say(world, mara, id="0" * 24)
    assert (other.status, forged.status) == (404, 404)
    for wrong in ({"id": "short"}, {"answer": "yes"}, {"reason": "ok"}, {"by": "somebody else"}):
        refused = say(world, mara, **wrong)
        assert refused.status == 400
        assert next(iter(wrong)) in refused.body
    assert release.running
    assert release.wrote_weights() == []


def test_nobody_answers_without_a_signature_of_their_own(world: World) -> None:
    release = waiting(world)
    url, reply = world.outputs["ApprovalsUrl"], {**asked(world), "reason": WHY}
    stranger = Person(world.cloud, "nobody", person(world, "gone").credentials)
    world.cloud.client("iam").delete_access_key(UserName="gone", AccessKeyId=stranger.credentials.access_key)
    assert stranger.post(url, reply).status == 403
    assert world.cloud.functions.urls.ask("POST", url, {}, json.dumps(reply).encode()).status == 403
    followed = person(world).post(url, reply, method="GET")
    assert followed.status == 400, "what follows a link answers nothing"
    assert release.running


def test_an_approval_ends_when_its_release_is_taken_back(world: World) -> None:
    release = waiting(world)
    world.redden(world.shop.guard_alarm, "checkout is slow")
    begun = world.cloud.clock.now()
    world.pass_minutes(2)
    late = say(world, person(world))
    assert late.status == 409
    assert "RollingBack" in late.body
    assert release.wait().end == "RolledBack"
    assert release.cause.startswith("GreenFailed: alarm ")
    assert world.cloud.clock.now() - begun < 30 * MINUTE
    assert say(world, person(world, "joe")).status == 409


def test_a_promotion_waits_for_its_own_yes(world: World) -> None:
    seed.registered(world.cloud, "shop", {**world.shop.profile, "approval": BOTH})
    release = waiting(world)
    first = asked(world)
    mara = person(world)
    assert say(world, mara).status == 200
    release.until("AwaitApproval", times=2)
    world.pass_minutes(1)
    assert asked(world)["id"] != first["id"]
    replayed = say(world, mara, "reject", id=first["id"])
    assert (replayed.status, "approved by" in replayed.body) == (409, True), (
        "each question has its own answer"
    )
    assert release.plan["gates"] == ["before_traffic", "before_promote"]
    assert say(world, mara).status == 200
    assert release.wait().end == "Promoted", release.cause


@pytest.mark.profile(steps=ONE_STEP, approval={"before_traffic": True, "not_by_starter": True})
def test_whoever_started_a_release_may_be_kept_from_approving_it(world: World) -> None:
    mara, joe = person(world), person(world, "joe")
    release = waiting(world)
    own = session().get_credentials()
    assert own is not None
    starter = Person(world.cloud, "root", own)
    early = say(world, mara)
    assert (early.status, "CloudTrail" in early.body) == (403, True)
    world.pass_minutes(6)
    refused = say(world, starter)
    assert (refused.status, "somebody else has to approve it" in refused.body) == (403, True)
    assert say(world, joe).status == 200
    assert release.wait().end == "Promoted", release.cause


@pytest.mark.profile(
    steps=ONE_STEP,
    inconclusive={"minutes": 1, "then": "hold"},
    approval={"before_promote": True, "not_by_starter": True},
)
def test_neither_who_started_a_release_nor_who_resumed_it_may_approve_it(world: World) -> None:
    world.traffic(0)
    held = world.release(source=world.ami())
    assert held.end == "Held", held.cause
    world.traffic(20)
    mara, joe, own = person(world), person(world, "joe"), session().get_credentials()
    assert own is not None
    request = {"service": "shop", "resume": held.id, "reason": "users have come back"}
    resumed = Release(world, joe.start(world.outputs["ReleaseStateMachineArn"], request)).until(
        "AwaitApproval"
    )
    world.pass_minutes(6)
    for starter in (Person(world.cloud, "root", own), joe):
        refused = say(world, starter)
        assert (refused.status, "somebody else has to approve it" in refused.body) == (403, True)
    assert say(world, mara).status == 200
    assert resumed.wait().end == "Promoted", resumed.cause
