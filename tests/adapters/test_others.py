"""What replaces a fleet beside a release: instance refreshes by their status, stacks by theirs."""

import json

import pytest
from moto.autoscaling.models import autoscaling_backends
from moto.cloudformation.models import cloudformation_backends

from local.control.session import ACCOUNT, REGION
from tests.account import Account
from viridian.aws import auto_scaling, stacks

TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})


@pytest.mark.parametrize(
    ("status", "going"),
    [
        ("Pending", True),
        ("InProgress", True),
        ("Cancelling", True),
        ("RollbackInProgress", True),
        ("Baking", True),
        ("Successful", False),
        ("Failed", False),
        ("Cancelled", False),
        ("RollbackSuccessful", False),
        ("RollbackFailed", False),
    ],
)
def test_a_refresh_goes_on_until_it_has_ended(account: Account, status: str, going: bool) -> None:
    assert auto_scaling.refresh("shop-1") is None
    account.client("autoscaling").start_instance_refresh(AutoScalingGroupName="shop-1")
    (refresh,) = vars(autoscaling_backends[ACCOUNT][REGION].autoscaling_groups["shop-1"])[
        "instance_refreshes"
    ]
    refresh.status = status
    assert auto_scaling.refresh("shop-1") == (status if going else None)


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        ("UPDATE_IN_PROGRESS", True),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", True),
        ("UPDATE_ROLLBACK_IN_PROGRESS", True),
        ("DELETE_IN_PROGRESS", True),
        ("UPDATE_COMPLETE", False),
        ("UPDATE_ROLLBACK_FAILED", False),
    ],
)
def test_a_stack_changes_while_anything_of_it_is_in_progress(
    account: Account, status: str, changes: bool
) -> None:
    account.client("cloudformation").create_stack(StackName="shop-prod", TemplateBody=TEMPLATE)
    (stack,) = cloudformation_backends[ACCOUNT][REGION].stacks.values()
    stack.status = status
    assert stacks.change("shop-prod") == (status if changes else None)


def test_a_stack_that_is_gone_changes_nothing(account: Account) -> None:
    assert stacks.change("shop-prod") is None
