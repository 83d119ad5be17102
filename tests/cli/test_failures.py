"""Whatever is wrong with the account, the stack or the release: one line that says what to do, and a code."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import EndpointConnectionError
from botocore.httpsession import URLLib3Session
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count
from moto.core.botocore_stubber import MockRawResponse

from tests.cli.conftest import Command
from tests.workflow.world import World
from viridian.aws import clients
from viridian_cli.app import found

WHY = ("--reason", "because it is a test")
AMI = ("--ami", "ami-0123456789abcdef0")
# Every command, as somebody types it who has made no mistake.
TYPED = {
    "abort": ("shop", *WHY),
    "approve": ("shop", *WHY),
    "brake": ("shop", *WHY),
    "collect": (),
    "doctor": (),
    "explain": ("shop",),
    "hands-off": ("shop", *WHY),
    "history": ("shop",),
    "init": ("shop", "--yes"),
    "pause": ("shop", *WHY),
    "plan": ("shop", "2.0.0", *AMI),
    "promote": ("shop", *WHY),
    "reject": ("shop", *WHY),
    "release": ("shop", "2.0.0", *AMI),
    "resolve": ("shop", *WHY),
    "resume": ("shop", *WHY),
    "rollback": ("shop", *WHY),
    "services": (),
    "status": ("shop",),
    "watch": ("shop",),
}
# What only a release that hasn't ended can be told.
OF_A_RELEASE = ("abort", "approve", "brake", "pause", "promote", "reject", "resolve", "resume", "rollback")


def test_every_command_is_tried_here() -> None:
    assert sorted(TYPED) == sorted(found)


@pytest.fixture
def elsewhere(
    viridian: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[pytest.MonkeyPatch]:
    """A machine of its own: nothing is configured, and nothing can be reached."""
    for name in (
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    clients.reader.cache_clear()
    clients.writer.cache_clear()
    yield monkeypatch
    clients.reader.cache_clear()
    clients.writer.cache_clear()


def with_keys(patch: pytest.MonkeyPatch, region: str = "eu-west-1") -> None:
    patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    patch.setenv("AWS_REGION", region)
    patch.setenv("AWS_DEFAULT_REGION", region)


def one_line(viridian: Command, command: str, code: int) -> str:
    ran = viridian(command, *TYPED[command])
    assert (ran.code, ran.out) == (code, ""), command
    assert ran.err.count("\n") == 1, ran.err
    return ran.err


def lines(viridian: Command) -> set[str]:
    """What every command says here."""
    return {one_line(viridian, command, 4) for command in TYPED}


def test_no_region(elsewhere: pytest.MonkeyPatch, viridian: Command) -> None:
    assert lines(viridian) == {"No Region: set AWS_REGION to the one where Viridian's stack is.\n"}


def test_no_credentials(elsewhere: pytest.MonkeyPatch, viridian: Command) -> None:
    elsewhere.setenv("AWS_REGION", "eu-west-1")
    assert lines(viridian) == {"No AWS credentials: set AWS_PROFILE, or log in with `aws sso login`.\n"}


def test_a_profile_that_is_not_configured(elsewhere: pytest.MonkeyPatch, viridian: Command) -> None:
    elsewhere.setenv("AWS_PROFILE", "nope")
    (line,) = lines(viridian)
    assert line.startswith("The config profile (nope) could not be found: set AWS_PROFILE to one that ")
    assert [viridian(*words).code for words in (("--help",), ("brake", "--help"))] == [0, 0]


def test_a_region_without_the_stack(elsewhere: pytest.MonkeyPatch, viridian: Command) -> None:
    with_keys(elsewhere)
    with mock_aws():
        (line,) = lines(viridian)
    assert line.startswith("No stack viridian in eu-west-1: deploy it there")


def test_a_permission_that_is_missing(elsewhere: pytest.MonkeyPatch, viridian: Command) -> None:
    with mock_aws():
        with_keys(elsewhere)
        iam = boto3.client("iam")
        iam.create_user(UserName="mara")
        key = iam.create_access_key(UserName="mara")["AccessKey"]
        elsewhere.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        elsewhere.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        elsewhere.setattr(boto3, "DEFAULT_SESSION", None)
        (line,) = set_initial_no_auth_action_count(0)(lines)(viridian)
    assert line.startswith("Not permitted: DescribeStacks. ")


def test_a_network_that_leads_nowhere(elsewhere: pytest.MonkeyPatch, viridian: Command) -> None:
    with_keys(elsewhere)
    elsewhere.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert one_line(viridian, "services", 4).startswith("AWS can't be reached: ")


PAGE = "<html><body>Log in to the guests' network</body></html>"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, PAGE),
        (200, "<!DOCTYPE html><meta charset=utf-8>"),
        (302, PAGE),
        (403, PAGE),
        (404, "nothing here"),
    ],
)
def test_an_answer_that_is_not_of_aws(
    elsewhere: pytest.MonkeyPatch, viridian: Command, status: int, body: str
) -> None:
    def answer(request: AWSPreparedRequest, **_: object) -> Any:
        return AWSResponse(request.url, status, HTTPHeaders(), MockRawResponse(body))

    with_keys(elsewhere)
    boto3.setup_default_session()
    assert boto3.DEFAULT_SESSION is not None
    boto3.DEFAULT_SESSION.events.register("before-send", answer)
    (line,) = lines(viridian)
    assert line.startswith("What answers isn't AWS (")


def test_a_page_where_an_answer_of_a_function_should_be(
    world: World, viridian: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.half_way()

    def answer(_: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
        return AWSResponse(request.url, 200, HTTPHeaders(), MockRawResponse(PAGE))

    monkeypatch.setattr(URLLib3Session, "send", answer)
    assert one_line(viridian, "pause", 4).startswith("What answers isn't AWS (")


def test_an_endpoint_that_is_no_url(elsewhere: pytest.MonkeyPatch, viridian: Command) -> None:
    with_keys(elsewhere)
    elsewhere.setenv("AWS_ENDPOINT_URL", "nonsense")
    assert lines(viridian) == {"Invalid endpoint: nonsense: set AWS_ENDPOINT_URL to a URL, or to nothing.\n"}


@pytest.mark.parametrize("command", sorted(name for name, words in TYPED.items() if words[:1] == ("shop",)))
def test_nothing_is_no_service(viridian: Command, command: str) -> None:
    if command != "init":  # which asks for one
        ran = viridian(command, "", *TYPED[command][1:])
        assert (ran.code, ran.out) == (3, "")
        assert ran.err.startswith("service: ")


@pytest.mark.parametrize("command", sorted(name for name, words in TYPED.items() if WHY[1] in words))
def test_nothing_is_no_reason(viridian: Command, command: str) -> None:
    for nothing in ("", " \t"):
        ran = viridian(command, "shop", "--reason", nothing)
        assert (ran.code, ran.out) == (3, "")
        assert ran.err.startswith("reason: ")


@pytest.mark.parametrize("command", ["approve", "pause", "promote", "reject", "resume"])
def test_a_reason_that_is_too_short_is_known_before_anything_is_asked(
    viridian: Command, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = viridian(command, "shop", "--reason", "so what")
    assert (ran.code, ran.err) == (3, "reason: so what. Say why, in at least ten characters.\n")
    monkeypatch.setenv("COLUMNS", "200")
    assert "Why, in ten characters or more" in viridian(command, "--help").out


def test_an_unknown_service(world: World, viridian: Command) -> None:
    for command in ("release", "plan", "history", "status", "watch", "explain", *OF_A_RELEASE):
        ran = viridian(command, "nosuch", *TYPED[command][1:])
        assert (ran.code, ran.out) == (3, ""), command
        assert ran.err.startswith("service: nosuch. Register it first"), ran.err


@pytest.fixture
def ended(world: World) -> World:
    """Its one release has been rolled back."""
    release = world.start(
        source=world.ami(), smoke_tests=[{"path": "/", "contains": "nobody says this"}]
    ).wait()
    assert release.end == "RolledBack"
    return world


def test_a_release_that_has_ended(ended: World, viridian: Command) -> None:
    for command in OF_A_RELEASE:
        ran = viridian(command, *TYPED[command])
        assert (ran.code, ran.out) == (3, ""), command
        assert "RolledBack" in ran.err, ran.err
        assert ran.err.count("\n") == 1


def test_whoever_stops_looking_is_told_that_it_goes_on(
    world: World, viridian: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    image = world.ami()["image_id"]
    monkeypatch.setattr("viridian_cli.waiting.time", SimpleNamespace(sleep=stop))
    ran = viridian("release", "shop", "2.0.0", "--ami", image, "--wait")
    assert (ran.code, ran.err) == (4, "Stopped looking. What was begun in AWS goes on.\n")


@pytest.mark.parametrize(
    "words", ["release shop 2.0.0 --ami {image} --wait", "plan shop 2.0.0 --ami {image}"]
)
def test_a_wait_survives_a_lost_connection(world: World, viridian: Command, words: str) -> None:
    with lost("DescribeExecution", 3) as left:
        assert viridian(*words.format(image=world.ami()["image_id"]).split()).code == 0
    assert next(left, None) is None


def test_the_brake_survives_a_lost_connection_and_says_so_after_a_minute(
    world: World, viridian: Command
) -> None:
    world.half_way()
    with lost("DescribeExecution", 100):  # each look asks several times
        ran = viridian("brake", "shop", "-m", "checkout is slow")
    assert (ran.code, ran.err.startswith("AWS can't be reached: ")) == (4, True)
    with lost("DescribeExecution", 3) as left:
        assert viridian("brake", "shop", "-m", "checkout is slow").code == 0
    assert next(left, None) is None


@contextmanager
def lost(call: str, times: int) -> Iterator[Iterator[bool]]:
    """So many calls of Step Functions that get no answer; what is left of them."""
    left = iter([True] * times)

    def lose(**_: object) -> None:
        if next(left, False):
            raise EndpointConnectionError(endpoint_url="https://states.us-east-1.amazonaws.com")

    events = clients.reader("stepfunctions").meta.events
    events.register_first(f"before-send.sfn.{call}", lose)
    try:
        yield left
    finally:
        events.unregister(f"before-send.sfn.{call}", lose)
