"""What people and infrastructure as code do to a service while a release runs: with their own credentials, by the API."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from moto.cloudformation.models import cloudformation_backends

from local.control.session import ACCOUNT, REGION
from tests.faults.kinds import kind
from tests.faults.moments import at, later
from tests.faults.place import Place
from tests.faults.points import Fault
from tests.faults.sides import balancing, fleet, green_group, record, running_release, target_group_arn

STAY = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503", "ContentType": "text/plain"}}
ELSEWHERE = {
    "Type": "redirect",
    "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
}
WHERE = {"fixed-response": STAY, "redirect": ELSEWHERE}


# --- the production route ------------------------------------------------------------------------------------


@kind("person_weights")
def person_weights(world: Place, fault: Fault) -> None:
    """A person writes weights: args blue, green, other (a third group); a side without one is not listed."""

    def act() -> None:
        pairs = {
            target_group_arn(world, side): int(fault.args[side])
            for side in ("blue", "green")
            if side in fault.args
        }
        if "other" in fault.args:
            pairs[third_group(world)] = int(fault.args["other"])
        write(world, _forward({arn: weight for arn, weight in pairs.items() if arn}))

    at(world, fault, act)


@kind("iac_resets")
def iac_resets(world: Place, fault: Fault) -> None:
    """Infrastructure as code puts its own rule back: all to blue; with args listed green stays in it, at 0."""

    def act() -> None:
        pairs = {target_group_arn(world, "blue"): 100}
        if fault.args.get("listed") and (green := target_group_arn(world, "green")):
            pairs[green] = 0
        write(world, _forward(pairs))

    at(world, fault, act)


@kind("iac_drops_blue")
def iac_drops_blue(world: Place, fault: Fault) -> None:
    """Infrastructure as code, run with the next version's plan, leaves green alone in the rule."""
    at(world, fault, lambda: write(world, _forward({target_group_arn(world, "green"): 100})))


@kind("iac_swaps_action")
def iac_swaps_action(world: Place, fault: Fault) -> None:
    """The rule forwards no more: args to is fixed-response or redirect."""
    at(world, fault, lambda: write(world, WHERE[str(fault.args["to"])]))


@kind("person_deletes_route")
def person_deletes_route(world: Place, fault: Fault) -> None:
    """Args what is rule or listener (with every rule of it)."""

    def act() -> None:
        elb = world.cloud.client("elbv2")
        if fault.args["what"] == "rule" and world.shop.rule_arn:
            elb.delete_rule(RuleArn=world.shop.rule_arn)
        else:
            elb.delete_listener(ListenerArn=world.shop.listener_arn)

    at(world, fault, act)


@kind("person_deletes_target_group")
def person_deletes_target_group(world: Place, fault: Fault) -> None:
    """A side's target group, taken out of every rule first, as AWS asks."""

    def act() -> None:
        gone, elb = target_group_arn(world, str(fault.args["side"])), world.cloud.client("elbv2")
        if not gone:
            return
        for rule in elb.describe_rules(ListenerArn=world.shop.listener_arn)["Rules"]:
            kept = _without(rule, gone)
            if kept is None:
                continue
            if kept:
                elb.modify_rule(RuleArn=rule["RuleArn"], Actions=[_forward(kept)])
            else:
                elb.modify_rule(RuleArn=rule["RuleArn"], Actions=[STAY])
        elb.delete_target_group(TargetGroupArn=gone)

    at(world, fault, act)


@kind("person_lists_groups")
def person_lists_groups(world: Place, fault: Fault) -> None:
    """The rule lists so many more groups, each with args weight (none by default)."""

    def act() -> None:
        pairs = {target_group_arn(world, "blue"): 100}
        for number in range(int(fault.args["groups"])):
            pairs[third_group(world, f"third-{number}")] = int(fault.args.get("weight", 0))
        write(world, _forward(pairs))

    at(world, fault, act)


@kind("person_uses_green")
def person_uses_green(world: Place, fault: Fault) -> None:
    """A person points a rule of their own at green's target group."""

    def act() -> None:
        world.cloud.client("elbv2").create_rule(
            ListenerArn=world.shop.listener_arn,
            Priority=900,
            Actions=[_forward({target_group_arn(world, "green"): 1})],
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/look"]}}],
        )

    at(world, fault, act)


def write(world: Place, action: dict[str, Any]) -> None:
    """Somebody else writes the production route."""
    elb, arn = world.cloud.client("elbv2"), world.shop.route_arn
    if world.shop.rule_arn:
        elb.modify_rule(RuleArn=arn, Actions=[action])
    else:
        elb.modify_listener(ListenerArn=arn, DefaultActions=[action])


