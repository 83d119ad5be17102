"""Makes moto refuse what AWS refuses, keep what AWS keeps and answer what AWS answers; one part per service."""

from typing import Any

from local.hooks import Hooks
from local.strict import autoscaling as strict_autoscaling
from local.strict import cloudwatch as strict_cloudwatch
from local.strict import dynamodb as strict_dynamodb
from local.strict import ec2 as strict_ec2
from local.strict import elbv2 as strict_elbv2
from local.strict import iam as strict_iam
from local.strict import pricing as strict_pricing
from local.strict import quotas as strict_quotas
from local.strict import route53 as strict_route53

PARTS: tuple[Any, ...] = (
    strict_elbv2,
    strict_ec2,
    strict_autoscaling,
    strict_cloudwatch,
    strict_dynamodb,
    strict_iam,
    strict_pricing,
    strict_quotas,
    strict_route53,
)
hooks = Hooks()


def install(reality: Any) -> None:
    if reality.requests_are_checked:
        for part in PARTS:
            part.install(hooks)


def uninstall() -> None:
    hooks.undo()
