"""Everything that writes: nothing the second time, nothing without the fence, once a call, and a journal of it all."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.autoscaling.models import autoscaling_backends
from msgspec.structs import replace

from local import seed
from tests.account import ACCOUNT, REGION, RELEASE, Account
from tests.adapters.name import NAME, Name
from tests.adapters.network import PREVIEW, Network
from tests.stack import ROOT
from viridian import clone, names
from viridian.acts import green
from viridian.aws import (
    alarms,
    auto_scaling,
    balancers,
    builds,
    clients,
    commands,
    images,
    ledger,
    load_balancer,
    pipelines,
    previews,
    route53,
    router,
    target_groups,
)
from viridian.errors import Busy, Fenced, NotPermitted
from viridian.fence import Fence
from viridian.fleet import Side
from viridian.plan import Plan
from viridian.request import ImageBuilderSource, PackerSource, S3Artifact
from viridian.traffic import Forward

OURS = names.tags("shop", RELEASE)
Write = Callable[[Account, Fence], object]


def target_group(account: Account) -> str:
    return account.target_group("green")


def blue_side(account: Account) -> Side:
    return auto_scaling.side(account.group("blue"), account.target_group("blue"))


def wanted_alarms(account: Account) -> Any:
    return green.wanted_alarms(account.record(), target_group(account))


def make_group(account: Account, fence: Fence) -> None:
    record = account.record()
    auto_scaling.make_green(record.plan.green_group, "shop-1", "1", target_group(account), 3, OURS, fence)


def set_forward(account: Account, fence: Fence) -> object:
    route = load_balancer.find_route(account.shop.route_arn)
    wanted = Forward(weights={account.target_group("blue"): 75, target_group(account): 25})
    return load_balancer.set_forward(route, wanted, fence)


def route(account: Account, fence: Fence) -> object:
    wanted = Forward(weights={account.target_group("blue"): 75, target_group(account): 25})
    return router.set_forward(router.find(account.shop.route_arn), wanted, fence)


def weigh(account: Account, fence: Fence) -> object:
    """The one name that there is gets its weights."""
    account.later(seconds=2)
    (zone,) = account.client("route53").list_hosted_zones()["HostedZones"]
    name = f"arn:aws:route53:::{zone['Id'].removeprefix('/')}/{NAME}"
    groups = account.client("elbv2").describe_target_groups(Names=["shop-1", "green"])["TargetGroups"]
    weights = {
        group["TargetGroupArn"]: 90 if group["TargetGroupName"] == "shop-1" else 10 for group in groups
    }
    return route53.set_forward(route53.find(name), Forward(weights=weights), fence)


def beside(account: Account) -> str:
    """A target group that a load balancer can be made for."""
    made = account.client("elbv2").create_target_group(
        Name="beside", Protocol="HTTP", Port=80, VpcId=account.shop.vpc_id
    )
    return str(made["TargetGroups"][0]["TargetGroupArn"])


def twin(account: Account, fence: Fence) -> object:
    groups = account.client("elbv2").describe_target_groups(Names=["beside"])["TargetGroups"]
    like = balancers.shape(account.shop.load_balancer_arn)
    return balancers.make("v-shop", like, groups[0]["TargetGroupArn"], OURS, fence)


def stand(account: Account) -> None:
    account.client("elbv2").create_load_balancer(Name="v-shop", Subnets=account.shop.subnet_ids)


def fell(account: Account, fence: Fence) -> None:
    if arn := balancers.find_by_name("v-shop"):
        balancers.delete(arn, fence)


def set_standby(account: Account, fence: Fence) -> object:
    plan = account.record().plan
    wanted = Forward(weights={account.target_group("blue"): 100, target_group(account): 0})
    return load_balancer.set_standby(plan.listener, plan.standby, wanted, OURS, fence)


def flows(account: Account) -> str:
    """The listener of the one Network Load Balancer."""
    elb = account.client("elbv2")
    (balancer,) = elb.describe_load_balancers(Names=["flows"])["LoadBalancers"]
    found = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    return next(str(each["ListenerArn"]) for each in found if each["Port"] == 80)


def preview(by: Any) -> Write:
    def write(account: Account, fence: Fence) -> object:
        groups = account.client("elbv2").describe_target_groups(Names=["flows-1", "flows-2"])["TargetGroups"]
        wanted = Forward(weights={group["TargetGroupArn"]: 50 for group in groups})
        return by.set_standby(flows(account), PREVIEW, wanted, OURS, fence)

    return write


def previewed(account: Account) -> None:
    network = Network(account)
    network.listens(8080, Tags=load_balancer.tag_list(OURS))


def delete_snapshots(_: Account, fence: Fence) -> None:
    for snapshot in images.find_snapshots(OURS):
        images.delete_snapshot(snapshot, fence)


def make_target_group(account: Account, fence: Fence) -> object:
    like = target_groups.find(account.shop.target_group_arn)
    return target_groups.make("another", like, OURS, fence)


def of_pipeline(account: Account) -> Plan:
    """The sample's plan, its image made by a pipeline."""
    arn = f"arn:aws:imagebuilder:{REGION}:{ACCOUNT}:image-pipeline/shop-2-0-0"
    return replace(account.record().plan, source=ImageBuilderSource(pipeline_arn=arn))


