"""Sets up a service to release, as its owner would have: through boto3, with everything it lends tagged."""

import base64
import json
from dataclasses import dataclass, field, replace
from typing import Any

ZONES = ("us-east-1a", "us-east-1b")
ROLE = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    ],
}
NOTHING = {
    "Type": "fixed-response",
    "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"},
}
START = "#!/bin/sh\nexec /opt/service/start\n"


@dataclass
class Seeded:
    """What stands after seeding; `route_arn` is what a profile names."""

    service: str
    route_arn: str
    rule_arn: str | None
    listener_arn: str
    load_balancer_arn: str
    load_balancer_dns: str
    target_group_arn: str
    group_name: str
    launch_template_id: str
    image_id: str
    guard_alarm: str
    vpc_id: str
    subnet_ids: list[str]
    profile: dict[str, Any]
    builders: dict[str, str] = field(default_factory=dict)


def service(
    cloud: Any,
    name: str = "shop",
    version: str = "1.0.0",
    instances: int = 3,
    route: str = "rule",
    sticky: bool = False,
    *,
    minimum: int = 2,
    maximum: int = 9,
    tracking: str = "requests",
    tracking_target: float = 2400.0,
    deregistration_delay: int = 300,
    guard_percent: float = 5.0,
    tagged: bool = True,
    register: bool = False,
    app: str | None = None,
    health_path: str = "/health",
    launched: dict[str, Any] | None = None,
    **profile: Any,
) -> Seeded:
    """A running service: network, image, load balancer, fleet, guard; `profile` overrides its profile.

    `launched` overrides what its launch template says. `app` is the command that its instances run, if not the built-in one.
    `route` is "rule" (a path rule of a shared listener), "listener" (its default action), "network" (the TCP listener of a
    Network Load Balancer) or "name" (the weighted record of `NAME.example.com` that leads to its load balancer).
    `tracking` is "requests" (per target and minute), "cpu" (percent) or "none".
    """
    tags = _tags(name) if tagged else [{"Key": "Name", "Value": name}]
    vpc, subnets, security_group = _network(cloud, name)
    image = ready_image(cloud, version, name, app)
    template = _launch_template(cloud, name, image, security_group, tags, launched or {})
    network = route == "network"
    balancer, dns = _load_balancer(cloud, name, subnets, security_group, tags, network)
    protocol = "TCP" if network else "HTTP"
    targets = _target_group(cloud, f"{name}-1", vpc, deregistration_delay, health_path, tags, protocol)
    listener, rule = _route(cloud, balancer, targets, route, sticky, tags)
    group = _group(cloud, f"{name}-1", template, subnets, targets, (minimum, instances, maximum), tags)
    _track(cloud, group, balancer, targets, tracking, tracking_target)
    guard = _guard(cloud, name, balancer, guard_percent, tags)
    production = _record(cloud, name, balancer) if route == "name" else rule or listener
    document = {"route": production, "guards": [guard], **profile}
    if register:
        registered(cloud, name, document)
    return Seeded(
        name,
        production,
        rule,
        listener,
        balancer,
        dns,
        targets,
        group,
        template,
        image,
        guard,
        vpc,
        subnets,
        document,
    )


def registered(cloud: Any, name: str, profile: dict[str, Any]) -> None:
    cloud.client("ssm").put_parameter(
        Name=f"/viridian/services/{name}",
        Value=json.dumps(profile),
        Type="String",
        Tier="Intelligent-Tiering",
        Overwrite=True,
    )


def named(cloud: Any, seeded: Seeded) -> Seeded:
    """The same service, registered by a name whose one record, a weighted alias, leads to its load balancer."""
    route = _record(cloud, seeded.service, seeded.load_balancer_arn)
    document = {**seeded.profile, "route": route}
    registered(cloud, seeded.service, document)
    return replace(seeded, route_arn=route, profile=document)


