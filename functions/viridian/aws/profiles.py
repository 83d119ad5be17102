"""Parameter Store: the services that are registered, one profile each."""

import json
import os
from typing import Any

from viridian.aws import clients
from viridian.errors import Refusal


def find(service: str) -> tuple[Any, int]:
    """A service's profile as it was registered, and the parameter's version; a Refusal if there is none."""
    client = clients.reader("ssm")
    name = f"{os.environ['SERVICES_PREFIX']}/{service}"
    try:
        parameter = client.get_parameter(Name=name)["Parameter"]
    except client.exceptions.ParameterNotFound:
        raise Refusal(
            "service", service, f"Register it first: put its profile into Parameter Store as {name}."
        ) from None
    try:
        return json.loads(parameter["Value"]), int(parameter["Version"])
    except ValueError as error:
        raise Refusal("profile", f"{name} is not JSON ({error})", "Register it again.") from None
