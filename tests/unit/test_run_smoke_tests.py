"""RunSmokeTests: the verdict on green before any user meets it is a value, never an error."""

from tests.account import Account
from tests.web import Web, says


def test_a_green_that_answers_passes_and_nothing_is_touched(account: Account, web: Web) -> None:
    web.answers["/"] = says(b"shop 2.0.0")
    answer = account.twice("run_smoke_tests")
    assert answer["verdict"] == "Successful"
    assert account.writes() == []
    assert [request[0] for request in web.requests] == ["GET / HTTP/1.1"] * 2


def test_a_green_that_answers_wrongly_fails_with_what_it_said(account: Account, web: Web) -> None:
    web.answers["/"] = says(b"shop 1.0.0")
    answer = account.run("run_smoke_tests")
    assert answer["verdict"] == "Failed"
    assert answer["reason"] == "GET /: the first 10 bytes don't contain '2.0.0' (2 attempts)"


def test_the_sample_asks_what_check_green_says_to_ask(account: Account) -> None:
    checked = account.before("run_smoke_tests").run("check_green")
    asked = account.event("run_smoke_tests")
    assert asked["endpoint"] == checked["endpoint"]
    assert asked["standby"] == checked["standby"]
    assert asked["tests"] == checked["tests"]


def test_a_load_balancer_that_nobody_can_reach_fails_green(account: Account) -> None:
    event = account.event("run_smoke_tests")
    endpoint = {**event["endpoint"], "dns_name": "nothing.invalid"}
    assert account.run("run_smoke_tests", endpoint=endpoint)["verdict"] == "Failed"