def certified(cloud: Any, seeded: Seeded, *names: str) -> list[str]:
    """Certificates of ACM, and a listener that offers them; it answers by itself, for no TLS is served here."""
    acm, elb = cloud.client("acm"), cloud.client("elbv2")
    made = [str(acm.request_certificate(DomainName=name)["CertificateArn"]) for name in names]
    first, *others = ({"CertificateArn": arn} for arn in made)
    listener = elb.create_listener(
        LoadBalancerArn=seeded.load_balancer_arn,
        Protocol="HTTPS",
        Port=443,
        Certificates=[first],
        Tags=_tags(seeded.service),
        DefaultActions=[NOTHING],
    )["Listeners"][0]["ListenerArn"]
    if others:
        elb.add_listener_certificates(ListenerArn=listener, Certificates=others)
    return made


def builder(cloud: Any, version: str, fault: str | None = None, service: str = "shop") -> str:
    """A standing instance, outside any group, that the image of `version` is baked from."""
    ec2 = cloud.client("ec2")
    subnets = ec2.describe_subnets(Filters=[{"Name": "tag:Name", "Values": [service]}])["Subnets"]
    versions = ec2.describe_launch_template_versions(LaunchTemplateName=service, Versions=["1"])
    image = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"]
    tags = [
        {"Key": "Name", "Value": f"{service}-builder-{version}"},
        {"Key": "local:disk", "Value": json.dumps(disk(version, fault))},
        *_tags(service),
    ]
    launched = ec2.run_instances(
        ImageId=image,
        InstanceType="t3.small",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnets[0]["SubnetId"],
        MetadataOptions={"HttpTokens": "required", "HttpEndpoint": "enabled"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    return str(launched["Instances"][0]["InstanceId"])


def pipeline(cloud: Any, version: str, fault: str | None = None, service: str = "shop", **more: str) -> str:
    """An Image Builder pipeline whose images carry `version`; `build` or `test` say with which words it fails.

    `tags` are those that its distribution settings put on its AMIs, as JSON.
    """
    tags = {tag["Key"]: tag["Value"] for tag in _tags(service)}
    mine = "arn:aws:imagebuilder:us-east-1:123456789012"
    made = cloud.client("imagebuilder").create_image_pipeline(
        name=f"{service}-{version.replace('.', '-')}",
        imageRecipeArn=f"{mine}:image-recipe/{service}/1.0.0",
        infrastructureConfigurationArn=f"{mine}:infrastructure-configuration/{service}",
        tags={
            **tags,
            "local:disk": json.dumps(disk(version, fault)),
            **{f"local:{key}": words for key, words in more.items()},
        },
    )
    return str(made["imagePipelineArn"])


def project(cloud: Any, version: str, fault: str | None = None, service: str = "shop", **more: str) -> str:
    """A CodeBuild project whose images carry `version`; `packer` says with which words it fails, `ami` what it exports."""
    tags = {tag["Key"]: tag["Value"] for tag in _tags(service)}
    tags |= {"local:disk": json.dumps(disk(version, fault)), **{f"local:{key}": more[key] for key in more}}
    made = cloud.client("codebuild").create_project(
        name=f"{service}-packer",
        source={"type": "S3", "location": f"{service}-sources/packer.zip"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole="arn:aws:iam::123456789012:role/packer",
        tags=[{"key": key, "value": value} for key, value in tags.items()],
    )
    return str(made["project"]["name"])


def disk(version: str, fault: str | None = None, app: str | None = None) -> dict[str, Any]:
    """What is on an instance's disk: the built-in app and what is wrong with it, or the command that runs instead."""
    return {"version": version, "fault": fault, "command": app}


def _tags(name: str) -> list[dict[str, str]]:
    return [{"Key": "viridian:managed", "Value": "true"}, {"Key": "viridian:service", "Value": name}]


def _network(cloud: Any, name: str) -> tuple[str, list[str], str]:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{16 * index}.0/20", AvailabilityZone=zone)["Subnet"][
            "SubnetId"
        ]
        for index, zone in enumerate(ZONES)
    ]
    ec2.create_tags(Resources=[vpc, *subnets], Tags=[{"Key": "Name", "Value": name}])
    group = ec2.create_security_group(GroupName=f"{name}-web", Description=f"{name}: HTTP", VpcId=vpc)[
        "GroupId"
    ]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ],
    )
    return vpc, subnets, group


