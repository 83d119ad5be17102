"""What Auto Scaling refuses, keeps and deletes along, and moto doesn't (A1, A3, A4, A10-A12, A15)."""

from typing import Any

from botocore import xform_name
from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError

from local.hooks import Hooks
from local.strict.ec2 import check_image

KEPT = (
    "AvailabilityZoneDistribution",
    "AvailabilityZoneImpairmentPolicy",
    "CapacityRebalance",
    "CapacityReservationSpecification",
    "Context",
    "DefaultCooldown",
    "DefaultInstanceWarmup",
    "DeletionProtection",
    "DesiredCapacityType",
    "InstanceLifecyclePolicy",
    "InstanceMaintenancePolicy",
    "MaxInstanceLifetime",
    "PlacementGroup",
    "ServiceLinkedRoleARN",
    "TerminationPolicies",
)
NAMED_GROUP = (
    "attach_instances",
    "attach_load_balancer_target_groups",
    "describe_load_balancer_target_groups",
    "detach_instances",
    "detach_load_balancer_target_groups",
    "enable_metrics_collection",
    "put_lifecycle_hook",
    "put_scheduled_update_group_action",
    "resume_processes",
    "set_desired_capacity",
    "set_instance_protection",
    "suspend_processes",
    "update_auto_scaling_group",
)


def install(hooks: Hooks) -> None:
    hooks.wrap(AutoScalingResponse, "create_auto_scaling_group", _create)
    hooks.wrap(AutoScalingResponse, "update_auto_scaling_group", _update)
    hooks.wrap(AutoScalingResponse, "set_desired_capacity", _set_desired)
    hooks.wrap(AutoScalingResponse, "delete_auto_scaling_group", _delete)
    hooks.wrap(AutoScalingResponse, "attach_load_balancer_target_groups", _attach)
    hooks.wrap(AutoScalingResponse, "detach_load_balancer_target_groups", _detach)
    hooks.wrap(AutoScalingResponse, "put_scaling_policy", _put_policy)
    hooks.set(AutoScalingResponse, "delete_policy", _delete_policy)
    hooks.wrap(AutoScalingBackend, "put_scheduled_update_group_action", _put_action)
    hooks.set(AutoScalingBackend, "delete_scheduled_action", _delete_action)
    for name in NAMED_GROUP:
        hooks.wrap(AutoScalingResponse, name, _of_a_known_group)


def _of_a_known_group(original: Any, response: AutoScalingResponse) -> Any:
    if response._get_param("AutoScalingGroupName") not in response.autoscaling_backend.autoscaling_groups:
        raise ValidationError("AutoScalingGroup name not found - null")
    return original(response)


def _group(response: AutoScalingResponse) -> Any:
    return response.autoscaling_backend.autoscaling_groups[response._get_param("AutoScalingGroupName")]


def _create(original: Any, response: AutoScalingResponse) -> Any:
    params = response._get_params()
    backend = response.autoscaling_backend
    if params["AutoScalingGroupName"] in backend.autoscaling_groups:
        raise AutoscalingClientError(
            "AlreadyExists",
            "AutoScalingGroup by this name already exists - A group with the name"
            f" {params['AutoScalingGroupName']} already exists",
        )
    _check_sizes(params["MinSize"], params["MaxSize"], params.get("DesiredCapacity"))
    _check_target_groups(backend, params.get("TargetGroupARNs", []))
    _check_template(backend, params.get("LaunchTemplate"))
    answer = original(response)
    group = _group(response)
    group.health_check_grace_period = params.get("HealthCheckGracePeriod", 0)
    _keep(group, params)
    for hook in params.get("LifecycleHookSpecificationList", []):
        backend.create_lifecycle_hook(
            hook["LifecycleHookName"],
            group.name,
            hook["LifecycleTransition"],
            hook.get("HeartbeatTimeout"),
            hook.get("DefaultResult"),
        )
    return answer


def _update(original: Any, response: AutoScalingResponse) -> Any:
    params = response._get_params()
    group = _group(response)
    mixed = group.mixed_instances_policy
    _check_sizes(
        params.get("MinSize", group.min_size),
        params.get("MaxSize", group.max_size),
        params.get("DesiredCapacity"),
    )
    _check_template(response.autoscaling_backend, params.get("LaunchTemplate"))
    answer = original(response)
    if not params.get("MixedInstancesPolicy") and not params.get("LaunchTemplate"):
        group.mixed_instances_policy = mixed
    _keep(group, params)
    return answer


def _keep(group: Any, params: dict[str, Any]) -> None:
    for member in KEPT:
        if member in params:
            setattr(group, xform_name(member), params[member])


def _check_sizes(minimum: int, maximum: int, desired: int | None) -> None:
    if minimum > maximum:
        raise ValidationError(f"Max bound, {maximum}, must be greater than or equal to min bound, {minimum}")
    if desired is not None and not minimum <= desired <= maximum:
        raise ValidationError(
            f"Desired capacity:{desired} must be between the specified min size:{minimum}"
            f" and max size:{maximum}"
        )


def _check_target_groups(backend: AutoScalingBackend, arns: list[str]) -> None:
    if any(arn not in backend.elbv2_backend.target_groups for arn in arns):
        raise ValidationError(
            "Provided Target Groups may not be valid. Please ensure they exist and try again."
        )


def _check_template(backend: AutoScalingBackend, asked: dict[str, Any] | None) -> None:
    if not asked:
        return
    ec2 = backend.ec2_backend
    try:
        template = (
            ec2.get_launch_template(asked["LaunchTemplateId"])
            if "LaunchTemplateId" in asked
            else ec2.get_launch_template_by_name(asked["LaunchTemplateName"])
        )
        check_image(ec2, template.get_version(asked.get("Version") or "$Default").image_id)
    except EC2ClientError as error:
        raise ValidationError(
            f"You must use a valid fully-formed launch template. {error.message}"
        ) from error


