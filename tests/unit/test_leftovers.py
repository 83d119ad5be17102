"""Leftovers, as a decision: what goes, what stays and what a person must see, from ledger, tags, age and use."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.test_record import PLAN, RECORD
from viridian import leftovers, names
from viridian.leftovers import SAFE_AGE, Kind, Known, Thing, Verdict
from viridian.record import Record
from viridian.traffic import Forward

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
TEMPLATE = PLAN.blue_launch_template.template
GREEN = f"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{PLAN.green_target_group}/1"
RULE = PLAN.listener.replace(":listener/", ":listener-rule/") + "/1"
IDS: dict[Kind, str] = {
    "standby rule": RULE,
    "preview listener": PLAN.listener.rpartition("/")[0] + "/preview",
    "Auto Scaling group": PLAN.green_group,
    "alarm": names.alarm("shop", PLAN.release, "errors"),
    "load balancer": GREEN.replace(
        f"targetgroup/{PLAN.green_target_group}/1",
        f"loadbalancer/app/{names.balancer('shop', PLAN.release)}/1",
    ),
    "target group": GREEN,
    "launch template version": f"{TEMPLATE} 7",
    "image": "ami-2",
    "snapshot": "snap-2",
}


def left(kind: Kind = "image", **changes: Any) -> Thing:
    """Something that the sample release made, long ago."""
    made = Thing(kind=kind, id=IDS[kind], service="shop", release=PLAN.release, made_at=LONG_AGO)
    return replace(made, **changes)


def record(status: str, release: str = PLAN.release, days: int = 30, **changes: Any) -> Record:
    """A release that ended so many days ago; those that began later are newer."""
    ended = NOW - timedelta(days=days)
    keep = changes.pop("keep_images", 5)
    profile = replace(PLAN.profile, keep_images=keep)
    plan = replace(PLAN, release=release, started_at=ended, profile=profile, **changes.pop("plan", {}))
    made = {"image": "ami-2", "image_is_ours": True, "launch_template_version": "7"}
    made = made if release == PLAN.release else {}
    return replace(RECORD, plan=plan, status=status, ended_at=ended, **{**made, **changes})


def known(*records: Record, **changes: Any) -> Known:
    by_release = {(each.plan.service, each.plan.release): each for each in records}
    return Known(**{"records": by_release, "uses": {}, "closed": {}, **changes})


def judged(thing: Thing, *records: Record, **changes: Any) -> Verdict:
    return leftovers.judge(thing, known(*records, **changes), NOW)


def newer(count: int, status: str = "Retired") -> list[Record]:
    """So many releases after the sample's."""
    return [record(status, f"3.{n}.0-abcdef", days=29 - n) for n in range(count)]


def after(kind: Kind, status: str, **changes: Any) -> Record:
    """The release after the sample's, whose blue is the sample's green."""
    blue = replace(PLAN.blue, group=PLAN.green_group, target_group=GREEN)
    return record(status, "3.0.0-abcdef", days=20, plan={"blue": blue}, **changes)


@pytest.mark.parametrize("kind", leftovers.KINDS)
def test_everything_of_a_release_that_was_rolled_back_goes(kind: Kind) -> None:
    assert judged(left(kind), record("RolledBack")) == Verdict(
        action="remove", why="its release was rolled back"
    )


@pytest.mark.parametrize("kind", leftovers.KINDS)
@pytest.mark.parametrize("status", ["Releasing", "RollingBack", "Held", "RollbackIncomplete"])
def test_nothing_goes_while_its_release_is_not_over(kind: Kind, status: str) -> None:
    verdict = judged(left(kind), record(status))
    assert verdict == Verdict(action="keep", why=f"its release is {status}")


@pytest.mark.parametrize("kind", leftovers.KINDS)
def test_what_the_ledger_does_not_know_is_reported_and_never_removed(kind: Kind) -> None:
    assert judged(left(kind)).action == "report"
    assert judged(left(kind, service="another"), record("RolledBack")).action == "report"


