"""The Price List: what an instance costs an hour."""

import json

from viridian.aws import clients
from viridian.errors import NotKnown


def hourly(kind: str, region: str, operation: str) -> float:
    """The list price of an On-Demand instance in dollars; `operation` is its image's usage operation.

    That names operating system and software as the price list does:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/billing-info-fields.html
    """
    wanted = {
        "instanceType": kind,
        "regionCode": region,
        "operation": operation,
        "tenancy": "Shared",
        "capacitystatus": "Used",
    }
    filters = [{"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in wanted.items()]
    with clients.spared():
        found = clients.brief("pricing").get_products(ServiceCode="AmazonEC2", Filters=filters)["PriceList"]
    listed = {
        float(dimension["pricePerUnit"]["USD"])
        for product in map(json.loads, found)
        for term in product["terms"].get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
        if "USD" in dimension["pricePerUnit"]
    }
    if len(listed) != 1:
        raise NotKnown(f"the price list has {len(listed)} prices of {kind} in {region} ({operation})")
    return listed.pop()
