"""The plan: everything that stands in a release's way, seen before anything is touched."""

import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.test_record import PLAN
from viridian import plan, preflight
from viridian.errors import Refusal
from viridian.fleet import Member, Side
from viridian.plan import Endpoint, LaunchTemplate
from viridian.preflight import Lent
from viridian.request import (
    AmiSource,
    Deadlines,
    Inconclusive,
    InstanceSource,
    Overrides,
    Profile,
    SmokeTest,
    Step,
    Waiver,
)
from viridian.verdict import AlarmState

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
PATH = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}
OURS = {"viridian:managed": "true", "viridian:service": "shop"}


POLICY_OF_BLUE = (
    "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:0b6f:autoScalingGroupName/shop-1:policyName/cpu"
)


def profile(**fields: Any) -> Profile:
    return Profile(**{"route": "r", "steps": (Step(weight=100, observe_minutes=10),), **fields})


def alarm(name: str, state: str = "OK", seconds: int = 60) -> AlarmState:
    return AlarmState(name=name, arn="a", state=state, reason="so", since=NOW, evaluation_seconds=seconds)


def side(healthy: int, desired: int) -> Side:
    members = tuple(
        Member(instance=f"i-{n}", zone="a", health="healthy" if n < healthy else "initial")
        for n in range(desired)
    )
    return Side(group="shop-1", target_group="t", minimum=1, desired=desired, maximum=9, members=members)


def refusal(act: Any, *arguments: Any) -> Refusal:
    with pytest.raises(Refusal) as refused:
        act(*arguments)
    return refused.value


def test_a_release_may_take_all_its_waits_one_after_the_other() -> None:
    steps = (Step(weight=10, observe_minutes=10), Step(weight=100, observe_minutes=20))
    waits = profile(
        steps=steps,
        inconclusive=Inconclusive(minutes=5),
        deadlines=Deadlines(image_minutes=30, healthy_minutes=15),
    )
    assert plan.times(waits, NOW) == NOW + timedelta(minutes=30 + 15 + (10 + 5) + (20 + 5) + 30)


@pytest.mark.parametrize(
    ("source", "baked"),
    [(InstanceSource(instance_id="i-0abc1234"), True), (AmiSource(image_id="ami-0abc1234"), False)],
)
def test_an_image_is_made_only_from_an_instance(source: Any, baked: bool) -> None:
    made = plan.makes("shop", "2.0.0-abc", source, LaunchTemplate(template="lt-1", version="7"))
    assert ("image viridian-shop-2.0.0-abc" in made) is baked
    assert "a version of launch template lt-1, from version 7" in made
    assert "alarms viridian-shop-2.0.0-abc-*" in made


OWN = "123456789012"
SCALER = f"arn:aws:iam::{OWN}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
OTHER = f"arn:aws:iam::{OWN}:role/other"
LENT: list[tuple[str, dict[str, str], bool, bool]] = [
    ("lent", OURS, False, True),
    ("lent with more", {**OURS, "Name": "x"}, False, True),
    ("not lent", {}, False, False),
    ("lent to another", {**OURS, "viridian:service": "store"}, False, False),
    ("taken back", {**OURS, "viridian:managed": "false"}, False, False),
    ("a shared one names no service", {"viridian:managed": "true"}, True, True),
    ("a shared one that isn't lent", {"viridian:service": "shop"}, True, False),
]


@pytest.mark.parametrize(
    ("tags", "shared", "lent"), [case[1:] for case in LENT], ids=[case[0] for case in LENT]
)
def test_only_what_its_owner_lent_is_touched(tags: dict[str, str], shared: bool, lent: bool) -> None:
    thing = Lent(kind="ec2", id="lt-1", tags=tags, shared=shared)
    if lent:
        preflight.ensure_lent("route", "shop", thing)
    else:
        assert "lt-1" in str(refusal(preflight.ensure_lent, "route", "shop", thing))