def _set_desired(original: Any, response: AutoScalingResponse) -> Any:
    group, desired = _group(response), int(response._get_param("DesiredCapacity"))
    if desired > group.max_size:
        raise ValidationError(
            f"New SetDesiredCapacity value {desired} is above max value {group.max_size}"
            " for the AutoScalingGroup."
        )
    if desired < group.min_size:
        raise ValidationError(
            f"New SetDesiredCapacity value {desired} is below min value {group.min_size}"
            " for the AutoScalingGroup."
        )
    return original(response)


def _delete(original: Any, response: AutoScalingResponse) -> Any:
    backend = response.autoscaling_backend
    group: Any = backend.autoscaling_groups.get(response._get_param("AutoScalingGroupName"))
    force = response._get_bool_param("ForceDelete", False)
    if group is not None:
        protection = getattr(group, "deletion_protection", "none")
        if protection == "prevent-all-deletion" or (force and protection == "prevent-force-deletion"):
            raise ValidationError(
                f"Deletion protection '{protection}' is on for AutoScalingGroup {group.name}"
            )
        if group.instance_states and not force:
            raise AutoscalingClientError(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot"
                " instance request(s) still in the group.",
            )
    answer = original(response)
    if group is not None:
        _forget(backend, group.name)
    return answer


def _forget(backend: AutoScalingBackend, name: str) -> None:
    """A deleted group takes its policies, hooks and actions along, and each alarm left without an action."""
    gone = {
        key: policy.arn for key, policy in backend.policies.items() if policy.auto_scaling_group_name == name
    }
    for key in gone:
        del backend.policies[key]
    for kept in (backend.lifecycle_hooks, backend.scheduled_actions):
        for key in [key for key, each in kept.items() if each.auto_scaling_group_name == name]:
            del kept[key]
    alarms = cloudwatch_backends[backend.account_id][backend.region_name].alarms
    for alarm in list(alarms.values()):
        lists = (alarm.alarm_actions, alarm.ok_actions, alarm.insufficient_data_actions)
        if any(action in gone.values() for actions in lists for action in actions):
            for actions in lists:
                actions[:] = [action for action in actions if action not in gone.values()]
            if not any(lists):
                del alarms[alarm.name]


def _attach(original: Any, response: AutoScalingResponse) -> Any:
    _check_target_groups(response.autoscaling_backend, _few(response))
    return original(response)


def _detach(original: Any, response: AutoScalingResponse) -> Any:
    attached = _group(response).target_group_arns
    if any(arn not in attached for arn in _few(response)):
        raise ValidationError("Trying to remove Target Groups that are not part of the group")
    return original(response)


def _few(response: AutoScalingResponse) -> list[str]:
    arns: list[str] = response._get_param("TargetGroupARNs", [])
    if len(arns) > 10:
        raise ValidationError(
            "Trying to update too many Load Balancers/Target Groups at once. The limit is 10"
        )
    return arns


def _put_policy(original: Any, response: AutoScalingResponse) -> Any:
    params, backend = response._get_params(), response.autoscaling_backend
    name = params["AutoScalingGroupName"]
    if name not in backend.autoscaling_groups:
        raise ValidationError("Group " + name + " not found")
    _check_label(backend.autoscaling_groups[name], params.get("TargetTrackingConfiguration", {}))
    original(response)
    # moto keys policies by their name alone: a clone's policy would replace its original's.
    policy = backend.policies.pop(params["PolicyName"])
    vars(policy)["enabled"] = params.get("Enabled", True)
    backend.policies[f"{name}/{policy.name}"] = policy
    return ActionResult({"PolicyARN": policy.arn, "Alarms": []})


def _check_label(group: Any, tracking: dict[str, Any]) -> None:
    metric = tracking.get("PredefinedMetricSpecification", {})
    if metric.get("PredefinedMetricType") != "ALBRequestCountPerTarget":
        return
    label = metric.get("ResourceLabel", "")
    attached = [arn for arn in group.target_group_arns if label.endswith("/" + arn.split(":")[-1])]
    balancers = group.autoscaling_backend.elbv2_backend.load_balancers
    owners = [arn for arn in balancers if label.startswith(arn.split(":loadbalancer/")[1] + "/targetgroup/")]
    if not attached or not owners:
        raise ValidationError(
            f"The resource label {label or 'null'} is not valid: the target group must be attached to the"
            " Auto Scaling group and to the load balancer."
        )


def _delete_policy(response: AutoScalingResponse) -> Any:
    group, asked = response._get_param("AutoScalingGroupName"), response._get_param("PolicyName")
    policies = response.autoscaling_backend.policies
    for key in [key for key, policy in policies.items() if asked in (policy.arn, policy.name)]:
        if asked == policies[key].arn or policies[key].auto_scaling_group_name == group:
            del policies[key]
    return EmptyResult()


def _put_action(original: Any, backend: AutoScalingBackend, *arguments: Any, **named: Any) -> Any:
    """As with policies: an action's name is its group's own."""
    action = original(backend, *arguments, **named)
    del backend.scheduled_actions[action.scheduled_action_name]
    backend.scheduled_actions[f"{action.auto_scaling_group_name}/{action.scheduled_action_name}"] = action
    return action


def _delete_action(
    backend: AutoScalingBackend, auto_scaling_group_name: str, scheduled_action_name: str
) -> None:
    if backend.scheduled_actions.pop(f"{auto_scaling_group_name}/{scheduled_action_name}", None) is None:
        raise ValidationError("Scheduled action name not found")
