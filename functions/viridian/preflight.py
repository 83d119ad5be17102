"""What must be true before a release touches anything: each check refuses with the field, its value and the fix."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec

from viridian import names, signals, verdict
from viridian.errors import Refusal
from viridian.fleet import Side
from viridian.overrides import Setup
from viridian.plan import LaunchTemplate, Standby
from viridian.request import Overrides, Profile, SmokeTest, Waiver
from viridian.verdict import AlarmState

# Of what Auto Scaling needs for a volume, the two that no launch does without (aws-facts A13).
_LAUNCHES = ("Decrypt", "CreateGrant")
_STACK = "aws:cloudformation:stack-name"
IAC_TAGS = (_STACK, "terraform", "Terraform", "ManagedBy")


class Lent(msgspec.Struct, frozen=True, kw_only=True):
    """Something a service must lend to be released: what it is, its id, and its tags; `shared` ones name no service."""

    kind: Literal["elbv2", "ec2", "autoscaling", "other"]
    id: str
    tags: dict[str, str]
    shared: bool = False


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A KMS key: who manages it, whom its policy names, and its grants, each a grantee and operations."""

    arn: str
    manager: str
    state: str
    policy: dict[str, Any] = {}
    grants: tuple[tuple[str, tuple[str, ...]], ...] = ()


def ensure_lent(field: str, service: str, *things: Lent) -> None:
    """Refuses what its owner has not lent, all of it at once, with the commands that lend it."""
    if missing := not_lent(service, *things):
        raise Refusal(
            field,
            f"not lent to service {service}: {', '.join(thing.id for thing in missing)}",
            f"Tag it, with your own credentials: {'; '.join(lend(thing, service) for thing in missing)}",
        )


def not_lent(service: str, *things: Lent) -> list[Lent]:
    """Those of them that lack a tag of lending."""
    return [thing for thing in things if not lending(thing, service).items() <= thing.tags.items()]


def lending(thing: Lent, service: str) -> dict[str, str]:
    """The tags by which a thing is lent to a service."""
    return {names.MANAGED: "true"} if thing.shared else {names.MANAGED: "true", names.SERVICE: service}


def lend(thing: Lent, service: str) -> str:
    """The AWS CLI line that tags one thing."""
    tags = lending(thing, service)
    pairs = " ".join(f"Key={key},Value={value}" for key, value in tags.items())
    if thing.kind == "elbv2":
        return f"aws elbv2 add-tags --resource-arns {thing.id} --tags {pairs}"
    if thing.kind == "ec2":
        return f"aws ec2 create-tags --resources {thing.id} --tags {pairs}"
    if thing.kind == "other":
        pairs = ",".join(f"{key}={value}" for key, value in tags.items())
        return f"aws resourcegroupstaggingapi tag-resources --resource-arn-list {thing.id} --tags {pairs}"
    group = f"ResourceId={thing.id},ResourceType=auto-scaling-group,PropagateAtLaunch=false"
    return "aws autoscaling create-or-update-tags --tags " + " ".join(
        f"{group},Key={key},Value={value}" for key, value in tags.items()
    )


def iac_owner(tags: Mapping[str, str]) -> str | None:
    """The infrastructure-as-code that owns a resource, by its tags."""
    return next((f"{tag}={tags[tag]}" for tag in IAC_TAGS if tag in tags), None)


def stack(owner: str | None) -> str | None:
    """The CloudFormation stack that an owner is, as `iac_owner` words it."""
    tag, _, name = (owner or "").partition("=")
    return name if tag == _STACK else None


def ensure_numeric(launch_template: LaunchTemplate, group: str) -> None:
    """Refuses `$Latest` and `$Default`: blue would launch green's code when it scales out."""
    if not launch_template.version.isdigit():
        raise Refusal(
            "route",
            f"blue's group {group} launches version {launch_template.version} of {launch_template.template}",
            "Give the group a launch template version by number.",
        )


def ensure_pinned_image(image: str | None, launch_template: LaunchTemplate) -> None:
    """Refuses an image by alias: blue would launch another one when it scales out (aws-facts A8)."""
    if image is not None and not image.startswith("ami-"):
        raise Refusal(
            "route",
            f"blue's launch template {launch_template.template} names its image as {image}",
            "Name the image by its id.",
        )