def test_all_that_isnt_lent_is_told_at_once_with_the_commands_that_lend_it() -> None:
    rule = Lent(kind="elbv2", id="arn:rule", tags={})
    fine = Lent(kind="elbv2", id="arn:fine", tags=OURS)
    group = Lent(kind="autoscaling", id="shop-1", tags={})
    template = Lent(kind="ec2", id="lt-1", tags={})
    listener = Lent(kind="elbv2", id="arn:listener", tags={}, shared=True)
    refused = refusal(preflight.ensure_lent, "route", "shop", rule, fine, group, template, listener)
    assert refused.value == "not lent to service shop: arn:rule, shop-1, lt-1, arn:listener"
    both = "Key=viridian:managed,Value=true Key=viridian:service,Value=shop"
    assert f"aws elbv2 add-tags --resource-arns arn:rule --tags {both}" in refused.fix
    assert f"aws ec2 create-tags --resources lt-1 --tags {both}" in refused.fix
    assert "aws autoscaling create-or-update-tags --tags ResourceId=shop-1" in refused.fix
    assert refused.fix.endswith("--resource-arns arn:listener --tags Key=viridian:managed,Value=true")


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({"aws:cloudformation:stack-name": "shop"}, "aws:cloudformation:stack-name=shop"),
        ({"ManagedBy": "terraform"}, "ManagedBy=terraform"),
        ({"Name": "shop"}, None),
    ],
)
def test_infrastructure_as_code_is_known_by_its_tags(tags: dict[str, str], owner: str | None) -> None:
    assert preflight.iac_owner(tags) == owner


@pytest.mark.parametrize(
    ("version", "fits"), [("1", True), ("27", True), ("$Latest", False), ("$Default", False)]
)
def test_blue_launches_a_version_by_number(version: str, fits: bool) -> None:
    launches = LaunchTemplate(template="lt-1", version=version)
    if fits:
        preflight.ensure_numeric(launches, "shop-1")
    else:
        assert version in str(refusal(preflight.ensure_numeric, launches, "shop-1"))


@pytest.mark.parametrize(
    ("healthy", "desired", "fits"), [(3, 3, True), (1, 1, True), (2, 3, False), (0, 3, False), (0, 0, False)]
)
def test_a_release_starts_from_a_whole_blue(healthy: int, desired: int, fits: bool) -> None:
    if fits:
        preflight.ensure_serving(side(healthy, desired))
    else:
        assert refusal(preflight.ensure_serving, side(healthy, desired)).field == "route"


WAIVED = Waiver(alarms=("a",), reason="it is what this mends")
GUARDED: list[tuple[str, dict[str, Any], Waiver | None, list[AlarmState], str | None]] = [
    ("no guards", {}, None, [], None),
    ("a green guard", {"guards": ("a",)}, None, [alarm("a")], None),
    ("a guard without data", {"guards": ("a",)}, None, [alarm("a", "INSUFFICIENT_DATA")], None),
    ("a missing guard", {"guards": ("a", "b")}, None, [alarm("a")], "guards: b."),
    ("a red guard", {"guards": ("a",)}, None, [alarm("a", "ALARM")], "guards: a is in ALARM: so."),
    ("a red guard, waived", {"guards": ("a",)}, WAIVED, [alarm("a", "ALARM")], None),
    ("a missing guard, waived", {"guards": ("a",)}, WAIVED, [], "guards: a."),
    (
        "another red guard than the waived one",
        {"guards": ("a", "b")},
        WAIVED,
        [alarm("a", "ALARM"), alarm("b", "ALARM")],
        "guards: b is in ALARM",
    ),
    ("a waiver of no guard", {"guards": ()}, WAIVED, [], "waive.alarms: a."),
    (
        "a guard that takes longer than a step",
        {"guards": ("a",), "inconclusive": Inconclusive(minutes=1)},
        None,
        [alarm("a", seconds=900)],
        "steps[0].observe_minutes: 10. The alarms need 17 minutes",
    ),
    (
        "a guard that goes with blue's group",
        {"guards": ("a",)},
        None,
        [replace(alarm("a"), actions=(POLICY_OF_BLUE,))],
        "guards: a belongs to a scaling policy of shop-1",
    ),
    (
        "a guard of blue's group that somebody hears too",
        {"guards": ("a",)},
        None,
        [replace(alarm("a"), actions=(POLICY_OF_BLUE, "arn:aws:sns:us-east-1:123456789012:people"))],
        None,
    ),
    ("a guard that takes as long", {"guards": ("a",)}, None, [alarm("a", seconds=25 * 60 - 120)], None),
]


