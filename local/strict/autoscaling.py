"""What Auto Scaling refuses, keeps, shows and deletes along, and moto doesn't (A1, A3, A4, A10-A12, A15, A16)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore import xform_name
from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError

from local.hooks import Hooks
from local.strict import recurrence, refreshes
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
    "delete_notification_configuration",
    "delete_warm_pool",
    "describe_load_balancer_target_groups",
    "detach_instances",
    "detach_load_balancer_target_groups",
    "enable_metrics_collection",
    "put_lifecycle_hook",
    "put_notification_configuration",
    "put_scheduled_update_group_action",
    "put_warm_pool",
    "resume_processes",
    "set_desired_capacity",
    "set_instance_protection",
    "suspend_processes",
    "update_auto_scaling_group",
)


POOL_GOES = timedelta(minutes=2)  # once its instances have


def install(hooks: Hooks) -> None:
    hooks.wrap(AutoScalingResponse, "create_auto_scaling_group", _create)
    hooks.wrap(AutoScalingResponse, "update_auto_scaling_group", _update)
    hooks.wrap(AutoScalingResponse, "set_desired_capacity", _set_desired)
    hooks.wrap(AutoScalingResponse, "delete_auto_scaling_group", _delete)
    hooks.wrap(AutoScalingResponse, "attach_load_balancer_target_groups", _attach)
    hooks.wrap(AutoScalingResponse, "detach_load_balancer_target_groups", _detach)
    hooks.wrap(AutoScalingResponse, "put_scaling_policy", _put_policy)
    hooks.set(AutoScalingResponse, "delete_policy", _delete_policy)
    hooks.wrap(AutoScalingResponse, "describe_policies", _describe_policies)
    hooks.wrap(AutoScalingResponse, "describe_scheduled_actions", _describe_actions)
    hooks.set(AutoScalingResponse, "put_notification_configuration", _put_notification)
    hooks.set(AutoScalingResponse, "delete_notification_configuration", _delete_notification)
    hooks.set(AutoScalingResponse, "describe_notification_configurations", _describe_notifications)
    hooks.set(AutoScalingResponse, "delete_warm_pool", _delete_pool)
    hooks.set(
        FakeAutoScalingGroup, "warm_pool", property(_pool, lambda group, pool: vars(group).update(pool=pool))
    )
    hooks.wrap(AutoScalingBackend, "put_scheduled_update_group_action", _put_action)
    hooks.set(AutoScalingBackend, "delete_scheduled_action", _delete_action)
    refreshes.install(hooks)
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
        # A warm pool's instances count: https://github.com/hashicorp/terraform-provider-aws deletes it first, too.
        if (group.instance_states or group.warm_pool) and not force:
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


def _delete_pool(response: AutoScalingResponse) -> Any:
    """Without force a pool waits for its instances to terminate, and shows that it does.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteWarmPool.html, ForceDelete
    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_WarmPoolConfiguration.html, Status
    """
    group = _group(response)
    if response._get_bool_param("ForceDelete", False):
        group.warm_pool = None
    elif group.warm_pool and not getattr(group.warm_pool, "status", None):
        group.warm_pool.status, group.warm_pool.gone_at = "PendingDelete", datetime.now(UTC) + POOL_GOES
    return EmptyResult()


def _pool(group: Any) -> Any:
    pool = vars(group).get("pool")
    gone_at = getattr(pool, "gone_at", None)
    return None if gone_at and datetime.now(UTC) >= gone_at else pool


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
    for specification in _predefined(params):
        _check_label(backend.autoscaling_groups[name], specification)
    if "MinAdjustmentStep" in params and "MinAdjustmentMagnitude" in params:
        raise ValidationError("MinAdjustmentStep and MinAdjustmentMagnitude are mutually exclusive")
    if params.get("PolicyType") == "StepScaling" and not params.get("StepAdjustments"):
        raise ValidationError("At least one StepAdjustment must be specified for a step scaling policy")
    original(response)
    # moto keys policies by their name alone: a clone's policy would replace its original's.
    policy = backend.policies.pop(params["PolicyName"])
    vars(policy)["enabled"] = params.get("Enabled", True)
    backend.policies[f"{name}/{policy.name}"] = policy
    return ActionResult({"PolicyARN": policy.arn, "Alarms": []})


def _predefined(params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each predefined metric of a target tracking or predictive policy."""
    forecasts = params.get("PredictiveScalingConfiguration", {}).get("MetricSpecifications", [])
    for configuration in (params.get("TargetTrackingConfiguration", {}), *forecasts):
        yield from (part for key, part in configuration.items() if key.startswith("Predefined"))


def _check_label(group: Any, metric: dict[str, Any]) -> None:
    if not metric.get("PredefinedMetricType", "").startswith("ALB"):
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


