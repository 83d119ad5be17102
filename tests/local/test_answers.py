"""What a client of this process is told is what botocore would have read of moto's own answer."""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from botocore.parsers import create_parser
from moto.core.responses import ActionResult

from tests import answers
from tests.account import Account, account, person

__all__ = ["account"]


def read(answer: Any, context: Any) -> Any:
    """What a client makes of an answer."""
    status, headers, body = answer
    response = {
        "status_code": status,
        "headers": {**headers, "x-amzn-requestid": "request-id"},
        "body": body.encode(),
    }
    client = person(context.response.boto3_service_name)
    shape = client.meta.service_model.operation_model(context.operation_model.name).output_shape
    return create_parser(context.response.determine_response_protocol(context.service_model)).parse(
        response, shape
    )


def said(parsed: Any) -> Any:
    return {**parsed, "ResponseMetadata": {**parsed["ResponseMetadata"], "HTTPHeaders": None}}


@pytest.fixture
def compared(account: Account) -> Iterator[Counter[str]]:
    """Every answer is read both ways; here is how many of each operation were the same."""
    same: Counter[str] = Counter()
    different: list[Any] = []

    def both(result: ActionResult, context: Any) -> Any:
        answer = answers.told(result, context)
        if answers.TOLD in answer[1]:
            plain, short = said(read(answers.execute(result, context), context)), said(read(answer, context))
            same[context.operation_model.name] += plain == short
            different.extend([plain, short] if plain != short else [])
            answer = answers.told(result, context)
        return answer

    with patch.object(ActionResult, "execute_result", both):
        yield same
    assert different == []


def test_a_whole_release_is_told_what_it_would_have_read(account: Account, compared: Counter[str]) -> None:
    account.run("plan_release")
    account.promoted()
    account.later(minutes=1)
    account.run("collect", {})
    account.world()
    account.journal()
    asked = {call["call"] for call in account.calls if not call["error"]}
    assert asked - set(compared) <= {"Invoke"}
    assert len(compared) > 25


def test_words_lists_and_moments_arrive_as_they_would_have(account: Account, compared: Counter[str]) -> None:
    elb, where = account.client("elbv2"), account.shop.target_group_arn
    odd = {
        "marks": 'a & b < c > "d"',
        "lines": "one\r\ntwo\rthree\n",
        "far": "línea ✓",
        "none": "",
        "space": "  ",
    }
    elb.add_tags(ResourceArns=[where], Tags=[{"Key": key, "Value": value} for key, value in odd.items()])
    (told,) = elb.describe_tags(ResourceArns=[where])["TagDescriptions"]
    assert {each["Key"]: each["Value"] for each in told["Tags"]}["marks"] == odd["marks"]
    account.client("ec2").describe_instances()
    account.client("ec2").describe_images(ImageIds=[account.shop.image_id])
    account.client("ec2").create_tags(Resources=[account.builder], Tags=[{"Key": "a", "Value": "b"}])
    account.client("cloudwatch").describe_alarms()
    account.client("cloudwatch").describe_alarms(AlarmNames=["nobody's"])
    account.client("ssm").get_parameters_by_path(Path="/viridian/services")
    account.client("dynamodb").describe_table(TableName="viridian-releases")
    assert len(compared) == 8


def test_an_answer_of_another_form_is_left_to_moto(account: Account, compared: Counter[str]) -> None:
    zone = account.client("route53").create_hosted_zone(Name="shop.example", CallerReference="one")
    assert zone["HostedZone"]["Name"] == "shop.example."
    assert not compared