@pytest.mark.parametrize(
    ("fields", "waive", "alarms", "words"), [case[1:] for case in GUARDED], ids=[case[0] for case in GUARDED]
)
def test_guards_exist_and_are_not_red_unless_waived_by_name(
    fields: dict[str, Any], waive: Waiver | None, alarms: list[AlarmState], words: str | None
) -> None:
    if words is None:
        preflight.ensure_guards(profile(**fields), waive, alarms, side(3, 3))
    else:
        assert str(refusal(preflight.ensure_guards, profile(**fields), waive, alarms, side(3, 3))).startswith(
            words
        )


def instance(state: str = "running", **tags: str) -> dict[str, Any]:
    pairs = [{"Key": key.replace("__", ":"), "Value": value} for key, value in tags.items()]
    return {"InstanceId": "i-1", "State": {"Name": state}, "Tags": pairs}


@pytest.mark.parametrize(
    ("source", "serving", "words"),
    [
        (instance(), None, None),
        (instance("stopped"), None, None),
        (instance("stopping"), None, "i-1 is stopping"),
        (instance("terminated"), None, "i-1 is terminated"),
        (instance(), "shop-1", "i-1 is registered in shop-1"),
        (instance(aws__autoscaling__groupName="shop-1"), None, "i-1 belongs to Auto Scaling group shop-1"),
    ],
)
def test_an_image_is_made_only_from_an_instance_that_nobody_needs(
    source: dict[str, Any], serving: str | None, words: str | None
) -> None:
    if words is None:
        preflight.ensure_quiet_source(source, "source.instance_id", serving)
    else:
        assert words in str(refusal(preflight.ensure_quiet_source, source, "source.instance_id", serving))


@pytest.mark.parametrize(
    ("image", "owners", "words"),
    [
        ({}, ("self",), None),
        ({}, ("amazon", OWN), None),
        ({"OwnerId": "999999999999"}, ("self",), "ami-1 belongs to 999999999999"),
        ({"OwnerId": "999999999999"}, ("self", "999999999999"), None),
        ({"OwnerId": "801119661308", "ImageOwnerAlias": "amazon"}, ("amazon",), None),
        ({"OwnerId": "801119661308", "ImageOwnerAlias": "amazon"}, ("self",), "ami-1 belongs to amazon"),
        ({}, ("amazon",), f"ami-1 belongs to {OWN}"),
        ({"State": "pending"}, ("self",), "ami-1 is pending"),
        ({"State": "failed"}, ("self",), "ami-1 is failed"),
    ],
)
def test_an_image_is_ready_and_of_somebody_who_is_trusted(
    image: dict[str, Any], owners: tuple[str, ...], words: str | None
) -> None:
    found = {"ImageId": "ami-1", "State": "available", "OwnerId": OWN, **image}
    check = (found, "source.image_id", owners, OWN)
    if words is None:
        preflight.ensure_usable_image(*check)
    else:
        assert words in str(refusal(preflight.ensure_usable_image, *check))


SMALL = {
    "InstanceType": "t3.small",
    "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
    "SupportedBootModes": ["legacy-bios", "uefi"],
    "SupportedRootDeviceTypes": ["ebs"],
}
GRAVITON = {
    **SMALL,
    "InstanceType": "t4g.small",
    "ProcessorInfo": {"SupportedArchitectures": ["arm64"]},
    "SupportedBootModes": ["uefi"],
}


