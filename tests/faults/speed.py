"""Leaves out of each emulated call what costs time and changes nothing: signatures, user agents, checksums, searches."""

import functools
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from botocore.signers import RequestSigner
from botocore.useragent import UserAgentString
from moto.backend_index import backend_url_patterns
from moto.core import responses
from moto.core.utils import method_names_from_class
from moto.utilities import aws_headers

USED = (
    "dynamodb",
    "elb",
    "elbv2",
    "autoscaling",
    "ec2",
    "cloudwatch",
    "lambda",
    "stepfunctions",
    "ssm",
    "sns",
)

_names = functools.lru_cache(maxsize=None)(method_names_from_class)


def _sign(self: Any, operation_name: str, request: Any, *_: Any, **__: Any) -> None:
    """moto reads the key and the Region from the header, and checks nothing."""
    scope = f"local/20260105/{self._region_name}/{self._signing_name}/aws4_request"
    request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


def _unchanged(self: Any, *_: Any, **__: Any) -> None:
    pass


@contextmanager
def fast() -> Iterator[None]:
    """While inside; ids are drawn from `random`, so that a seed repeats them."""
    first = [each for name in USED for each in backend_url_patterns if each[0] == name]
    rest = [each for each in backend_url_patterns if each[0] not in USED]
    kept = list(backend_url_patterns)
    with ExitStack() as hooks:
        for target, name, value in (
            (RequestSigner, "sign", _sign),
            (UserAgentString, "to_string", lambda _: "viridian-faults"),
            (UserAgentString, "rebuild_and_replace_user_agent_handler", _unchanged),
            (responses, "method_names_from_class", _names),
            (aws_headers, "gen_amz_crc32", lambda *_: 0),
            (os, "urandom", random.randbytes),
            (random, "_urandom", random.randbytes),
        ):
            hooks.enter_context(patch.object(target, name, value))
        backend_url_patterns[:] = [*first, *rest]
        try:
            yield
        finally:
            backend_url_patterns[:] = kept
