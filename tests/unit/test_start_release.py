"""StartRelease: a new image of a service that has opted in starts its release, once; anything else starts nothing."""

import json
from datetime import timedelta
from typing import Any

import pytest
from moto.ec2.models import ec2_backends
from moto.events.models import EventPattern, EventPatternParser

from local import seed
from tests import stack
from tests.account import ACCOUNT, EXECUTION, REGION, RELEASE, Account
from viridian import starts

RELEASES = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:viridian-release"
TAGS = {"viridian:service": "shop", "viridian:version": "2.0.0"}
SAMPLES = ("start_release", "start_release.ami")
BUILT = f"arn:aws:imagebuilder:{REGION}:{ACCOUNT}:image/shop-2-0-0/1.0.0/1"


@pytest.fixture(autouse=True)
def _opted_in(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.make_machines()
    opt(account, start_on_image=True)
    monkeypatch.setenv("PAGES_TOPIC_ARN", account.client("sns").create_topic(Name="pages")["TopicArn"])


def opt(account: Account, **profile: Any) -> None:
    seed.registered(account, "shop", {**account.shop.profile, **profile})


def made(account: Account, tags: dict[str, str], **differently: Any) -> str:
    """An AMI that is a minute younger than everything before it."""
    account.later(minutes=1)
    given = [{"Key": key, "Value": value} for key, value in tags.items()]
    image = account.client("ec2").register_image(
        Name=f"of {account.now():%H.%M.%S}",
        Architecture="x86_64",
        RootDeviceName="/dev/xvda",
        TagSpecifications=[{"ResourceType": "image", "Tags": given}],
    )["ImageId"]
    account.calls.clear()
    return str(image)


def built(account: Account, tagged: dict[str, str], run: dict[str, str] | None = None, **fails: str) -> str:
    """Image Builder's image, ten minutes after its run was started with these tags."""
    pipeline = seed.pipeline(account, "2.0.0", tags=json.dumps(tagged), **fails)
    started = account.client("imagebuilder").start_image_pipeline_execution(
        imagePipelineArn=pipeline, tags=run or {}
    )
    account.later(minutes=10)
    account.calls.clear()
    return str(started["imageBuildVersionArn"])


def ami_of(account: Account, image: str) -> str:
    found = account.client("imagebuilder").get_image(imageBuildVersionArn=image)["image"]
    return str(found["outputResources"]["amis"][0]["image"])


def told(account: Account, image: str) -> Any:
    """What is answered to the event of an image, by its id or by Image Builder's ARN."""
    place = {"account": ACCOUNT, "region": REGION}
    if image.startswith("arn:"):
        return account.run("start_release", resources=[image], **place)
    resources = [f"arn:aws:ec2:{REGION}::image/{image}"]
    return account.run("start_release", account.event("start_release.ami"), resources=resources, **place)


def started(account: Account) -> dict[str, Any]:
    """The input of each execution that an image has started."""
    return {name: asked for name, asked in account.executions("release").items() if name[:5] == "shop-"}


def asked(image: str, **more: Any) -> dict[str, Any]:
    source = {"type": "ami", "image_id": image}
    return {"service": "shop", "version": "2.0.0", "source": source, "build": {}, **more}


def test_a_new_image_is_released_as_its_tags_say(account: Account) -> None:
    image = made(account, {**TAGS, "viridian:build-commit": "9f1c2d7", "viridian:build-id": "1842"})
    assert told(account, image) == {"started": f"{RELEASES}:shop-{image}", "reason": f"{image} is new"}
    assert account.writes() == ["StartExecution"]
    build = {"commit": "9f1c2d7", "build_id": "1842"}
    assert started(account) == {f"shop-{image}": asked(image, build=build)}


@pytest.mark.parametrize(("tagged", "run"), [(TAGS, {}), ({}, TAGS), (TAGS, {"viridian:version": "1.5.0"})])
def test_what_image_builder_made_and_tested_is_released_by_the_tags_of_ami_or_run(
    account: Account, tagged: dict[str, str], run: dict[str, str]
) -> None:
    image = built(account, tagged, run)
    ami = ami_of(account, image)
    assert told(account, image)["started"] == f"{RELEASES}:shop-{ami}"
    assert started(account) == {f"shop-{ami}": asked(ami, build={"build_id": image})}


def test_an_image_that_image_builder_handed_over_from_elsewhere_is_released_by_the_event_of_its_ami(
    account: Account,
) -> None:
    elsewhere = BUILT.replace(REGION, "eu-west-1")
    image = made(account, {**TAGS, "Ec2ImageBuilderArn": elsewhere})
    told(account, image)
    assert started(account) == {f"shop-{image}": asked(image, build={"build_id": elsewhere})}


def test_the_same_image_starts_one_release_whatever_becomes_of_it(account: Account) -> None:
    image = made(account, TAGS)
    first = told(account, image)
    assert told(account, image) == first
    account.stop_execution(first["started"])
    account.client("ec2").create_tags(Resources=[image], Tags=[{"Key": "viridian:version", "Value": "2.0.1"}])
    assert told(account, image) == first
    assert started(account) == {f"shop-{image}": asked(image)}


def test_an_image_whose_release_is_in_the_ledger_is_not_looked_at_again(account: Account) -> None:
    image = made(account, TAGS)
    account.planned("acquire_lock", execution=f"{RELEASES}:shop-{image}")
    answer = told(account, image)
    assert answer["started"] == f"{RELEASES}:shop-{image}"
    assert "before" in answer["reason"]
    assert account.writes() == []


def without(tag: str) -> dict[str, str]:
    return {key: value for key, value in TAGS.items() if key != tag}


NOT_WANTED = {
    "it names no service": (without("viridian:service"), "has no tag viridian:service"),
    "it names no version": (without("viridian:version"), "has no tag viridian:version"),
    "a release made it": ({**TAGS, "viridian:release": RELEASE}, f"made by release {RELEASE}"),
    "it is Image Builder's": ({**TAGS, "Ec2ImageBuilderArn": BUILT}, "when it has been tested"),
    "its version is none": ({**TAGS, "viridian:version": "latest"}, "semantic version"),
    "its service is none": ({**TAGS, "viridian:service": "../shop"}, "the name it is registered by"),
    "nobody registered it": ({**TAGS, "viridian:service": "store"}, "Register it first"),
    "its version is lower": ({**TAGS, "viridian:version": "0.9.0"}, "is lower than 1.0.0"),
}


@pytest.mark.parametrize(("tags", "reason"), NOT_WANTED.values(), ids=NOT_WANTED)
def test_an_image_that_is_not_wanted_starts_nothing_and_tells_nobody(
    account: Account, tags: dict[str, str], reason: str
) -> None:
    ensure_nothing(account, made(account, tags), reason)


def ensure_nothing(account: Account, image: str, reason: str) -> None:
    answer = told(account, image)
    assert answer["started"] is None
    assert reason in answer["reason"]
    assert account.writes() == []


@pytest.mark.parametrize("profile", [{}, {"start_on_image": False}])
def test_a_service_that_has_not_opted_in_is_left_alone(account: Account, profile: dict[str, Any]) -> None:
    opt(account, **profile)
    ensure_nothing(account, made(account, TAGS), "profile.start_on_image: shop has not opted in")


def test_an_image_older_than_the_one_that_serves_starts_nothing(account: Account) -> None:
    late = made(account, TAGS)
    image = ec2_backends[ACCOUNT][REGION].amis[late]
    image.creation_date -= timedelta(days=1)
    ensure_nothing(account, late, f"is no newer than {account.shop.image_id}")


def test_the_image_that_serves_starts_nothing(account: Account) -> None:
    given = [{"Key": "viridian:service", "Value": "shop"}]
    account.client("ec2").create_tags(Resources=[account.shop.image_id], Tags=given)
    account.calls.clear()
    ensure_nothing(account, account.shop.image_id, "is no newer than")


def test_an_image_that_is_gone_starts_nothing(account: Account) -> None:
    image = made(account, TAGS)
    account.client("ec2").deregister_image(ImageId=image)
    account.calls.clear()
    ensure_nothing(account, image, "It is gone")
    ensure_nothing(account, BUILT, "Use an image that Image Builder still has")


@pytest.mark.parametrize(
    ("run", "fails", "reason"),
    [
        ({"viridian:release": RELEASE}, {}, f"made by release {RELEASE}"),
        ({}, {"test": "port 80 is closed"}, "FAILED: TEST: port 80 is closed"),
    ],
)
def test_what_was_built_for_a_release_or_failed_its_tests_starts_nothing(
    account: Account, run: dict[str, str], fails: dict[str, str], reason: str
) -> None:
    ensure_nothing(account, built(account, TAGS, run, **fails), reason)


def told_to_people(account: Account, image: str, reason: str) -> None:
    assert told(account, image)["started"] is None
    assert account.writes() == ["Publish"]
    (page,) = account.requests("Publish")
    assert page["Subject"] == f"viridian: shop 2.0.0 of {image} was not started"
    assert reason in page["Message"]


def test_while_a_release_holds_the_route_people_are_told_instead(account: Account) -> None:
    account.before("bake_image")
    told_to_people(account, made(account, TAGS), f"held by release {RELEASE} of service shop ({EXECUTION})")


def test_where_nothing_says_what_serves_people_are_told_instead(account: Account) -> None:
    account.client("ec2").deregister_image(ImageId=account.shop.image_id)
    told_to_people(account, made(account, TAGS), f"{account.shop.image_id} of the fleet that serves is not")


def test_where_two_fleets_serve_people_are_told_instead(account: Account) -> None:
    account.set_weights(blue=50, third=50)
    told_to_people(account, made(account, TAGS), "shop-1 at 50, third at 50")


@pytest.mark.parametrize(
    ("version", "serving", "is_lower"),
    [
        ("1.10.0", "1.9.0", False),
        ("1.9.0", "1.10.0", True),
        ("2.0.0", "2.0.0", False),
        ("2.0.0-rc.1", "2.0.0", True),
        ("2.0.0", "2.0.0-rc.1", False),
        ("2.0.0-rc.2", "2.0.0-rc.10", True),
        ("2.0.0-rc.1", "2.0.0-beta", False),
        ("2.0.0-1", "2.0.0-alpha", True),
        ("2.0.0-alpha", "2.0.0-alpha.1", True),
        ("2.0.0+b", "2.0.0+c", False),
        ("1.0.0", "a year ago", False),
        ("1.0.0", None, False),
    ],
)
def test_a_version_is_compared_as_semantic_versioning_has_it(
    version: str, serving: str | None, is_lower: bool
) -> None:
    tags = [{"Key": "viridian:version", "Value": serving}] if serving else []
    blue = {"ImageId": "ami-1", "CreationDate": "2026-01-05T09:00:00.000Z", "Tags": tags}
    green = {"ImageId": "ami-2", "CreationDate": "2026-01-05T09:00:01.000Z"}
    assert bool(starts.outdated(green, version, blue)) == is_lower


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_samples_that_aws_publishes_pass_one_rule_each_and_are_understood(
    account: Account, sample: str
) -> None:
    event = json.loads((stack.ROOT / "events" / f"{sample}.json").read_text())
    rules = stack.resources("Serverless::Function")["StartReleaseFunction"]["Events"].values()
    patterns = [EventPatternParser(json.dumps(rule["Properties"]["Pattern"])).parse() for rule in rules]
    assert [EventPattern(None, pattern).matches_event(event) for pattern in patterns].count(True) == 1
    assert account.run("start_release", event)["started"] is None