@pytest.mark.parametrize(
    ("image", "types", "words"),
    [
        ({"Architecture": "x86_64", "BootMode": "uefi", "RootDeviceType": "ebs"}, [SMALL], None),
        ({"Architecture": "arm64"}, [SMALL], "Use an image for t3.small, which takes x86_64"),
        ({"Architecture": "x86_64"}, [SMALL, GRAVITON], "Use an image for t4g.small, which takes arm64"),
        ({"BootMode": "legacy-bios"}, [GRAVITON], "ami-1 has the boot mode legacy-bios"),
        ({"BootMode": "uefi-preferred"}, [GRAVITON], None),
        ({"RootDeviceType": "instance-store"}, [SMALL], "ami-1 has the root device type instance-store"),
        ({}, [SMALL], None),
        ({"Architecture": "arm64"}, [], None),
    ],
)
def test_an_image_boots_on_every_type_that_blue_has(
    image: dict[str, Any], types: list[dict[str, Any]], words: str | None
) -> None:
    found = {"ImageId": "ami-1", **image}
    if words is None:
        preflight.ensure_bootable(found, "source.image_id", types)
    else:
        assert words in str(refusal(preflight.ensure_bootable, found, "source.image_id", types))


def _policy(principal: Any, *actions: str, effect: str = "Allow") -> dict[str, Any]:
    return {"Statement": [{"Effect": effect, "Principal": principal, "Action": list(actions)}]}


@pytest.mark.parametrize(
    ("key", "usable"),
    [
        ({"manager": "AWS"}, True),
        ({}, False),
        ({"policy": _policy({"AWS": SCALER}, "kms:Decrypt", "kms:CreateGrant")}, True),
        ({"policy": _policy({"AWS": [OTHER, SCALER]}, "kms:*")}, True),
        ({"policy": _policy("*", "kms:*")}, True),
        ({"policy": {"Statement": _policy({"AWS": SCALER}, "kms:*")["Statement"][0]}}, True),
        ({"policy": _policy({"AWS": SCALER}, "kms:Decrypt")}, False),
        ({"policy": _policy({"AWS": OTHER}, "kms:*")}, False),
        ({"policy": _policy({"AWS": f"arn:aws:iam::{OWN}:root"}, "kms:*")}, False),
        ({"policy": _policy({"Service": "ec2.amazonaws.com"}, "kms:*")}, False),
        ({"policy": _policy({"AWS": SCALER}, "kms:*", effect="Deny")}, False),
        ({"grants": ((SCALER, ("Decrypt", "CreateGrant")),)}, True),
        ({"grants": ((OTHER, ("Decrypt", "CreateGrant")),)}, False),
        (
            {"grants": ((SCALER, ("CreateGrant",)),), "policy": _policy({"AWS": SCALER}, "kms:Decrypt")},
            True,
        ),
    ],
)
def test_auto_scaling_must_be_let_use_the_key_of_an_image(key: dict[str, Any], usable: bool) -> None:
    found = preflight.Key(**{"arn": "key/1", "manager": "CUSTOMER", "state": "Enabled", **key})
    if usable:
        preflight.ensure_usable_key(found, "source.image_id", SCALER)
    else:
        refused = refusal(preflight.ensure_usable_key, found, "source.image_id", SCALER)
        assert "Decrypt and CreateGrant" in str(refused)


def test_a_key_that_is_off_launches_nothing() -> None:
    key = preflight.Key(
        arn="key/1", manager="CUSTOMER", state="PendingDeletion", policy=_policy("*", "kms:*")
    )
    assert "PendingDeletion" in str(refusal(preflight.ensure_usable_key, key, "source.image_id", SCALER))


