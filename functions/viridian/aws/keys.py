"""KMS: who may use a key."""

import json

from botocore.exceptions import ClientError

from viridian.aws import clients
from viridian.preflight import Key

_HIDDEN = ("AccessDeniedException", "NotFoundException")  # another account's key is not found, or denied


def find(arn: str) -> Key | None:
    """A key with its policy and its grants; None if it may not be looked at."""
    client = clients.reader("kms")
    try:
        shown = client.describe_key(KeyId=arn)["KeyMetadata"]
        if shown["KeyManager"] == "AWS":
            return Key(arn=arn, manager="AWS", state=shown["KeyState"])
        policy = client.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]
        pages = client.get_paginator("list_grants").paginate(KeyId=arn)
        grants = [
            (grant["GranteePrincipal"], tuple(grant["Operations"]))
            for page in pages
            for grant in page["Grants"]
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] in _HIDDEN:
            return None
        raise
    return Key(
        arn=arn,
        manager=shown["KeyManager"],
        state=shown["KeyState"],
        policy=json.loads(policy),
        grants=tuple(grants),
    )
