"""DynamoDB: items in and out of the one table, and transactions that say why they were cancelled."""

import os
import re
from datetime import datetime
from typing import Any

import msgspec
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from viridian.aws import clients
from viridian.errors import Busy

Key = dict[str, str]
Write = dict[str, Any]
_NUMBERS = ("epoch", "need", "schema")
_serialize, _deserialize = TypeSerializer().serialize, TypeDeserializer().deserialize


class Cancelled(Exception):
    """A condition of a transaction did not hold; nothing of it was written."""


def get(key: Key) -> dict[str, Any]:
    """One item, read consistently; empty if it isn't there."""
    found = clients.reader("dynamodb").get_item(TableName=table(), Key=pack(key), ConsistentRead=True)
    return unpack(found.get("Item", {}))


def get_both(first: Key, second: Key) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two items in one call, each read consistently."""
    keys = [pack(first), pack(second)]
    asked = {table(): {"Keys": keys, "ConsistentRead": True}}
    answer = clients.reader("dynamodb").batch_get_item(RequestItems=asked)
    if answer.get("UnprocessedKeys"):
        raise Busy("the ledger answered a part of what it was asked")
    found = {(item["pk"]["S"], item["sk"]["S"]): unpack(item) for item in answer["Responses"][table()]}
    return found.get((first["pk"], first["sk"]), {}), found.get((second["pk"], second["sk"]), {})


def listed(index: str, name: str, value: str) -> list[dict[str, Any]]:
    """Everything that an index holds under one value, all pages of it; indexes lag a little behind."""
    return _all(**_in_index(index, name, value))


def under(pk: str, prefix: str) -> list[dict[str, Any]]:
    """Every item of a partition whose sort key begins so, in the order of those keys, read consistently."""
    return _all(
        KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
        ExpressionAttributeValues=pack({":pk": pk, ":prefix": prefix}),
        ConsistentRead=True,
    )


def newest(index: str, name: str, value: str, count: int) -> list[dict[str, Any]]:
    """The last so many that an index holds under one value, by its sort key, the last first."""
    asked = {**_in_index(index, name, value), "ScanIndexForward": False, "Limit": count}
    return [unpack(item) for item in clients.reader("dynamodb").query(TableName=table(), **asked)["Items"]]


def _in_index(index: str, name: str, value: str) -> dict[str, Any]:
    return {
        "IndexName": index,
        "KeyConditionExpression": "#name = :value",
        "ExpressionAttributeNames": {"#name": name},
        "ExpressionAttributeValues": pack({":value": value}),
    }


def _all(**asked: Any) -> list[dict[str, Any]]:
    pages = clients.reader("dynamodb").get_paginator("query").paginate(TableName=table(), **asked)
    return [unpack(item) for page in pages for item in page["Items"]]


def put(item: dict[str, Any], condition: str = "") -> Write:
    """Part of a transaction: the whole item, if the condition holds."""
    conditional = {"ConditionExpression": condition} if condition else {}
    return {"Put": {"TableName": table(), "Item": pack(item), **conditional}}


def check(key: Key, condition: str, values: dict[str, Any]) -> Write:
    """Part of a transaction: nothing is written, but all of it only if the condition holds."""
    return {"ConditionCheck": _conditional(key, condition, values)}


def update(
    key: Key,
    fields: dict[str, Any],
    condition: str = "",
    values: dict[str, Any] | None = None,
    *,
    remove: tuple[str, ...] = (),
    keep: tuple[str, str] | None = None,
) -> Write:
    """Part of a transaction: every name goes through an alias, since DynamoDB reserves more words than one can know.

    A condition names attributes with a `#` in front, and finds its own values in `values`. `keep` is an attribute that
    gets what another one has now, unless it has something already.
    """
    alias = {name: f"#{index}" for index, name in enumerate((*fields, *remove, *(keep or ())))}
    expression = "SET " + ", ".join(f"{alias[name]} = :{index}" for index, name in enumerate(fields))
    expression += f", {alias[keep[0]]} = if_not_exists({alias[keep[0]]}, {alias[keep[1]]})" if keep else ""
    expression += f" REMOVE {', '.join(alias[name] for name in remove)}" if remove else ""
    given = {**{f":{index}": value for index, value in enumerate(fields.values())}, **(values or {})}
    write = _conditional(key, condition, given)
    names = {**write.pop("ExpressionAttributeNames", {}), **{short: name for name, short in alias.items()}}
    return {"Update": {**write, "UpdateExpression": expression, "ExpressionAttributeNames": names}}


def transact(*writes: Write) -> None:
    """All or nothing. Raises Cancelled if a condition didn't hold, Busy if another wrote at the same moment."""
    try:
        clients.reader("dynamodb").transact_write_items(TransactItems=list(writes))
    except ClientError as error:
        if error.response["Error"]["Code"] != "TransactionCanceledException":
            raise
        told: list[dict[str, Any]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
        reasons = [code for reason in told if (code := reason.get("Code", "None")) != "None"]
        if "ConditionalCheckFailed" in reasons:
            raise Cancelled from None
        raise Busy(f"the ledger answered {', '.join(reasons)}") from None


def set_fields(key: Key, **fields: Any) -> None:
    """Sets fields of one item, whatever they were."""
    clients.reader("dynamodb").update_item(**update(key, fields)["Update"])


def pack(item: dict[str, Any]) -> dict[str, Any]:
    """An item as DynamoDB takes it; moments as ISO text."""
    plain = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in item.items()
    }
    return {name: _serialize(value) for name, value in plain.items()}


def text(value: Any) -> str:
    """A document as one attribute."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def unpack(item: dict[str, Any]) -> dict[str, Any]:
    """The reverse; moments stay text."""
    values = {name: _deserialize(value) for name, value in item.items()}
    return {name: int(value) if name in _NUMBERS else value for name, value in values.items()}


def _conditional(key: Key, condition: str, values: dict[str, Any]) -> dict[str, Any]:
    write: dict[str, Any] = {"TableName": table(), "Key": pack(key)}
    if condition:
        write["ConditionExpression"] = condition
        named = {f"#{name}": name for name in re.findall(r"#(\w+)", condition)}
        write |= {"ExpressionAttributeNames": named} if named else {}
    return {**write, "ExpressionAttributeValues": pack(values)} if values else write


def table() -> str:
    """The one table."""
    return os.environ["RELEASES_TABLE"]
