"""`viridian doctor`: what is well, what there is to do, and what it couldn't tell."""

import json
import re
from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session
from moto.core.botocore_stubber import MockRawResponse

from local.control.calls import PERSON
from local.control.session import REGION
from tests.cli.conftest import Command
from tests.stack import ROOT
from tests.workflow.world import World
from viridian.aws import clients

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}],
}
# Anything but to start releases on the one machine, and to invoke anything.
HALF = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "lambda:*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "states:StartExecution",
            "Resource": "arn:aws:states:*:*:stateMachine:*Rollback*",
        },
    ],
}


def runbooks(found: dict[str, str]) -> set[str]:
    """The sections of the runbooks that findings lead to; each is there."""
    titles = re.findall(
        r"^#+ (.*)$", (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    named = set(re.findall(r"docs/runbooks\.md#([\w-]+)", " ".join(found.values())))
    assert named <= {title.lower() for title in titles}
    return named


@pytest.fixture
def paged(world: World) -> World:
    """Somebody hears of pages."""
    world.cloud.client("sns").subscribe(
        TopicArn=world.outputs["PagesTopicArn"], Protocol="sms", Endpoint="+15550100"
    )
    return world


@pytest.fixture
def wrong(viridian: Command) -> Callable[..., dict[str, str]]:
    """Everything that isn't well, by its subject, and the code that goes with it."""

    def examine(*words: str) -> dict[str, str]:
        ran = viridian("doctor", *words, "--json")
        assert ran.err == ""
        states = {each["state"] for each in ran.json}
        assert ran.code == (3 if "to do" in states else 4 if "not known" in states else 0)
        return {
            each["subject"]: f"{each['state']}: {each['found']} {each['fix']}"
            for each in ran.json
            if each["state"] != "ok"
        }

    return examine


@pytest.fixture
def acting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, str]], None]]:
    """From now on the command has these credentials."""

    def act(keys: dict[str, str]) -> None:
        session = boto3.Session(
            keys["AccessKeyId"], keys["SecretAccessKey"], keys.get("SessionToken"), region_name=REGION
        )
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        clients.reader.cache_clear()

    yield act
    clients.reader.cache_clear()


