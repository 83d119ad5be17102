"""Auto Scaling groups at work: they launch, balance zones, replace what is unhealthy, drain, terminate."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import ASG_NAME_TAG, AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.autoscaling.models import TerminateInstanceActivity as Terminated
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.ec2.models.instance_types import INSTANCE_TYPES

from local.fleet.activities import Activities, Activity
from local.fleet.targets import Targets
from local.hooks import Hooks
from local.reality import Reality
from local.strict import refreshes

LIVE = ("Pending", "InService")
RETRY_SECONDS = 30.0  # a group waits so long after a launch that failed


class Time(Protocol):
    def now(self) -> float: ...


@dataclass
class Member:
    """What the group's own view of an instance leaves out."""

    group: Any
    state: Any
    activity: Activity
    in_service: float | None = None
    lost: float | None = None
    leaving: bool = False


class Groups:
    """Moves every group towards its desired size, a step each tick."""

    def __init__(self, clock: Time, targets: Targets, reality: Reality, backend: Callable[[], Any]) -> None:
        self._clock = clock
        self._targets = targets
        self._reality = reality
        self._backend = backend
        self._activities = Activities()
        self._members: dict[str, Member] = {}
        self._blocked: dict[str, float] = {}
        self._replaced: dict[str, float] = {}
        self._lock = threading.RLock()  # API calls come from other threads than the ticks

    def install(self, hooks: Hooks) -> None:
        around: dict[str, Callable[..., Any]] = {
            "create_auto_scaling_group": self._create,
            "set_desired_capacity": self._set_desired,
            "attach_instances": _as_moto,
            "detach_instances": self._detach,
            "delete_auto_scaling_group": self._delete,
            "terminate_instance": self._terminate_one,
            "detach_load_balancer_target_groups": self._detach_target_groups,
        }
        for name, call in around.items():
            hooks.wrap(AutoScalingBackend, name, self._alone(call))
        hooks.wrap(FakeAutoScalingGroup, "update", self._alone(self._update))
        hooks.set(FakeAutoScalingGroup, "set_desired_capacity", _desire)
        hooks.set(AutoScalingBackend, "update_attached_target_groups", lambda *_: None)
        hooks.set(AutoScalingBackend, "notify_terminate_instances", lambda *_: None)
        hooks.set(InstanceState, "launch_template", property(_launched_from))
        if self._reality.activities_are_recorded:
            hooks.wrap(AutoScalingResponse, "describe_scaling_activities", self._describe_activities)

    def tick(self, now: float) -> None:
        with self._lock:
            for group in list(self._backend().autoscaling_groups.values()):
                self._adopt(group, now)
                self._enter_service(group, now)
                self._drop_terminated(group, now)
                self._replace_unhealthy(group, now)
                self._refresh(group, now)
                self._resize(group, now)
                self._register(group)
            self._finish(now)

    def _alone(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def alone(*arguments: Any, **named: Any) -> Any:
            with self._lock:
                return call(*arguments, **named)

        return alone

    def holds(self, instance: str) -> bool:
        return instance in self._members

    # towards the desired size

    def _resize(self, group: Any, now: float) -> None:
        live = _live(group)
        missing = (group.desired_capacity or 0) - len(live)
        if missing > 0 and _may(group, "Launch") and now >= self._blocked.get(group.name, 0.0):
            for _ in range(missing):
                if not self._launch(group, now):
                    break
        elif missing < 0 and _may(group, "Terminate"):
            cause = (
                f"an instance was taken out of service in response to a difference between desired and "
                f"actual capacity, shrinking the capacity from {len(live)} to {group.desired_capacity}."
            )
            for state in _surplus(live, -missing):
                self._leave(group, state, now, cause)

    def _launch(self, group: Any, now: float) -> bool:
        cause = (
            f"an instance was started in response to a difference between desired and actual capacity, "
            f"increasing the capacity from {len(_live(group))} to {group.desired_capacity}."
        )
        activity = self._activities.begin(group, now, "Launching a new EC2 instance", cause)
        try:
            instance = self._run(group)
        except Exception as refusal:
            message = getattr(refusal, "message", None) or str(refusal)
            activity.end(now, "Failed", f"{message}. Launching EC2 instance failed.")
            self._blocked[group.name] = now + RETRY_SECONDS
            return False
        activity.Description = f"Launching a new EC2 instance: {instance.id}"
        state = InstanceState(
            instance, "Pending", "Healthy", group.new_instances_protected_from_scale_in, group
        )
        group.instance_states.append(state)
        self._members[instance.id] = Member(group, state, activity)
        return True

    def _run(self, group: Any) -> Any:
        ec2 = group.ec2_backend
        image = ec2.amis.get(group.image_id)
        if image is None or image.state != "available":
            raise LookupError(f"The image id '[{group.image_id}]' does not exist or is not available")
        _ensure_boots(_instance_type(group), image)
        template = _template(group)
        subnet, zone = self._place_for(group)
        reservation = ec2.run_instances(
            group.image_id,
            1,
            group.user_data,
            group.security_groups,
            instance_type=_instance_type(group),
            tags={
                "instance": {**group.get_propagated_tags(), ASG_NAME_TAG: group.name, **group.instance_tags}
            },
            placement=zone,
            launch_config=group.launch_config,
            launch_template=template,
            is_instance_type_default=False,
            associate_public_ip=getattr(group.launch_config, "associate_public_ip_address", None),
            subnet_id=subnet,
            **_launched_with(group),
        )
        instance = reservation.instances[0]
        instance.autoscaling_group = group
        instance.launched_from = _specification(group)
        return instance

    def _place_for(self, group: Any) -> tuple[str | None, str]:
        """The zone that has the fewest; moto would take the first subnet for all."""
        if not group.vpc_zone_identifier:
            return None, _fewest(group, list(group.availability_zones))
        subnets = {
            subnet: group.ec2_backend.get_subnet(subnet).availability_zone
            for subnet in group.vpc_zone_identifier.split(",")
        }
        wanted = list(subnets.values())
        zone = _fewest(group, wanted) if self._reality.zones_are_balanced else wanted[0]
        return next(subnet for subnet, each in subnets.items() if each == zone), zone

    # a member's life

    def _adopt(self, group: Any, now: float) -> None:
        """Instances that came in by AttachInstances."""
        for state in group.instance_states:
            if state.instance.id not in self._members:
                activity = self._activities.begin(
                    group,
                    now,
                    f"Attaching an existing EC2 instance: {state.instance.id}",
                    "an instance was attached in response to a user request.",
                )
                activity.end(now)
                self._members[state.instance.id] = Member(group, state, activity, in_service=now)

    def _enter_service(self, group: Any, now: float) -> None:
        for state in group.instance_states:
            member = self._members[state.instance.id]
            if state.lifecycle_state == "Pending" and state.instance.state == "running":
                state.lifecycle_state, member.in_service = "InService", now
                member.activity.end(now)

    def _register(self, group: Any) -> None:
        if not _may(group, "AddToLoadBalancer"):
            return
        for target_group in self._target_groups(group):
            for state in group.instance_states:
                serving = state.lifecycle_state == "InService" and state.instance.state == "running"
                if serving and state.instance.id not in target_group.targets:
                    self._targets.register(target_group, state.instance.id)

    def _drop_terminated(self, group: Any, now: float) -> None:
        """Somebody ended an instance behind the group's back; the group's own check finds out a little later."""
        for state in [s for s in group.instance_states if s.instance.state in ("terminated", "stopped")]:
            member = self._members[state.instance.id]
            member.lost = now if member.lost is None else member.lost
            if not member.leaving and now - member.lost >= self._reality.replace_seconds:
                cause = (
                    "an instance was taken out of service in response to an EC2 health check that indicated "
                    "it had been terminated or stopped."
                )
                self._leave(group, state, now, cause)

    def _replace_unhealthy(self, group: Any, now: float) -> None:
        if not self._reality.unhealthy_instances_are_replaced or not _may(
            group, "HealthCheck", "ReplaceUnhealthy"
        ):
            return
        for state in group.instance_states:
            if self._failed_for_good(group, state, now):
                state.health_status = "Unhealthy"
        sick = [
            s
            for s in group.instance_states
            if s.lifecycle_state == "InService" and s.health_status != "Healthy"
        ]
        busy = len(_live(group)) < len(group.instance_states) or any(
            s.lifecycle_state == "Pending" for s in _live(group)
        )
        if sick and not busy and now - self._replaced.get(group.name, 0.0) >= self._reality.replace_seconds:
            self._replaced[group.name] = now
            cause = "an instance was taken out of service in response to an ELB system health check failure."
            self._leave(group, sick[0], now, cause)

    def _refresh(self, group: Any, now: float) -> None:
        """One old instance at a time, once the last new one has warmed up: the least that a refresh takes of a group."""
        refresh = refreshes.going(group)
        if refresh is None:
            return
        began = refresh.begin(now)
        since = {state.instance.id: self._members[state.instance.id].in_service for state in _live(group)}
        old = [s for s in _live(group) if (since[s.instance.id] or now) < began]
        warm = [at for at in since.values() if at is not None and at + refresh.warms_up(group) <= now]
        refresh.left = len(old)
        if not old:
            refresh.end(now, "Successful")
        elif len(warm) >= (group.desired_capacity or 0):
            cause = "an instance was taken out of service in response to an instance refresh."
            self._leave(group, old[0], now, cause)

    def _failed_for_good(self, group: Any, state: Any, now: float) -> bool:
        since = self._members[state.instance.id].in_service
        grace = float(group.health_check_grace_period or 0)
        ready = since is not None and now - since > grace
        return ready and "ELB" in group.health_check_type and self._targets.is_unhealthy(state.instance.id)

    def _leave(self, group: Any, state: Any, now: float, cause: str) -> None:
        """Out of the balancer first; the instance goes when its targets have drained."""
        member = self._members[state.instance.id]
        if member.leaving:
            return
        if state.lifecycle_state == "Pending":
            member.activity.end(now, "Cancelled")
        state.lifecycle_state, member.leaving = "Terminating", True
        member.activity = self._activities.begin(
            group, now, f"Terminating EC2 instance: {state.instance.id}", cause
        )
        for target_group in self._backend().elbv2_backend.target_groups.values():
            self._targets.deregister(target_group, state.instance.id)

    def _finish(self, now: float) -> None:
        for instance_id, member in list(self._members.items()):
            if member.leaving and not self._targets.is_draining(instance_id):
                if member.state.instance.state != "terminated":
                    member.group.ec2_backend.terminate_instances([instance_id])
                member.group.instance_states = [
                    s for s in member.group.instance_states if s is not member.state
                ]
                member.activity.end(now)
                del self._members[instance_id]

    def _target_groups(self, group: Any) -> list[Any]:
        known = self._backend().elbv2_backend.target_groups
        return [known[arn] for arn in group.target_group_arns if arn in known]

    # in the place of moto's own

    def _create(self, original: Any, backend: Any, **given: Any) -> Any:
        low, high = int(given["min_size"]), int(given["max_size"])
        desired = given.get("desired_capacity")
        _bounded(low if desired is None else int(desired), low, high)
        group = original(backend, **given)
        group.health_check_grace_period = int(given.get("health_check_period") or 0)
        return group

    def _update(self, original: Any, group: Any, **given: Any) -> None:
        low = group.min_size if given.get("min_size") is None else given["min_size"]
        high = group.max_size if given.get("max_size") is None else given["max_size"]
        desired = given.get("desired_capacity")
        if desired is not None or low > high:
            _bounded(group.desired_capacity if desired is None else desired, low, high)
        elif self._reality.minimum_raises_desired:
            desired = min(max(group.desired_capacity or 0, low), high)
        policy = given.get("mixed_instances_policy") or group.mixed_instances_policy
        if given.get("launch_template") or given.get("launch_config_name"):
            policy = given.get("mixed_instances_policy")
        original(group, **{**given, "desired_capacity": desired, "mixed_instances_policy": policy})

    def _set_desired(self, original: Any, backend: Any, group_name: str, desired_capacity: int) -> None:
        group = backend.autoscaling_groups.get(group_name)
        if group is None:
            raise ValidationError("AutoScalingGroup name not found - null")
        side = "below min" if desired_capacity < group.min_size else "above max"
        bound = group.min_size if desired_capacity < group.min_size else group.max_size
        if not group.min_size <= desired_capacity <= group.max_size:
            raise ValidationError(
                f"New SetDesiredCapacity value {desired_capacity} is {side} value {bound} for the AutoScalingGroup."
            )
        original(backend, group_name, desired_capacity)

    def _delete(self, _: Any, backend: Any, group_name: str) -> None:
        group = backend.autoscaling_groups.get(group_name)
        if group is None:
            raise ValidationError(
                f"AutoScalingGroup name not found - AutoScalingGroup '{group_name}' not found"
            )
        now = self._clock.now()
        for state in list(group.instance_states):
            self._adopt(group, now)
            self._leave(group, state, now, "an instance was taken out of service as its group was deleted.")
        del backend.autoscaling_groups[group_name]

    def _detach(
        self, original: Any, backend: Any, group_name: str, ids: list[str], should_decrement: bool
    ) -> Any:
        answer = original(backend, group_name, ids, should_decrement)
        for instance in ids:
            self._members.pop(instance, None)
            for target_group in backend.elbv2_backend.target_groups.values():
                self._targets.deregister(target_group, instance)
        return answer

    def _terminate_one(self, _: Any, backend: Any, instance_id: str, should_decrement: bool) -> Any:
        group, state = next(
            (
                (group, state)
                for group in backend.autoscaling_groups.values()
                for state in group.instance_states
                if state.instance.id == instance_id
            ),
            (None, None),
        )
        if group is None or state is None:
            raise ValidationError(
                f"Instance Id not found - No managed instance found for instance ID: {instance_id}"
            )
        before = group.desired_capacity
        if should_decrement and before - 1 < group.min_size:
            raise ValidationError(
                "Currently, desiredSize equals minSize. Terminating instance without replacement "
                "will violate group's min size constraint."
            )
        now = self._clock.now()
        self._adopt(group, now)
        group.desired_capacity = before - 1 if should_decrement else before
        self._leave(group, state, now, "an instance was taken out of service in response to a user request.")
        return Terminated(state.instance, before)

    def _detach_target_groups(
        self, _: Any, backend: Any, group_name: str, target_group_arns: list[str]
    ) -> None:
        group = backend.autoscaling_groups[group_name]
        group.target_group_arns = [arn for arn in group.target_group_arns if arn not in target_group_arns]
        for target_group in (backend.elbv2_backend.target_groups.get(arn) for arn in target_group_arns):
            for state in group.instance_states if target_group else []:
                self._targets.deregister(target_group, state.instance.id)

    def _describe_activities(self, _: Any, response: Any) -> ActionResult:
        backend = response.autoscaling_backend
        found = self._activities.find(
            response._get_param("AutoScalingGroupName"),
            response._get_param("ActivityIds", []),
            {group.arn for group in backend.autoscaling_groups.values()},
            bool(response._get_bool_param("IncludeDeletedGroups", False)),
        )
        size = response._get_int_param("MaxRecords") or 100
        start = int(response._get_param("NextToken") or 0)
        following = str(start + size) if start + size < len(found) else None
        return ActionResult({"Activities": found[start : start + size], "NextToken": following})


def _as_moto(original: Any, *arguments: Any) -> Any:
    return original(*arguments)


def _desire(group: Any, new_capacity: int | None) -> None:
    """Only the wish: instances come and go in later ticks, as on AWS."""
    group.desired_capacity = group.min_size if new_capacity is None else new_capacity


def _bounded(desired: int, low: int, high: int) -> None:
    if not low <= desired <= high:
        raise ValidationError(
            f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}"
        )


