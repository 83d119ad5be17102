"""EC2 Image Builder: one run per release, found on any page, and judged by its workflows."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from local import seed
from tests.account import Account
from tests.unit.test_record import PLAN
from viridian import names
from viridian.aws import pipelines
from viridian.errors import Refusal
from viridian.request import ImageBuilderSource

ARN = "arn:aws:imagebuilder:us-east-1:123456789012:image/shop/1.0.0/1"


def test_a_run_is_found_on_any_page_unless_it_was_deleted(account: Account) -> None:
    source = ImageBuilderSource(pipeline_arn=seed.pipeline(account, "2.0.0"))
    plan = msgspec.structs.replace(PLAN, source=source)
    ours = names.tags(plan.service, plan.release)

    def page(tags: dict[str, str], status: str = "BUILDING", **more: str) -> Any:
        image = {"arn": f"{ARN}{len(tags)}", "tags": tags, "state": {"status": status}}
        return SimpleNamespace(status_code=200), {"imageSummaryList": [image], **more}

    theirs = {**ours, names.RELEASE: "1.0.0-1"}
    pages = [
        page(theirs, nextToken="a"),
        page(ours, "DELETED", nextToken="b"),
        page({**ours, "theirs": "too"}),
    ]
    with account.hooked("before-call", "imagebuilder", "ListImagePipelineImages", lambda: pages.pop(0)):
        assert pipelines.find(plan) == f"{ARN}4"
    assert pages == []


def followed(account: Account, state: dict[str, str], workflows: list[dict[str, str]]) -> Any:
    """What is made of this state and these workflows, with AMIs in two Regions and two accounts."""
    places = (("us-west-2", "123456789012"), ("us-east-1", "999999999999"), ("us-east-1", "123456789012"))
    amis = [
        {"region": region, "accountId": owner, "image": f"ami-{region}-{owner[0]}"}
        for region, owner in places
    ]
    image = {"state": state, "dateCreated": "2026-01-05T09:00:00.000Z", "outputResources": {"amis": amis}}
    ok = SimpleNamespace(status_code=200)
    with (
        account.hooked("before-call", "imagebuilder", "GetImage", lambda: (ok, {"image": image})),
        account.hooked(
            "before-call",
            "imagebuilder",
            "ListWorkflowExecutions",
            lambda: (ok, {"workflowExecutions": workflows}),
        ),
    ):
        return pipelines.follow(ARN)


def test_a_test_that_failed_is_the_reason_whatever_the_state(account: Account) -> None:
    failed = {"type": "TEST", "status": "FAILED", "message": "closed"}
    done = {"type": "BUILD", "status": "COMPLETED", "message": "fine"}
    for status in ("AVAILABLE", "FAILED"):
        assert followed(account, {"status": status, "reason": "?"}, [done, failed]).reason == "TEST: closed"
    assert followed(account, {"status": "FAILED", "reason": "quota"}, [done]).reason == "quota"
    assert followed(account, {"status": "AVAILABLE", "reason": "all is well"}, [done]).reason == ""


def test_the_ami_is_that_of_our_region_and_account(account: Account) -> None:
    assert followed(account, {"status": "AVAILABLE"}, []).image == "ami-us-east-1-1"


def test_an_image_that_image_builder_no_longer_has_is_refused_by_its_arn(account: Account) -> None:
    with pytest.raises(Refusal, match=ARN):
        pipelines.find_image(ARN)
