"""The call log says who called what, in which execution, with which effect; figures are counted from it."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import seed
from local.cloud import Cloud
from local.control.calls import route_of

LEDGER = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "TableName": "ledger",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    },
}


def route(cloud: Cloud) -> tuple[str, str, list[str]]:
    """A load balancer with a rule and two groups; nobody behind them."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")
        for n, zone in enumerate("ab")
    ]
    ids = [subnet["Subnet"]["SubnetId"] for subnet in subnets]
    balancer = elb.create_load_balancer(Name="shop", Subnets=ids)["LoadBalancers"][0]["LoadBalancerArn"]
    groups = [
        elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0][
            "TargetGroupArn"
        ]
        for name in ("blue", "green")
    ]
    listener = elb.create_listener(
        LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": groups[0]}]
    )["Listeners"][0]["ListenerArn"]  # fmt: skip
    rule = elb.create_rule(
        ListenerArn=listener, Priority=100, Actions=[forward(groups, 100, 0)],
        Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
    )["Rules"][0]["RuleArn"]  # fmt: skip
    return listener, rule, groups


def forward(groups: list[str], *weights: int) -> dict[str, Any]:
    pairs = zip(groups, weights, strict=True)
    tuples = [{"TargetGroupArn": group, "Weight": weight} for group, weight in pairs]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": tuples}}


def written(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "out" / "calls.jsonl").read_text().splitlines()]


def test_a_persons_call_is_logged_as_it_happens(cloud: Cloud, tmp_path: Path) -> None:
    cloud.client("ssm").put_parameter(Name="/shop", Value="x" * 1000, Type="String")
    cloud.client("ec2").describe_instances(InstanceIds=[])
    put, read = written(tmp_path)
    assert (put["n"], put["principal"], put["service"], put["call"]) == (1, "person", "ssm", "PutParameter")
    assert (put["mutating"], put["error"], put["execution"], put["epoch"]) == (True, None, None, None)
    assert put["at"] == cloud.clock.now()
    assert put["request"]["Name"] == "/shop"
    assert len(put["request"]["Value"]) < 400
    assert (read["call"], read["mutating"]) == ("DescribeInstances", False)
    assert cloud.calls.entries == [put, read]


def test_an_error_is_logged_by_its_code(cloud: Cloud) -> None:
    wrong: list[tuple[str, str, dict[str, Any], str]] = [
        ("ssm", "get_parameter", {"Name": "/none"}, "ParameterNotFound"),
        ("elbv2", "describe_target_groups", {"Names": ["none"]}, "TargetGroupNotFound"),
        ("ec2", "describe_images", {"ImageIds": ["ami-0123456789abcdef0"]}, "InvalidAMIID.NotFound"),
    ]
    for service, call, asked, code in wrong:
        with pytest.raises(ClientError):
            getattr(cloud.client(service), call)(**asked)
        assert cloud.calls.entries[-1]["error"] == code


def test_a_functions_call_has_its_name_and_execution(cloud: Cloud, workshop: Any, task: Any) -> None:
    workshop.handler("Look", "import boto3; boto3.client('ec2').describe_instances()")
    workshop.machine({"StartAt": "Look", "States": {"Look": task("Look", {})}})
    ended = cloud.run(workshop.deploy(cloud).resources["Machine"], {})
    (look,) = cloud.calls.by("LookFunction")
    assert (look["call"], look["execution"]) == ("DescribeInstances", ended.arn)
    (invoked,) = cloud.calls.by("states")
    assert (invoked["call"], invoked["execution"], invoked["mutating"]) == ("Invoke", ended.arn, False)
    assert cloud.calls.of(ended.arn) == [look, invoked]


def test_an_integration_of_the_machines_own_is_step_functions(cloud: Cloud, workshop: Any) -> None:
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ec2:describeInstances",
        "Arguments": {},
        "Output": {},
        "End": True,
    }
    workshop.machine({"StartAt": "Call", "States": {"Call": call}})
    cloud.run(workshop.deploy(cloud).resources["Machine"], {})
    assert [entry["call"] for entry in cloud.calls.by("states")] == ["DescribeInstances"]


