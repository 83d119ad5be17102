"""The ledger's switch for people: it works while no function does."""

from viridian.aws import clients, items


def set_off(route: str, why: str | None) -> None:
    """Says why nothing may write to a route, or None that it may."""
    key = {"pk": f"route#{route}", "sk": "lock"}
    if why is not None:
        items.set_fields(key, hands_off=why)
        return
    clients.reader("dynamodb").update_item(
        TableName=items.table(), Key=items.pack(key), UpdateExpression="REMOVE hands_off"
    )