def ready_image(cloud: Any, version: str, service: str = "shop", app: str | None = None) -> str:
    """An image of `version`, as somebody else's pipeline leaves it."""
    ec2 = cloud.client("ec2")
    image = str(
        ec2.register_image(
            Name=f"{service}-{version}",
            Architecture="x86_64",
            RootDeviceName="/dev/xvda",
            VirtualizationType="hvm",
            EnaSupport=True,
        )["ImageId"]
    )
    ec2.create_tags(
        Resources=[image],
        Tags=[
            {"Key": "viridian:version", "Value": version},
            {"Key": "local:disk", "Value": json.dumps(disk(version, app=app))},
        ],
    )
    return image


def _instance_profile(cloud: Any, name: str) -> str:
    iam = cloud.client("iam")
    iam.create_role(RoleName=f"{name}-instance", AssumeRolePolicyDocument=json.dumps(ROLE))
    profile = iam.create_instance_profile(InstanceProfileName=f"{name}-instance")["InstanceProfile"]
    iam.add_role_to_instance_profile(InstanceProfileName=f"{name}-instance", RoleName=f"{name}-instance")
    return str(profile["Arn"])


def _launch_template(
    cloud: Any,
    name: str,
    image: str,
    security_group: str,
    tags: list[dict[str, str]],
    launched: dict[str, Any],
) -> str:
    created = cloud.client("ec2").create_launch_template(
        LaunchTemplateName=name,
        VersionDescription="as registered",
        LaunchTemplateData={
            "ImageId": image,
            "InstanceType": "t3.small",
            "SecurityGroupIds": [security_group],
            "IamInstanceProfile": {"Arn": _instance_profile(cloud, name)},
            "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
            "UserData": base64.b64encode(START.encode()).decode(),
            **launched,
        },
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
    )
    return str(created["LaunchTemplate"]["LaunchTemplateId"])


def _load_balancer(
    cloud: Any, name: str, subnets: list[str], security_group: str, tags: list[dict[str, str]], network: bool
) -> tuple[str, str]:
    made = cloud.client("elbv2").create_load_balancer(
        Name=name,
        Type="network" if network else "application",
        Scheme="internet-facing",
        Subnets=subnets,
        SecurityGroups=[security_group],
        Tags=tags,
    )["LoadBalancers"][0]
    return made["LoadBalancerArn"], made["DNSName"]


def _target_group(
    cloud: Any,
    name: str,
    vpc: str,
    deregistration_delay: int,
    health_path: str,
    tags: list[dict[str, str]],
    protocol: str,
) -> str:
    elb = cloud.client("elbv2")
    arn = str(
        elb.create_target_group(
            Name=name,
            Protocol=protocol,
            Port=80,
            VpcId=vpc,
            TargetType="instance",
            HealthCheckProtocol="HTTP",
            HealthCheckPath=health_path,
            HealthCheckIntervalSeconds=10,
            HealthCheckTimeoutSeconds=5,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
            Matcher={"HttpCode": "200"},
            Tags=tags,
        )["TargetGroups"][0]["TargetGroupArn"]
    )
    elb.modify_target_group_attributes(
        TargetGroupArn=arn,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(deregistration_delay)}],
    )
    return arn


def _route(
    cloud: Any, balancer: str, targets: str, route: str, sticky: bool, tags: list[dict[str, str]]
) -> tuple[str, str | None]:
    elb = cloud.client("elbv2")
    config: dict[str, Any] = {"TargetGroups": [{"TargetGroupArn": targets, "Weight": 100}]}
    if route != "network":
        config["TargetGroupStickinessConfig"] = (
            {"Enabled": True, "DurationSeconds": 3600} if sticky else {"Enabled": False}
        )
    forward = {"Type": "forward", "ForwardConfig": config}
    plain = route in ("listener", "network")
    listener = elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="TCP" if route == "network" else "HTTP",
        Port=80,
        Tags=tags,
        DefaultActions=[forward if plain else NOTHING],
    )["Listeners"][0]["ListenerArn"]
    if plain:
        return listener, None
    rule = elb.create_rule(
        ListenerArn=listener,
        Priority=100,
        Actions=[forward],
        Tags=tags,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}],
    )["Rules"][0]["RuleArn"]
    return listener, rule


