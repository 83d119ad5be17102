"""A blue with everything that can hang on an Auto Scaling group."""

from datetime import datetime, timedelta
from typing import Any

from local.seed import Seeded
from viridian import forecast

TOPIC = "arn:aws:sns:us-east-1:123456789012:people"


def dimensions(shop: Seeded) -> list[dict[str, str]]:
    """The load balancer and blue's target group, as CloudWatch calls them."""
    balancer = shop.load_balancer_arn.split(":loadbalancer/")[1]
    return [
        {"Name": "LoadBalancer", "Value": balancer},
        {"Name": "TargetGroup", "Value": shop.target_group_arn.split(":")[-1]},
    ]


def furnish(cloud: Any, shop: Seeded, now: datetime) -> None:
    """Everything that can hang on an Auto Scaling group, on blue's."""
    asg, name = cloud.client("autoscaling"), shop.group_name
    asg.update_auto_scaling_group(
        AutoScalingGroupName=name,
        DefaultCooldown=90,
        MaxInstanceLifetime=86_400,
        CapacityRebalance=True,
        NewInstancesProtectedFromScaleIn=True,
        PlacementGroup="spread",
        Context="shop",
        InstanceMaintenancePolicy={"MinHealthyPercentage": 90, "MaxHealthyPercentage": 120},
        AvailabilityZoneDistribution={"CapacityDistributionStrategy": "balanced-only"},
        AvailabilityZoneImpairmentPolicy={
            "ZonalShiftEnabled": True,
            "ImpairedZoneHealthCheckBehavior": "IgnoreUnhealthy",
        },
        CapacityReservationSpecification={"CapacityReservationPreference": "default"},
    )
    for hook, at in (("warm", "LAUNCHING"), ("drain", "TERMINATING")):
        asg.put_lifecycle_hook(
            AutoScalingGroupName=name,
            LifecycleHookName=hook,
            LifecycleTransition=f"autoscaling:EC2_INSTANCE_{at}",
            HeartbeatTimeout=60,
            DefaultResult="CONTINUE",
        )
    asg.enable_metrics_collection(
        AutoScalingGroupName=name, Metrics=["GroupInServiceInstances", "GroupMaxSize"], Granularity="1Minute"
    )
    asg.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["AZRebalance", "ReplaceUnhealthy"])
    asg.put_notification_configuration(
        AutoScalingGroupName=name,
        TopicARN=TOPIC,
        NotificationTypes=["autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_TERMINATE"],
    )
    asg.put_warm_pool(AutoScalingGroupName=name, MinSize=1, MaxGroupPreparedCapacity=5, PoolState="Stopped")
    scale(cloud, shop)
    schedule(cloud, shop, now)


def scale(cloud: Any, shop: Seeded) -> None:
    """A policy of each kind, and the alarms that drive two of them."""
    asg, name = cloud.client("autoscaling"), shop.group_name

    def policy(title: str, kind: str, **more: Any) -> str:
        made = asg.put_scaling_policy(AutoScalingGroupName=name, PolicyName=title, PolicyType=kind, **more)
        return str(made["PolicyARN"])

    step = {"AdjustmentType": "PercentChangeInCapacity", "MinAdjustmentMagnitude": 1}
    out = policy(
        "out",
        "StepScaling",
        **step,
        MetricAggregationType="Average",
        EstimatedInstanceWarmup=60,
        StepAdjustments=[{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 20}],
    )
    back = policy(
        "back",
        "SimpleScaling",
        AdjustmentType="ChangeInCapacity",
        ScalingAdjustment=-1,
        Cooldown=120,
    )
    metric = {"Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Statistic": "Average", "Period": 60}
    cpu = {**metric, "Dimensions": [{"Name": "AutoScalingGroupName", "Value": name}]}
    common = {"ActionsEnabled": True, "EvaluationPeriods": 2, "DatapointsToAlarm": 2}
    alarm(cloud, "busy", **cpu, **common, Threshold=70.0, AlarmActions=[out, TOPIC], OKActions=[back])
    stat = {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCount",
        "Dimensions": dimensions(shop),
    }
    watched = {"Metric": stat, "Period": 60, "Stat": "Sum"}
    alarm(
        cloud,
        "crowded",
        **common,
        Metrics=[
            {"Id": "requests", "MetricStat": watched, "ReturnData": False},
            {"Id": "rate", "Expression": "requests / 60", "ReturnData": True},
        ],
        Threshold=0.0,
        AlarmActions=[out],
        TreatMissingData="notBreaching",
    )
    policy(
        "custom",
        "TargetTrackingScaling",
        TargetTrackingConfiguration={
            "TargetValue": 50.0,
            "CustomizedMetricSpecification": {
                "Namespace": "Shop",
                "MetricName": "Sessions",
                "Dimensions": [{"Name": "AutoScalingGroupName", "Value": name}],
                "Statistic": "Average",
            },
        },
        Enabled=False,
    )
    shared = forecast.shared({"TargetValue": 40.0}, name, "shop")
    policy(
        "ahead",
        "PredictiveScaling",
        PredictiveScalingConfiguration={"MetricSpecifications": [shared], "Mode": "ForecastAndScale"},
    )


def alarm(cloud: Any, name: str, **settings: Any) -> None:
    """One that looks at whether something is greater."""
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=name, ComparisonOperator="GreaterThanThreshold", **settings
    )


def schedule(cloud: Any, shop: Seeded, now: datetime) -> None:
    """An action that recurs, and one that lies ahead."""
    asg, name = cloud.client("autoscaling"), shop.group_name
    asg.put_scheduled_update_group_action(
        AutoScalingGroupName=name,
        ScheduledActionName="night",
        MinSize=0,
        MaxSize=4,
        Recurrence="0 22 * * MON-FRI",
        TimeZone="Europe/Zurich",
    )
    asg.put_scheduled_update_group_action(
        AutoScalingGroupName=name,
        ScheduledActionName="sale",
        DesiredCapacity=8,
        StartTime=now + timedelta(days=30),
    )
