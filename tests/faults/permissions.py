"""Permissions that are missing: every action that a policy of the template allows, and the calls that need it."""

from collections.abc import Mapping
from typing import Any

from tests import policies, stack
from tests.faults.injector import Send
from tests.faults.kinds import kind
from tests.faults.place import Place
from tests.faults.points import Fault

LEDGER_WRITES = ("TransactWriteItems",)

# The call that AWS refuses where it isn't the one of the action's own name.
NEEDED_BY: Mapping[str, tuple[str, ...]] = {
    "dynamodb:ConditionCheckItem": LEDGER_WRITES,
    "dynamodb:PutItem": LEDGER_WRITES,
    "dynamodb:UpdateItem": (*LEDGER_WRITES, "UpdateItem"),
    "autoscaling:CreateOrUpdateTags": ("CreateAutoScalingGroup",),
    "iam:PassRole": ("CreateAutoScalingGroup",),
    "ec2:RunInstances": ("CreateAutoScalingGroup",),
    "elasticloadbalancing:AddTags": ("CreateRule", "CreateTargetGroup"),
    "cloudwatch:TagResource": ("PutMetricAlarm",),
    "ec2:DeleteSnapshot": ("DeregisterImage",),
    "kms:Decrypt": ("GetItem", *LEDGER_WRITES),
    "kms:GenerateDataKey*": (*LEDGER_WRITES, "Publish"),
}
SERVICES: Mapping[str, str] = {"elasticloadbalancing": "elbv2", "states": "stepfunctions"}
# What only the machines' roles hold, or what no call of a function's is refused for in any scenario of ours.
ELSEWHERE = ("lambda", "logs", "xray")


def actions() -> list[str]:
    """Every action that some policy of a function's allows, by its name."""
    found = {
        action
        for name in stack.resources("IAM::ManagedPolicy")
        for statement in policies.statements(name)
        if isinstance(statement, dict) and statement.get("Effect") == "Allow"
        for action in policies.listed(statement["Action"])
    }
    return sorted(action for action in found if action.split(":")[0] not in ELSEWHERE)


def calls_of(action: str) -> tuple[str, ...]:
    """The calls that AWS refuses without this action."""
    return NEEDED_BY.get(action, (action.split(":")[1],))


@kind("forbidden")
def forbidden(world: Place, fault: Fault) -> None:
    """Args action is taken away, from the point on if there is one; for args functions or for all, for args minutes or for good."""
    action = str(fault.args["action"])
    calls, functions = calls_of(action), fault.args.get("functions")
    lasts = 60 * float(fault.args.get("minutes", float("inf")))
    since: list[float] = [] if fault.point else [0.0]

    def where(send: Send) -> bool:
        gone = bool(since) and send.at < since[0] + lasts
        return gone and send.call in calls and (functions is None or send.function in functions)

    def refuse(send: Send) -> Any:
        world.fired(fault)
        code = "UnauthorizedOperation" if send.service == "ec2" else "AccessDenied"
        code = "AccessDeniedException" if send.service in ("dynamodb", "ssm", "stepfunctions") else code
        return send.answer(code, 403, f"not authorized to perform: {action} on the resource of {send.call}")

    def lose(send: Send) -> Any:
        since.append(send.at)
        return refuse(send) if where(send) else send.proceed()

    if fault.point is not None:
        world.injector.at(fault.point, lose)
    world.injector.whenever(where, refuse)