def test_a_listener_of_another_load_balancer_and_the_route_itself_are_no_preview_of_a_release() -> None:
    for id_ in (PLAN.listener, PLAN.listener.replace("/shop/", "/other/") + "0"):
        assert judged(left("preview listener", id=id_), record("RolledBack")).action == "report"


@pytest.mark.parametrize("kind", leftovers.KINDS)
def test_what_a_stack_owns_is_kept(kind: Kind) -> None:
    tags = {**names.tags("shop", PLAN.release), "aws:cloudformation:stack-name": "shop"}
    owned = leftovers.thing(kind, IDS[kind], tags, LONG_AGO)
    assert owned is not None
    assert judged(owned, record("RolledBack")).why == "a CloudFormation stack owns it"


@pytest.mark.parametrize("kind", leftovers.KINDS)
def test_what_is_in_use_is_kept_whatever_the_ledger_says(kind: Kind) -> None:
    verdict = judged(left(kind), record("RolledBack"), uses={IDS[kind]: "somebody uses it"})
    assert verdict == Verdict(action="keep", why="somebody uses it")


@pytest.mark.parametrize("kind", leftovers.KINDS)
def test_nothing_goes_while_its_route_is_held(kind: Kind) -> None:
    verdict = judged(left(kind), record("RolledBack"), closed={PLAN.route: "its route is held"})
    assert verdict == Verdict(action="keep", why="its route is held")


@pytest.mark.parametrize(("seconds", "action"), [(-1, "keep"), (0, "remove")])
def test_what_is_young_is_kept_by_its_own_age_and_by_its_releases(seconds: int, action: str) -> None:
    safe = NOW - SAFE_AGE - timedelta(seconds=seconds)
    assert judged(left(), replace(record("RolledBack"), ended_at=safe)).action == action
    assert judged(left(made_at=safe), record("RolledBack")).action == action
    assert judged(left(made_at=None), record("RolledBack")).action == "remove"
    assert judged(left(), replace(record("RolledBack"), ended_at=None)).action == "keep"


@pytest.mark.parametrize(
    "copied",
    [
        left("image", id="ami-3"),
        left("launch template version", id=f"{TEMPLATE} 8"),
        left("launch template version", id="lt-another 7"),
        left("Auto Scaling group", id="viridian-copy"),
        left("target group", id=GREEN.replace(PLAN.green_target_group, "copy")),
        left("alarm", id="viridian-copy"),
        left("standby rule", id=RULE.replace("/app/", "/app/another-")),
    ],
    ids=lambda thing: thing.kind,
)
def test_what_the_ledger_says_its_release_did_not_make_is_reported(copied: Thing) -> None:
    assert judged(copied, record("RolledBack")).action == "report"


@pytest.mark.parametrize("kind", ["image", "snapshot"])
def test_an_image_that_was_ready_is_somebody_elses_whatever_its_tags_say(kind: Kind) -> None:
    assert judged(left(kind), replace(record("RolledBack"), image_is_ours=False)).action == "report"


def test_what_a_release_died_over_before_it_could_note_it_goes() -> None:
    unnoted = replace(record("RolledBack"), image=None, launch_template_version=None)
    assert judged(left("image", id="ami-9"), unnoted).action == "remove"
    assert judged(left("launch template version", id=f"{TEMPLATE} 9"), unnoted).action == "remove"


def test_an_image_that_is_protected_is_reported_if_it_would_go() -> None:
    verdict = judged(left(protected=True), record("RolledBack"))
    assert verdict.action == "report"
    assert "protected from deregistration" in verdict.why
    assert judged(left(protected=True), record("Retired")).action == "keep"