def of_project(account: Account) -> Plan:
    """The sample's plan, its image made by Packer."""
    artifact = S3Artifact(bucket="shop-builds", key="shop.zip")
    return replace(account.record().plan, source=PackerSource(project="shop-packer", artifact=artifact))


def begin_pipeline(account: Account) -> None:
    seed.pipeline(account, "2.0.0")
    account.client("imagebuilder").start_image_pipeline_execution(
        imagePipelineArn=of_pipeline(account).source.pipeline_arn,  # type: ignore[union-attr]
        clientToken="theirs",
        tags=OURS,
    )


def begin_build(account: Account) -> None:
    seed.project(account, "2.0.0")
    told = [{"name": "VIRIDIAN_RELEASE", "value": RELEASE}]
    account.client("codebuild").start_build(projectName="shop-packer", environmentVariablesOverride=told)


def remove_under_way(maker: Any, plan: Plan, fence: Fence) -> None:
    """As whoever removes it does: it looks first."""
    if (making := maker.follow(maker.find(plan))).under_way:
        maker.remove(making, fence)


def adopt(account: Account, fence: Fence) -> None:
    found = images.find(account.shop.image_id)
    assert found is not None
    images.adopt(found, account.record().plan, fence)


def tag_as_ours(account: Account) -> None:
    """Blue's image as one that others made for the release, once it was adopted."""
    account.client("ec2").create_tags(
        Resources=[account.shop.image_id], Tags=[{"Key": key, "Value": value} for key, value in OURS.items()]
    )


def empty_group(account: Account) -> None:
    """Green's group with nobody left, as it is before it is deleted."""
    account.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=account.record().plan.green_group, MinSize=0, DesiredCapacity=0
    )


def out_of_use(account: Account) -> None:
    """Green's target group in no rule any more."""
    listener = account.shop.listener_arn
    for rule in account.client("elbv2").describe_rules(ListenerArn=listener)["Rules"]:
        if rule["Priority"] == "99":
            account.client("elbv2").delete_rule(RuleArn=rule["RuleArn"])


def lower_blue(account: Account) -> None:
    account.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="shop-1", MinSize=1, DesiredCapacity=1
    )


def make_green_but_its_alarms(account: Account) -> None:
    account.run("create_green")
    account.client("cloudwatch").delete_alarms(AlarmNames=[each.name for each in wanted_alarms(account)])


def without_metrics(account: Account) -> None:
    """moto has no DisableMetricsCollection."""
    backend = autoscaling_backends["123456789012"]["us-east-1"]
    backend.autoscaling_groups[account.record().plan.green_group].metrics = []


