"""No function may do more than its state needs: by action, by resource, and by tag."""

import ast
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import Session
from policy_sentry.querying.actions import get_action_data

from tests import policies, stack
from tests.policies import allowed_actions, listed, may

FUNCTIONS = sorted(stack.resources("Serverless::Function"))
POLICIES = sorted(stack.resources("IAM::ManagedPolicy"))
READ_ONLY = {"PlanReleaseFunction", "CheckImageFunction", "CheckGreenFunction"}
CHANGES_NO_FLEET = {
    *READ_ONLY,
    "AcquireLockFunction",
    "RunSmokeTestsFunction",
    "JudgeGreenFunction",
}
MUTATING = {"Write", "Tagging", "Permissions management"}
OWN = {"dynamodb", "kms", "states"}  # the ledger and its key, our own machines
# botocore's name, IAM's name
SERVICES = {"elbv2": "elasticloadbalancing", "service-quotas": "servicequotas", "stepfunctions": "states"}
# What AWS asks for beyond the call itself.
COMES_WITH = {
    "autoscaling:CreateAutoScalingGroup": {
        "autoscaling:CreateOrUpdateTags", "ec2:CreateTags", "ec2:RunInstances", "iam:PassRole",
    },
    "cloudwatch:PutMetricAlarm": {"cloudwatch:TagResource"},
    "dynamodb:TransactWriteItems": {"dynamodb:ConditionCheckItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
    "ec2:CreateImage": {"ec2:CreateTags"},
    "ec2:DeregisterImage": {"ec2:DeleteSnapshot"},
    "imagebuilder:StartImagePipelineExecution": {"imagebuilder:GetImagePipeline", "imagebuilder:TagResource"},
    "elasticloadbalancing:CreateRule": {"elasticloadbalancing:AddTags"},
    "wafv2:AssociateWebACL": {"elasticloadbalancing:CreateWebACLAssociation", "elasticloadbalancing:SetWebAcl"},
    "wafv2:GetWebACLForResource": {"elasticloadbalancing:GetLoadBalancerWebACL", "wafv2:GetWebACL"},
    "elasticloadbalancing:CreateTargetGroup": {"elasticloadbalancing:AddTags"},
}  # fmt: skip
WITH_A_KEY = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*"}  # what protects table, logs and topic
NAMED_OTHERWISE = {"lambda:Invoke": "lambda:InvokeFunction"}
SET_ACL = "elasticloadbalancing:SetWebAcl"
NO_ACTION_OF_ITS_OWN = {"dynamodb:TransactWriteItems"}

ELB = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
ASG = "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:autoScalingGroupName"
EC2 = "arn:aws:ec2:us-east-1:123456789012"
RULE, LISTENER, TARGETS = (
    f"{ELB}:listener-rule/app/a/1/2/3",
    f"{ELB}:listener/app/a/1/2",
    f"{ELB}:targetgroup/t/1",
)
IMAGE, INSTANCE = "arn:aws:ec2:us-east-1::image/ami-1", f"{EC2}:instance/i-1"
SSM = "arn:aws:ssm:us-east-1:123456789012"
ALARMS = "arn:aws:cloudwatch:us-east-1:123456789012:alarm"
ROLE = "arn:aws:iam::123456789012:role"
TEMPLATE = f"{EC2}:launch-template/lt-1"
LENT = {"aws:ResourceTag/viridian:managed": "true"}
OURS = {**LENT, "aws:ResourceTag/viridian:release": "2.0.0-1"}
TAGGED = {"aws:RequestTag/viridian:managed": "true", "aws:RequestTag/viridian:release": "2.0.0-1"}
ADOPTED = {**TAGGED, "ec2:Owner": "123456789012"}
PROJECT = "arn:aws:codebuild:us-east-1:123456789012:project/shop-packer"
BUILDER = "arn:aws:imagebuilder:us-east-1:123456789012"
PIPELINE, BUILT = f"{BUILDER}:image-pipeline/shop", f"{BUILDER}:image/shop/1.0.0/1"
BUS = "arn:aws:events:us-east-1:123456789012:event-bus/default"
ZONE = "arn:aws:route53:::hostedzone/Z1"
NAMES = "route53:ChangeResourceRecordSets"
WEIGHED = {
    f"{NAMES}NormalizedRecordNames": "shop.example.com",
    f"{NAMES}RecordTypes": "A",
    f"{NAMES}Actions": "CREATE,DELETE",
}
NETWORK, FLOWS = f"{ELB}:loadbalancer/net/shop/1", f"{ELB}:listener/net/shop/1/2"
BALANCER, OWN_LISTENER = f"{ELB}:loadbalancer/app/v-shop/1", f"{ELB}:listener/app/v-shop/1/2"
NUMBERED = {"autoscaling:LaunchTemplateVersionSpecified": "true"}


@cache
def table(action: str) -> list[dict[str, Any]]:
    """AWS's authorisation table for one action: a row for each kind of resource."""
    service, name = action.split(":")
    found = get_action_data(service, name.replace("*", ""))
    assert isinstance(found, dict), f"AWS knows no action {action}"
    return list(found[service])


def mutates(action: str) -> bool:
    return bool({row["access_level"] for row in table(action)} & MUTATING)


def takes_resources(action: str) -> bool:
    return any(row["resource_arn_format"] != "*" for row in table(action))


def allows() -> Iterator[tuple[str, dict[str, Any], str]]:
    for policy in POLICIES:
        for statement in policies.statements(policy):
            if statement["Effect"] == "Allow":
                for action in listed(statement["Action"]):
                    yield policy, statement, action


ALLOWS = list(allows())
NAMED = [f"{policy}-{statement['Sid']}-{action}" for policy, statement, action in ALLOWS]


@pytest.mark.parametrize(("policy", "statement", "action"), ALLOWS, ids=NAMED)
def test_everything_is_granted_where_aws_lets_it_be(
    policy: str, statement: dict[str, Any], action: str
) -> None:
    if "*" in listed(statement.get("Resource", "*")) and "Condition" not in statement:
        # Composite alarms are shown only to those who may see all.
        assert not takes_resources(action) or action == "cloudwatch:DescribeAlarms"
        # What puts a web ACL before a load balancer can't be narrowed; the association that asks for it is.
        narrow = policy not in ("MachineObservabilityPolicy", "ApprovalPolicy")
        assert not (mutates(action) and narrow) or action == SET_ACL


@pytest.mark.parametrize(("policy", "statement", "action"), ALLOWS, ids=NAMED)
def test_fleets_and_routes_are_changed_by_tag_or_by_our_name(
    policy: str, statement: dict[str, Any], action: str
) -> None:
    if (
        mutates(action)
        and action != SET_ACL
        and action.split(":")[0]
        in {
            "autoscaling",
            "cloudwatch",
            "ec2",
            "elasticloadbalancing",
        }
    ):
        limits = json.dumps(statement.get("Condition", {})) + str(statement.get("Resource", ""))
        assert re.search(r"viridian:managed|CreateAction|ec2:LaunchTemplate|/viridian-|:viridian-", limits)


@pytest.mark.parametrize(("policy", "statement", "action"), ALLOWS, ids=NAMED)
def test_every_condition_is_one_that_aws_checks_for_the_action(
    policy: str, statement: dict[str, Any], action: str
) -> None:
    known = [key.replace("${TagKey}", "*") for row in table(action) for key in row["condition_keys"]]
    for keys in statement.get("Condition", {}).values():
        for key in keys:
            assert any(fnmatchcase(key, pattern) for pattern in known), f"{key} never matches {action}"


@pytest.mark.parametrize("policy", POLICIES)
def test_every_action_finds_a_resource_of_its_kind_and_every_resource_an_action(policy: str) -> None:
    for statement in policies.statements(policy):
        resources = set(listed(statement.get("Resource", "*"))) - {"*"}
        fits = {
            (action, arn)
            for action in listed(statement["Action"])
            for arn in resources
            if _takes(action, arn)
        }
        if resources:
            assert {action for action, _ in fits} == set(listed(statement["Action"]))
            assert {resource for _, resource in fits} == resources


def _takes(action: str, resource: str) -> bool:
    kinds = {re.sub(r"\$\{\w+\}", "*", row["resource_arn_format"]) for row in table(action)} - {"*"}
    return any(fnmatchcase(resource, kind) for kind in kinds)


@pytest.mark.parametrize("function", sorted(CHANGES_NO_FLEET))
def test_a_function_that_only_looks_can_only_look(function: str) -> None:
    changes = {action for action in allowed_actions(function) if mutates(action)} - {"kms:Decrypt"}
    if function in READ_ONLY | {"RunSmokeTestsFunction"}:
        assert not changes
    assert {action.split(":")[0] for action in changes} <= OWN


def test_smoke_tests_may_call_nothing_of_aws() -> None:
    assert policies.attached("RunSmokeTestsFunction") == []


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - CHANGES_NO_FLEET))
def test_whoever_may_act_by_tag_may_not_tag(function: str) -> None:
    assert "DenyPolicy" in policies.attached(function)
    denied = [each for each in policies.of_function(function) if each["Effect"] == "Deny"]
    assert {action for each in denied for action in listed(each["Action"])} >= {
        "autoscaling:CreateOrUpdateTags", "autoscaling:DeleteTags", "cloudwatch:TagResource",
        "cloudwatch:UntagResource", "ec2:CreateTags", "ec2:DeleteTags", "elasticloadbalancing:AddTags",
        "elasticloadbalancing:RemoveTags", "tag:TagResources", "tag:UntagResources",
    }  # fmt: skip