@pytest.mark.parametrize("kind", leftovers.WAY_BACK)
@pytest.mark.parametrize(("count", "action"), [(0, "keep"), (4, "keep"), (5, "remove"), (6, "remove")])
@pytest.mark.parametrize("status", ["Promoted", "Retired"])
def test_the_way_back_to_the_newest_that_were_promoted_stays(
    kind: Kind, count: int, action: str, status: str
) -> None:
    assert judged(left(kind), record(status), *newer(count)).action == action


def test_only_those_that_were_promoted_count_and_only_of_the_same_service() -> None:
    back = newer(9, "RolledBack")
    others = [replace(each, plan=replace(each.plan, service="another")) for each in newer(9)]
    assert judged(left(), record("Retired"), *back, *others).action == "keep"


def test_how_many_stay_the_newest_release_says() -> None:
    newest = record("Retired", "3.0.0-abcdef", days=20, keep_images=1)
    verdict = judged(left(), record("Retired", keep_images=9), newest)
    assert verdict == Verdict(action="remove", why="1 newer ones were promoted")


def test_what_can_still_be_taken_back_keeps_its_image() -> None:
    open_ = replace(record("Promoted"), retire_at=NOW)
    assert judged(left(), open_, *newer(9)).why == "its release can still be taken back"


@pytest.mark.parametrize("kind", ["Auto Scaling group", "target group"])
def test_a_fleet_stays_until_the_release_after_it_has_retired_it(kind: Kind) -> None:
    promoted = record("Retired")
    assert judged(left(kind), promoted, after(kind, "Retired")).action == "remove"
    assert judged(left(kind), promoted, after(kind, "Promoted", retire_at=NOW)).action == "keep"
    given_up = judged(left(kind), promoted, after(kind, "Promoted"))
    assert given_up.action == "report"
    assert "has given up retiring it" in given_up.why
    assert judged(left(kind), promoted, after(kind, "RolledBack")).action == "report"
    assert judged(left(kind), promoted).action == "report"


@pytest.mark.parametrize("status", ["Promoted", "Held", "Releasing"])
def test_the_standby_rule_stays_while_any_release_of_its_service_is_open(status: str) -> None:
    other = record(status, "3.0.0-abcdef", days=1)
    assert judged(left("standby rule"), record("Retired"), other).action == "keep"
    assert judged(left("standby rule"), record("Retired")).action == "remove"


def test_an_alarm_goes_once_its_release_is_over() -> None:
    assert judged(left("alarm"), record("Retired")).action == "remove"


def test_what_no_release_claims_is_nothing_of_ours() -> None:
    assert leftovers.thing("image", "ami-1", {names.MANAGED: "true", names.SERVICE: "shop"}) is None
    told = leftovers.thing("image", "ami-1", {names.RELEASE: "1"}, "2026-01-05T09:00:00.000Z")
    assert told is not None
    assert (str(told), told.made_at) == (
        "image ami-1 of release 1 of no service",
        datetime(2026, 1, 5, 9, tzinfo=UTC),
    )


# --- who uses what -------------------------------------------------------------------------------------------


def version(number: int, image: str, default: bool = False) -> dict[str, Any]:
    return {
        "VersionNumber": number,
        "DefaultVersion": default,
        "LaunchTemplateData": {"ImageId": image} if image else {},
    }


VERSIONS = {TEMPLATE: [version(1, "ami-1", default=True), version(7, "ami-2"), version(8, "ami-3")]}
NOBODY: dict[str, Any] = {"things": [], "groups": [], "rules": {}, "versions": {}, "runs": {}}


def used(**changes: Any) -> dict[str, str]:
    return leftovers.uses(**{**NOBODY, **changes})


def said(number: str) -> dict[str, str]:
    return {"LaunchTemplateId": TEMPLATE, "Version": number}


GROUPS: list[dict[str, Any]] = [
    {"LaunchTemplate": said("7")},
    {"MixedInstancesPolicy": {"LaunchTemplate": {"LaunchTemplateSpecification": said("7")}}},
    {
        "MixedInstancesPolicy": {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": said("1"),
                "Overrides": [{"InstanceType": "t3.small"}, {"LaunchTemplateSpecification": said("7")}],
            }
        }
    },
    {"LaunchTemplate": said("1"), "Instances": [{"LaunchTemplate": said("7")}, {}]},
]


