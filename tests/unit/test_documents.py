"""Bad input: whatever is sent, nothing is changed, nothing goes unhandled, and the error names its field."""

import importlib
import json
from typing import Any

import pytest
from hypothesis import strategies as st

from tests.account import CONTEXT, Account
from tests.faults import documents
from tests.faults.documents import Paper
from tests.faults.refusals import Answer, Judge
from viridian.errors import Refusal
from viridian.messages import Brake, Guard, StartRelease
from viridian.request import Order, Overrides, Profile, Request, Resume

FEW = 100


def answered(stem: str, event: Any) -> Answer:
    handler = importlib.import_module(f"handlers.{stem}").lambda_handler
    try:
        return handler(documents.decoded(event), CONTEXT), "", ""
    except Refusal as refused:
        return None, "Refusal", str(refused)
    except Exception as error:
        return None, type(error).__name__, str(error)


def fuzz(account: Account, judge: Judge, fit: Any, stem: str, event: Any, *, some_fit: bool = True) -> None:
    """Sends `event(document)` for a few documents drawn from `fit` and then mistaken."""
    account.calls.clear()

    def look(paper: Paper) -> None:
        account.calls.clear()
        judge.look(paper, answered(stem, event(paper.document)))

    documents.each(documents.papers(fit), FEW, 3, look)
    assert judge.counts["Refusal"] > FEW / 4
    assert not some_fit or judge.counts["answered"] > FEW / 30


def known(account: Account) -> dict[str, st.SearchStrategy[Any]]:
    """What fields must be for a request to be planned here."""
    sample = account.event("plan_release")["request"]
    meant = ("service", "version", "source", "guards", "steps", "waive")
    fleet: st.SearchStrategy[Any] = st.just({}) | documents.fitting(
        Overrides
    )  # those drawn at random seldom go with each other
    return {"fleet": fleet, **{name: st.just(sample[name]) for name in meant}}


@pytest.mark.parametrize("kind", [Request, Resume])
def test_whatever_is_asked_for_is_planned_or_refused(account: Account, kind: type) -> None:
    base = account.event("plan_release")
    judge = Judge(kind, account.writes)
    event = lambda document: {**base, "request": document}  # noqa: E731
    fit = documents.fitting(kind, known(account))
    fuzz(account, judge, fit, "plan_release", event, some_fit=kind is Request)  # nothing here is Held


def test_whatever_is_registered_lets_a_release_be_planned_or_refused(account: Account) -> None:
    base, least = account.event("plan_release"), {"service", "version", "source"}
    wanted = {name: base["request"][name] for name in least}
    windows = st.just(
        {"time_zone": "Europe/Berlin", "outside": "refuse"}
    )  # few names drawn at random are zones
    registered = {**known(account), "route": st.just(account.shop.route_arn), "windows": windows}

    def event(profile: Any) -> Any:
        account.client("ssm").put_parameter(
            Name="/viridian/services/shop", Value=json.dumps(profile)[:8192], Type="String", Overwrite=True
        )
        account.calls.clear()
        return {**base, "request": wanted}

    judge = Judge(Profile, account.writes, "profile.", "")
    fuzz(account, judge, documents.fitting(Profile, registered), "plan_release", event)


def test_whatever_is_ordered_finds_nothing_or_is_refused(account: Account) -> None:
    base = account.event("restore_blue")
    judge = Judge(Order, account.writes)

    def event(order: Any) -> Any:
        reason = order.get("reason") if isinstance(order, dict) else None
        said = reason if isinstance(reason, str) else "no reason given"
        return {**base, "order": order, "error": "RollbackOrdered", "cause": said}

    fit = documents.fitting(Order, {"steps": st.just([])})  # those drawn at random seldom rise to 100
    fuzz(account, judge, fit, "restore_blue", event)


@pytest.mark.parametrize(
    ("stem", "kind"), [("brake", Brake), ("guard", Guard), ("start_release", StartRelease)]
)
def test_whatever_event_comes_wakes_nobody_who_was_not_named(account: Account, stem: str, kind: type) -> None:
    judge = Judge(kind, account.writes)
    fuzz(account, judge, documents.fitting(kind), stem, lambda event: event)