@pytest.mark.parametrize(
    ("priority", "taken", "place"),
    [
        (100, {100}, 99),
        (100, {100, 99, 98}, 97),
        (3, {3, 2}, 1),
        (None, set(), 1),
        (None, {1, 2, 50}, 51),
        (1, {1}, None),
        (3, {1, 2, 3}, None),
        (None, {50_000}, None),
    ],
)
def test_the_standby_rule_stands_right_ahead_of_the_rule_it_copies(
    priority: int | None, taken: set[int], place: int | None
) -> None:
    if place is None:
        assert refusal(preflight.standby, [PATH], priority, taken, "t").field == "route"
        return
    rule = preflight.standby([PATH], priority, taken, "shop.token")
    assert rule.priority == place
    header = {"HttpHeaderName": "x-viridian-standby", "Values": ["shop.token"]}
    assert rule.conditions == (PATH, {"Field": "http-header", "HttpHeaderConfig": header})


@pytest.mark.parametrize(
    ("conditions", "fits"),
    [
        ([], True),
        ([{"Field": "path-pattern", "PathPatternConfig": {"Values": list("abcd")}}], True),
        ([{"Field": "path-pattern", "PathPatternConfig": {"Values": list("abcde")}}], False),
        ([{"Field": "path-pattern", "Values": list("abcde")}], False),
        ([PATH, {"Field": "source-ip", "SourceIpConfig": {"Values": list("abcd")}}], False),
        ([{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "k", "Value": "v"}]}}], True),
    ],
)
def test_a_rule_has_room_for_one_more_condition(conditions: list[dict[str, Any]], fits: bool) -> None:
    if fits:
        assert len(preflight.standby(conditions, 9, {9}, "t").conditions) == len(conditions) + 1
    else:
        assert refusal(preflight.standby, conditions, 9, {9}, "t").field == "route"


@pytest.mark.parametrize(
    ("conditions", "host"),
    [
        ([PATH], None),
        ([], None),
        (
            [{"Field": "host-header", "HostHeaderConfig": {"Values": ["shop.example.com", "x"]}}],
            "shop.example.com",
        ),
        ([PATH, {"Field": "host-header", "Values": ["*.example.com"]}], "standby.example.com"),
        (
            [{"Field": "host-header", "HostHeaderConfig": {"Values": ["shop?.example.com"]}}],
            "shopx.example.com",
        ),
    ],
)
def test_smoke_tests_use_a_host_that_the_rule_accepts(
    conditions: list[dict[str, Any]], host: str | None
) -> None:
    assert preflight.host(conditions) == host


def test_an_image_that_is_not_there_yet_can_be_for_any_type_that_there_is() -> None:
    found = {
        "t4g.small": {
            "ProcessorInfo": {"SupportedArchitectures": ["arm64"]},
            "NetworkInfo": {"EnaSupport": "required"},
        }
    }
    preflight.ensure_types(Overrides(instance_type="t4g.small"), found, {})
    assert "t9.small" in str(refusal(preflight.ensure_types, Overrides(instance_type="t9.small"), found, {}))
    without = {"Architecture": "arm64"}
    assert "ENA" in str(refusal(preflight.ensure_types, Overrides(instance_type="t4g.small"), found, without))
    preflight.ensure_types(Overrides(instance_type="t4g.small"), found, {**without, "EnaSupport": True})


@pytest.mark.parametrize(
    ("patterns", "path"),
    [((), "/"), (("/*",), "/"), (("/api/*", "/x"), "/api/"), (("*.php",), "/.php"), (("/v?/a",), "/vx/a")],
)
def test_a_preview_asks_for_a_path_that_the_rule_accepts(patterns: tuple[str, ...], path: str) -> None:
    conditions = [{"Field": "path-pattern", "Values": list(patterns)}] if patterns else []
    assert preflight.path(conditions) == path


def test_a_smoke_test_that_another_rule_would_answer_is_refused() -> None:
    rule = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*", "/v?"]}}]
    preflight.ensure_reached((SmokeTest(path="/api/health?deep=1"), SmokeTest(path="/v2")), rule)
    preflight.ensure_reached((SmokeTest(path="/anything"),), [])
    for path in ("/", "/API/health", "/v22", "/other?x=/api/"):
        tests = (SmokeTest(path="/v2"), SmokeTest(path=path))
        refused = refusal(preflight.ensure_reached, tests, rule)
        assert (refused.field, refused.value) == ("smoke_tests[1].path", path)
        assert refused.fix == "The rule takes path-pattern /api/*, /v?: ask for that, or leave the test out."


