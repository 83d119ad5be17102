"""What stands in moto, taken once and put back in milliseconds, so that every test begins where it wants to."""

import copy
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends

# Parameter Store can't be copied; who takes a snapshot puts its parameters back.
BACKENDS: dict[str, Any] = {
    "autoscaling": autoscaling_backends,
    "cloudwatch": cloudwatch_backends,
    "dynamodb": dynamodb_backends,
    "ec2": ec2_backends,
    "elbv2": elbv2_backends,
    "iam": iam_backends,
}


class _Stand:
    """Stands for a backend inside a snapshot: backends know each other, and are other objects in the next test."""


class Snapshot:
    """The state of every backend, and of `more` objects, as it was."""

    def __init__(self, account: str, region: str, *more: Any) -> None:
        self._where = account, region
        self._stands = {name: _Stand() for name in BACKENDS}
        live = self._live()
        known: dict[int, Any] = {id(live[name]): stand for name, stand in self._stands.items()}
        self._states, self._more = copy.deepcopy(
            ({name: vars(live[name]) for name in BACKENDS}, [dict(each) for each in more]), known
        )

    def restore(self, *more: dict[Any, Any]) -> None:
        live = self._live()
        known: dict[int, Any] = {id(stand): live[name] for name, stand in self._stands.items()}
        states, kept = copy.deepcopy((self._states, self._more), known)
        for name, state in states.items():
            vars(live[name]).clear()
            vars(live[name]).update(state)
        for target, state in zip(more, kept, strict=True):
            target.clear()
            target.update(state)

    def _live(self) -> dict[str, Any]:
        account, region = self._where
        return {
            name: backends[account]["aws" if name == "iam" else region] for name, backends in BACKENDS.items()
        }