MAY = [
    ("ShiftTraffic", "elasticloadbalancing:ModifyRule", RULE, LENT, {}),
    ("ShiftTraffic", "elasticloadbalancing:ModifyListener", LISTENER, LENT, {}),
    ("ShiftTraffic", "elasticloadbalancing:ModifyTargetGroupAttributes", TARGETS, OURS, LENT),
    ("RestoreBlue", "elasticloadbalancing:ModifyRule", RULE, LENT, {"aws:ResourceTag/viridian:managed": "false"}),
    ("RestoreBlue", "autoscaling:UpdateAutoScalingGroup", f"{ASG}/shop", LENT, {}),
    ("HoldFloors", "autoscaling:UpdateAutoScalingGroup", f"{ASG}/shop", LENT, {}),
    ("Promote", "elasticloadbalancing:ModifyRule", RULE, OURS, {}),
    ("CreateGreen", "autoscaling:CreateAutoScalingGroup", f"{ASG}/viridian-shop-2", {**TAGGED, **NUMBERED}, TAGGED),
    ("CreateGreen", "autoscaling:PutScalingPolicy", f"{ASG}/viridian-shop-2", OURS, LENT),
    ("CreateGreen", "autoscaling:SuspendProcesses", f"{ASG}/viridian-shop-2", OURS, LENT),
    ("CreateGreen", "autoscaling:PutNotificationConfiguration", f"{ASG}/viridian-shop-2", OURS, LENT),
    ("Promote", "autoscaling:PutScheduledUpdateGroupAction", f"{ASG}/viridian-shop-2", OURS, LENT),
    ("Converge", "autoscaling:PutWarmPool", f"{ASG}/viridian-shop-2", OURS, LENT),
    ("Converge", "autoscaling:DeleteWarmPool", f"{ASG}/viridian-shop-2", OURS, LENT),
    ("RetireBlue", "autoscaling:SetInstanceProtection", f"{ASG}/shop", LENT, {}),
    ("RetireBlue", "autoscaling:SuspendProcesses", f"{ASG}/shop", LENT, {}),
    ("RestoreBlue", "autoscaling:ResumeProcesses", f"{ASG}/shop", LENT, {}),
    ("CreateGreen", "elasticloadbalancing:CreateTargetGroup", TARGETS, TAGGED, {}),
    ("CreateGreen", "elasticloadbalancing:CreateRule", LISTENER, {**LENT, **TAGGED}, TAGGED),
    ("CreateGreen", "elasticloadbalancing:AddTags", RULE, {"elasticloadbalancing:CreateAction": "CreateRule"}, LENT),
    ("CreateGreen", "ec2:CreateTags", INSTANCE, {"ec2:CreateAction": "RunInstances"}, LENT),
    ("CreateGreen", "ec2:CreateLaunchTemplateVersion", TEMPLATE, LENT, {}),
    ("CreateGreen", "ec2:RunInstances", TEMPLATE, LENT, {}),
    ("CreateGreen", "ec2:RunInstances", INSTANCE, {"ec2:LaunchTemplate": TEMPLATE}, {}),
    ("CreateGreen", "iam:PassRole", f"{ROLE}/shop", {"iam:PassedToService": "ec2.amazonaws.com"},
     {"iam:PassedToService": "lambda.amazonaws.com"}),
    ("CreateGreen", "cloudwatch:PutMetricAlarm", f"{ALARMS}:viridian-shop-2-errors", TAGGED, {}),
    ("ShiftTraffic", NAMES, ZONE, WEIGHED, {**WEIGHED, f"{NAMES}NormalizedRecordNames": "shop.example.com,x.example.com"}),
    ("RestoreBlue", NAMES, ZONE, WEIGHED, {**WEIGHED, f"{NAMES}RecordTypes": "NS"}),
    ("Brake", NAMES, ZONE, WEIGHED, {}),
    ("CreateGreen", "elasticloadbalancing:CreateLoadBalancer", BALANCER, TAGGED, {}),
    ("CreateGreen", "elasticloadbalancing:CreateListener", BALANCER, {**OURS, **TAGGED}, {**LENT, **TAGGED}),
    ("CreateGreen", "elasticloadbalancing:AddListenerCertificates", OWN_LISTENER, OURS, LENT),
    ("Converge", "elasticloadbalancing:DeleteLoadBalancer", BALANCER, OURS, LENT),
    ("ShiftTraffic", "elasticloadbalancing:ModifyListener", FLOWS, LENT, {}),
    ("CreateGreen", "elasticloadbalancing:CreateListener", NETWORK, {**LENT, **TAGGED}, TAGGED),
    ("CreateGreen", "elasticloadbalancing:AddTags", FLOWS, {"elasticloadbalancing:CreateAction": "CreateListener"}, LENT),
    ("Promote", "elasticloadbalancing:ModifyListener", FLOWS, OURS, {}),
    ("Converge", "elasticloadbalancing:DeleteListener", FLOWS, OURS, LENT),
    ("RetireBlue", "elasticloadbalancing:DeleteListener", FLOWS, OURS, LENT),
    ("Collect", "elasticloadbalancing:DeleteListener", FLOWS, OURS, LENT),
    ("PlanRelease", "ssm:GetParameter", f"{SSM}:parameter/golden", LENT, {}),
    ("BakeImage", "ec2:CreateImage", INSTANCE, LENT, {}),
    ("BakeImage", "ssm:SendCommand", INSTANCE, LENT, {}),
    ("BakeImage", "ec2:CreateImage", IMAGE, TAGGED, {}),
    ("BakeImage", "ec2:CreateTags", IMAGE, ADOPTED, {**ADOPTED, "ec2:Owner": "999999999999"}),
    ("BakeImage", "ec2:CreateTags", IMAGE, ADOPTED, {**ADOPTED, "aws:ResourceTag/viridian:release": "1.0.0-1"}),
    ("BakeImage", "imagebuilder:StartImagePipelineExecution", PIPELINE, {**LENT, **TAGGED}, TAGGED),
    ("BakeImage", "imagebuilder:TagResource", BUILT, TAGGED, OURS),
    ("CheckImage", "imagebuilder:GetImage", BUILT, LENT, {}),
    ("CheckImage", "codebuild:BatchGetBuilds", PROJECT, LENT, {}),
    ("BakeImage", "codebuild:StartBuild", PROJECT, LENT, {}),
    ("Converge", "codebuild:StopBuild", PROJECT, LENT, {}),
    ("Converge", "imagebuilder:CancelImageCreation", BUILT, OURS, LENT),
    ("Converge", "imagebuilder:DeleteImage", BUILT, OURS, LENT),
    ("Converge", "ec2:CreateTags", IMAGE, ADOPTED, LENT),
    ("Converge", "ec2:DeregisterImage", IMAGE, OURS, LENT),
    ("BakeImage", "ec2:ModifyImageAttribute", IMAGE, OURS, LENT),
    ("Promote", "ec2:EnableImageDeregistrationProtection", IMAGE, OURS, LENT),
    ("Converge", "ec2:DisableImageDeregistrationProtection", IMAGE, OURS, LENT),
    ("RetireBlue", "ec2:DisableImageDeregistrationProtection", IMAGE, OURS, {}),
    ("Converge", "autoscaling:DeleteAutoScalingGroup", f"{ASG}/viridian-shop-2", OURS, LENT),
    ("Converge", "elasticloadbalancing:DeleteRule", RULE, OURS, LENT),
    ("Converge", "elasticloadbalancing:DeleteTargetGroup", TARGETS, OURS, LENT),
    ("Collect", "autoscaling:UpdateAutoScalingGroup", f"{ASG}/viridian-shop-2", OURS, LENT),
    ("Collect", "autoscaling:DeleteAutoScalingGroup", f"{ASG}/viridian-shop-2", OURS, LENT),
    ("Collect", "elasticloadbalancing:DeleteRule", RULE, OURS, LENT),
    ("Collect", "elasticloadbalancing:DeleteTargetGroup", TARGETS, OURS, LENT),
    ("Collect", "ec2:DeleteLaunchTemplateVersions", TEMPLATE, LENT, {}),
    ("Collect", "ec2:DeregisterImage", IMAGE, OURS, LENT),
    ("Tell", "events:PutEvents", BUS, {"events:source": "viridian.release"}, {"events:source": "aws.ec2"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "action", "resource", "enough", "too_little"),
    MAY,
    ids=[f"{s}-{a}-{r[-14:]}" for s, a, r, *_ in MAY],
)
def test_a_tag_makes_the_difference(
    state: str, action: str, resource: str, enough: dict[str, str], too_little: dict[str, str]
) -> None:
    assert may(f"{state}Function", action, resource, enough)
    assert not may(f"{state}Function", action, resource, too_little)


@pytest.mark.parametrize(
    ("state", "action", "resource", "context"),
    [
        ("Converge", "autoscaling:DeleteAutoScalingGroup", f"{ASG}/shop-1", OURS),
        ("Converge", "cloudwatch:DeleteAlarms", f"{ALARMS}:shop-errors", OURS),
        ("CreateGreen", "cloudwatch:PutMetricAlarm", f"{ALARMS}:shop-errors", TAGGED),
        ("CreateGreen", "autoscaling:CreateOrUpdateTags", f"{ASG}/shop-1", TAGGED),
        ("CreateGreen", "autoscaling:SuspendProcesses", f"{ASG}/shop-1", OURS),
        ("CreateGreen", "autoscaling:PutScheduledUpdateGroupAction", f"{ASG}/viridian-shop-2", OURS),
        ("RetireBlue", "autoscaling:DeleteWarmPool", f"{ASG}/shop-1", OURS),
        ("Converge", "autoscaling:SuspendProcesses", f"{ASG}/shop-1", LENT),
        ("CreateGreen", "iam:PassRole", f"{ROLE}/admin", {"iam:PassedToService": "ec2.amazonaws.com"}),
        ("CreateGreen", "ec2:RunInstances", TEMPLATE, {"ec2:LaunchTemplate": TEMPLATE}),
        ("CreateGreen", "elasticloadbalancing:ModifyRule", RULE, LENT),
        ("CreateGreen", NAMES, ZONE, WEIGHED),
        ("Converge", "elasticloadbalancing:DeleteLoadBalancer", f"{ELB}:loadbalancer/app/shop/1", OURS),
        ("BakeImage", "ec2:CreateTags", INSTANCE, ADOPTED),
        ("BakeImage", "ssm:SendCommand", "arn:aws:ssm:us-east-1::document/AWS-RunShellScript", LENT),
        ("RestoreBlue", "autoscaling:DeleteAutoScalingGroup", f"{ASG}/viridian-shop-2", OURS),
        ("JudgeGreen", "elasticloadbalancing:ModifyRule", RULE, OURS),
        ("Promote", "ec2:DisableImageDeregistrationProtection", IMAGE, OURS),
        ("Converge", "ec2:ModifyImageAttribute", IMAGE, OURS),
        ("Collect", "elasticloadbalancing:ModifyRule", RULE, OURS),
        ("Collect", "autoscaling:UpdateAutoScalingGroup", f"{ASG}/shop", OURS),
        ("Collect", "cloudwatch:DeleteAlarms", f"{ALARMS}:shop-errors", OURS),
        ("Collect", "ec2:CreateTags", IMAGE, ADOPTED),
        ("StartRelease", "ec2:CreateTags", IMAGE, ADOPTED),
    ],
)
def test_what_is_not_a_steps_business_is_refused(
    state: str, action: str, resource: str, context: dict[str, str]
) -> None:
    assert not may(f"{state}Function", action, resource, context)


def test_what_starts_releases_starts_nothing_else_and_writes_nothing() -> None:
    started = [
        name
        for name in stack.resources("Serverless::StateMachine")
        if may("StartReleaseFunction", "states:StartExecution", str(stack.resolve({"Ref": name})))
    ]
    assert started == ["ReleaseStateMachine"]
    changes = {action for action in allowed_actions("StartReleaseFunction") if mutates(action)}
    assert changes - WITH_A_KEY == {"sns:Publish", "states:StartExecution"}


def test_one_function_wakes_what_waits_and_does_nothing_else_to_aws() -> None:
    """Whoever may send a token's success can answer for every state machine of the account."""
    assert [name for name in FUNCTIONS if "states:SendTaskSuccess" in allowed_actions(name)] == [
        "AnswerApprovalFunction"
    ]
    changes = {action for action in allowed_actions("AnswerApprovalFunction") if mutates(action)}
    assert {action for action in changes if not action.startswith(("dynamodb:", "kms:"))} == {
        "states:SendTaskSuccess"
    }


def test_whoever_tells_people_where_green_is_may_look_for_its_load_balancer() -> None:
    for function in ("AwaitApprovalFunction", "CheckGreenFunction", "PassGateFunction"):
        assert may(function, "elasticloadbalancing:DescribeLoadBalancers", "*")


def test_a_hook_is_asked_only_if_it_was_lent() -> None:
    hook = "arn:aws:lambda:us-east-1:123456789012:function:shop-checks"
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:shop-checks"
    for action, arn in (("lambda:InvokeFunction", hook), ("states:StartExecution", machine)):
        assert may("PassGateFunction", action, arn, LENT)
        assert not may("PassGateFunction", action, arn)


def test_what_tells_changes_nothing() -> None:
    changes = {action for action in allowed_actions("TellFunction") if mutates(action)}
    assert changes - WITH_A_KEY == {"events:PutEvents", "sns:Publish"}
    assert not may("TellFunction", "sns:Publish", str(stack.resolve({"Ref": "ViridianPagesTopic"})))


def test_every_action_granted_is_called_and_every_call_is_granted() -> None:
    called = set(calls())
    needed = called | {more for call in called for more in COMES_WITH.get(call, ())}
    granted = {action for function in FUNCTIONS for action in allowed_actions(function)}
    assert granted - WITH_A_KEY == needed - NO_ACTION_OF_ITS_OWN


def calls() -> Iterator[str]:
    """The IAM action of each boto3 method named in an adapter, for the services whose clients the adapter makes."""
    session = Session()
    for path in (stack.ROOT / "functions" / "viridian" / "aws").glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        names = {n.attr for n in nodes if isinstance(n, ast.Attribute)}
        names |= {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        for service in {name for node in nodes for name in _client(node)}:
            for operation in session.get_service_model(service).operation_names:
                if xform_name(operation) in names:
                    called = f"{SERVICES.get(service, service)}:{operation}"
                    yield NAMED_OTHERWISE.get(called, called)


def _client(node: ast.AST) -> Iterator[str]:
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("brief", "reader", "writer")
    ):
        yield from (
            arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
        )


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_fits_into_what_iam_stores(policy: str) -> None:
    document = {"Version": "2012-10-17", "Statement": policies.statements(policy)}
    # Names in a real account are longer than the stand-ins of the tests.
    assert len(json.dumps(document, separators=(",", ":"))) < 6144 * 0.8


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_holds_all_the_policies_of_its_function(function: str) -> None:
    from_sam = 2  # for logs and traces
    assert len(policies.attached(function)) + from_sam <= 10


@pytest.mark.parametrize("policy", POLICIES)
def test_no_policy_is_left_over(policy: str) -> None:
    by_functions = {name for function in FUNCTIONS for name in policies.attached(function)}
    by_roles = {
        reference["Ref"]
        for role in stack.resources("IAM::Role").values()
        for reference in role["ManagedPolicyArns"]
    }
    assert policy in by_functions | by_roles
