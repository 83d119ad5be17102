"""SSM Run Command: sent once per release, found again by its comment, on any page."""

from types import SimpleNamespace
from typing import Any

from tests.account import Account
from viridian.aws import commands
from viridian.image import Making

COMMAND = "5d8f2c1e-0000-4000-8000-000000000000"


def test_an_instance_without_an_agent_takes_no_commands(account: Account) -> None:
    assert commands.takes(account.builder)
    account.client("ec2").stop_instances(InstanceIds=[account.builder])
    assert not commands.takes(account.builder)


def test_a_command_is_found_on_any_page(account: Account) -> None:
    record = account.before("bake_image").record()

    def page(comment: str, **more: str) -> Any:
        sent = {"CommandId": f"id of {comment}", "Comment": comment}
        return SimpleNamespace(status_code=200), {"Commands": [sent], **more}

    pages = [page("theirs", NextToken="more"), page(f"viridian shop {record.plan.release}")]
    with account.hooked("before-call", "ssm", "ListCommands", lambda: pages.pop(0)):
        found = commands.patch(record.plan, account.builder, record.fence())
    assert found == f"id of viridian shop {record.plan.release}"
    assert account.writes() == []


def test_a_command_that_isnt_shown_yet_is_on_its_way(account: Account) -> None:
    nothing: Any = SimpleNamespace(status_code=200), {"CommandInvocations": []}
    with account.hooked("before-call", "ssm", "ListCommandInvocations", lambda: nothing):
        making = commands.follow(COMMAND, account.builder)
    assert making == Making(
        id=COMMAND, what=f"patch command {COMMAND} on {account.builder}", status="Pending"
    )
