"""The documents people write: let in whole, or refused by field, value and fix; never anything else."""

import copy
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from tests.stack import ROOT
from viridian import request
from viridian.approval import Reply
from viridian.errors import Refusal
from viridian.orders import Given
from viridian.request import (
    AmiParameterSource,
    AmiSource,
    ImageBuilderSource,
    InstanceSource,
    Order,
    PackerSource,
    Profile,
    Request,
    Resume,
    Step,
)

SAMPLE = json.loads((ROOT / "events" / "release.json").read_text())
PIPELINE = "arn:aws:imagebuilder:us-east-1:123456789012:image-pipeline/shop"
OBJECT = {"type": "s3", "bucket": "shop-builds", "key": "shop/2.0.0.zip", "version_id": "3HL4kqtJ"}
CONTAINER = {
    "type": "container",
    "uri": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:2.0.0@sha256:{64 * 'a'}",
}
RULE = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
LEAST = {"service": "shop", "version": "2.0.0", "source": {"type": "ami", "image_id": "ami-0abc1234"}}
PROFILE = {"route": RULE}


def merged(**overrides: Any) -> Profile:
    return request.merge(request.parse({**LEAST, **overrides}), PROFILE)


def refusal(document: Any) -> Refusal:
    with pytest.raises(Refusal) as refused:
        request.parse(document)
    return refused.value


def test_the_sample_request_sets_every_field_there_is() -> None:
    def unset(kind: Any, given: Any, path: str) -> list[str]:
        names = (field.name for field in msgspec.structs.fields(kind))
        return [f"{path}{name}" for name in names if name not in given]

    asked = request.parse(SAMPLE)
    assert unset(Request, SAMPLE, "") == []
    for name in ("build", "waive", "thresholds", "inconclusive", "deadlines"):
        assert unset(type(getattr(asked, name)), SAMPLE[name], f"{name}.") == []
    for name in ("steps", "smoke_tests"):
        assert unset(type(getattr(asked, name)[0]), SAMPLE[name][0], f"{name}.") == []