def test_where_all_is_well_it_says_so_line_by_line(paged: World, viridian: Command) -> None:
    ran = viridian("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert {line.split("  ")[0] for line in ran.out.splitlines()} == {"ok"}
    for told in (
        "stack: viridian in us-east-1 is CREATE_COMPLETE",
        "pages: 1 subscribed",
        "may start and take back: states:StartExecution",
        "shop: blue: shop-1",
        "shop: lent: all 5",
        "shop: role: arn:aws:iam::123456789012:role/shop-instance",
        "orders: https://",
        "shop: guards: shop-errors is OK",
        "shop: quotas: a release fits",
    ):
        assert told in ran.out


def test_the_stack_needs_somebody_who_hears_of_it(world: World, wrong: Callable[..., dict[str, str]]) -> None:
    sqs, queue = world.cloud.client("sqs"), world.outputs["DeadLettersQueueUrl"]
    silent = world.outputs["AlarmNames"].split(",")[1]
    world.redden(silent, "no sweep for three minutes")
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    found = wrong()
    assert set(found) == {"pages", "alarms", "dead letters"}
    assert "to do: nobody is subscribed" in found["pages"]
    assert f"aws sns subscribe --topic-arn {world.outputs['PagesTopicArn']}" in found["pages"]
    assert f"{silent} is in ALARM" in found["alarms"]
    assert "1 events came to nothing" in found["dead letters"]
    assert runbooks(found) == {"sweepersilentalarm", "deadlettersalarm"}


@pytest.mark.parametrize(
    ("signed", "status", "told"),
    [
        (True, 404, "answers 404, not 400, when it is only looked at Deploy the stack again."),
        (False, 200, "answers 200 to whoever doesn't sign, not 403 Deploy the stack again."),
    ],
)
def test_the_doors_for_people_are_there_and_for_those_who_sign(
    paged: World,
    wrong: Callable[..., dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    signed: bool,
    status: int,
    told: str,
) -> None:
    send = URLLib3Session.send

    def answer(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
        if ".lambda-url." in request.url and ("Authorization" in request.headers) == signed:
            return AWSResponse(request.url, status, HTTPHeaders(), MockRawResponse("{}"))
        return send(session, request)

    monkeypatch.setattr(URLLib3Session, "send", answer)
    found = wrong()
    assert set(found) == {"approvals", "orders"}
    for subject, output in (("approvals", "ApprovalsUrl"), ("orders", "OrdersUrl")):
        assert found[subject] == f"to do: {paged.outputs[output]} {told}"


def test_a_role_that_no_release_may_hand_on_is_in_its_way(
    paged: World, wrong: Callable[..., dict[str, str]]
) -> None:
    iam, profile = paged.cloud.client("iam"), {"InstanceProfileName": "shop-instance"}
    iam.remove_role_from_instance_profile(RoleName="shop-instance", **profile)
    assert "Use the name of an instance profile" in wrong()["shop: role"]
    role = iam.create_role(RoleName="other", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.add_role_to_instance_profile(RoleName="other", **profile)
    found = wrong()
    assert set(found) == {"shop: role"}
    assert f"{role} is not among the stack's InstanceRoleArns" in found["shop: role"]


def test_it_says_what_is_in_the_way_of_a_services_next_release(
    paged: World, viridian: Command, wrong: Callable[..., dict[str, str]]
) -> None:
    world, elb = paged, paged.cloud.client("elbv2")
    assert viridian("hands-off", "shop", "--reason", "the database moves").code == 0
    world.fall_ill(world.instances()[0])
    world.pass_minutes(0.5)
    world.redden("shop-errors", "a third of all")
    elb.remove_tags(ResourceArns=[world.shop.target_group_arn], TagKeys=["viridian:managed"])
    found = wrong("shop")
    assert set(found) == {f"shop: {what}" for what in ("hands", "lent", "fleet", "guards")}
    assert "the database moves" in found["shop: hands"]
    assert "viridian hands-off shop --off" in found["shop: hands"]
    assert "not lent to service shop" in found["shop: lent"]
    assert "aws elbv2 add-tags" in found["shop: lent"]
    assert "are healthy" in found["shop: fleet"]
    assert "shop-errors is in ALARM" in found["shop: guards"]
    elb.modify_rule(
        RuleArn=world.shop.rule_arn,
        Actions=[
            {
                "Type": "fixed-response",
                "FixedResponseConfig": {"StatusCode": "503", "ContentType": "text/plain"},
            }
        ],
    )
    assert "no target group" in wrong("shop")["shop: blue"]
    world.cloud.client("ssm").put_parameter(
        Name="/viridian/services/shop", Value='{"route": 1}', Type="String", Overwrite=True
    )
    assert set(wrong("shop")) == {"shop: profile"}
    world.cloud.client("ssm").delete_parameter(Name="/viridian/services/shop")
    assert "Register it first" in wrong("shop")["shop: profile"]
    assert "`viridian init`" in wrong()["services"]


def test_a_release_that_runs_is_well_until_somebody_writes_or_nobody_works(
    paged: World, wrong: Callable[..., dict[str, str]]
) -> None:
    world = paged
    release = world.half_way()
    assert wrong() == {}
    world.set_weights(**{"shop_1": 70, release.green.replace("-", "_"): 30})
    assert "the rule shows" in wrong()["shop: weights"]
    world.set_weights(**{"shop_1": 50, release.green.replace("-", "_"): 50})
    world.drop_events()
    world.faults.raises("SweepFunction", "Busy", "not now")
    world.stop(release)
    world.pass_minutes(1)
    found = wrong()[f"shop: {release.id}"]
    assert "is Releasing, and no execution works on it" in found
    assert "viridian brake shop" in found


def test_a_release_that_is_held_waits_for_an_order(
    paged: World, wrong: Callable[..., dict[str, str]]
) -> None:
    release = paged.half_way(fault="third", rollback="hold").wait()
    found = wrong()[f"shop: {release.id}"]
    assert f"to do: {release.id} is Held: GreenFailed: " in found
    assert "`viridian resume shop` or `viridian rollback shop` or `viridian resolve shop`" in found
    assert runbooks({"release": found}) == {"held"}


def test_permissions_are_asked_of_whoever_types(
    paged: World, wrong: Callable[..., dict[str, str]], acting: Callable[[dict[str, str]], None]
) -> None:
    iam, sts = paged.cloud.client("iam"), paged.cloud.client("sts")
    iam.create_user(UserName="mara")
    iam.put_user_policy(UserName="mara", PolicyName="half", PolicyDocument=json.dumps(HALF))
    role = iam.create_role(RoleName="ops", Path="/team/", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    session = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="mara")["Credentials"]
    lacks = {
        "may start and take back": "to do: not permitted: states:StartExecution Ask for that, if it is for you.",
        "may collect": "to do: not permitted: lambda:InvokeFunction Ask for that, if it is for you.",
    }
    acting(iam.create_access_key(UserName="mara")["AccessKey"])
    assert wrong() == lacks
    acting(session)
    nothing = wrong()
    assert len(nothing) == 8
    iam.put_role_policy(RoleName="ops", PolicyName="half", PolicyDocument=json.dumps(HALF))
    assert wrong() == lacks


def test_what_it_may_not_ask_is_not_known(
    paged: World, wrong: Callable[..., dict[str, str]], acting: Callable[[dict[str, str]], None]
) -> None:
    iam = paged.cloud.client("iam")
    iam.create_user(UserName="mara")
    acting(iam.create_access_key(UserName="mara")["AccessKey"])
    for call in ("SimulatePrincipalPolicy", "ListSubscriptionsByTopic"):
        paged.faults.denies(call, PERSON)
    found = wrong()
    assert len(found) == 9
    assert {told.split(". ")[0] for told in found.values()} == {
        "not known: Not permitted: SimulatePrincipalPolicy",
        "not known: Not permitted: ListSubscriptionsByTopic",
    }
