"""The ledger, read where it stands: through the API, each look would cost the test more than what it looks at."""

from typing import Any

from moto.dynamodb.models import dynamodb_backends

from local.control.session import ACCOUNT, REGION


def items(table: str, sort_key: str = "") -> list[dict[str, Any]]:
    """Every item of a DynamoDB table whose sort key begins like this, as plain values; documents stay text."""
    return [
        {name: _value(attribute) for name, attribute in item.attrs.items()}
        for kept in _table(table).items.values()
        for range_key, item in kept.items()
        if range_key.value.startswith(sort_key)
    ]


def item(table: str, pk: str, sk: str) -> dict[str, Any]:
    """One item of a DynamoDB table; empty if it isn't there."""
    for hash_key, kept in _table(table).items.items():
        if hash_key.value == pk:
            for range_key, each in kept.items():
                if range_key.value == sk:
                    return {name: _value(attribute) for name, attribute in each.attrs.items()}
    return {}


def _table(name: str) -> Any:
    return dynamodb_backends[ACCOUNT][REGION].tables[name]


def _value(attribute: Any) -> Any:
    match attribute.type:
        case "N":
            return int(attribute.value) if attribute.value.lstrip("-").isdigit() else float(attribute.value)
        case "M":
            return {name: _value(each) for name, each in attribute.value.items()}
        case "L":
            return [_value(each) for each in attribute.value]
        case "NULL":
            return None
        case _:
            return attribute.value
