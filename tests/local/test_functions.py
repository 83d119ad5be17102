"""Lambda in the local cloud: the real handler, its own environment, its time-out, its log, its errors."""

import json
import threading
from pathlib import Path
from typing import Any

from local.cloud import Cloud

PRINT = "import os; return {'mine': os.environ.get('MINE'), 'name': os.environ['AWS_LAMBDA_FUNCTION_NAME']}"


def invoke(cloud: Cloud, function: str, event: Any = None, **more: Any) -> tuple[Any, str | None]:
    answer = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event or {}), **more)
    text = answer["Payload"].read()
    return (json.loads(text) if text else None), answer.get("FunctionError")


def test_each_function_sees_its_own_environment(cloud: Cloud, workshop: Any) -> None:
    workshop.handler("One", PRINT, Environment={"Variables": {"MINE": "1"}})
    workshop.handler("Two", PRINT)
    stack = workshop.deploy(cloud)
    one, two = (stack.resources[name] for name in ("OneFunction", "TwoFunction"))
    assert invoke(cloud, one)[0] == {"mine": "1", "name": one}
    assert invoke(cloud, two)[0] == {"mine": None, "name": two}


def test_an_error_has_the_name_of_its_class(cloud: Cloud, workshop: Any) -> None:
    workshop.handler("Break", "class Refused(Exception): pass\nraise Refused('steps: they fall')")
    answer, failed = invoke(cloud, workshop.deploy(cloud).resources["BreakFunction"])
    assert failed == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("Refused", "steps: they fall")


def test_what_a_handler_returns_is_json_or_an_error(cloud: Cloud, workshop: Any) -> None:
    workshop.handler("Odd", "return {1, 2}")
    answer, failed = invoke(cloud, workshop.deploy(cloud).resources["OddFunction"])
    assert (failed, answer["errorType"]) == ("Unhandled", "TypeError")


def test_a_function_is_ended_at_its_time_out(cloud: Cloud, workshop: Any) -> None:
    """aws-facts.md S4: Lambda.Unknown is what Step Functions sees."""
    workshop.handler(
        "Slow",
        """
        import time, boto3
        try:
            time.sleep(event["seconds"])
        except Exception:
            pass
        return "done"
        """,
        Timeout=15,
    )
    name = workshop.deploy(cloud).resources["SlowFunction"]
    began = cloud.clock.now()
    assert invoke(cloud, name, {"seconds": 10}) == ("done", None)
    answer, failed = invoke(cloud, name, {"seconds": 60})
    assert (failed, answer["errorType"]) == ("Unhandled", "Lambda.Unknown")
    assert "timed out after 15.00 seconds" in answer["errorMessage"]
    assert 24 < cloud.clock.now() - began <= 25


def test_the_context_is_lambdas(cloud: Cloud, workshop: Any) -> None:
    workshop.handler(
        "Tell",
        """
        import time
        before = context.get_remaining_time_in_millis()
        time.sleep(10)
        return {
            "name": context.function_name, "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb, "request": context.aws_request_id,
            "log": context.log_group_name, "stream": context.log_stream_name,
            "slept": before - context.get_remaining_time_in_millis(),
        }
        """,
        MemorySize=512,
    )
    name = workshop.deploy(cloud).resources["TellFunction"]
    told = invoke(cloud, name, Qualifier="1")[0]
    assert told["name"] == name
    assert told["arn"].endswith(f":function:{name}:1")
    assert (told["memory"], told["log"]) == ("512", f"/aws/lambda/{name}")
    assert 10_000 <= told["slept"] < 11_000
    assert told["request"]
    assert told["stream"]


def test_powertools_logs_go_to_the_log_file_and_not_to_the_terminal(
    cloud: Cloud, workshop: Any, tmp_path: Path, capsys: Any
) -> None:
    workshop.handler(
        "Speak",
        """
        from aws_lambda_powertools import Logger, Tracer
        tracer = Tracer(service="release")
        Logger(service="release").info("shifted", extra={"weight": 10})
        """,
    )
    invoke(cloud, workshop.deploy(cloud).resources["SpeakFunction"])
    line = json.loads((tmp_path / "out" / "logs.jsonl").read_text().splitlines()[-1])
    assert (line["message"], line["weight"], line["timestamp"][:10]) == ("shifted", 10, "2026-01-05")
    assert capsys.readouterr().out == ""


def test_an_event_is_tried_three_times_in_three_minutes(cloud: Cloud, workshop: Any) -> None:
    workshop.handler("Break", "raise LookupError")
    name = workshop.deploy(cloud).resources["BreakFunction"]
    answer = cloud.client("lambda").invoke(FunctionName=name, Payload="{}", InvocationType="Event")
    assert answer["StatusCode"] == 202
    began = cloud.clock.now()
    cloud.until(lambda: False, 600)
    assert [round(entry["at"] - began) for entry in cloud.lambda_invocations] == [0, 60, 180]


def test_code_of_one_cloud_is_gone_in_the_next(tmp_path: Path, workshop: Any) -> None:
    workshop.handler("Say", "return 1")
    with Cloud.virtual() as first:
        assert invoke(first, workshop.deploy(first).resources["SayFunction"])[0] == 1
    workshop.handler("Say", "return 'another'")
    with Cloud.virtual() as second:
        assert invoke(second, workshop.deploy(second).resources["SayFunction"])[0] == "another"


def test_nothing_is_left_of_a_cloud(workshop: Any) -> None:
    import os
    import sys
    import time

    before = (os.environ, sys.stdout, time.sleep, list(sys.path), threading.active_count())
    with Cloud.virtual() as cloud:
        workshop.handler("Say", "return 1")
        invoke(cloud, workshop.deploy(cloud).resources["SayFunction"])
    assert (os.environ, sys.stdout, time.sleep, list(sys.path), threading.active_count()) == before


def test_a_handler_sees_how_long_it_waited(cloud: Cloud, workshop: Any) -> None:
    workshop.handler(
        "Wait",
        """
        import time
        began = time.monotonic()
        time.sleep(7)
        return {"waited": time.monotonic() - began}
        """,
    )
    assert invoke(cloud, workshop.deploy(cloud).resources["WaitFunction"])[0] == {"waited": 7}