def _live(group: Any) -> list[Any]:
    return [state for state in group.instance_states if state.lifecycle_state in LIVE]


def _surplus(live: list[Any], count: int) -> list[Any]:
    """From the fullest zone, the oldest first; protected ones stay (the default termination policy)."""
    free = [state for state in live if not state.protected_from_scale_in]
    chosen: list[Any] = []
    while free and len(chosen) < count:
        zones = Counter(state.availability_zone for state in live if state not in chosen)
        chosen.append(max(free, key=lambda state: zones[state.availability_zone]))
        free.remove(chosen[-1])
    return chosen


def _fewest(group: Any, zones: list[str]) -> str:
    held = Counter(state.availability_zone for state in _live(group))
    return min(zones, key=lambda zone: held[zone])


def _may(group: Any, *processes: str) -> bool:
    suspended = {entry["ProcessName"] for entry in group.suspended_processes}
    return not suspended.intersection(processes)


def _specification(group: Any) -> dict[str, str] | None:
    template = group.ec2_launch_template
    if template is None:
        return None
    version = template.get_version(group.launch_template_version)
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "Version": str(version.number),
    }


def _template(group: Any) -> dict[str, str] | None:
    specification = _specification(group)
    if specification is None:
        return None
    return {"LaunchTemplateId": specification["LaunchTemplateId"], "Version": specification["Version"]}