@pytest.mark.parametrize("group", GROUPS)
def test_a_version_that_a_group_names_anywhere_is_in_use_and_so_is_its_image(group: dict[str, Any]) -> None:
    things = [left("image"), left("launch template version")]
    found = used(things=things, groups=[{"AutoScalingGroupName": "g", **group}], versions=VERSIONS)
    assert found[f"{TEMPLATE} 7"] == "group g launches from it"
    assert found["ami-2"] == f"version 7 of {TEMPLATE} launches it"
    assert leftovers.templates([{"AutoScalingGroupName": "g", **group}]) == {TEMPLATE}


@pytest.mark.parametrize(("word", "number"), [("$Latest", 8), ("$Default", 1)])
def test_a_version_may_be_named_by_a_word(word: str, number: int) -> None:
    group = {"AutoScalingGroupName": "g", "LaunchTemplate": said(word)}
    found = used(groups=[group], versions=VERSIONS)
    users = [each for each in found if found[each] == "group g launches from it"]
    assert users == [f"{TEMPLATE} {number}"]


def test_the_default_version_and_its_image_are_in_use() -> None:
    found = used(versions=VERSIONS)
    assert found[f"{TEMPLATE} 1"] == "it is its template's default version"
    assert "ami-1" in found


def test_an_image_is_in_use_by_every_version_but_its_own_releases() -> None:
    things = [left("image"), left("launch template version")]
    assert "ami-2" not in used(things=things, versions=VERSIONS)
    borrowed = {TEMPLATE: [*VERSIONS[TEMPLATE], version(9, "ami-2")]}
    assert used(things=things, versions=borrowed)["ami-2"] == f"version 9 of {TEMPLATE} launches it"


def test_an_image_is_in_use_by_its_instances_and_a_snapshot_by_its_image() -> None:
    found = used(things=[left("image", made_of=("snap-2",))], runs={"ami-2": "i-1"})
    assert found == {"ami-2": "instance i-1 runs on it", "snap-2": "ami-2 is made of it"}


def test_a_target_group_is_in_use_by_rules_and_then_its_group_is_too() -> None:
    group = {"AutoScalingGroupName": "g", "TargetGroupARNs": [GREEN]}
    sourced = {"AutoScalingGroupName": "s", "TrafficSources": [{"Identifier": GREEN}]}
    found = used(groups=[group, sourced], rules={RULE: Forward(weights={GREEN: 0})})
    assert found[GREEN] == f"{RULE} forwards to it"
    assert found["g"] == found["s"] == f"of its target group: {RULE} forwards to it"
    idle = used(groups=[group])
    assert idle == {GREEN: "group g registers its instances in it"}


def test_an_alarm_that_scales_is_in_use_while_its_group_stands() -> None:
    scales = left("alarm", id=names.scaling_alarm("shop", PLAN.release, "up"))
    assert used(things=[scales]) == {}
    found = used(things=[scales, left("alarm"), left("Auto Scaling group")])
    assert found == {scales.id: f"group {PLAN.green_group} scales by it"}


def test_a_load_balancer_is_used_by_a_name_that_leads_to_it_and_by_a_group_behind_it() -> None:
    behind = {"arn:one": ["arn:a"], "arn:two": ["arn:b"], "arn:three": ["arn:c"]}
    groups = [{"AutoScalingGroupName": "g", "TargetGroupARNs": ["arn:a", "arn:b"]}]
    named = {"arn:name": Forward(weights={"arn:a": 100, "record other": 1})}
    assert leftovers.balancer_uses(behind, groups, named) == {
        "arn:one": "arn:name leads to it",
        "arn:two": "group g is behind it",
    }
