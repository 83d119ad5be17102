"""Reality of AWS that moto leaves out: a table's stream that reaches a function in order, in batches, and again.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import Cloud
from local.control.calls import PERSON

FAILED = "arn:aws:sqs:us-east-1:123456789012:failed"
SAY = "print([each['dynamodb']['Keys']['pk']['S'] for each in event['Records']])\n"
RECORDS = json.dumps({"dynamodb": {"Keys": {"sk": {"S": ["record"]}}}})


class Table:
    """A table with a stream, and a function that follows it."""

    def __init__(self, cloud: Cloud, workshop: Any, body: str, **given: Any) -> None:
        self.cloud = cloud
        workshop.resources["Table"] = {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
                ],
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
            },
        }
        workshop.resources["Failed"] = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "failed"}}
        properties = {
            "Stream": {"Fn::GetAtt": ["Table", "StreamArn"]},
            "StartingPosition": "TRIM_HORIZON",
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": FAILED}},
            **given,
        }
        workshop.handler("Follow", body, Events={"Changed": {"Type": "DynamoDB", "Properties": properties}})
        self.name = workshop.deploy(cloud).resources["Table"]
        self.items = cloud.client("dynamodb")

    def put(self, *keys: str, sort: str = "record", value: str = "1") -> None:
        for key in keys:
            item = {"pk": {"S": key}, "sk": {"S": sort}, "value": {"S": value}}
            self.items.put_item(TableName=self.name, Item=item)

    def transact(self, *writes: Any) -> None:
        self.items.transact_write_items(
            TransactItems=[{kind: {"TableName": self.name, **given}} for kind, given in writes]
        )

    def wait(self, seconds: float = 60) -> list[Any]:
        """What the function was invoked with, in the words that it prints."""
        self.cloud.until(lambda: False, seconds)
        assert self.cloud.out is not None
        return [json.loads(line.replace("'", '"')) for line in self._lines()]

    def _lines(self) -> list[str]:
        assert self.cloud.out is not None
        return (self.cloud.out / "logs.jsonl").read_text().splitlines()

    def lost(self) -> list[Any]:
        sqs = self.cloud.client("sqs")
        url = sqs.get_queue_url(QueueName="failed")["QueueUrl"]
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]


def test_writes_come_in_their_order_and_in_batches(cloud: Cloud, workshop: Any) -> None:
    table = Table(cloud, workshop, SAY, BatchSize=2, MaximumBatchingWindowInSeconds=1)
    table.put("a", "b", "c")
    assert table.wait() == [["a", "b"], ["c"]]
    assert [round(run["at"] - cloud.lambda_invocations[0]["at"]) for run in cloud.lambda_invocations] == [
        0,
        1,
    ]
    assert {run["execution"] for run in cloud.lambda_invocations} == {None}
    assert "PutItem" in [call["call"] for call in cloud.calls.by(PERSON)]


def test_a_record_has_the_item_before_and_after(cloud: Cloud, workshop: Any) -> None:
    told = "print([[each['eventName'], sorted(each['dynamodb'])] for each in event['Records']])"
    table = Table(cloud, workshop, told)
    table.put("a")
    table.put("a", value="2")
    table.items.delete_item(TableName=table.name, Key={"pk": {"S": "a"}, "sk": {"S": "record"}})
    always = [
        "ApproximateCreationDateTime",
        "Keys",
        "NewImage",
        "OldImage",
        "SequenceNumber",
        "SizeBytes",
        "StreamViewType",
    ]
    assert table.wait() == [
        [
            ["INSERT", [name for name in always if name != "OldImage"]],
            ["MODIFY", always],
            ["REMOVE", [name for name in always if name != "NewImage"]],
        ]
    ]


def test_a_write_that_changes_nothing_is_no_record(cloud: Cloud, workshop: Any) -> None:
    table = Table(cloud, workshop, SAY)
    table.put("a")
    table.put("a")
    assert table.wait() == [["a"]]


def test_only_what_the_filter_lets_through_invokes_the_function(cloud: Cloud, workshop: Any) -> None:
    table = Table(cloud, workshop, SAY, FilterCriteria={"Filters": [{"Pattern": RECORDS}]})
    table.put("a", sort="journal#1")
    assert table.wait() == []
    assert cloud.lambda_invocations == []
    table.put("b")
    assert table.wait() == [["b"]]


def test_a_transaction_that_was_cancelled_leaves_no_record(cloud: Cloud, workshop: Any) -> None:
    table = Table(cloud, workshop, SAY)
    made = {"Item": {"pk": {"S": "a"}, "sk": {"S": "record"}}}
    missing = {
        "Key": {"pk": {"S": "b"}, "sk": {"S": "record"}},
        "ConditionExpression": "attribute_exists(pk)",
    }
    with pytest.raises(ClientError, match="TransactionCanceled"):
        table.transact(("Put", made), ("ConditionCheck", missing))
    assert table.wait() == []
    updated = {
        "Key": {"pk": {"S": "c"}, "sk": {"S": "record"}},
        "UpdateExpression": "SET #v = :v",
        "ExpressionAttributeNames": {"#v": "value"},
        "ExpressionAttributeValues": {":v": {"S": "1"}},
    }
    table.transact(("Put", made), ("Update", updated))
    assert table.wait() == [["a", "c"]], "one record each, also of an item that an update makes"


def test_what_fails_comes_again_and_nothing_after_it_before(cloud: Cloud, workshop: Any) -> None:
    body = SAY + "if len(event['Records']) == 3: raise LookupError('all of it')"
    table = Table(cloud, workshop, body, MaximumRetryAttempts=1)
    table.put("a", "b", "c")
    assert table.wait(30) == [["a", "b", "c"], ["a", "b", "c"]]
    table.put("d")
    assert table.wait(30)[-1] == ["d"]


def test_a_batch_is_split_when_its_function_fails(cloud: Cloud, workshop: Any) -> None:
    body = (
        SAY
        + "if 'b' in [each['dynamodb']['Keys']['pk']['S'] for each in event['Records']]: raise LookupError('b')"
    )
    table = Table(cloud, workshop, body, MaximumRetryAttempts=1, BisectBatchOnFunctionError=True)
    table.put("a", "b", "c", "d")
    assert table.wait(300) == [["a", "b", "c", "d"], ["a", "b"], ["a"], ["b"], ["b"], ["c", "d"]]
    (lost,) = table.lost()
    assert lost["DDBStreamBatchInfo"]["batchSize"] == 1


def test_from_the_record_that_is_named_on_everything_comes_again(cloud: Cloud, workshop: Any) -> None:
    body = SAY + (
        "tried = globals().setdefault('_tried', [])\n"
        "tried.append(1)\n"
        "number = event['Records'][min(1, len(event['Records']) - 1)]['dynamodb']['SequenceNumber']\n"
        "return {'batchItemFailures': [{'itemIdentifier': number}] if len(tried) == 1 else []}"
    )
    table = Table(cloud, workshop, body)
    table.put("a", "b", "c")
    assert table.wait() == [["a", "b", "c"], ["b", "c"]]
    assert table.lost() == []


@pytest.mark.parametrize(
    ("limits", "condition", "tries"),
    [
        ({"MaximumRetryAttempts": 2}, "RetryAttemptsExhausted", 3),
        ({"MaximumRecordAgeInSeconds": 60}, "RecordAgeExceeded", 7),
    ],
)
def test_what_is_given_up_is_told_by_where_it_stands(
    cloud: Cloud, workshop: Any, limits: dict[str, int], condition: str, tries: int
) -> None:
    table = Table(cloud, workshop, "raise LookupError('no')", **limits)
    table.put("a")
    table.wait(600)
    (lost,) = table.lost()
    assert lost["requestContext"]["condition"] == condition
    assert lost["requestContext"]["approximateInvokeCount"] == tries == len(cloud.lambda_invocations)
    where = lost["DDBStreamBatchInfo"]
    assert where["startSequenceNumber"] == where["endSequenceNumber"]
    assert "payload" not in json.dumps(lost).lower()


def test_a_courier_may_lose_or_double_what_is_carried(cloud: Cloud, workshop: Any) -> None:
    table = Table(cloud, workshop, SAY)
    cloud.streams.courier = lambda _, batch: [*batch, *batch]
    table.put("a")
    assert table.wait() == [["a", "a"]]
    cloud.streams.courier = lambda *_: []
    table.put("b")
    assert table.wait() == [["a", "a"]]