def _describe_policies(original: Any, response: AutoScalingResponse) -> Any:
    """Each policy is shown with the alarms that act on it."""
    backend = response.autoscaling_backend
    alarms = cloudwatch_backends[backend.account_id][backend.region_name].alarms.values()
    answer = original(response)
    for policy in answer.result["ScalingPolicies"]:
        policy.alarms = [
            {"AlarmName": alarm.name, "AlarmARN": alarm.alarm_arn}
            for alarm in alarms
            if policy.arn in (*alarm.alarm_actions, *alarm.ok_actions, *alarm.insufficient_data_actions)
        ]
    return answer


def _delete_policy(response: AutoScalingResponse) -> Any:
    group, asked = response._get_param("AutoScalingGroupName"), response._get_param("PolicyName")
    policies = response.autoscaling_backend.policies
    for key in [key for key, policy in policies.items() if asked in (policy.arn, policy.name)]:
        if asked == policies[key].arn or policies[key].auto_scaling_group_name == group:
            del policies[key]
    return EmptyResult()


def _put_action(original: Any, backend: AutoScalingBackend, *arguments: Any, **named: Any) -> Any:
    """As with policies: an action's name is its group's own."""
    starts, again = _moment(named["start_time"]), named["recurrence"]
    if starts is None and not again:
        raise ValidationError("Either Recurrence or StartTime must be specified")
    if starts is not None and starts <= datetime.now(UTC):
        raise ValidationError("Given start time is in the past")
    if all(named[size] is None for size in ("desired_capacity", "min_size", "max_size")):
        raise ValidationError("At least one of DesiredCapacity, MinSize and MaxSize must be specified")
    action = original(backend, *arguments, **named)
    del backend.scheduled_actions[action.scheduled_action_name]
    _show_next(action)
    backend.scheduled_actions[f"{action.auto_scaling_group_name}/{action.scheduled_action_name}"] = action
    return action


def _describe_actions(original: Any, response: AutoScalingResponse) -> Any:
    answer = original(response)
    for action in answer.result["ScheduledUpdateGroupActions"]:
        _show_next(action)
    return answer


def _show_next(action: Any) -> None:
    """The start that AWS shows of an action that recurs is its next one.

    https://docs.aws.amazon.com/cli/latest/reference/autoscaling/describe-scheduled-actions.html, "my-recurring-action"
    """
    now, starts = datetime.now(UTC), _moment(action.start_time)
    if action.recurrence and (starts is None or starts <= now):
        try:
            action.start_time = recurrence.following(action.recurrence, action.time_zone or "UTC", now)
        except ValueError as error:
            raise ValidationError(f"Given recurrence string: {action.recurrence} is invalid") from error


def _moment(given: Any) -> datetime | None:
    if given is None or given == "":
        return None
    moment = datetime.fromisoformat(given) if isinstance(given, str) else given
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _delete_action(
    backend: AutoScalingBackend, auto_scaling_group_name: str, scheduled_action_name: str
) -> None:
    if backend.scheduled_actions.pop(f"{auto_scaling_group_name}/{scheduled_action_name}", None) is None:
        raise ValidationError("Scheduled action name not found")


NOTIFICATION_TYPES = (
    "autoscaling:EC2_INSTANCE_LAUNCH",
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
    "autoscaling:EC2_INSTANCE_TERMINATE",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
    "autoscaling:TEST_NOTIFICATION",
)


def _put_notification(response: AutoScalingResponse) -> Any:
    """The types of a topic are replaced, not added to.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutNotificationConfiguration.html
    """
    types = response._get_param("NotificationTypes", [])
    if unknown := [each for each in types if each not in NOTIFICATION_TYPES]:
        raise ValidationError(f"Notification Type {unknown[0]} is not valid")
    _topics(_group(response))[response._get_param("TopicARN")] = types
    return EmptyResult()


def _delete_notification(response: AutoScalingResponse) -> Any:
    _topics(_group(response)).pop(response._get_param("TopicARN"), None)
    return EmptyResult()


def _describe_notifications(response: AutoScalingResponse) -> Any:
    """One entry for each pair of a topic and a type; names of groups that are gone are silently absent."""
    asked = response._get_param("AutoScalingGroupNames", [])
    groups = response.autoscaling_backend.autoscaling_groups
    found = [
        {"AutoScalingGroupName": name, "TopicARN": topic, "NotificationType": each}
        for name, group in groups.items()
        if not asked or name in asked
        for topic, types in _topics(group).items()
        for each in types
    ]
    return ActionResult({"NotificationConfigurations": found})


def _topics(group: Any) -> dict[str, list[str]]:
    topics: dict[str, list[str]] = vars(group).setdefault("notified_topics", {})
    return topics
