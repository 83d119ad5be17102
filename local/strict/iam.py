"""Who calls, and what they may do: moto names nobody behind the account's own keys, and has no policy simulator.

https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.exceptions import NotFoundException, ValidationError
from moto.iam.responses import IamResponse
from moto.sts.responses import TokenResponse

from local.control import identity
from local.control.session import ACCOUNT
from local.hooks import Hooks


def install(hooks: Hooks) -> None:
    hooks.wrap(TokenResponse, "get_caller_identity", _caller)
    hooks.set(IamResponse, "simulate_principal_policy", _simulate)


def _caller(original: Callable[..., ActionResult], response: TokenResponse) -> ActionResult:
    who = identity.named(response.headers.get("Authorization", ""))
    if who is None or not who.arn.endswith(":root"):
        return original(response)
    return ActionResult({"UserId": ACCOUNT, "Account": ACCOUNT, "Arn": who.arn})


def _simulate(response: IamResponse) -> ActionResult:
    """One result for each action and resource; of several policies one that denies beats all that allow."""
    policies = _policies(response.backend, response._get_param("PolicySourceArn"))
    actions, resources = response._get_param("ActionNames", []), response._get_param("ResourceArns", ["*"])
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": _decision([policy.is_action_permitted(action, resource) for policy in policies]),
        }
        for action in actions
        for resource in resources
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _policies(backend: Any, source: str) -> list[IAMPolicy]:
    kind, _, name = source.rpartition(":")[2].partition("/")
    name = name.rpartition("/")[2]
    if kind not in ("user", "role"):
        raise ValidationError(f"Invalid Entity Arn: {source} does not clearly define entity type and name.")
    if name not in {user.name for user in backend.users.values()} | {
        role.name for role in backend.roles.values()
    }:
        raise NotFoundException(f"The {kind} with name {name} cannot be found.")
    inline = getattr(backend, f"list_{kind}_policies")(name)
    attached, _ = getattr(backend, f"list_attached_{kind}_policies")(name)
    documents = [getattr(backend, f"get_{kind}_policy")(name, each) for each in inline]
    return [IAMPolicy(each[1] if isinstance(each, tuple) else each) for each in (*documents, *attached)]


def _decision(told: list[PermissionResult]) -> str:
    if PermissionResult.DENIED in told:
        return "explicitDeny"
    return "allowed" if PermissionResult.PERMITTED in told else "implicitDeny"
