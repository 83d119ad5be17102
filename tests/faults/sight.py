"""What the emulated cloud holds at this moment, read from moto's own memory: no call is made, no product's word taken."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from local.control.session import ACCOUNT, REGION
from local.plane import zones

RELEASE = "viridian:release"
SERVICE = "viridian:service"
STANDBY = "x-viridian-standby"

Tags = Mapping[str, str]


@dataclass(frozen=True)
class Sizes:
    """An Auto Scaling group: its sizes, its target groups, and the processes somebody stopped."""

    name: str
    minimum: int
    desired: int
    maximum: int
    target_groups: tuple[str, ...]
    stopped: tuple[str, ...]

    @property
    def limits(self) -> tuple[int, int, tuple[str, ...]]:
        return self.minimum, self.maximum, self.stopped


def elb() -> Any:
    return elbv2_backends[ACCOUNT][REGION]


def ec2() -> Any:
    return ec2_backends[ACCOUNT][REGION]


def _scaling() -> list[Any]:
    return list(autoscaling_backends[ACCOUNT][REGION].autoscaling_groups.values())


def _routes() -> Iterator[tuple[Any, Any]]:
    for balancer in elb().load_balancers.values():
        for listener in balancer.listeners.values():
            yield listener, listener.default_actions
            for rule in listener.rules.values():
                if rule.priority != "default":
                    yield rule, rule.actions


def routes() -> dict[str, dict[str, int]]:
    """The weights of every listener and rule that forwards, and of every weighted name, by ARN."""
    found = {route.arn: _weights(actions) for route, actions in _routes()}
    return {arn: weights for arn, weights in found.items() if weights is not None} | zones.routes(ACCOUNT)


def name_of(route: str) -> str | None:
    """The name that a route is, or None for a listener or a rule."""
    return route.split("/")[-1] if ":route53:" in route else None


def _weights(actions: Any) -> dict[str, int] | None:
    for action in actions or []:
        data = action.data if hasattr(action, "data") else action
        if data.get("Type") != "forward":
            continue
        groups = (data.get("ForwardConfig") or {}).get("TargetGroups") or (
            [{"TargetGroupArn": data["TargetGroupArn"]}] if data.get("TargetGroupArn") else []
        )
        return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}
    return None


def target_groups() -> dict[str, Any]:
    """moto's own target groups, by ARN."""
    return dict(elb().target_groups)


def named(arn: str) -> str:
    """A target group's name, from its ARN."""
    parts = arn.split("/")
    return parts[1] if len(parts) > 1 else arn


def healthy(cloud: Any) -> dict[str, int]:
    """How many targets of each target group are healthy, as DescribeTargetHealth would say."""
    found = dict.fromkeys(elb().target_groups, 0)
    for (group, _), target in cloud.fleet.targets._targets.items():
        if group in found and target.state == "healthy":
            found[group] += 1
    return found


def instances() -> set[str]:
    """Every instance that was ever launched."""
    return {instance.id for reservation in ec2().reservations.values() for instance in reservation.instances}


def groups() -> dict[str, Sizes]:
    """Every Auto Scaling group, by name."""
    return {
        group.name: Sizes(
            group.name,
            int(group.min_size),
            int(group.desired_capacity or 0),
            int(group.max_size),
            tuple(group.target_group_arns or ()),
            tuple(sorted(each["ProcessName"] for each in group.suspended_processes)),
        )
        for group in _scaling()
    }


def tags() -> dict[str, Tags]:
    """The tags of everything that has a release's: by ARN, name or id; a launch template version by `id version`."""
    found: dict[str, Tags] = {**elb().tagging_service.tags, **ec2().tags}
    for group in _scaling():
        found[group.name] = {
            tag.get("key", tag.get("Key")): tag.get("value", tag.get("Value")) for tag in group.tags or []
        }
    watch = cloudwatch_backends[ACCOUNT][REGION]
    for alarm in watch.alarms.values():
        found[alarm.name] = watch.tagger.get_tag_dict_for_resource(alarm.alarm_arn)
    for template in ec2().launch_templates.values():
        for version in template.versions:
            words = (version.description or "").split(" ")
            if len(words) == 2 and words[0] == "viridian":
                found[f"{template.id} {version.number}"] = {RELEASE: words[1]}
    return found


def ours() -> set[str]:
    """Everything that carries a release's tag."""
    return {name for name, given in tags().items() if RELEASE in given}


def images() -> set[str]:
    """Every image and snapshot, whoever made it."""
    return {*ec2().amis, *ec2().snapshots}


def standing() -> Iterator[tuple[str, str, str]]:
    """Kind, name and release of everything a release made that is still there."""
    given = tags()
    kinds = {
        "load balancer": list(elb().load_balancers),
        "listener": [route.arn for route, _ in _routes() if ":listener/" in route.arn],
        "rule": [route.arn for route, _ in _routes() if ":listener-rule/" in route.arn],
        "target group": list(elb().target_groups),
        "Auto Scaling group": list(groups()),
        "alarm": [alarm.name for alarm in cloudwatch_backends[ACCOUNT][REGION].alarms.values()],
        "image": list(ec2().amis),
        "snapshot": list(ec2().snapshots),
        "instance": [
            instance.id
            for reservation in ec2().reservations.values()
            for instance in reservation.instances
            if instance.state in ("pending", "running", "stopping", "stopped")
        ],
        "launch template version": [name for name in given if name.startswith("lt-") and " " in name],
    }
    for kind, names in kinds.items():
        for name in names:
            if RELEASE in given.get(name, {}):
                yield kind, name.split(":")[-1], given[name][RELEASE]


def carried(cloud: Any) -> dict[str, int]:
    """What the data plane really does now: each target group's weight in the rules that users reach."""
    found: dict[str, int] = {}
    reached = _reached(cloud)
    for listener in cloud.plane._listeners.values():
        if reached is not None and listener.dns_name not in reached:
            continue
        if listener.network and RELEASE in elb().tagging_service.get_tag_dict_for_resource(listener.arn):
            continue  # a preview listener
        for rule in listener.rules:
            if any(condition.header.lower() == STANDBY for condition in rule.conditions):
                continue
            for group, weight in rule.weights:
                found[group] = max(found.get(group, 0), weight)
    return found


def _reached(cloud: Any) -> set[str] | None:
    """The load balancers to which the users of a name are sent, or may still go; None where users ask all of them."""
    flows = list(cloud.plane._flows.values())
    if not all(flow.resolvers for flow in flows):
        return None
    cloud.names._arrive()
    told = {record.target for records in cloud.names._zones.values() for record in records if record.weight}
    held = {
        each.target
        for flow in flows
        for each in flow.resolvers
        if each.target and each.until > cloud.clock.now()
    }
    return held | {target.rstrip(".") for target in told}
