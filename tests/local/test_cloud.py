"""The cloud as a whole: virtual for tests, or served over HTTP in scaled time; nothing is left of either."""

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.core.base_backend import BackendDict

from local import seed
from local.cloud import Cloud

WAITS: dict[str, Any] = {
    "StartAt": "Wait",
    "States": {"Wait": {"Type": "Wait", "Seconds": 300, "Next": "Add"}},
}


def abroad(cloud: Cloud, service: str) -> Any:
    """As the AWS CLI calls it: over HTTP, knowing nothing but the endpoint."""
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1")
    return session.client(service, endpoint_url=cloud.endpoint)  # type: ignore[call-overload]


def test_what_moto_lacks_is_served_as_well(tmp_path: Path) -> None:
    """Image Builder."""
    with Cloud.served(out=tmp_path / "out") as cloud:
        arn = seed.pipeline(SimpleNamespace(client=lambda service: abroad(cloud, service)), "2.0.0")
        shown = abroad(cloud, "imagebuilder").get_image_pipeline(imagePipelineArn=arn)["imagePipeline"]
        assert shown["status"] == "ENABLED"


def test_a_served_cloud_answers_over_http_and_runs_as_fast_as_it_is_asked_to(
    tmp_path: Path, workshop: Any, task: Any
) -> None:
    workshop.handler("Add", "import time; time.sleep(60); return {'n': event['n'] + 1}")
    states = {**WAITS["States"], "Add": task("Add", {"n": "{% $states.input.n %}"}, TimeoutSeconds=120)}
    workshop.machine({"StartAt": "Wait", "States": states})
    threads, began = threading.active_count(), time.monotonic()
    with Cloud.served(speed=600, out=tmp_path / "out") as cloud:
        machine = workshop.deploy(cloud).resources["Machine"]
        client = abroad(cloud, "stepfunctions")
        arn = client.start_execution(stateMachineArn=machine, input='{"n": 1}', name="one")["executionArn"]
        cloud.wait(arn, 3600)
        shown = client.describe_execution(executionArn=arn)
        history = client.get_execution_history(executionArn=arn)["events"]
        assert (shown["status"], json.loads(shown["output"])) == ("SUCCEEDED", {"n": 2})
        assert 360 <= (shown["stopDate"] - shown["startDate"]).total_seconds() < 3600
        assert [event["type"] for event in history if "State" in event["type"]] == [
            "WaitStateEntered", "WaitStateExited", "TaskStateEntered", "TaskStateExited",
        ]  # fmt: skip
        assert {entry["principal"] for entry in cloud.calls.entries if not entry["mutating"]} == {
            "person",
            "states",
        }
        assert cloud.clock.failures == []
    assert time.monotonic() - began < 15
    assert threading.active_count() == threads


def test_what_people_do_over_http_is_in_the_same_world(tmp_path: Path) -> None:
    with Cloud.served(speed=600, out=tmp_path / "out") as cloud:
        abroad(cloud, "ssm").put_parameter(Name="/shop", Value="1", Type="String")
        assert cloud.client("ssm").get_parameter(Name="/shop")["Parameter"]["Value"] == "1"
        assert [entry["call"] for entry in cloud.calls.entries] == ["PutParameter", "GetParameter"]


def test_going_down_in_the_middle_of_everything_leaves_nothing(workshop: Any, task: Any) -> None:
    workshop.handler("Add", "import time; time.sleep(10_000)")
    workshop.machine({"StartAt": "Add", "States": {"Add": task("Add", {})}})
    threads = threading.active_count()
    with Cloud.virtual() as cloud:
        cloud.start(workshop.deploy(cloud).resources["Machine"], {})
        cloud.until(lambda: False, 100)
    assert threading.active_count() == threads
    instances: Any = BackendDict._instances  # type: ignore[misc]
    assert not any(len(backends) for backends in instances)


def test_two_clouds_know_nothing_of_each_other() -> None:
    with Cloud.virtual() as first:
        first.client("ssm").put_parameter(Name="/shop", Value="1", Type="String")
    with Cloud.virtual() as second:
        assert second.client("ssm").describe_parameters()["Parameters"] == []


def test_what_fails_in_the_background_fails_the_test(workshop: Any) -> None:
    def broken(now: float) -> None:
        raise LookupError("the tick")

    with Cloud.virtual() as cloud:
        cloud.clock.every(5, broken, "broken")
        with pytest.raises(RuntimeError, match="the tick"):
            cloud.until(lambda: False, 60)
        cloud.clock.failures.clear()


def test_what_failed_unseen_fails_at_the_end() -> None:
    cloud = Cloud.virtual()
    cloud.__enter__()
    cloud.clock.failures.append("the tick")
    with pytest.raises(RuntimeError, match="the tick"):
        cloud.__exit__(None, None, None)


def test_waiting_has_an_end(cloud: Cloud, workshop: Any) -> None:
    workshop.machine({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 9000, "End": True}}})
    arn = cloud.start(workshop.deploy(cloud).resources["Machine"], {})
    with pytest.raises(TimeoutError, match="still runs"):
        cloud.wait(arn, 60)
