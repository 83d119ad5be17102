"""Who calls: the identity behind an access key, and whether a request was really signed with it."""

import hmac
import re
from dataclasses import dataclass
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local.control.session import ACCOUNT, session

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)
_KEY = re.compile(r"Credential=([^/]+)/")


@dataclass(frozen=True)
class Caller:
    """An identity of the account, and what it signs with."""

    arn: str
    key: str
    secret: str
    token: str | None = None


def caller(key: str) -> Caller | None:
    """Whose access key this is: a user's, a role's session, or the account's own."""
    own = session().get_credentials()
    if own is not None and key == own.access_key:
        return Caller(f"arn:aws:iam::{ACCOUNT}:root", key, own.secret_key)
    users: Any = iam_backends[ACCOUNT]["aws"].users
    for user in users.values():
        for known in user.access_keys:
            if known.access_key_id == key:
                return Caller(user.arn, key, known.secret_access_key)
    role = sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(key)
    return Caller(role.arn, key, role.secret_access_key, role.session_token) if role else None


def named(authorization: str) -> Caller | None:
    """Whom an Authorization header names; who signs for AWS's API is believed here."""
    found = _KEY.search(authorization)
    return caller(found[1]) if found else None


def signer(method: str, url: str, headers: dict[str, str], body: bytes) -> Caller | None:
    """Who signed a request for Lambda; None if nobody did, or not this request.

    The signature is made once more with the caller's secret, of the headers that it says it covers. How old it may be is
    not looked at: the cloud's clock isn't the caller's.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    told = {name.lower(): value for name, value in headers.items()}
    found = _AUTHORIZATION.match(told.get("authorization", ""))
    who = caller(found[1]) if found else None
    if found is None or who is None or found[4] != "lambda" or "host" not in found[5].split(";"):
        return None
    if who.token != told.get("x-amz-security-token"):
        return None
    covered = {name: told[name] for name in found[5].split(";") if name in told}
    request = AWSRequest(method=method, url=url, headers=covered, data=body)
    request.context["timestamp"] = told.get("x-amz-date", "")
    auth = SigV4Auth(Credentials(who.key, who.secret, who.token), "lambda", found[3])
    if covered.get("x-amz-content-sha256", auth.payload(request)) != auth.payload(request):
        return None
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    return who if hmac.compare_digest(signature, found[6]) else None