def nothing(_: Account) -> None:
    pass


# function: what it is to find, how it is called, and the one call that it makes
WRITES: dict[str, tuple[str, Callable[[Account], object], Write, list[str]]] = {
    "alarms.make": (
        "create_green",
        make_green_but_its_alarms,
        lambda a, f: alarms.make(wanted_alarms(a), OURS, f),
        ["PutMetricAlarm"] * 4,
    ),
    "alarms.copy": (
        "shift_traffic",
        nothing,
        lambda a, f: alarms.copy(
            {"viridian-shop-x": clone.alarm(alarms.find(["shop-errors"])[0], {})}, OURS, f
        ),
        ["PutMetricAlarm"],
    ),
    "alarms.delete": (
        "shift_traffic",
        nothing,
        lambda a, f: alarms.delete((each.name for each in wanted_alarms(a)), f),
        ["DeleteAlarms"],
    ),
    "auto_scaling.make_green": (
        "shift_traffic",
        lambda a: a.client("autoscaling").delete_auto_scaling_group(
            AutoScalingGroupName=a.record().plan.green_group, ForceDelete=True
        ),
        make_group,
        ["CreateAutoScalingGroup"],
    ),
    "auto_scaling.copy_policies": (
        "shift_traffic",
        lambda a: a.client("autoscaling").delete_policy(
            AutoScalingGroupName=a.record().plan.green_group, PolicyName="requests"
        ),
        lambda a, f: auto_scaling.copy_policies(
            a.record().plan.green_group, auto_scaling.policies("shop-1"), _swap(a), f
        ),
        ["PutScalingPolicy"],
    ),
    "auto_scaling.copy_notifications": (
        "shift_traffic",
        lambda a: a.client("autoscaling").put_notification_configuration(
            AutoScalingGroupName="shop-1",
            TopicARN="arn:aws:sns:us-east-1:123456789012:people",
            NotificationTypes=["autoscaling:EC2_INSTANCE_LAUNCH"],
        ),
        lambda a, f: auto_scaling.copy_notifications(a.record().plan.green_group, "shop-1", f),
        ["PutNotificationConfiguration"],
    ),
    "auto_scaling.copy_suspensions": (
        "shift_traffic",
        lambda a: a.client("autoscaling").suspend_processes(
            AutoScalingGroupName="shop-1", ScalingProcesses=["AZRebalance"]
        ),
        lambda a, f: auto_scaling.copy_suspensions(a.record().plan.green_group, a.group("blue"), f),
        ["SuspendProcesses"],
    ),
    "auto_scaling.copy_schedule": (
        "shift_traffic",
        lambda a: a.client("autoscaling").put_scheduled_update_group_action(
            AutoScalingGroupName="shop-1", ScheduledActionName="night", MinSize=0, Recurrence="0 22 * * *"
        ),
        lambda a, f: auto_scaling.copy_schedule(a.record().plan.green_group, "shop-1", a.now(), f),
        ["PutScheduledUpdateGroupAction"],
    ),
    "auto_scaling.copy_warm_pool": (
        "shift_traffic",
        lambda a: a.client("autoscaling").put_warm_pool(AutoScalingGroupName="shop-1", MinSize=1),
        lambda a, f: auto_scaling.copy_warm_pool(a.record().plan.green_group, a.group("blue"), f),
        ["PutWarmPool"],
    ),
    "auto_scaling.copy_metrics": (
        "shift_traffic",
        without_metrics,
        lambda a, f: auto_scaling.copy_metrics(
            a.record().plan.green_group, {"EnabledMetrics": [{"Metric": "GroupDesiredCapacity"}]}, f
        ),
        ["EnableMetricsCollection"],
    ),
    "auto_scaling.set_minimum": (
        "shift_traffic",
        nothing,
        lambda a, f: auto_scaling.set_minimum(blue_side(a), 2, f),
        ["UpdateAutoScalingGroup"],
    ),
    "auto_scaling.lower_maximum": (
        "shift_traffic",
        nothing,
        lambda a, f: auto_scaling.lower_maximum(blue_side(a), 5, f),
        ["UpdateAutoScalingGroup"],
    ),
    "auto_scaling.raise_desired": (
        "shift_traffic",
        lower_blue,
        lambda a, f: auto_scaling.raise_desired(blue_side(a), 3, f),
        ["UpdateAutoScalingGroup"],
    ),
    "auto_scaling.resume_launches": (
        "shift_traffic",
        lambda a: a.client("autoscaling").suspend_processes(
            AutoScalingGroupName="shop-1", ScalingProcesses=["Launch"]
        ),
        lambda a, f: auto_scaling.resume_launches("shop-1", f),
        ["ResumeProcesses"],
    ),
    "auto_scaling.empty": (
        "shift_traffic",
        nothing,
        lambda a, f: auto_scaling.empty(a.record().plan.green_group, OURS, f),
        ["UpdateAutoScalingGroup"],
    ),
    "auto_scaling.delete": (
        "shift_traffic",
        empty_group,
        lambda a, f: auto_scaling.delete(a.record().plan.green_group, OURS, f),
        ["DeleteAutoScalingGroup"],
    ),
    "images.bake": (
        "bake_image",
        nothing,
        lambda a, f: images.bake(a.record().plan, a.builder, f),
        ["CreateImage"],
    ),
    "images.adopt": ("bake_image", nothing, adopt, ["CreateTags"]),
    "images.describe": (
        "bake_image",
        tag_as_ours,
        lambda a, f: images.describe(a.shop.image_id, a.record().plan, f),
        ["ModifyImageAttribute"],
    ),
    "images.protect": (
        "create_green",
        nothing,
        lambda a, f: images.protect(a.record().image or "", "shop", f),
        ["EnableImageDeregistrationProtection"],
    ),
    "images.let_go": (
        "create_green",
        lambda a: a.client("ec2").enable_image_deregistration_protection(ImageId=a.record().image),
        lambda a, f: images.let_go(a.record().image or "", "shop", f),
        ["DisableImageDeregistrationProtection"],
    ),
    "commands.patch": (
        "bake_image",
        nothing,
        lambda a, f: commands.patch(a.record().plan, a.builder, f),
        ["SendCommand"],
    ),
    "pipelines.start": (
        "bake_image",
        lambda a: seed.pipeline(a, "2.0.0"),
        lambda a, f: pipelines.start(of_pipeline(a), f),
        ["StartImagePipelineExecution"],
    ),
    "pipelines.remove": (
        "bake_image",
        begin_pipeline,
        lambda a, f: remove_under_way(pipelines, of_pipeline(a), f),
        ["CancelImageCreation"],
    ),
    "builds.start": (
        "bake_image",
        lambda a: seed.project(a, "2.0.0"),
        lambda a, f: builds.start(of_project(a), f),
        ["StartBuild"],
    ),
    "builds.remove": (
        "bake_image",
        begin_build,
        lambda a, f: remove_under_way(builds, of_project(a), f),
        ["StopBuild"],
    ),
    "images.deregister": (
        "create_green",
        nothing,
        lambda a, f: images.deregister(a.record().image or "", OURS, f),
        ["DeregisterImage"],
    ),
    "images.delete_snapshots": (
        "create_green",
        lambda a: a.client("ec2").deregister_image(ImageId=a.record().image),
        lambda a, f: images.delete_snapshots(OURS, f),
        ["DeleteSnapshot"],
    ),
    "images.delete_snapshot": (
        "create_green",
        lambda a: a.client("ec2").deregister_image(ImageId=a.record().image),
        delete_snapshots,
        ["DeleteSnapshot"],
    ),
    "images.version_for": (
        "create_green",
        nothing,
        lambda a, f: images.version_for(
            a.record().plan.blue_launch_template, a.record().image or "", RELEASE, f
        ),
        ["CreateLaunchTemplateVersion"],
    ),
    "images.delete_version": (
        "shift_traffic",
        nothing,
        lambda a, f: images.delete_version(a.shop.launch_template_id, RELEASE, f),
        ["DeleteLaunchTemplateVersions"],
    ),
    "balancers.make": ("create_green", beside, twin, ["CreateLoadBalancer", "CreateListener", "CreateRule"]),
    "balancers.delete": ("create_green", stand, fell, ["DeleteLoadBalancer"]),
    "route53.set_forward": ("create_green", Name, weigh, ["ChangeResourceRecordSets"]),
    "router.set_forward": ("shift_traffic", nothing, route, ["ModifyRule"]),
    "load_balancer.set_forward": ("shift_traffic", nothing, set_forward, ["ModifyRule"]),
    "target_groups.make": (
        "create_green",
        nothing,
        make_target_group,
        ["CreateTargetGroup", "ModifyTargetGroupAttributes"],
    ),
    "target_groups.leave_dns": (
        "shift_traffic",
        nothing,
        lambda a, f: target_groups.leave_dns(a.shop.target_group_arn, f),
        ["ModifyTargetGroupAttributes"],
    ),
    "target_groups.set_attributes": (
        "shift_traffic",
        nothing,
        lambda a, f: target_groups.set_attributes(
            target_group(a), {"deregistration_delay.timeout_seconds": "30"}, f
        ),
        ["ModifyTargetGroupAttributes"],
    ),
    "target_groups.delete": (
        "shift_traffic",
        out_of_use,
        lambda a, f: target_groups.delete(target_group(a), f),
        ["DeleteTargetGroup"],
    ),
    "load_balancer.set_standby": ("shift_traffic", nothing, set_standby, ["ModifyRule"]),
    "load_balancer.delete_standby": (
        "shift_traffic",
        nothing,
        lambda a, f: load_balancer.delete_standby(a.shop.listener_arn, "shop", f),
        ["DeleteRule"],
    ),
    "previews.set_standby": ("shift_traffic", Network, preview(previews), ["CreateListener"]),
    "previews.delete_standby": (
        "shift_traffic",
        previewed,
        lambda a, f: previews.delete_standby(flows(a), "shop", f),
        ["DeleteListener"],
    ),
    "router.set_standby": ("shift_traffic", Network, preview(router), ["CreateListener"]),
    "router.delete_standby": (
        "shift_traffic",
        previewed,
        lambda a, f: router.delete_standby(flows(a), "shop", f),
        ["DeleteListener"],
    ),
}


