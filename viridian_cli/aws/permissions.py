"""IAM: what the credentials of whoever types it may do, as IAM's own simulator says."""

from collections.abc import Sequence

from viridian.aws import clients


def policies_of(caller: str) -> str | None:
    """Whose policies count for a caller: a session has its role's; None for the account's root, which needs none."""
    if caller.endswith(":root"):
        return None
    if ":assumed-role/" not in caller:
        return caller
    role = clients.reader("iam").get_role(RoleName=caller.split("/")[1])["Role"]
    return str(role["Arn"])


def lacking(whose: str | None, actions: Sequence[str], resources: Sequence[str]) -> list[str]:
    """Those of the actions that are not permitted on every one of the resources."""
    if whose is None:
        return []
    pages = (
        clients.reader("iam")
        .get_paginator("simulate_principal_policy")
        .paginate(PolicySourceArn=whose, ActionNames=list(actions), ResourceArns=list(resources))
    )
    results = [result for page in pages for result in page["EvaluationResults"]]
    return sorted({result["EvalActionName"] for result in results if result["EvalDecision"] != "allowed"})
