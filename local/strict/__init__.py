"""Makes moto refuse what AWS refuses, and keep what AWS keeps; one part per service."""

from typing import Any

from local.hooks import Hooks
from local.strict import autoscaling as strict_autoscaling
from local.strict import cloudwatch as strict_cloudwatch
from local.strict import dynamodb as strict_dynamodb
from local.strict import ec2 as strict_ec2
from local.strict import elbv2 as strict_elbv2

hooks = Hooks()


def install(reality: Any) -> None:
    if reality.requests_are_checked:
        for part in (strict_elbv2, strict_ec2, strict_autoscaling, strict_cloudwatch, strict_dynamodb):
            part.install(hooks)


def uninstall() -> None:
    hooks.undo()