def _swap(account: Account) -> dict[str, str]:
    balancer = account.shop.load_balancer_arn.split(":loadbalancer/")[1]
    blue, candidate = (account.target_group(side).split(":")[-1] for side in ("blue", "green"))
    return {f"{balancer}/{blue}": f"{balancer}/{candidate}"}


@pytest.fixture(params=WRITES)
def write(
    request: pytest.FixtureRequest, account: Account
) -> tuple[Account, Callable[[], object], list[str]]:
    """An account where there is something to write, the write, and what it sends."""
    stage, prepare, act, sent = WRITES[request.param]
    account.before(stage)
    prepare(account)
    account.calls.clear()
    fence = account.record().fence()
    return account, lambda: act(account, fence), sent


Case = tuple[Account, Callable[[], object], list[str]]


def test_a_write_is_sent_once_however_often_it_is_asked_for(write: Case) -> None:
    account, act, sent = write
    act()
    assert account.writes() == sent
    left = account.world()
    act()
    assert account.writes() == sent
    assert account.world() == left


def test_nothing_is_sent_once_the_epoch_has_moved_on(write: Case) -> None:
    account, act, _ = write
    account.move_epoch_on()
    before = account.world()
    with pytest.raises(Fenced, match="epoch 1"):
        act()
    assert account.writes() == []
    assert account.world() == before