def third_group(world: Place, name: str = "third") -> str:
    """A target group that is nobody's of a release's; made if there is none."""
    found = [group.arn for group in balancing().target_groups.values() if group.name == name]
    if found:
        return str(found[0])
    elb = world.cloud.client("elbv2")
    made = elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=world.shop.vpc_id)
    return str(made["TargetGroups"][0]["TargetGroupArn"])


def _forward(weights: dict[str, int]) -> dict[str, Any]:
    pairs = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": pairs}}


def _without(rule: dict[str, Any], gone: str) -> dict[str, int] | None:
    """What a rule would forward to without a group; None if it doesn't list it."""
    for action in rule["Actions"]:
        groups = {
            each["TargetGroupArn"]: int(each.get("Weight", 1))
            for each in action.get("ForwardConfig", {}).get("TargetGroups", [])
        }
        if gone in groups:
            rest = {arn: weight for arn, weight in groups.items() if arn != gone}
            return rest and {arn: weight or int(not sum(rest.values())) for arn, weight in rest.items()}
    return None


# --- fleets --------------------------------------------------------------------------------------------------


@kind("person_scales")
def person_scales(world: Place, fault: Fault) -> None:
    """A person sets sizes of a side: args minimum, desired, maximum."""

    def act() -> None:
        asked = {"minimum": "MinSize", "desired": "DesiredCapacity", "maximum": "MaxSize"}
        sizes = {name: int(fault.args[key]) for key, name in asked.items() if key in fault.args}
        name = fleet(world, str(fault.args["side"])).name
        world.cloud.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=name, **sizes)

    at(world, fault, act)


@kind("person_refreshes")
def person_refreshes(world: Place, fault: Fault) -> None:
    """A person starts an instance refresh of a side."""

    def act() -> None:
        name = fleet(world, str(fault.args["side"])).name
        world.cloud.client("autoscaling").start_instance_refresh(AutoScalingGroupName=name)

    at(world, fault, act)


@kind("iac_updates_stack")
def iac_updates_stack(world: Place, fault: Fault) -> None:
    """Blue's group is of a stack, which is updated for args minutes."""
    change = owned_by_a_stack(fleet(world, "blue"), world.cloud)

    def act() -> None:
        change("UPDATE_IN_PROGRESS")
        later(world, 60 * float(fault.args["minutes"]), lambda: change("UPDATE_COMPLETE"))

    at(world, fault, act)


def owned_by_a_stack(group: Any, cloud: Any, name: str = "shop-prod") -> Callable[[str], None]:
    """Makes a stack and its tag on a group, as CloudFormation does; answers with what sets the stack's status."""
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))
    group.tags.append({"key": "aws:cloudformation:stack-name", "value": name, "propagate_at_launch": True})
    stack = cloudformation_backends[ACCOUNT][REGION].get_stack(name)
    return partial(setattr, stack, "status")


@kind("person_protects")
def person_protects(world: Place, fault: Fault) -> None:
    """A person puts deletion protection on green's group."""

    def act() -> None:
        world.cloud.client("autoscaling").update_auto_scaling_group(
            AutoScalingGroupName=green_group(world), DeletionProtection="prevent-all-deletion"
        )

    at(world, fault, act)


@kind("person_suspends")
def person_suspends(world: Place, fault: Fault) -> None:
    """A person suspends processes of a side's group."""

    def act() -> None:
        name = fleet(world, str(fault.args["side"])).name
        world.cloud.client("autoscaling").suspend_processes(
            AutoScalingGroupName=name, ScalingProcesses=[str(fault.args["process"])]
        )

    at(world, fault, act)


@kind("person_deletes_group")
def person_deletes_group(world: Place, fault: Fault) -> None:
    """A person deletes a side's group with its instances."""

    def act() -> None:
        name = fleet(world, str(fault.args["side"])).name
        world.cloud.client("autoscaling").delete_auto_scaling_group(
            AutoScalingGroupName=name, ForceDelete=True
        )

    at(world, fault, act)


@kind("iac_untags")
def iac_untags(world: Place, fault: Fault) -> None:
    """An infrastructure-as-code run takes args key off args what: a side's "group" or "target group", "rule", "listener".

    IAM then refuses what its policies allow by that tag, as AWS would: every call that changes the thing.
    """
    what, key = str(fault.args["what"]), str(fault.args.get("key", "viridian:managed"))

    def act() -> None:
        _untag(world, what, key)

    at(world, fault, act)


def _untag(world: Place, what: str, key: str) -> None:
    side, _, thing = what.partition(" ")
    elb = world.cloud.client("elbv2")
    if thing == "group":
        on = {"ResourceId": fleet(world, side).name, "ResourceType": "auto-scaling-group", "Key": key}
        world.cloud.client("autoscaling").delete_tags(Tags=[on])
    else:
        arns = {
            "rule": world.shop.rule_arn,
            "listener": world.shop.listener_arn,
            "blue target group": target_group_arn(world, "blue"),
            "green target group": target_group_arn(world, "green"),
        }
        elb.remove_tags(ResourceArns=[str(arns[what])], TagKeys=[key])


