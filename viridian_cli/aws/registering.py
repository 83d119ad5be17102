"""What `viridian init` writes, with the credentials of whoever types it: tags, and one parameter."""

import os
from collections.abc import Mapping
from typing import Any

from viridian import preflight
from viridian.aws import clients
from viridian.aws.load_balancer import tag_list
from viridian.preflight import Lent
from viridian_cli import finding
from viridian_cli.exits import Stop


def lend(thing: Lent, service: str) -> None:
    """Tags one thing as lent to a service; twice is harmless."""
    tags = tag_list(preflight.lending(thing, service))
    if thing.kind == "elbv2":
        clients.writer("elbv2").add_tags(ResourceArns=[thing.id], Tags=tags)
    elif thing.kind == "ec2":
        clients.writer("ec2").create_tags(Resources=[thing.id], Tags=tags)
    else:
        group = {
            "ResourceId": thing.id,
            "ResourceType": "auto-scaling-group",
            "PropagateAtLaunch": False,
        }
        clients.writer("autoscaling").create_or_update_tags(Tags=[{**group, **tag} for tag in tags])


def parameter(service: str) -> str:
    """The name of the parameter that holds a service's profile."""
    return f"{os.environ['SERVICES_PREFIX']}/{service}"


def register(service: str, document: Mapping[str, Any], overwrite: bool) -> None:
    """Writes a service's profile; Stop if somebody has written one meanwhile."""
    client = clients.writer("ssm")
    try:
        client.put_parameter(
            Name=parameter(service),
            Type="String",
            Tier="Intelligent-Tiering",
            Value=finding.text(document),
            Overwrite=overwrite,
        )
    except client.exceptions.ParameterAlreadyExists:
        raise Stop(
            f"service: {service} is registered already. Say --overwrite to replace its profile."
        ) from None
