"""Reads a SAM template: tags, Globals, parameters, conditions and intrinsic functions become plain values."""

import base64
import copy
import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from local.control.session import ACCOUNT, REGION

NO_VALUE = object()
_REFERENCE = re.compile(r"\$\{(!?)([A-Za-z0-9:._]+)\}")


class TemplateError(ValueError):
    """The template asks for something that the local cloud can't give; the words say what and where."""


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}  # type: ignore[arg-type]


_Loader.add_multi_constructor("!", _short_form)


def load(path: Path) -> dict[str, Any]:
    """The template as a plain document, Globals merged into its functions and machines."""
    document = copy.deepcopy(_parsed(path.read_text(encoding="utf-8")))  # anchors share objects
    for resource in document.get("Resources", {}).values():
        shared = document.get("Globals", {}).get(resource["Type"].removeprefix("AWS::Serverless::"), {})
        if resource["Type"].startswith("AWS::Serverless::"):
            resource["Properties"] = _merged(shared, resource.get("Properties", {}))
    return document


@functools.lru_cache(maxsize=1)
def _parsed(text: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(text, Loader=_Loader)
    return document


def _merged(under: Any, over: Any) -> Any:
    """As SAM merges Globals: maps key by key, lists one after the other, anything else is overridden.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
    """
    if (
        isinstance(under, Mapping)
        and isinstance(over, Mapping)
        and not (_intrinsic(under) or _intrinsic(over))
    ):
        both = {key: _merged(under[key], over[key]) for key in under.keys() & over.keys()}
        return {**copy.deepcopy(dict(under)), **over, **both}
    if isinstance(under, list) and isinstance(over, list):
        return [*under, *over]
    return over


def _intrinsic(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))


class Values:
    """Resolves intrinsic functions; `attribute(logical_id, name)` answers for resources, name "" being its Ref."""

    def __init__(
        self,
        document: Mapping[str, Any],
        stack: str,
        parameters: Mapping[str, str],
        attribute: Callable[[str, str], Any],
    ) -> None:
        self._document = document
        self._attribute = attribute
        self._parameters = {
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/local",
            "AWS::NotificationARNs": [],
            "AWS::NoValue": NO_VALUE,
            **_parameter_values(document.get("Parameters", {}), parameters),
        }

    def condition(self, name: str) -> bool:
        try:
            return bool(self.resolve(self._document["Conditions"][name]))
        except KeyError:
            raise TemplateError(f"there is no condition {name}") from None

    def resolve(self, value: Any) -> Any:
        if isinstance(value, Mapping) and len(value) == 1:
            (name, argument) = next(iter(value.items()))
            if name in _FUNCTIONS:
                return _FUNCTIONS[name](self, argument)
            if name.startswith("Fn::"):
                raise TemplateError(f"the local cloud knows no {name}")
        if isinstance(value, Mapping):
            resolved = {key: self.resolve(item) for key, item in value.items()}
            return {key: item for key, item in resolved.items() if item is not NO_VALUE}
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        return value

    def reference(self, name: str) -> Any:
        if name in self._parameters:
            return self._parameters[name]
        logical_id, _, attribute = name.partition(".")
        return self._attribute(logical_id, attribute)

    def substitute(self, argument: Any) -> str:
        text, names = argument if isinstance(argument, list) else (argument, {})

        def replaced(found: re.Match[str]) -> str:
            literal, name = found.groups()
            if literal:
                return f"${{{name}}}"
            value = self.resolve(names[name]) if name in names else self.reference(name)
            return ",".join(value) if isinstance(value, list) else str(value)

        return _REFERENCE.sub(replaced, text)

    def choose(self, argument: Any) -> Any:
        name, then, otherwise = argument
        return self.resolve(then if self.condition(name) else otherwise)

    def get_attribute(self, argument: Any) -> Any:
        logical_id, name = argument.split(".", 1) if isinstance(argument, str) else argument
        return self._attribute(logical_id, name)

    def find(self, argument: Any) -> Any:
        mapping, top, second = self.resolve(argument)
        return self._document["Mappings"][mapping][top][second]


def _parameter_values(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    if unknown := set(given) - set(declared):
        raise TemplateError(f"the template has no parameter {', '.join(sorted(unknown))}")
    values = {}
    for name, parameter in declared.items():
        if name not in given and "Default" not in parameter:
            raise TemplateError(f"the parameter {name} has no default: give a value for it")
        values[name] = _checked(name, parameter, given.get(name, parameter.get("Default")))
    return values


def _checked(name: str, parameter: Mapping[str, Any], value: Any) -> Any:
    text = "" if value is None else str(value)
    pattern = parameter.get("AllowedPattern")
    if pattern and not re.search(pattern, text):
        raise TemplateError(f"the parameter {name} is {text!r}, which doesn't match {pattern}")
    several = parameter["Type"].startswith(("List<", "CommaDelimitedList"))
    items = [item.strip() for item in text.split(",") if item.strip()]
    allowed = [str(item) for item in parameter.get("AllowedValues", [])]
    for item in items if several else [text]:  # of a list, each is to be one of them
        if allowed and item not in allowed:
            raise TemplateError(f"the parameter {name} is {item!r}: give one of {', '.join(allowed)}")
    return items if several else text


def _joined(values: Values, argument: Any) -> str:
    separator, items = argument
    return str(separator).join(str(item) for item in values.resolve(items))


def _selected(values: Values, argument: Any) -> Any:
    index, items = argument
    return values.resolve(items)[int(values.resolve(index))]


def _split(values: Values, argument: Any) -> list[str]:
    separator, text = values.resolve(argument)
    return str(text).split(separator)


_FUNCTIONS: dict[str, Callable[[Values, Any], Any]] = {
    "Ref": lambda values, name: values.reference(name),
    "Condition": lambda values, name: values.condition(name),
    "Fn::GetAtt": lambda values, argument: values.get_attribute(argument),
    "Fn::Sub": lambda values, argument: values.substitute(argument),
    "Fn::If": lambda values, argument: values.choose(argument),
    "Fn::Equals": lambda values, sides: str(values.resolve(sides[0])) == str(values.resolve(sides[1])),
    "Fn::Not": lambda values, argument: not values.resolve(argument[0]),
    "Fn::And": lambda values, argument: all(values.resolve(item) for item in argument),
    "Fn::Or": lambda values, argument: any(values.resolve(item) for item in argument),
    "Fn::Join": _joined,
    "Fn::Select": _selected,
    "Fn::Split": _split,
    "Fn::FindInMap": lambda values, argument: values.find(argument),
    "Fn::Base64": lambda values, argument: base64.b64encode(str(values.resolve(argument)).encode()).decode(),
    "Fn::GetAZs": lambda values, argument: [f"{REGION}{letter}" for letter in "abc"],
}
