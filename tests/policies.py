"""What the template lets each function do, decided as IAM decides it: a Deny wins, and silence is a no."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from tests import stack

Context = Mapping[str, str]


def attached(function: str) -> list[str]:
    """The logical ids of a function's managed policies."""
    return [policy["Ref"] for policy in stack.resources("Serverless::Function")[function].get("Policies", [])]


def statements(policy: str) -> list[dict[str, Any]]:
    """The statements of one managed policy, resolved."""
    document = stack.resources("IAM::ManagedPolicy")[policy]["PolicyDocument"]
    return list(stack.resolve(document["Statement"]))


def of_function(function: str) -> Iterator[dict[str, Any]]:
    """Every statement that applies to a function."""
    for policy in attached(function):
        yield from statements(policy)


def listed(value: Any) -> list[Any]:
    """IAM takes one of a thing, or a list of them."""
    return value if isinstance(value, list) else [value]


def allowed_actions(function: str) -> set[str]:
    """Every action that some statement allows a function, whatever the condition."""
    allows = (each for each in of_function(function) if each["Effect"] == "Allow")
    return {action for each in allows for action in listed(each["Action"])}


def may(function: str, action: str, resource: str, context: Context | None = None) -> bool:
    """Whether a function may do this to that; `context` holds the condition keys that AWS would send along."""
    matching = [each for each in of_function(function) if _applies(each, action, resource, context or {})]
    return bool(matching) and all(each["Effect"] == "Allow" for each in matching)


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    if not any(fnmatchcase(action, pattern) for pattern in listed(statement["Action"])):
        return False
    named = "Resource" in statement
    patterns = listed(statement["Resource"] if named else statement["NotResource"])
    if any(fnmatchcase(resource, pattern) for pattern in patterns) != named:
        return False
    conditions = statement.get("Condition", {})
    return all(
        _holds(operator, context.get(key), listed(wanted))
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, value: str | None, wanted: list[str]) -> bool:
    match operator:
        case "Null":
            return (value is None) == (wanted == ["true"])
        case "StringEquals" | "Bool":
            return value in wanted
        case "ForAllValues:StringEquals":
            return value is None or set(value.split(",")) <= set(wanted)
        case "ArnLike":
            return value is not None and any(fnmatchcase(value, pattern) for pattern in wanted)
    raise NotImplementedError(operator)