def ensure_serving(blue: Side) -> None:
    """Refuses to start from a blue that isn't whole: there would be nothing safe to go back to."""
    if blue.desired < 1:
        raise Refusal(
            "route", f"blue's group {blue.group} wants {blue.desired} instances", "Scale it out first."
        )
    if (able := blue.healthy()) < blue.desired:
        raise Refusal(
            "route",
            f"{able} of {blue.desired} instances of blue's group {blue.group} are healthy: {blue.ailing()}",
            "Start again once all of blue is healthy.",
        )


def ensure_guards(profile: Profile, waive: Waiver | None, alarms: Sequence[AlarmState], blue: Side) -> None:
    """Refuses guards that don't exist, go with blue (aws-facts A3) or are red, unless that is waived by name."""
    found = {alarm.name: alarm for alarm in alarms}
    for name in waive.alarms if waive else ():
        if name not in profile.guards:
            raise Refusal("waive.alarms", name, "Waive only what the profile lists under guards.")
    for name in profile.guards:
        if name not in found:
            raise Refusal("guards", name, "Name a CloudWatch alarm that exists in this account and Region.")
        if found[name].state == "ALARM" and not (waive and name in waive.alarms):
            raise Refusal(
                "guards",
                f"{name} is in ALARM: {found[name].reason}",
                'Wait until it is OK, or ship the fix with "waive": {"alarms": [...], "reason": "..."}.',
            )
        if (actions := found[name].actions) and all(f"/{blue.group}:" in action for action in actions):
            raise Refusal(
                "guards",
                f"{name} belongs to a scaling policy of {blue.group}, and goes when that group goes",
                "Name an alarm of your own, or give this one an action that stays.",
            )
    span = max(verdict.evidence_seconds(alarms), signals.EVIDENCE)
    for index, step in enumerate(profile.steps):
        if span > 60 * (step.observe_minutes + profile.inconclusive.minutes):
            raise Refusal(
                f"steps[{index}].observe_minutes",
                step.observe_minutes,
                f"The alarms need {span // 60} minutes to say anything: observe longer.",
            )


def ensure_quiet_source(instance: Mapping[str, Any], field: str, serving: str | None) -> None:
    """Refuses an image source that serves or belongs to a group: making an image reboots it (aws-facts A20)."""
    id_ = instance["InstanceId"]
    tags = names.tags_on(instance)
    if group := tags.get("aws:autoscaling:groupName"):
        raise Refusal(
            field, f"{id_} belongs to Auto Scaling group {group}", "Use an instance outside any group."
        )
    if serving:
        raise Refusal(
            field, f"{id_} is registered in {serving}", "Use an instance that no target group lists."
        )
    if (state := instance["State"]["Name"]) not in ("running", "stopped"):
        raise Refusal(field, f"{id_} is {state}", "Use an instance that is running or stopped.")


def ensure_usable_image(image: Mapping[str, Any], field: str, owners: Collection[str], account: str) -> None:
    """Refuses an image that isn't available, or whose owner isn't among those that the release allows."""
    owner, alias = image.get("OwnerId"), image.get("ImageOwnerAlias")
    if owner not in owners and alias not in owners and not (owner == account and "self" in owners):
        raise Refusal(
            field,
            f"{image['ImageId']} belongs to {alias or owner}",
            f'Use an image of {", ".join(owners)}, or name its owner under "owners" if you trust it.',
        )
    if image["State"] != "available":
        raise Refusal(field, f"{image['ImageId']} is {image['State']}", "Use an image that is available.")


def ensure_bootable(image: Mapping[str, Any], field: str, types: Iterable[Mapping[str, Any]]) -> None:
    """Refuses an image that one of blue's instance types can't boot; what AWS doesn't say is no reason."""
    mode = image.get("BootMode")
    for kind in types:
        for what, has, takes in (
            ("architecture", image.get("Architecture"), kind["ProcessorInfo"]["SupportedArchitectures"]),
            # `uefi-preferred` boots either way; without a mode it is the type's own.
            ("boot mode", mode if mode != "uefi-preferred" else None, kind.get("SupportedBootModes")),
            ("root device type", image.get("RootDeviceType"), kind.get("SupportedRootDeviceTypes")),
        ):
            if has and takes and has not in takes:
                raise Refusal(
                    field,
                    f"{image['ImageId']} has the {what} {has}",
                    f"Use an image for {kind['InstanceType']}, which takes {', '.join(takes)}.",
                )


