"""What `viridian doctor` makes of the stack, and of its version."""

import pytest
import yaml

import viridian_cli
from tests.stack import ROOT
from viridian.errors import Refusal
from viridian_cli import checking
from viridian_cli.checking import Checks
from viridian_cli.exits import Exit, Stop


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_that_is_complete_is_well(status: str) -> None:
    assert checking.deployed("viridian", status) == f"viridian is {status}"


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"])
def test_one_that_isnt_is_to_be_seen_to(status: str) -> None:
    with pytest.raises(Refusal, match=status):
        checking.deployed("viridian", status)


def test_two_versions_are_told_apart() -> None:
    assert checking.version("1.2.0", "1.2.0") == "1.2.0"
    with pytest.raises(Refusal, match=r"the stack is 1\.2\.0, this command 1\.3\.0"):
        checking.version("1.2.0", "1.3.0")


def test_the_template_says_the_version_that_the_command_has() -> None:
    class Loader(yaml.SafeLoader):
        """CloudFormation's own tags mean nothing here."""

    Loader.add_multi_constructor("!", lambda *_: None)
    with (ROOT / "template.yaml").open() as template:
        outputs = yaml.load(template, Loader)["Outputs"]
    assert outputs["Version"]["Value"] == viridian_cli.__version__


def test_a_stack_without_the_alarms_that_it_names_is_deployed_again() -> None:
    with pytest.raises(Refusal, match="swept is gone"):
        checking.quiet(["swept"], [])


@pytest.mark.parametrize("may", ["arn:aws:iam::1:role/shop", "arn:aws:iam::1:role/sh*"])
def test_a_role_may_be_handed_on_by_name_or_as_iam_takes_names(may: str) -> None:
    assert checking.handed("shop", "arn:aws:iam::1:role/shop", ["arn:aws:iam::1:role/x", may])
    with pytest.raises(Refusal, match="not among"):
        checking.handed("shop", "arn:aws:iam::1:role/tea", [may])


def test_who_has_no_role_hands_none_on() -> None:
    assert checking.handed("", None, []) == "none"


def test_what_there_is_to_do_comes_before_what_is_not_known() -> None:
    def refuse() -> str:
        raise Refusal("pages", "nobody", "Subscribe.")

    def stop(exit_: Exit) -> str:
        raise Stop("no answer", exit_)

    checks = Checks()
    assert checks.look("a", lambda: "well") == "well"
    assert checks.code() == Exit.PROMOTED
    assert checks.look("b", lambda: stop(Exit.UNKNOWN)) is None
    assert checks.code() == Exit.UNKNOWN
    assert checks.look("c", refuse) is None
    assert checks.code() == Exit.REFUSED
    assert [check.state for check in checks.made] == ["ok", "not known", "to do"]
