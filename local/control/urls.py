"""Function URLs: a door to a function for whoever signs with credentials of the account.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

import base64
import hashlib
import json
import re
import threading
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session
from moto.awslambda.utils import get_backend as lambda_backend
from moto.core.botocore_stubber import MockRawResponse

from local.control import identity
from local.control.event_queue import Throttled
from local.control.identity import Caller
from local.control.session import ACCOUNT, REGION
from local.hooks import Hooks

_TEXT = re.compile(r"^(text/.*|application/(json|javascript|xml|.*\+json|.*\+xml))(;.*)?$")


@dataclass(frozen=True)
class Answer:
    """What the caller sees."""

    status: int
    body: str


class Urls:
    """The function URLs of one cloud. Served, they are reached by HTTP on this host; else by `ask`, or by botocore."""

    def __init__(self, functions: Any, *, served: bool) -> None:
        self._functions, self._served = functions, served
        self._doors: dict[str, tuple[str, str]] = {}
        self._server: ThreadingHTTPServer | None = None
        self._hooks = Hooks()

    def open(self) -> None:
        """What botocore sends to a URL of this process arrives here."""
        if not self._served:
            self._hooks.wrap(URLLib3Session, "send", self._send)

    def make(self, name: str, qualifier: str) -> str:
        """The URL of a function's version or alias, the same in each deployment."""
        door = hashlib.sha256(f"{name}:{qualifier}".encode()).hexdigest()[:32]
        self._doors[door] = (name, qualifier)
        if self._served:
            return f"http://{self._address()}/{door}/"
        return f"https://{door}.lambda-url.{REGION}.on.aws/"

    def ask(self, method: str, url: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """One request, as AWS takes it: signed by somebody of the account, or forbidden."""
        parts = urlsplit(url)
        door = parts.path.strip("/").split("/")[0] if self._served else str(parts.hostname).split(".")[0]
        told = {"host": parts.netloc, **{name.lower(): value for name, value in headers.items()}}
        who = identity.signer(method, url, told, body)
        if door not in self._doors or who is None:
            return Answer(403, json.dumps({"Message": "Forbidden"}))
        name, qualifier = self._doors[door]
        function = lambda_backend(ACCOUNT, REGION).get_function(name, qualifier)
        try:
            answer, failed = self._functions.run(function, _event(method, url, told, body, who), qualifier)
        except Throttled:
            return Answer(429, json.dumps({"Message": "Too Many Requests"}))
        if failed or not isinstance(answer, dict):
            return Answer(502, "Internal Server Error")
        return Answer(int(answer.get("statusCode", 200)), str(answer.get("body", "")))

    def _send(self, original: Any, session: Any, request: AWSPreparedRequest) -> Any:
        if str(urlsplit(request.url).hostname).split(".")[0] not in self._doors:
            return original(session, request)
        headers = {str(name): str(value) for name, value in request.headers.items()}
        body = bytes(request.body or b"")  # type: ignore[arg-type]  # what signs it here is given bytes
        answer = self.ask(request.method, request.url, headers, body)
        return AWSResponse(request.url, answer.status, HTTPHeaders(), MockRawResponse(answer.body))

    def close(self) -> None:
        self._hooks.undo()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _address(self) -> str:
        if self._server is None:
            self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
            threading.Thread(target=self._server.serve_forever, daemon=True).start()
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"


def _event(method: str, url: str, headers: dict[str, str], body: bytes, who: Caller) -> dict[str, Any]:
    parts = urlsplit(url)
    plain = bool(_TEXT.match(headers.get("content-type", "")))
    iam = {"accessKey": who.key, "accountId": ACCOUNT, "callerId": who.key, "cognitoIdentity": None}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": parts.path or "/",
        "rawQueryString": parts.query,
        "headers": {name: value for name, value in headers.items() if name != "authorization"},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": str(parts.hostname).split(".")[0],
            "authorizer": {"iam": {**iam, "principalOrgId": None, "userArn": who.arn, "userId": who.key}},
            "domainName": parts.hostname,
            "http": {"method": method, "path": parts.path or "/", "protocol": "HTTP/1.1"},
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
        },
        **({"body": body.decode() if plain else base64.b64encode(body).decode()} if body else {}),
        "isBase64Encoded": bool(body) and not plain,
    }


def _handler(urls: Urls) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _ask(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = f"http://{self.headers['Host']}{self.path}"
            answer = urls.ask(self.command, url, dict(self.headers.items()), body)
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body.encode())))
            self.end_headers()
            self.wfile.write(answer.body.encode())

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _ask

        def log_message(self, *_: Any) -> None:
            """Nothing: the functions have their own log."""

    return Handler
