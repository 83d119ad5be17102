"""What makes the emulated AWS fast leaves what it answers as it was."""

import copy
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.request import Request
from moto.dynamodb.models import dynamodb_backends

from local.control.session import ACCOUNT, REGION
from tests.speed import fast

TABLE = "releases"


def item(key: str, **values: str) -> dict[str, Any]:
    return {name: {"S": value} for name, value in {"pk": "release", "sk": key, **values}.items()}


@pytest.fixture(params=[True, False], ids=["fast", "plain"])
def table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with fast() if request.param else mock_aws(), mock_aws():
        client = boto3.client("dynamodb", REGION)
        client.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        for key in ("a", "b"):
            client.put_item(TableName=TABLE, Item=item(key, said="before"))
        yield client


def shown(client: Any) -> dict[str, str]:
    found = client.scan(TableName=TABLE)["Items"]
    return {each["sk"]["S"]: each["said"]["S"] for each in found}


def says(key: str, words: str, **more: Any) -> dict[str, Any]:
    values = {":words": {"S": words}, **more.pop("values", {})}
    asked = {"TableName": TABLE, "Key": item(key), "UpdateExpression": "SET said = :words"}
    return {"Update": {**asked, "ExpressionAttributeValues": values, **more}}


def puts(key: str, words: str) -> dict[str, Any]:
    return {"Put": {"TableName": TABLE, "Item": item(key, said=words)}}


def test_a_transaction_that_is_cancelled_leaves_everything_as_it_was(table: Any) -> None:
    refused = says(
        "b", "after", ConditionExpression="said = :other", values={":other": {"S": "something else"}}
    )
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        table.transact_write_items(TransactItems=[says("a", "after"), puts("c", "new"), refused])
    assert shown(table) == {"a": "before", "b": "before"}
    table.transact_write_items(TransactItems=[says("a", "after"), puts("c", "new"), says("b", "after")])
    assert shown(table) == {"a": "after", "b": "after", "c": "new"}


def test_what_was_copied_before_a_transaction_stays_as_it_was(table: Any) -> None:
    """Snapshots of whole backends are put back again and again."""
    kept = copy.deepcopy(dynamodb_backends[ACCOUNT][REGION].tables)
    table.transact_write_items(TransactItems=[says("a", "after"), puts("c", "new")])
    dynamodb_backends[ACCOUNT][REGION].tables.update(kept)
    assert shown(table) == {"a": "before", "b": "before"}


@pytest.mark.parametrize(
    ("url", "body", "headers"),
    [
        (
            "https://elasticloadbalancing.us-east-1.amazonaws.com/",
            "Action=A&B=&C=%C3%AD+%2B&C=2",
            {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "X-Amz-Date": b"20260105"},
        ),
        (
            "https://dynamodb.us-east-1.amazonaws.com/",
            b'{"a": "\xc3\xad"}',
            {"Content-Type": "application/x-amz-json-1.0"},
        ),
        ("http://states.us-east-1.amazonaws.com", b"", {"Host": "elsewhere", "Content-Length": "3"}),
        ("https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/a%2Fb?Qualifier=c", b"{}", {}),
        ("http://127.0.0.1:9/", b"{}", {}),
    ],
)
def test_moto_reads_a_request_as_it_would_have(url: str, body: Any, headers: dict[str, Any]) -> None:
    def read() -> Any:
        request = Request.from_primitives("POST", url, headers, body)
        parts = (
            request.raw_url,
            request.url_root,
            request.path,
            request.args,
            request.mimetype,
            request.method,
        )
        held = {
            key: value
            for key, value in request.environ.items()
            if key not in ("wsgi.errors", "wsgi.input", "werkzeug.request")
        }
        return parts, request.data, request.form, list(request.values.items()), dict(request.headers), held

    plain = read()
    with fast():
        assert read() == plain


def test_a_client_goes_where_its_own_settings_say() -> None:
    """What is worked out once is worked out once for each client and operation."""
    sent: list[str] = []

    def stop(request: Any, **_: Any) -> Any:
        sent.append(request.url)
        raise InterruptedError

    with fast():
        for region, endpoint in ((REGION, None), ("eu-central-1", None), (REGION, "http://127.0.0.1:9")):
            keys: Any = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
            client = boto3.client("elbv2", region, endpoint_url=endpoint, **keys)
            client.meta.events.register("before-send", stop)
            for _ in range(2):
                with pytest.raises(InterruptedError):
                    client.describe_rules()
    there = [f"https://elasticloadbalancing.{region}.amazonaws.com/" for region in (REGION, "eu-central-1")]
    assert sent == [each for each in (*there, "http://127.0.0.1:9/") for _ in range(2)]
