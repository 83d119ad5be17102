"""Leaves out of each emulated call what costs time and changes nothing: signatures, user agents, checksums, searches."""

import copy
import functools
import io
import os
import random
import re
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.machinery import SourceFileLoader
from typing import Any
from unittest.mock import patch

from botocore import parsers, session
from botocore.regions import EndpointRulesetResolver
from botocore.retries.quota import RetryQuota
from botocore.signers import RequestSigner
from botocore.useragent import UserAgentString
from moto.backend_index import backend_url_patterns
from moto.core import models, responses
from moto.core.base_backend import BaseBackend
from moto.core.request import Request, environ_key_for_header
from moto.core.utils import camelcase_to_underscores, method_names_from_class
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.moto_api._internal import moto_random
from moto.utilities import aws_headers

from tests import answers

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
# Each world's clients and functions are new; what AWS's models and our sources say is not.
_loader = functools.lru_cache(maxsize=None)(session.create_loader)
_compiled = functools.lru_cache(maxsize=None)(SourceFileLoader.source_to_code)
_moment = functools.lru_cache(maxsize=10_000)(parsers.DEFAULT_TIMESTAMP_PARSER)
_endpoint, _urls = EndpointRulesetResolver.construct_endpoint, BaseBackend.urls
_urls_of: dict[type, Any] = {}
_from_primitives: Callable[..., Request] = vars(Request)["from_primitives"].__func__
_ENVIRON = {
    key: value
    for key, value in Request.from_primitives("POST", "https://aws/", {}, b"").environ.items()
    if key != "werkzeug.request"
}


def _resolved(self: Any, operation_model: Any, call_args: Any, request_context: Any) -> Any:
    """Where a client sends an operation depends on its parameters in S3 alone: it is worked out once."""
    known = vars(self).setdefault("resolved", {})
    if operation_model.name not in known:
        known[operation_model.name] = _endpoint(self, operation_model, call_args, request_context)
    return known[operation_model.name]


def _posted(cls: type[Request], method: str, url: str, headers: Any, body: Any = None) -> Request:
    """The same as `from_primitives` makes of it, without taking a URL apart and putting it together again."""
    scheme, _, host = url.removesuffix("/").partition("://")
    root = method == "POST" and "Host" not in headers and re.fullmatch(r"[a-z0-9.-]+", host)
    if not root or not isinstance(body, str | bytes):
        return _from_primitives(cls, method, url, headers, body)
    sent = body.encode() if isinstance(body, str) else body
    given = {
        environ_key_for_header(key): value.decode() if isinstance(value, bytes) else value
        for key, value in headers.items()
    }
    posted = {
        "HTTP_HOST": host,
        "SERVER_NAME": host,
        "wsgi.input": io.BytesIO(sent),
        "wsgi.url_scheme": scheme,
    }
    port = "443" if scheme == "https" else "80"
    request = cls({**_ENVIRON, **given, **posted, "SERVER_PORT": port, "CONTENT_LENGTH": str(len(sent))})
    request.url_root = f"{scheme}://{host}/"
    return request


def _urls_once(self: Any) -> Any:
    """The addresses of a service are the same for each of its backends."""
    if type(self) not in _urls_of:
        _urls_of[type(self)] = _urls.__get__(self)
    return _urls_of[type(self)]


def _sign(self: Any, operation_name: str, request: Any, *_: Any, **__: Any) -> None:
    """moto reads the key and the Region from the header, and checks nothing."""
    key = self._credentials.access_key if self._credentials else "local"
    scope = f"{key}/20260105/{self._region_name}/{self._signing_name}/aws4_request"
    request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


def _drawn(_: Any, length: int = 20, *__: Any, **___: Any) -> str:
    """Request ids, most of them; random only as the seed has it."""
    return random.randbytes(length)[:length].hex()[:length]


_quotas: weakref.WeakSet[RetryQuota] = weakref.WeakSet()
_made = RetryQuota.__init__


def _noted(self: Any, *given: Any, **named: Any) -> None:
    _made(self, *given, **named)
    _quotas.add(self)


RetryQuota.__init__ = _noted  # type: ignore[method-assign]