@pytest.mark.parametrize(
    ("condition", "passes", "fails", "field"),
    [
        (
            {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET", "HEAD"]}},
            {"method": "GET"},
            {"method": "POST"},
            "method",
        ),
        (
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2*"}]}},
            {"path": "/?a=1&V=2b"},
            {"path": "/?v=1"},
            "path",
        ),
        (
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Value": "beta"}]}},
            {"path": "/?any=BETA"},
            {"path": "/beta"},
            "path",
        ),
        (
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "Accept", "Values": ["*json*"]}},
            {"headers": {"accept": "application/JSON"}},
            {"headers": {"Accept": "text/html"}},
            "headers",
        ),
    ],
)
def test_a_smoke_test_meets_each_condition_of_the_rule(
    condition: dict[str, Any], passes: dict[str, Any], fails: dict[str, Any], field: str
) -> None:
    preflight.ensure_reached((SmokeTest(**{"path": "/", **passes}),), [condition])
    refused = refusal(preflight.ensure_reached, (SmokeTest(**{"path": "/", **fails}),), [condition])
    assert refused.field == f"smoke_tests[0].{field}"


def test_no_smoke_test_is_known_to_come_from_an_address() -> None:
    condition = {"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24"]}}
    preflight.ensure_reached((), [condition])
    refused = refusal(preflight.ensure_reached, (SmokeTest(path="/"),), [condition])
    assert "leave the test out" in refused.fix


def test_a_rule_by_which_green_would_be_asked_otherwise_than_users_ask_is_refused() -> None:
    plain = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}]
    preflight.ensure_plain("rule", plain, ())
    regex = [{"Field": "host-header", "HostHeaderConfig": {"RegexValues": ["^shop[0-9]+"]}}]
    assert "^shop[0-9]+" in refusal(preflight.ensure_plain, "rule", regex, ()).value
    rewrites = [{"Type": "url-rewrite"}]
    assert "url-rewrite" in refusal(preflight.ensure_plain, "rule", plain, rewrites).value


HEADER = f"x-viridian-standby: {PLAN.standby.value}"


@pytest.mark.parametrize(
    ("endpoint", "url", "line"),
    [
        (
            Endpoint(dns_name="shop-1.elb.amazonaws.com", protocol="HTTP", port=80),
            "http://shop-1.elb.amazonaws.com/",
            f"curl --header '{HEADER}' http://shop-1.elb.amazonaws.com/",
        ),
        (
            Endpoint(dns_name="shop-1.elb.amazonaws.com", protocol="HTTPS", port=8443),
            "https://shop-1.elb.amazonaws.com:8443/",
            f"curl --insecure --header '{HEADER}' https://shop-1.elb.amazonaws.com:8443/",
        ),
        (
            Endpoint(
                dns_name="shop-1.elb.amazonaws.com",
                protocol="HTTPS",
                port=443,
                host="shop.example.com",
                path="/it's/",
            ),
            "https://shop.example.com/it's/",
            f"""curl --connect-to ::shop-1.elb.amazonaws.com: --header '{HEADER}' 'https://shop.example.com/it'"'"'s/'""",
        ),
    ],
)
def test_a_preview_has_a_link_a_header_and_a_line_to_paste(endpoint: Endpoint, url: str, line: str) -> None:
    told = plan.preview(replace(PLAN, endpoint=endpoint))
    assert told == f"{url} with the header {HEADER} ({line})"
    assert shlex.split(line)[-1] == url


def test_a_preview_listener_needs_no_header() -> None:
    endpoint = Endpoint(dns_name="shop-1.elb.amazonaws.com", protocol="HTTPS", port=8443)
    told = plan.preview(replace(PLAN, endpoint=endpoint, standby=replace(PLAN.standby, port=8443)))
    url = "https://shop-1.elb.amazonaws.com:8443/"
    assert told == f"{url} (curl --insecure {url})"
