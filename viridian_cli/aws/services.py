"""Parameter Store: which services are registered."""

import os

from viridian.aws import clients


def names() -> list[str]:
    """Every registered service."""
    prefix = os.environ["SERVICES_PREFIX"]
    pages = clients.reader("ssm").get_paginator("get_parameters_by_path").paginate(Path=prefix)
    return sorted(
        parameter["Name"].removeprefix(f"{prefix}/") for page in pages for parameter in page["Parameters"]
    )