def test_nothing_is_sent_once_another_release_holds_the_route(write: Case) -> None:
    account, act, _ = write
    key = {"pk": {"S": f"route#{account.shop.route_arn}"}, "sk": {"S": "lock"}}
    account.client("dynamodb").update_item(
        TableName="viridian-releases",
        Key=key,
        UpdateExpression="SET #r = :r",
        ExpressionAttributeNames={"#r": "release"},
        ExpressionAttributeValues={":r": {"S": "3.0.0-abcdef"}},
    )
    with pytest.raises(Fenced):
        act()
    assert account.writes() == []


def test_the_journal_has_the_intent_before_the_call_and_its_outcome_after(write: Case) -> None:
    account, act, sent = write
    known = len(account.journal())
    act()
    entries = account.journal()[known:]
    assert sorted(entry["call"] for entry in entries) == sorted(sent)
    for entry in entries:
        assert entry["outcome"] == "done"
        assert entry["epoch"] == "1"
        assert entry["resource"]
    calls = [call["call"] for call in account.calls]
    assert calls.index("TransactWriteItems") < calls.index(sent[0]) < calls.index("UpdateItem")


@pytest.mark.parametrize("code", ["Throttling", "RequestLimitExceeded"])
def test_a_write_that_aws_refuses_is_sent_once_and_its_outcome_is_unknown(write: Case, code: str) -> None:
    account, act, sent = write
    tries = []
    known = len(account.journal())

    def refuse() -> Any:
        tries.append(1)
        return _Refused(), {
            "Error": {"Code": code, "Message": ""},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }

    with (
        account.hooked("before-call", service_of(sent[0]), sent[0], refuse),
        pytest.raises(Exception, match=code),
    ):
        act()
    assert tries == [1], "boto3 must not send a write again behind the fence's back"
    assert [entry["outcome"] for entry in account.journal()[known:]] == ["unknown"]
    act()
    assert account.writes() == sent


