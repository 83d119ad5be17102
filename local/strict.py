"""Makes moto refuse what AWS refuses, and keep what AWS keeps; one part per service."""

from typing import Any

from local import strict_autoscaling, strict_cloudwatch, strict_dynamodb, strict_ec2, strict_elbv2
from local.hooks import Hooks

hooks = Hooks()


def install(reality: Any) -> None:
    if reality.requests_are_checked:
        for part in (strict_elbv2, strict_ec2, strict_autoscaling, strict_cloudwatch, strict_dynamodb):
            part.install(hooks)


def uninstall() -> None:
    hooks.undo()
