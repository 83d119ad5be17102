"""The Price List Query API, which moto lacks: a few prices, as AWS published them.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
"""

import json
from typing import Any

from moto.core.botocore_stubber import BotocoreStubber
from moto.core.request import normalize_request
from moto.core.responses import BaseResponse

from local.hooks import Hooks

# GetProducts of AmazonEC2, publication of 2026-03-20: SKU, type, dollars an hour; us-east-1, Linux, shared tenancy.
PUBLISHED = "2026-03-20T04:29:25Z"
PRICES = (("QA3NBPZEQKZ2K9AR", "t3.small", "0.0208000000"), ("6C86BEPQVG73ZGGR", "m5.large", "0.0960000000"))


class PricingResponse(BaseResponse):
    """GetProducts, one page."""

    def __init__(self) -> None:
        super().__init__(service_name="pricing")

    def get_products(self) -> str:
        filters = json.loads(self.body).get("Filters", [])
        found = [
            product for product in map(_product, PRICES) if all(_fits(product, each) for each in filters)
        ]
        return json.dumps({"FormatVersion": "aws_v1", "PriceList": [json.dumps(each) for each in found]})


def install(hooks: Hooks) -> None:
    hooks.wrap(BotocoreStubber, "process_request", _process)


def _process(original: Any, stubber: BotocoreStubber, request: Any) -> Any:
    if not request.url.startswith("https://api.pricing."):
        return original(stubber, request)
    asked = normalize_request(request)
    return PricingResponse.dispatch(asked, asked.raw_url, asked.headers)


def _fits(product: dict[str, Any], wanted: dict[str, str]) -> bool:
    return bool(product["product"]["attributes"].get(wanted["Field"]) == wanted["Value"])


def _product(price: tuple[str, str, str]) -> dict[str, Any]:
    sku, kind, dollars = price
    term, rate = f"{sku}.JRTCKXETXF", f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    attributes = {
        "capacitystatus": "Used",
        "instanceType": kind,
        "licenseModel": "No License required",
        "operatingSystem": "Linux",
        "operation": "RunInstances",
        "preInstalledSw": "NA",
        "regionCode": "us-east-1",
        "tenancy": "Shared",
    }
    dimension = {"unit": "Hrs", "beginRange": "0", "endRange": "Inf", "pricePerUnit": {"USD": dollars}}
    return {
        "product": {"productFamily": "Compute Instance", "sku": sku, "attributes": attributes},
        "serviceCode": "AmazonEC2",
        "terms": {"OnDemand": {term: {"sku": sku, "priceDimensions": {rate: dimension}}}},
        "publicationDate": PUBLISHED,
    }