def ensure_usable_key(key: Key, field: str, role: str) -> None:
    """Refuses a customer-managed key that Auto Scaling's role can't use: instances would die at launch (A13).

    The account's root in a key policy doesn't count: it lets IAM decide, and the role's own policy names no key.
    """
    if key.manager == "AWS":
        return
    if key.state != "Enabled":
        raise Refusal(field, f"its snapshot's key {key.arn} is {key.state}", "Enable the key.")
    granted = {operation for grantee, operations in key.grants if grantee == role for operation in operations}
    if not all(operation in granted or _allows(key.policy, role, operation) for operation in _LAUNCHES):
        raise Refusal(
            field,
            f"its snapshot's key {key.arn} gives {role} no {' and '.join(_LAUNCHES)}",
            "Let that role use the key, by its policy or by a grant.",
        )


def _allows(policy: Mapping[str, Any], role: str, operation: str) -> bool:
    """Whether a key policy lets a role do something; of its conditions we know nothing, so they count as met."""
    for statement in _listed(policy.get("Statement", [])):
        principal = statement.get("Principal", {})
        named = [principal] if isinstance(principal, str) else _listed(principal.get("AWS", []))
        actions = [action.lower() for action in _listed(statement.get("Action", []))]
        if (
            statement.get("Effect") == "Allow"
            and {"*", role} & set(named)
            and any(fnmatchcase(f"kms:{operation}".lower(), action) for action in actions)
        ):
            return True
    return False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def ensure_limits(green: Setup, blue: Side) -> None:
    """Refuses sizes between which green can't be as large as blue is."""
    if green.minimum > green.maximum:
        raise Refusal("fleet.min_size", green.minimum, f"Green's MaxSize would be {green.maximum}.")
    if green.maximum < blue.desired:
        raise Refusal(
            "fleet.max_size", green.maximum, f"Blue has {blue.desired} instances: green needs as many."
        )


def ensure_types(fleet: Overrides, found: Mapping[str, Mapping[str, Any]], source: Mapping[str, Any]) -> None:
    """Refuses instance types that the Region hasn't, or on which the image can't boot, as far as it is known."""
    asked = fleet.instance_types or (fleet.instance_type or "",)
    field = "fleet.instance_types" if fleet.instance_types else "fleet.instance_type"
    for name in asked:
        if name not in found:
            raise Refusal(field, name, "Use an instance type that this Region has.")
        known = found[name].get("ProcessorInfo", {}).get("SupportedArchitectures", ())
        if (architecture := source.get("Architecture")) and architecture not in known:
            fix = f"The image is {architecture}: use a type for it, or an image for the type."
            raise Refusal(field, f"{name} is {' or '.join(known)}", fix)
        needs_ena = found[name].get("NetworkInfo", {}).get("EnaSupport") == "required"
        if source and needs_ena and not source.get("EnaSupport"):
            fix = "Use a type that works without it, or an image that has the driver and says so."
            raise Refusal(field, f"{name} needs an image with enhanced networking (ENA)", fix)


def ensure_groups(asked: Sequence[str], found: Mapping[str, str], vpc: str) -> None:
    """Refuses security groups that don't exist, or are of another VPC than the fleet's."""
    for group in asked:
        if found.get(group) != vpc:
            shown = f"{group} is of {found[group]}" if group in found else group
            raise Refusal("fleet.security_groups", shown, f"Use security groups of {vpc}, blue's VPC.")


def ensure_role(profile: str, role: str | None) -> None:
    """Refuses an instance profile that doesn't exist, or gives instances no role."""
    if role is None:
        fix = "Use the name of an instance profile of this account, with a role in it."
        raise Refusal("fleet.instance_profile", profile, fix)