def test_what_a_service_and_its_release_leave_out_has_a_default() -> None:
    profile = merged()
    assert [step.weight for step in profile.steps] == [5, 25, 50, 100]
    assert profile.settle_seconds == 120
    assert profile.inconclusive.then == "hold"
    assert profile.smoke_tests[0].path == "/"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ({"type": "ami", "image_id": "ami-0abc1234"}, AmiSource),
        ({"type": "ami_parameter", "parameter": "/golden/shop:3", "owners": ["amazon"]}, AmiParameterSource),
        ({"type": "image_builder", "pipeline_arn": PIPELINE}, ImageBuilderSource),
        ({"type": "packer", "project": "shop", "artifact": OBJECT}, PackerSource),
        ({"type": "packer", "project": "shop", "artifact": CONTAINER}, PackerSource),
        ({"type": "instance", "instance_id": "i-0abc1234"}, InstanceSource),
    ],
)
def test_a_release_comes_from_one_of_many_sources(source: dict[str, Any], kind: type) -> None:
    assert isinstance(request.parse({**LEAST, "source": source}).source, kind)


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"type": "ami", "image_id": "ami-0abc1234", "owners": []}, "source.owners"),
        ({"type": "ami", "image_id": "ami-0abc1234", "owners": ["all"]}, "source.owners[0]"),
        ({"type": "ami_parameter", "parameter": "/a//b"}, "source.parameter"),
        ({"type": "ami_parameter", "parameter": "/a b"}, "source.parameter"),
        ({"type": "image_builder", "pipeline_arn": PIPELINE.replace("image-", "")}, "source.pipeline_arn"),
        ({"type": "packer", "project": "a;b", "artifact": OBJECT}, "source.project"),
        ({"type": "packer", "project": "shop"}, "source.artifact"),
        (
            {"type": "packer", "project": "shop", "artifact": {**OBJECT, "key": "$(id)"}},
            "source.artifact.key",
        ),
        (
            {"type": "packer", "project": "shop", "artifact": {**CONTAINER, "uri": "a/b;id"}},
            "source.artifact.uri",
        ),
        ({"type": "instance", "instance_id": "i-0abc1234", "patch": "yes"}, "source.patch"),
    ],
)
def test_a_source_is_spelled_as_its_service_spells_it(source: dict[str, Any], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        request.parse({**LEAST, "source": source})
    assert refused.value.field == field
    assert '"image_builder"' in refused.value.fix


VERSIONS = {
    "1.0.0": True,
    "0.0.0": True,
    "10.20.30": True,
    "1.0.0-rc.1": True,
    "1.0.0-alpha-b.7": True,
    "1.0.0+build.5": True,
    "1.0.0-rc.1+5": True,
    "1.0": False,
    "v1.0.0": False,
    "1.0.0.0": False,
    "01.0.0": False,
    "1.0.0-01": False,
    "1.0.0-": False,
    "1.0.0+": False,
    "1.0.0\n": False,
    " 1.0.0": False,
    "1.0.0-ü": False,
    "1.0.0-" + "a" * 35: False,
    "": False,
    "latest": False,
}


@pytest.mark.parametrize(("version", "fits"), VERSIONS.items(), ids=repr)
def test_a_version_is_semantic(version: str, fits: bool) -> None:
    document = {**LEAST, "version": version}
    if fits:
        assert request.parse(document).version == version
    else:
        refused = refusal(document)
        assert refused.field == "version"
        assert "semantic version" in refused.fix


@pytest.mark.parametrize(
    ("route", "fits"),
    [
        (RULE, True),
        (RULE.replace("listener-rule", "listener").rsplit("/", 1)[0], True),
        (RULE.replace("arn:aws:", "arn:aws-cn:").replace("us-east-1", "cn-north-1"), True),
        (RULE.replace("/app/", "/net/"), False),
        (RULE.replace("listener-rule", "targetgroup"), False),
        (RULE.replace("123456789012", "12345"), False),
        (RULE + "\n", False),
        ("arn:aws:route53:::hostedzone/Z0123456789ABC/shop.example.com", True),
        ("arn:aws:route53:::hostedzone/Z0123456789ABC", False),
        ("shop", False),
        ("", False),
    ],
)
def test_a_route_is_a_listener_a_rule_or_a_name(route: str, fits: bool) -> None:
    asked = request.parse(LEAST)
    if fits:
        assert request.merge(asked, {"route": route}).route == route
    else:
        with pytest.raises(Refusal) as refused:
            request.merge(asked, {"route": route})
        assert refused.value.field == "profile.route"


def steps(*pairs: tuple[int, int]) -> list[dict[str, int]]:
    return [{"weight": weight, "observe_minutes": minutes} for weight, minutes in pairs]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (steps((100, 5)), None),
        (steps((1, 1), (2, 1), (100, 1)), None),
        (steps((100, 1440)), None),
        (steps((50, 720), (100, 720)), None),
        (steps((50, 721), (100, 720)), "steps"),
        (steps((50, 5)), "steps[0].weight"),
        (steps((10, 5), (10, 5), (100, 5)), "steps[1].weight"),
        (steps((20, 5), (10, 5), (100, 5)), "steps[1].weight"),
        (steps((100, 5), (100, 5)), "steps[1].weight"),
        (steps((0, 5), (100, 5)), "steps[0].weight"),
        (steps((5, 0), (100, 5)), "steps[0].observe_minutes"),
        (steps((5, 1441), (100, 5)), "steps[0].observe_minutes"),
        (steps(*((n, 1) for n in range(1, 22))), "steps"),
        ([], "steps"),
        ([{"weight": 100}], "steps[0].observe_minutes"),
        ([{"weight": 100.5, "observe_minutes": 5}], "steps[0].weight"),
        ([{"weight": True, "observe_minutes": 5}], "steps[0].weight"),
        ({"weight": 100, "observe_minutes": 5}, "steps"),
        (None, "steps"),
    ],
)
def test_steps_rise_to_the_whole_within_a_day(wanted: Any, field: str | None) -> None:
    if field is None:
        assert merged(steps=wanted).steps[-1].weight == 100
    else:
        with pytest.raises(Refusal) as refused:
            merged(steps=wanted)
        assert refused.value.field == field


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("/", True),
        ("/health?deep=1&x=%20", True),
        ("health", False),
        ("//x y", False),
        ("/\r\nHost: x", False),
        ("/ü", False),
        ("/#top", False),
        ("/" + "a" * 512, False),
    ],
)
def test_a_smoke_test_names_a_path_and_never_a_host(path: str, fits: bool) -> None:
    if fits:
        assert request.parse({**LEAST, "smoke_tests": [{"path": path}]}).smoke_tests
    else:
        assert refusal({**LEAST, "smoke_tests": [{"path": path}]}).field == "smoke_tests[0].path"


