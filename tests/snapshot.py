"""What stands in moto, taken once and put back in milliseconds, so that every test begins where it wants to."""

import io
import pickle
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


class _Writer(pickle.Pickler):
    """Backends know each other, and are other objects in the next test: their names stand for them."""

    def __init__(self, file: io.BytesIO, live: dict[str, Any]) -> None:
        super().__init__(file)
        self._names = {id(backend): name for name, backend in live.items()}

    def persistent_id(self, thing: Any) -> str | None:
        return self._names.get(id(thing))


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, live: dict[str, Any]) -> None:
        super().__init__(file)
        self._live = live

    def persistent_load(self, name: str) -> Any:
        return self._live[name]


class Snapshot:
    """The state of every backend, and of `more` objects, as it was."""

    def __init__(self, account: str, region: str, *more: Any) -> None:
        self._where = account, region
        live = self._live()
        states = {name: vars(backend) for name, backend in live.items()}
        written = io.BytesIO()
        _Writer(written, live).dump((states, [dict(each) for each in more]))
        self._written = written.getvalue()

    def restore(self, *more: dict[Any, Any]) -> None:
        live = self._live()
        states, kept = _Reader(io.BytesIO(self._written), live).load()
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