@kind("person_edits_template")
def person_edits_template(world: Place, fault: Fault) -> None:
    """Blue's launch template gets a newer version, which becomes $Default and $Latest; args blue: blue launches that."""

    def act() -> None:
        ec2, template = world.cloud.client("ec2"), world.shop.launch_template_id
        made = ec2.create_launch_template_version(
            LaunchTemplateId=template,
            SourceVersion="1",
            VersionDescription="somebody's",
            LaunchTemplateData={"ImageId": world.image_of("9.9.9")},
        )
        number = str(made["LaunchTemplateVersion"]["VersionNumber"])
        ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion=number)
        if version := fault.args.get("blue"):
            launches = {"LaunchTemplateId": template, "Version": str(version)}
            world.cloud.client("autoscaling").update_auto_scaling_group(
                AutoScalingGroupName=world.shop.group_name, LaunchTemplate=launches
            )

    at(world, fault, act)


# --- things that stand where ours are to be ------------------------------------------------------------------


@kind("person_squats")
def person_squats(world: Place, fault: Fault) -> None:
    """Something foreign has a name that the release is about to give: args what is group, target group or image."""
    make: dict[str, Callable[[Place], None]] = {
        "group": _squat_group,
        "target group": _squat_target_group,
        "image": _squat_image,
    }
    at(world, fault, lambda: make[str(fault.args["what"])](world))


def _squat_group(world: Place) -> None:
    world.cloud.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=str(record(world)["plan"]["green_group"]),
        MinSize=0,
        MaxSize=1,
        LaunchTemplate={"LaunchTemplateId": world.shop.launch_template_id, "Version": "1"},
        VPCZoneIdentifier=world.shop.subnet_ids[0],
        Tags=[{"Key": "owner", "Value": "somebody", "PropagateAtLaunch": False}],
    )


def _squat_target_group(world: Place) -> None:
    third_group(world, str(record(world)["plan"]["green_target_group"]))


def _squat_image(world: Place) -> None:
    world.cloud.client("ec2").register_image(
        Name=f"viridian-shop-{running_release(world)}", Architecture="x86_64", RootDeviceName="/dev/xvda"
    )


@kind("person_deletes_image")
def person_deletes_image(world: Place, fault: Fault) -> None:
    """Somebody deregisters the image that green is about to be launched from."""

    def act() -> None:
        image = str(record(world).get("image") or record(world)["plan"]["source"].get("image_id"))
        world.cloud.client("ec2").deregister_image(ImageId=image)

    at(world, fault, act)


@kind("crowded")
def crowded(world: Place, fault: Fault) -> None:
    """Other services share the account: so many rules, target groups, groups and alarms that are nobody's of ours."""

    def act() -> None:
        elb, scaling = world.cloud.client("elbv2"), world.cloud.client("autoscaling")
        for number in range(int(fault.args["things"])):
            arn = third_group(world, f"other-{number}")
            elb.create_rule(
                ListenerArn=world.shop.listener_arn,
                Priority=200 + number,
                Actions=[_forward({arn: 1})],
                Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/other-{number}"]}}],
            )
            launches = {"LaunchTemplateId": world.shop.launch_template_id, "Version": "1"}
            scaling.create_auto_scaling_group(
                AutoScalingGroupName=f"a-other-{number}",
                MinSize=0,
                MaxSize=0,
                LaunchTemplate=launches,
                VPCZoneIdentifier=world.shop.subnet_ids[0],
                TargetGroupARNs=[arn],
            )
            world.cloud.client("ec2").create_launch_template_version(
                LaunchTemplateId=world.shop.launch_template_id,
                SourceVersion="1",
                VersionDescription=f"somebody's {number}",
                LaunchTemplateData={},
            )

    at(world, fault, act)


@kind("another_starts")
def another_starts(world: Place, fault: Fault) -> None:
    """Somebody starts a release of a newer version while this one runs."""

    def act() -> None:
        image = {"type": "ami", "image_id": world.image_of("3.0.0")}
        world.submit({"service": "shop", "version": "3.0.0", "source": image})

    at(world, fault, act)


@kind("iac_owns_blue")
def iac_owns_blue(world: Place, fault: Fault) -> None:
    """Blue's group says that infrastructure as code owns it."""

    def act() -> None:
        on = {"ResourceId": world.shop.group_name, "ResourceType": "auto-scaling-group"}
        tag = {**on, "Key": "ManagedBy", "Value": "terraform", "PropagateAtLaunch": False}
        world.cloud.client("autoscaling").create_or_update_tags(Tags=[tag])

    at(world, fault, act)