REFUSED: list[tuple[dict[str, Any], str, str, str]] = [
    ({"colour": "blue"}, "colour", 'unknown field with value "blue"', "Remove it."),
    ({"build": {"sha": 1}}, "build.sha", "unknown field with value 1", "Remove it. Use commit"),
    ({"thresholds": {"error_percent": 0}}, "thresholds.error_percent", "0", "error_percent (above 0"),
    ({"thresholds": {"error_percent": 101}}, "thresholds.error_percent", "101", "up to 100"),
    ({"inconclusive": {"then": "promote"}}, "inconclusive.then", "promote", "'hold' or 'roll_back'"),
    ({"settle_seconds": -1}, "settle_seconds", "-1", "from 0 to 900"),
    ({"settle_seconds": 901}, "settle_seconds", "901", "from 0 to 900"),
    ({"keep_minutes": 0}, "keep_minutes", "0", "from 1 to 1440"),
    ({"retain_days": -1}, "retain_days", "-1", "from 0 to 365"),
    ({"retain_days": 366}, "retain_days", "366", "from 0 to 365"),
    ({"keep_images": 0}, "keep_images", "0", "from 1 to 100"),
    ({"keep_images": 101}, "keep_images", "101", "from 1 to 100"),
    ({"start_on_image": True}, "start_on_image", "unknown field", "Remove it."),
    ({"guards": "shop-errors"}, "guards", "shop-errors", "List up to 10 names"),
    ({"guards": ["x"] * 11}, "guards", '"x", "x"', "List up to 10 names"),
    ({"waive": {"alarms": [], "reason": "r" * 10}}, "waive.alarms", "[]", '"alarms"'),
    ({"waive": {"alarms": ["a"]}}, "waive.reason", "missing", "Add it."),
    ({"waive": {"alarms": ["a"], "reason": " " * 12}}, "waive.reason", " " * 12, "on why"),
    ({"build": {"commit": "\ud800"}}, "build.commit", "ud800", "UTF-8"),
    ({"source": {}}, "source.type", "missing", "Add it. Use {"),
    ({"source": "ami-0abc1234"}, "source", "ami-0abc1234", 'Use {"type"'),
    ({"source": {"type": "ami", "image_id": "x"}}, "source.image_id", "x", "ami-..."),
    ({"service": "Shop"}, "service", "Shop", "the name it is registered by"),
    ({"service": "s" * 21}, "service", "s" * 21, "2-20 of"),
    ({"service": "shop\n"}, "service", "shop", "2-20 of"),
    ({"dry_run": 1}, "dry_run", "1", "true or false"),
    ({"version": "9" * 400}, "version", "9" * 297 + "...", "at most 40"),
]


@pytest.mark.parametrize(("change", "field", "value", "fix"), REFUSED, ids=[case[1] for case in REFUSED])
def test_a_refusal_names_field_value_and_fix(
    change: dict[str, Any], field: str, value: str, fix: str
) -> None:
    refused = refusal({**LEAST, **change})
    assert refused.field == field
    assert value in str(refused)
    assert fix in str(refused)