def _instance_type(group: Any) -> str:
    """A mixed group's first type: what it prefers on demand (Auto Scaling User Guide, allocation strategies)."""
    mixed = (group.mixed_instances_policy or {}).get("LaunchTemplate", {}).get("Overrides", [])
    return str(next((each["InstanceType"] for each in mixed if "InstanceType" in each), group.instance_type))


def _ensure_boots(name: str, image: Any) -> None:
    """EC2's InvalidParameterValue of RunInstances; a type that moto doesn't know launches anything."""
    known = INSTANCE_TYPES.get(name, {}).get("ProcessorInfo", {}).get("SupportedArchitectures", [])
    if image.architecture and known and image.architecture not in known:
        raise LookupError(
            f"The architecture '{known[0]}' of the specified instance type does not match the architecture "
            f"'{image.architecture}' of the specified AMI"
        )


def _launched_with(group: Any) -> dict[str, Any]:
    """What moto leaves behind in the launch template: the metadata options, the network interface's groups."""
    if group.ec2_launch_template is None:
        return {}
    data = group.ec2_launch_template.get_version(group.launch_template_version).data
    if data.get("NetworkInterfaces") and (data.get("SecurityGroupIds") or data.get("SecurityGroups")):
        raise LookupError(
            "Network interfaces and an instance-level security groups may not be specified on the same request"
        )
    groups = [each for interface in data.get("NetworkInterfaces", []) for each in interface.get("Groups", [])]
    return {
        "metadata_options": data.get("MetadataOptions", {}),
        **({"security_group_ids": groups} if groups else {}),
    }


def _launched_from(state: Any) -> Any:
    return getattr(state.instance, "launched_from", None)