def forgive() -> None:
    """Clients outlive a world, and each keeps count of its retries: another run begins with none."""
    for quota in list(_quotas):
        quota._available_capacity = quota._max_capacity  # type: ignore[attr-defined]


def _unchanged(self: Any, *_: Any, **__: Any) -> None:
    pass


_TOUCHED = "touched"  # by the transaction that is under way
_transact = DynamoDBBackend.transact_write_items


def _transact_lightly(self: Any, transact_items: list[dict[str, Any]]) -> None:
    """moto copies every item of a table before a transaction; here those are copied that it may change."""
    touched: dict[str, list[dict[str, Any]]] = {}
    for item in transact_items:
        (asked,) = item.values()
        touched.setdefault(asked["TableName"], []).append(asked.get("Key") or asked.get("Item") or {})
    tables = {name: self.tables[name] for name in touched if name in self.tables}
    for name, table in tables.items():
        vars(table)[_TOUCHED] = touched[name]
    try:
        _transact(self, transact_items)
    finally:
        for table in (*tables.values(), *self.tables.values()):
            vars(table).pop(_TOUCHED, None)


def _copied(self: Any, memo: dict[int, Any]) -> Any:
    """A table as it is, for moto to put back: it keeps the items themselves, and the table goes on with copies."""
    made = copy.copy(self)
    memo[id(self)] = made
    if _TOUCHED not in vars(self):
        vars(made).update(copy.deepcopy(vars(self), memo))
        return made
    made.items = defaultdict(dict, {key: copy.copy(held) for key, held in self.items.items()})
    for key in vars(self)[_TOUCHED]:
        held, last = self.items, DynamoType(key[self.hash_key_attr])
        if self.range_key_attr is not None:
            held, last = self.items.get(last, {}), DynamoType(key[self.range_key_attr])
        if last in held:
            held[last] = copy.deepcopy(held[last])
    return made


@contextmanager
def fast() -> Iterator[None]:
    """While inside; ids are drawn from `random`, so that a seed repeats them."""
    first = [each for name in USED for each in backend_url_patterns if each[0] == name]
    rest = [each for each in backend_url_patterns if each[0] not in USED]
    kept = list(backend_url_patterns)
    _names.cache_clear()  # a local cloud may give a service actions that moto lacks
    with ExitStack() as hooks:
        for target, name, value in (
            (RequestSigner, "sign", _sign),
            (UserAgentString, "to_string", lambda _: "viridian-faults"),
            (UserAgentString, "rebuild_and_replace_user_agent_handler", _unchanged),
            (responses, "method_names_from_class", _names),
            (aws_headers, "gen_amz_crc32", lambda *_: 0),
            (moto_random.MotoRandom, "get_random_string", _drawn),
            (DynamoDBBackend, "transact_write_items", _transact_lightly),
            (Table, "__deepcopy__", _copied),
            (os, "urandom", random.randbytes),
            (random, "_urandom", random.randbytes),
            (session, "create_loader", _loader),
            (SourceFileLoader, "source_to_code", _compiled),
            (parsers, "DEFAULT_TIMESTAMP_PARSER", _moment),
            (responses.ActionResult, "execute_result", answers.told),
            *(
                (kind, "_do_parse", answers.hearing(kind))
                for kind in (parsers.QueryParser, parsers.JSONParser)
            ),
            (EndpointRulesetResolver, "construct_endpoint", _resolved),
            (BaseBackend, "urls", property(_urls_once)),
            (BaseBackend, "reset", _unchanged),  # it is made anew, and then forgotten
            (models, "RESPONSES_METHODS", []),  # nobody asks AWS but by botocore
            (Request, "from_primitives", classmethod(_posted)),
            (responses, "camelcase_to_underscores", functools.cache(camelcase_to_underscores)),
        ):
            hooks.enter_context(patch.object(target, name, value, create=name == "__deepcopy__"))
        hooks.enter_context(patch.dict(os.environ, MOTO_EC2_LOAD_DEFAULT_AMIS="false"))
        backend_url_patterns[:] = [*first, *rest]
        try:
            yield
        finally:
            backend_url_patterns[:] = kept