class _Refused:
    status_code = 400


def service_of(call: str) -> str:
    if "Alarm" in call:
        return "cloudwatch"
    words = ("AutoScaling", "Policy", "Metrics", "Notification", "Processes", "Scheduled", "WarmPool")
    if any(word in call for word in words):
        return "autoscaling"
    if call == "ChangeResourceRecordSets":
        return "route53"
    if call in ("StartImagePipelineExecution", "CancelImageCreation"):
        return "imagebuilder"
    if call.endswith(("Build", "Command")):
        return "codebuild" if call.endswith("Build") else "ssm"
    return "ec2" if any(word in call for word in ("Image", "Template", "Snapshot", "Tags")) else "elbv2"


def test_the_client_that_writes_sends_once_and_the_one_that_reads_may_ask_again(account: Account) -> None:
    assert account
    write_, read = clients.writer("elbv2").meta.config, clients.reader("elbv2").meta.config
    assert write_.retries["total_max_attempts"] == 1
    assert read.retries["total_max_attempts"] > 1
    for config in (write_, read):
        assert (config.connect_timeout, config.read_timeout) == (2, 5)


def fenced_functions() -> Iterator[str]:
    for path in sorted(Path(ROOT, "functions", "viridian", "aws").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                arguments = [argument.arg for argument in node.args.args]
                if "fence" in arguments and path.stem != "ledger":
                    yield f"{path.stem}.{node.name}"


def test_every_function_that_takes_a_fence_is_tried_here() -> None:
    """But for hooks: what is the service's own is asked each time, and what it does is its own affair."""
    assert set(fenced_functions()) == {*WRITES, "executions.start_hook", "functions.ask"}


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [("AccessDenied", 403, NotPermitted), ("Throttling", 400, Busy), ("Whatever", 503, Busy)],
)
def test_a_state_sees_what_aws_answered_under_our_names(
    account: Account, code: str, status: int, error: type[Exception]
) -> None:
    account.before("shift_traffic")
    with (
        account.failing("elbv2", "ModifyRule", code, status),
        pytest.raises(error, match="ModifyRule"),
    ):
        account.run("shift_traffic")
    assert ledger.holder(account.shop.route_arn)