def test_every_field_that_can_be_wrong_has_a_fix() -> None:
    named = {
        field.name
        for kind in (Request, Profile, Resume, Order, Reply, Given)
        for field in msgspec.structs.fields(kind)
    }
    assert set(request.FIXES) == named


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(Profile)])
def test_a_release_may_override_all_of_its_profile_but_what_is_the_services_alone(
    name: str,
) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(Request)}
    own = ("route", "start_on_image", "windows", "approval", "hooks")
    assert (name in fields) == (name not in own)
    if name in fields:
        assert fields[name].default is UNSET
        other = {
            "steps": steps((100, 7)),
            "guards": ["other"],
            "smoke_tests": [],
            "thresholds": {"minimum_requests": 7},
            "inconclusive": {"minutes": 7},
            "deadlines": {"image_minutes": 7},
            "rollback": "hold",
            "settle_seconds": 7,
            "retain_days": 30,
            "keep_images": 7,
            "keep_minutes": 7,
        }[name]
        assert getattr(merged(**{name: other}), name) != getattr(merged(), name)


def test_a_profile_is_checked_by_the_same_rules_as_a_request() -> None:
    with pytest.raises(Refusal) as refused:
        request.merge(request.parse(LEAST), {"route": RULE, "settle_seconds": "long"})
    assert refused.value.field == "profile.settle_seconds"
    with pytest.raises(Refusal) as refused:
        request.merge(request.parse(LEAST), ["route"])
    assert refused.value.field == "profile"


def test_a_profile_whose_steps_never_end_is_refused_unless_the_release_brings_its_own() -> None:
    registered = {"route": RULE, "steps": steps((50, 5))}
    with pytest.raises(Refusal):
        request.merge(request.parse(LEAST), registered)
    own = request.merge(request.parse({**LEAST, "steps": steps((100, 5))}), registered)
    assert own.steps == (Step(weight=100, observe_minutes=5),)


# What msgspec says in its own words, and what its paths are made of.
ODD = ["unknown field", "required field", " - at `$", "`", "$.x", "[0]", "..", "\x00", "1" * 5000]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**30, -(10**30), 2**63, 2**64, 1e308])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(ODD)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.sampled_from([*SAMPLE, *ODD]), inner, max_size=4)
    ),
    max_leaves=12,
)


def _places(document: Any) -> list[tuple[Any, ...]]:
    """The path of every value inside a document."""
    if isinstance(document, dict):
        return [(key, *rest) for key, value in document.items() for rest in [(), *_places(value)]]
    if isinstance(document, list):
        return [(index, *rest) for index, value in enumerate(document) for rest in [(), *_places(value)]]
    return []