def test_writes_of_routes_show_the_weights_before_and_after(cloud: Cloud) -> None:
    listener, rule, (blue, green) = route(cloud)
    elb = cloud.client("elbv2")
    elb.modify_rule(RuleArn=rule, Actions=[forward([blue, green], 90, 10)])
    shifted = cloud.calls.entries[-1]
    assert (shifted["before"], shifted["after"]) == ({blue: 100, green: 0}, {blue: 90, green: 10})
    assert shifted["request"]["RuleArn"] == rule
    elb.modify_listener(ListenerArn=listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": green}])
    assert (cloud.calls.entries[-1]["before"], cloud.calls.entries[-1]["after"]) == ({blue: 1}, {green: 1})


def test_writes_of_a_name_show_the_weights_of_what_its_load_balancers_forward_to(cloud: Cloud) -> None:
    shop = seed.named(cloud, seed.service(cloud))
    made = cloud.calls.entries[-2]
    assert (made["call"], made["before"], made["after"]) == (
        "ChangeResourceRecordSets",
        {},
        {shop.target_group_arn: 100},
    )
    zone = shop.route_arn.split("/")[1]
    other = {"Name": "x.example.com", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"x"'}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": other}]}
    cloud.clock.sleep(1)
    cloud.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    assert (cloud.calls.entries[-1]["before"], cloud.calls.entries[-1]["after"]) == ({}, {})


def test_writes_of_a_name_show_which_target_groups_its_records_lead_to(cloud: Cloud) -> None:
    shop = seed.service(cloud, route="name")
    first = next(call for call in cloud.calls.entries if call["call"] == "ChangeResourceRecordSets")
    assert (first["before"], first["after"]) == ({}, {shop.target_group_arn: 100})
    assert route_of(first["request"]) == shop.route_arn
    cloud.clock.sleep(1)
    _, zone, name = shop.route_arn.split("/")
    route53 = cloud.client("route53")
    listed = route53.list_resource_record_sets(HostedZoneId=zone, StartRecordName=name, StartRecordType="A")
    record = listed["ResourceRecordSets"][0]
    half = {"Action": "UPSERT", "ResourceRecordSet": {**record, "Weight": 50}}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [half]})
    assert cloud.calls.entries[-1]["after"] == {shop.target_group_arn: 50}


def test_writes_of_groups_show_the_sizes_before_and_after(cloud: Cloud) -> None:
    _, _, _ = route(cloud)
    ec2, scaling = cloud.client("ec2"), cloud.client("autoscaling")
    subnet = ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": ["10.0.0.0/24"]}])["Subnets"][0][
        "SubnetId"
    ]
    image = ec2.register_image(Name="shop")["ImageId"]
    ec2.create_launch_template(
        LaunchTemplateName="shop", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro"}
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="shop-1", MinSize=0, MaxSize=3, DesiredCapacity=0, VPCZoneIdentifier=subnet,
        LaunchTemplate={"LaunchTemplateName": "shop", "Version": "1"},
    )  # fmt: skip
    created = cloud.calls.entries[-1]
    assert (created["before"], created["after"]) == (None, {"min": 0, "max": 3, "desired": 0})
    scaling.update_auto_scaling_group(AutoScalingGroupName="shop-1", MaxSize=9)
    updated = cloud.calls.entries[-1]
    assert (updated["before"]["max"], updated["after"]) == (3, {"min": 0, "max": 9, "desired": 0})


def test_a_functions_call_carries_the_epoch_of_its_route(cloud: Cloud, workshop: Any) -> None:
    _, rule, groups = route(cloud)
    workshop.resources["Ledger"] = LEDGER
    workshop.handler(
        "Shift",
        "import boto3; boto3.client('elbv2').modify_rule(RuleArn=event['rule'], Actions=[event['action']])",
        Environment={"Variables": {"RELEASES_TABLE": "ledger"}},
    )
    function = workshop.deploy(cloud).resources["ShiftFunction"]
    for arn, epoch in ((rule, "7"), ("another", "3")):
        item = {"pk": {"S": f"route#{arn}"}, "sk": {"S": "lock"}, "epoch": {"N": epoch}}
        cloud.client("dynamodb").put_item(TableName="ledger", Item=item)
    event = {"rule": rule, "action": forward(groups, 50, 50)}
    cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    (shifted,) = cloud.calls.by("ShiftFunction")
    assert (shifted["epoch"], shifted["after"]) == (7, {groups[0]: 50, groups[1]: 50})


def test_the_clouds_own_reading_is_not_in_the_log(cloud: Cloud) -> None:
    cloud.until(lambda: False, 600)
    assert cloud.calls.entries == []
