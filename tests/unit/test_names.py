"""Names: the same release always asks for the same ones, and AWS accepts them all."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viridian import names, request

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:viridian-release:1"
SERVICES = st.from_regex(r"\A[a-z][a-z0-9-]{0,18}[a-z0-9]\Z")
VERSIONS = st.from_regex(re.compile(request.SEMVER.removesuffix(r"$(?!\n)") + r"\Z", re.ASCII)).filter(
    lambda version: len(version) <= 40
)


@given(SERVICES, VERSIONS, st.uuids())
def test_aws_accepts_every_name_of_every_release(service: str, version: str, execution: object) -> None:
    release = names.release(version, f"{EXECUTION}{execution}")
    assert len(release) <= 47
    assert re.fullmatch(r"[a-z0-9](-?[a-z0-9-]){0,30}[a-z0-9]", names.target_group(service, release))
    assert len(names.target_group(service, release)) <= 32
    assert re.fullmatch(r"[A-Za-z0-9().\-/_]{3,128}", names.image(service, release))
    assert re.fullmatch(r"[A-Za-z0-9.-]{1,255}", names.group(service, release))
    assert re.fullmatch(r"[A-Za-z0-9.-]{1,255}", names.alarm(service, release, "fail-open"))
    assert re.fullmatch(r"[A-Za-z0-9.-]{1,80}", names.start(service, "ami-0c5f2a9e81b6d3470"))
    assert re.fullmatch(r"[A-Za-z0-9.-]{1,80}", names.retirement(release, datetime(2026, 1, 5, tzinfo=UTC)))


def test_the_same_execution_has_the_same_release() -> None:
    assert names.release("2.0.0", EXECUTION) == names.release("2.0.0", EXECUTION)
    assert names.release("2.0.0", EXECUTION).startswith("2.0.0-")


def test_another_execution_of_the_same_version_is_another_release() -> None:
    assert names.release("2.0.0", EXECUTION) != names.release("2.0.0", EXECUTION + "2")


def test_versions_that_read_alike_are_told_apart_by_their_execution() -> None:
    assert names.release("2.0.0+a", EXECUTION).startswith("2.0.0.a-")


def test_target_groups_of_two_releases_or_services_differ() -> None:
    found = {names.target_group(s, r) for s in ("shop", "shop-2") for r in ("2.0.0-a", "2.0.0-b")}
    assert len(found) == 4


@pytest.mark.parametrize("minutes", [0, 1, 9])
def test_a_retirement_has_one_name_for_ten_minutes(minutes: int) -> None:
    began = datetime(2026, 1, 5, 9, 10, tzinfo=UTC)
    assert names.retirement("r", began + timedelta(minutes=minutes)) == names.retirement("r", began)
    assert names.retirement("r", began + timedelta(minutes=10 + minutes)) != names.retirement("r", began)


def test_everything_of_a_release_is_tagged_as_ours() -> None:
    assert names.tags("shop", "2.0.0-a") == {
        "viridian:managed": "true",
        "viridian:service": "shop",
        "viridian:release": "2.0.0-a",
    }


@pytest.mark.parametrize(
    ("name", "started"),
    [
        (names.start("shop", "ami-0c5f2a9e81b6d3470"), True),
        ("2.0.0-3f9c21-2", False),
        ("5d8f2c1e", False),
        ("ami-x", False),
    ],
)
def test_an_execution_that_an_image_has_started_is_known_by_its_name(name: str, started: bool) -> None:
    assert names.started(f"arn:aws:states:us-east-1:123456789012:execution:viridian-release:{name}") == (
        name if started else None
    )