@st.composite
def mutated(draw: st.DrawFn, document: Any) -> Any:
    """A document with a few of its values replaced, removed, renamed or repeated."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        if not (places := _places(document)):
            return draw(VALUES)
        *way, last = draw(st.sampled_from(places))
        parent = document
        for part in way:
            parent = parent[part]
        match draw(st.sampled_from(["replace", "remove", "rename", "repeat"])):
            case "replace":
                parent[last] = draw(VALUES)
            case "remove":
                del parent[last]
            case "rename" if isinstance(parent, dict):
                parent[draw(st.text(max_size=8) | st.sampled_from(ODD))] = parent.pop(last)
            case "repeat" if isinstance(parent, list):
                parent.extend([parent[last]] * draw(st.integers(1, 30)))
    return document


def outcome(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except Refusal as refused:
        return refused


def ends(document: Any) -> None:
    """Any document is a request, or one refusal whose words begin with its field and end with its fix."""
    found = outcome(lambda: request.parse(document))
    if isinstance(found, Refusal):
        assert str(found).startswith(f"{found.field}: ")
        assert str(found).endswith(found.fix)
    else:
        assert isinstance(found, Request)


@settings(max_examples=300, deadline=None)
@given(mutated(SAMPLE))
@example({**LEAST, "\ud800": 1})
@example({**LEAST, "build": {"commit": "\ud800"}})
@example({**LEAST, "inconclusive": {"then": "unknown field"}})
@example({**LEAST, "source": {"type": "required field"}})
@example({**LEAST, "smoke_tests": [{"path": "/", "method": "unknown field"}]})
def test_whatever_is_asked_for_is_a_request_or_a_refusal(document: Any) -> None:
    ends(document)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_whatever_is_sent_at_all_is_a_request_or_a_refusal(document: Any) -> None:
    ends(document)


@settings(max_examples=150, deadline=None)
@given(mutated({**PROFILE, **{key: SAMPLE[key] for key in ("steps", "guards", "thresholds", "deadlines")}}))
@example({**PROFILE, "inconclusive": {"then": "unknown field"}})
def test_whatever_is_registered_is_a_profile_or_a_refusal(document: Any) -> None:
    found = outcome(lambda: request.merge(request.parse(LEAST), document))
    if isinstance(found, Refusal):
        assert found.field.startswith(("profile", "steps"))
    else:
        assert found.steps[-1].weight == 100


FLEETS: list[tuple[str, dict[str, Any], str, str]] = [
    ("an unknown field", {"instances": 3}, "fleet.instances", "3"),
    ("a type that is none", {"instance_type": "t3"}, "fleet.instance_type", "t3"),
    ("one type and several", {"instance_type": "t3.small", "instance_types": ["t3.large"]}, "fleet.instance_types", "t3.large"),
    ("a type twice", {"instance_types": ["t3.small", "t3.small"]}, "fleet.instance_types", "t3.small"),
    ("a group by its name", {"security_groups": ["web"]}, "fleet.security_groups[0]", "web"),
    ("a group twice", {"security_groups": ["sg-0abc1234"] * 2}, "fleet.security_groups", "sg-0abc1234"),
    ("a profile by its ARN", {"instance_profile": "arn:aws:iam::1:instance-profile/app"}, "fleet.instance_profile", "app"),
    ("a script that is empty", {"user_data": ""}, "fleet.user_data", ""),
    ("a script that is too long in bytes", {"user_data": "ü" * 9000}, "fleet.user_data", "16,384"),
    ("tokens of no kind", {"metadata": {"http_tokens": "off"}}, "fleet.metadata.http_tokens", "off"),
    ("too many hops", {"metadata": {"hop_limit": 65}}, "fleet.metadata.hop_limit", "65"),
    ("a device of no kind", {"block_devices": [{"device": "disk"}]}, "fleet.block_devices[0].device", "disk"),
    ("a device twice", {"block_devices": [{"device": "/dev/sdb"}] * 2}, "fleet.block_devices", "/dev/sdb"),
    ("a key without encryption", {"block_devices": [{"device": "/dev/sdb", "kms_key": "k"}]}, "fleet.block_devices[0].kms_key", "encrypted"),
    ("a target twice", {"targets": [{"policy": "cpu", "value": 1}] * 2}, "fleet.targets", "cpu"),
    ("a target of nothing", {"targets": [{"policy": "cpu", "value": 0}]}, "fleet.targets[0].value", "0"),
    ("no room at all", {"max_size": 0}, "fleet.max_size", "0"),
    ("a relaxation of no kind", {"relax": ["all"], "reason": "because it is needed"}, "fleet.relax[0]", "all"),
    ("a relaxation without a reason", {"relax": ["imdsv2"]}, "fleet.reason", "missing"),
    ("a reason that says nothing", {"relax": ["imdsv2"], "reason": "legacy"}, "fleet.reason", "legacy"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fleet", "field", "value"), [case[1:] for case in FLEETS], ids=[case[0] for case in FLEETS]
)
def test_a_wrong_fleet_is_refused_by_field_value_and_fix(
    fleet: dict[str, Any], field: str, value: str
) -> None:
    refused = refusal({**LEAST, "fleet": fleet})
    assert refused.field == field
    assert value in str(refused)
    assert refused.fix


def test_a_release_that_asks_for_no_other_fleet_is_told_of_none() -> None:
    assert msgspec.to_builtins(request.parse(LEAST).fleet) == {}


def test_a_profile_has_no_fleet_of_its_own() -> None:
    with pytest.raises(Refusal, match="fleet"):
        request.merge(request.parse(LEAST), {**PROFILE, "fleet": {"instance_type": "t3.small"}})