def standby(
    conditions: Sequence[Mapping[str, Any]], priority: int | None, taken: Collection[int], token: str
) -> Standby:
    """The standby rule: the production rule's conditions plus the header, ahead of it; a Refusal if there is no room."""
    spent = sum(len(_values(condition)) for condition in conditions)
    if spent >= 5:
        raise Refusal(
            "route", f"the rule has {spent} condition values", "Leave room for one more: AWS allows five."
        )
    free = range(priority - 1, 0, -1) if priority else range(max(taken, default=0) + 1, 50_001)
    place = next((number for number in free if number not in taken), None)
    if place is None:
        raise Refusal("route", f"the rule has priority {priority}", "Leave a free priority ahead of it.")
    header = {
        "Field": "http-header",
        "HttpHeaderConfig": {"HttpHeaderName": names.STANDBY_HEADER, "Values": [token]},
    }
    return Standby(value=token, priority=place, conditions=(*(dict(c) for c in conditions), header))


def host(conditions: Sequence[Mapping[str, Any]]) -> str | None:
    """A host that the rule's conditions accept; a wildcard is filled with a word."""
    for condition in conditions:
        if condition["Field"] == "host-header":
            return str(_values(condition)[0]).replace("*", "standby").replace("?", "x")
    return None


def path(conditions: Sequence[Mapping[str, Any]]) -> str:
    """A path that the rule's conditions accept: the first one's, its wildcards filled as shortly as can be."""
    pattern = next(iter(_paths(conditions)), "/")
    return f"/{pattern.replace('*', '').replace('?', 'x').removeprefix('/')}"


def ensure_plain(rule: str, conditions: Sequence[Mapping[str, Any]], transforms: Sequence[Any]) -> None:
    """Refuses a rule by which green would be asked otherwise than users ask: nothing that it answered would count."""
    if transforms:
        kinds = ", ".join(str(each["Type"]) for each in transforms)
        raise Refusal(
            "route", f"{rule} has transforms: {kinds}", "Use a rule without: green is asked as it is."
        )
    for condition in conditions:
        if patterns := _values(condition, "RegexValues"):
            told = f"{rule} has a {condition['Field']} by regular expression: {', '.join(patterns)}"
            raise Refusal(
                "route", told, "Use values: what a test has to ask for can't be told of an expression."
            )


def ensure_reached(tests: Sequence[SmokeTest], conditions: Sequence[Mapping[str, Any]]) -> None:
    """Refuses a test that the rule doesn't take: another rule would answer it, and green not be tested."""
    for index, test in enumerate(tests):
        for condition in conditions:
            if (part := _unmet(test, condition)) is not None:
                kind, values = condition["Field"], ", ".join(map(_told, _values(condition)))
                fix = f"The rule takes {kind} {values}: ask for that, or leave the test out."
                raise Refusal(f"smoke_tests[{index}].{part}", getattr(test, part), fix)


def _unmet(test: SmokeTest, condition: Mapping[str, Any]) -> str | None:
    """The field of a test that a condition doesn't take; None if it takes the test. Its host is the rule's own."""
    path, _, query = test.path.partition("?")
    values = _values(condition)
    match condition["Field"]:
        case "path-pattern":
            return None if any(fnmatchcase(path, pattern) for pattern in values) else "path"
        case "http-request-method":
            return None if test.method in values else "method"
        case "query-string":
            pairs = parse_qsl(query.lower(), keep_blank_values=True)
            met = any(_is_pair(pair, wanted) for pair in pairs for wanted in values)
            return None if met else "path"
        case "http-header":
            name = str(condition["HttpHeaderConfig"]["HttpHeaderName"]).lower()
            sent = [value.lower() for key, value in test.headers.items() if key.lower() == name]
            met = any(fnmatchcase(value, pattern.lower()) for value in sent for pattern in values)
            return None if met else "headers"
        case "source-ip":
            return "path"  # whose address ours will be, nobody knows
    return None


def _is_pair(pair: tuple[str, str], wanted: Mapping[str, str]) -> bool:
    key, value = wanted.get("Key", "*").lower(), wanted["Value"].lower()
    return fnmatchcase(pair[0], key) and fnmatchcase(pair[1], value)


def _told(value: Any) -> str:
    return f"{value.get('Key', '*')}={value['Value']}" if isinstance(value, Mapping) else str(value)


def _paths(conditions: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(value) for each in conditions if each["Field"] == "path-pattern" for value in _values(each)]


def _values(condition: Mapping[str, Any], kind: str = "Values") -> list[Any]:
    configs = [config for key, config in condition.items() if key.endswith("Config") and config]
    return list((configs[0] if configs else condition).get(kind, ()))