def _record(cloud: Any, name: str, balancer: str) -> str:
    route53, elb = cloud.client("route53"), cloud.client("elbv2")
    (told,) = elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"]
    zone = route53.create_hosted_zone(Name="example.com", CallerReference=name)["HostedZone"]["Id"]
    record = {
        "Name": f"{name}.example.com",
        "Type": "A",
        "SetIdentifier": "blue",
        "Weight": 100,
        "AliasTarget": {
            "DNSName": told["DNSName"],
            "HostedZoneId": told["CanonicalHostedZoneId"],
            "EvaluateTargetHealth": True,
        },
    }
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    return f"arn:aws:route53:::{zone.removeprefix('/')}/{record['Name']}"


def _group(
    cloud: Any,
    name: str,
    template: str,
    subnets: list[str],
    targets: str,
    sizes: tuple[int, int, int],
    tags: list[dict[str, str]],
) -> str:
    minimum, desired, maximum = sizes
    cloud.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=minimum,
        DesiredCapacity=desired,
        MaxSize=maximum,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        VPCZoneIdentifier=",".join(subnets),
        TargetGroupARNs=[targets],
        HealthCheckType="ELB",
        HealthCheckGracePeriod=120,
        DefaultInstanceWarmup=60,
        TerminationPolicies=["OldestInstance"],
        Tags=[{**tag, "PropagateAtLaunch": False} for tag in tags]
        + [{"Key": "Name", "Value": name, "PropagateAtLaunch": True}],
    )
    return name


def _track(cloud: Any, group: str, balancer: str, targets: str, tracking: str, target: float) -> None:
    if tracking == "none":
        return
    metric: dict[str, Any] = {"PredefinedMetricType": "ASGAverageCPUUtilization"}
    if tracking == "requests":
        label = f"{balancer.split(':loadbalancer/')[1]}/{targets.split(':')[-1]}"
        metric = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}
    cloud.client("autoscaling").put_scaling_policy(
        AutoScalingGroupName=group,
        PolicyName=tracking,
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={"PredefinedMetricSpecification": metric, "TargetValue": target},
    )


def _guard(cloud: Any, name: str, balancer: str, percent: float, tags: list[dict[str, str]]) -> str:
    """Its owner's alarm: the load balancer's share of answers that are errors, its own and its targets'.

    A Network Load Balancer gives no answers, but resets connections.
    """
    value = balancer.split(":loadbalancer/")[1]
    dimension = [{"Name": "LoadBalancer", "Value": value}]
    space, counted, failed = (
        ("AWS/NetworkELB", "NewFlowCount", "TCP_ELB_Reset_Count")
        if value.startswith("net/")
        else ("AWS/ApplicationELB", "RequestCount", "HTTPCode_ELB_5XX_Count")
    )

    def metric(key: str, metric_name: str) -> dict[str, Any]:
        stat = {
            "Metric": {"Namespace": space, "MetricName": metric_name, "Dimensions": dimension},
            "Period": 60,
            "Stat": "Sum",
        }
        return {"Id": key, "MetricStat": stat, "ReturnData": False}

    alarm = f"{name}-errors"
    rate = "100 * (FILL(own, 0) + FILL(targets, 0)) / (FILL(requests, 0) + FILL(own, 0))"
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=alarm,
        AlarmDescription=f"{name}: percent of answers that are errors",
        Metrics=[
            metric("requests", counted),
            metric("own", failed),
            metric("targets", "HTTPCode_Target_5XX_Count"),
            {"Id": "rate", "Expression": rate, "Label": "errors", "ReturnData": True},
        ],
        ComparisonOperator="GreaterThanThreshold",
        Threshold=percent,
        EvaluationPeriods=1,
        DatapointsToAlarm=1,
        TreatMissingData="notBreaching",
        Tags=tags,
    )
    return alarm
