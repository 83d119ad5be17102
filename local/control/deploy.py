"""Turns a SAM template into what it describes: tables, functions, state machines, rules, schedules, alarms."""

import functools
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from local.control.functions import Code, Functions
from local.control.session import ACCOUNT, REGION, client
from local.control.streams import Streams
from local.control.template import TemplateError, Values, load

# Resources that change nothing here: moto checks no permissions, and nobody reads a chat.
NO_EFFECT = {
    "AWS::Chatbot::SlackChannelConfiguration",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Lambda::Permission",
    "AWS::CloudWatch::Dashboard",
    "AWS::Logs::MetricFilter",
}
_UNRESOLVED = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


@dataclass
class Stack:
    """What stands after a deployment. Policies are recorded by logical id, and not enforced."""

    name: str
    outputs: dict[str, str] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    policies: dict[str, Any] = field(default_factory=dict)


@dataclass
class Made:
    """A resource that stands: what Ref gives, and its attributes."""

    ref: str
    attributes: dict[str, str] = field(default_factory=dict)


def deploy(
    path: Path,
    parameters: Mapping[str, str],
    functions: Functions,
    streams: Streams,
    stack: str = "viridian",
) -> Stack:
    return Deployment(path, parameters, functions, streams, stack).run()


class Deployment:
    """One pass over a template; each resource is made when something first refers to it."""

    def __init__(
        self, path: Path, parameters: Mapping[str, str], functions: Functions, streams: Streams, stack: str
    ) -> None:
        self._folder = path.resolve().parent
        self._document = load(path)
        self._resources: dict[str, Any] = self._document.get("Resources", {})
        self._functions, self._streams = functions, streams
        self._given = parameters
        self._values = Values(self._document, stack, parameters, self._attribute)
        self._stack = Stack(stack)
        self._made: dict[str, Made] = {}
        self._making: list[str] = []

    def run(self) -> Stack:
        for logical_id, resource in self._resources.items():
            if self._wanted(resource):
                self._make(logical_id)
        for name, output in self._document.get("Outputs", {}).items():
            if self._wanted(output):
                self._stack.outputs[name] = str(self._values.resolve(output["Value"]))
        self._stack.resources = {logical_id: made.ref for logical_id, made in self._made.items()}
        self._show()
        return self._stack

    def _show(self) -> None:
        """CloudFormation knows the stack by its parameters and outputs; what it is made of was made here."""
        outputs = {name: {"Value": value} for name, value in self._stack.outputs.items()}
        kinds = {name: {"Type": "String"} for name in self._given}
        shown = json.dumps({"Parameters": kinds, "Resources": {}, "Outputs": outputs})
        given = [{"ParameterKey": name, "ParameterValue": str(value)} for name, value in self._given.items()]
        client("cloudformation").create_stack(
            StackName=self._stack.name, TemplateBody=shown, Parameters=given
        )

    def _wanted(self, item: Mapping[str, Any]) -> bool:
        return "Condition" not in item or self._values.condition(item["Condition"])

    def _attribute(self, logical_id: str, name: str) -> Any:
        owner, _, rest = logical_id.partition(".")
        name = ".".join(part for part in (rest, name) if part)
        if maker := self._events_of.get(owner):
            self._make(maker)
            return self._made[owner].attributes[name] if name else self._made[owner].ref
        if owner not in self._resources or not self._wanted(self._resources[owner]):
            raise TemplateError(f"{owner} is referred to, and isn't in the template")
        made = self._make(owner)
        if not name:
            return made.ref
        if name not in made.attributes:
            kind = self._resources[owner]["Type"]
            raise TemplateError(f"the local cloud gives {owner} ({kind}) no attribute {name}")
        return made.attributes[name]

    @functools.cached_property
    def _events_of(self) -> dict[str, str]:
        """What SAM makes of a function's or machine's events, and of its URL; and of which."""
        urls = {
            f"{logical_id}Url": logical_id
            for logical_id, resource in self._resources.items()
            if "FunctionUrlConfig" in resource.get("Properties", {})
        }
        return urls | {
            f"{logical_id}{name}": logical_id
            for logical_id, resource in self._resources.items()
            for name in resource.get("Properties", {}).get("Events", {})
        }

    def _make(self, logical_id: str) -> Made:
        if logical_id in self._made:
            return self._made[logical_id]
        if logical_id in self._making:
            raise TemplateError(f"resources refer to each other in a circle: {' -> '.join(self._making)}")
        self._making.append(logical_id)
        resource = self._resources[logical_id]
        kind = resource["Type"]
        if kind in NO_EFFECT:
            made = self._nothing(logical_id, resource)
        elif kind in _MAKERS:
            made = _MAKERS[kind](self, logical_id, self._values.resolve(resource.get("Properties", {})))
        else:
            raise TemplateError(f"{logical_id} is a {kind}: the local cloud doesn't know it")
        self._made[logical_id] = made
        self._making.pop()
        return made

    def name_of(self, logical_id: str) -> str:
        """A generated name: the same in each deployment, unlike CloudFormation's."""
        return f"{logical_id}-{hashlib.sha256(f'{self._stack.name}/{logical_id}'.encode()).hexdigest()[:12]}"

    # --- one maker per type -------------------------------------------------------------------------------

    def _nothing(self, logical_id: str, resource: Mapping[str, Any]) -> Made:
        kind = "role" if resource["Type"].endswith("Role") else "policy"
        arn = f"arn:aws:iam::{ACCOUNT}:{kind}/{self._stack.name}-{logical_id}"
        if resource["Type"].startswith("AWS::IAM::"):
            self._stack.policies[logical_id] = resource.get("Properties", {})
        ref = f"{self._stack.name}-{logical_id}" if kind == "role" else arn
        return Made(ref, {"Arn": arn, "RoleId": logical_id})

    def _function(self, logical_id: str, given: dict[str, Any]) -> Made:
        name = given.get("FunctionName") or f"{self._stack.name}-{self.name_of(logical_id)}"
        root = (self._folder / given["CodeUri"]).resolve()
        if not root.is_dir():
            raise TemplateError(
                f"{logical_id} has CodeUri {given['CodeUri']}, which isn't a folder beside the template"
            )
        self._functions.register(name, Code(logical_id, root, given["Handler"]))
        self._stack.policies[logical_id] = given.get("Policies", [])
        lambdas = client("lambda")
        arn = lambdas.create_function(
            FunctionName=name,
            Runtime=given.get("Runtime", "python3.13"),
            Role=given.get("Role") or self._role,
            Handler=given["Handler"],
            Code={"ZipFile": _archive(logical_id)},
            Timeout=int(given.get("Timeout", 3)),
            MemorySize=int(given.get("MemorySize", 128)),
            Environment={
                "Variables": {k: str(v) for k, v in given.get("Environment", {}).get("Variables", {}).items()}
            },
        )["FunctionArn"]
        attributes = {"Arn": arn}
        target = arn
        if given.get("AutoPublishAlias"):
            version = lambdas.publish_version(FunctionName=name)
            lambdas.create_alias(
                FunctionName=name, Name=given["AutoPublishAlias"], FunctionVersion=version["Version"]
            )
            target = f"{arn}:{given['AutoPublishAlias']}"
            attributes |= {"Version": f"{arn}:{version['Version']}", "Alias": target}
        if url := given.get("FunctionUrlConfig"):
            if url["AuthType"] != "AWS_IAM":
                raise TemplateError(f"{logical_id} has a URL that anybody may call: not known here")
            made = self._functions.urls.make(name, given.get("AutoPublishAlias", ""))
            self._made[f"{logical_id}Url"] = Made(made, {"FunctionUrl": made})
        if config := given.get("EventInvokeConfig"):
            self._event_invoke_config(name, given.get("AutoPublishAlias"), config)
        if "ReservedConcurrentExecutions" in given:
            limit = int(given["ReservedConcurrentExecutions"])
            lambdas.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=limit)
        self._events(logical_id, given.get("Events", {}), target)
        return Made(name, attributes)

    @functools.cached_property
    def _role(self) -> str:
        """A role that exists: Lambda looks."""
        iam = client("iam")
        try:
            return str(iam.get_role(RoleName="function")["Role"]["Arn"])
        except iam.exceptions.NoSuchEntityException:
            trust = json.dumps(
                {
                    "Statement": [
                        {"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                    ]
                }
            )
            made = iam.create_role(RoleName="function", AssumeRolePolicyDocument=trust)
            return str(made["Role"]["Arn"])

    def _event_invoke_config(self, function: str, qualifier: str | None, given: Mapping[str, Any]) -> None:
        """SAM gives it to the alias, if there is one; the kind of a destination is SAM's own word."""
        told = given.get("DestinationConfig", {})
        destinations = {when: {"Destination": each["Destination"]} for when, each in told.items()}
        numbers = {
            key: int(given[key])
            for key in ("MaximumEventAgeInSeconds", "MaximumRetryAttempts")
            if key in given
        }
        asked: dict[str, Any] = {"FunctionName": function, "DestinationConfig": destinations, **numbers}
        if qualifier:
            asked["Qualifier"] = qualifier
        client("lambda").put_function_event_invoke_config(**asked)

    def _machine(self, logical_id: str, given: dict[str, Any]) -> Made:
        made = client("stepfunctions").create_state_machine(
            name=given.get("Name") or given.get("StateMachineName") or self.name_of(logical_id),
            definition=self._definition(logical_id, given),
            roleArn=given.get("Role") or given.get("RoleArn") or _role_arn(self._stack.name),
            type=given.get("Type", given.get("StateMachineType", "STANDARD")),
        )
        arn = made["stateMachineArn"]
        self._stack.policies[logical_id] = given.get("Policies", [])
        self._events(logical_id, given.get("Events", {}), arn)
        return Made(arn, {"Arn": arn, "Name": arn.split(":")[-1]})

    def _definition(self, logical_id: str, given: Mapping[str, Any]) -> str:
        text = given.get("DefinitionString") or json.dumps(given.get("Definition", {}))
        if "DefinitionUri" in given:
            file = self._folder / given["DefinitionUri"]
            if not file.is_file():
                raise TemplateError(
                    f"{logical_id} has DefinitionUri {given['DefinitionUri']}, which isn't there"
                )
            text = file.read_text(encoding="utf-8")
            text = text if file.suffix == ".json" else json.dumps(yaml.safe_load(text))
        for name, value in given.get("DefinitionSubstitutions", {}).items():
            text = text.replace(f"${{{name}}}", str(value))
        if left := _UNRESOLVED.findall(text):
            raise TemplateError(
                f"{logical_id} has no DefinitionSubstitutions for {', '.join(sorted(set(left)))}"
            )
        return text

    def _events(self, logical_id: str, events: Mapping[str, Any], target: str) -> None:
        for name, event in events.items():
            given = event.get("Properties", {})
            made = f"{logical_id}{name}"
            if event["Type"] in ("EventBridgeRule", "CloudWatchEvent", "Schedule"):
                self._made[made] = self._rule_for(made, given, target)
            elif event["Type"] == "ScheduleV2":
                asked = {"Name": made, **given, "Target": self._target(name, given, target)}
                self._made[made] = self._schedule(made, asked)
            elif event["Type"] == "DynamoDB":
                self._streams.follow(given["Stream"], target, given)
                self._made[made] = Made(made)
            else:
                raise TemplateError(
                    f"{logical_id} has an event {name} of type {event['Type']}: not known here"
                )

    def _rule_for(self, logical_id: str, given: Mapping[str, Any], target: str) -> Made:
        pattern = given.get("Pattern") or given.get("EventPattern")
        expression = given.get("Schedule") or given.get("ScheduleExpression")
        state = given.get("State") or ("DISABLED" if given.get("Enabled") is False else "ENABLED")
        rule = {"EventPattern": pattern, "ScheduleExpression": expression, "State": state}
        rule["Name"] = given.get("RuleName") or given.get("Name")
        return self._rule(logical_id, {**rule, "Targets": [self._target(logical_id, given, target)]})

    def _target(self, name: str, given: Mapping[str, Any], target: str) -> dict[str, Any]:
        kept = {key: given[key] for key in ("Input", "InputPath", "InputTransformer") if key in given}
        if "RetryPolicy" in given:
            kept["RetryPolicy"] = {key: int(value) for key, value in given["RetryPolicy"].items()}
        if "DeadLetterConfig" in given:
            if "Arn" not in given["DeadLetterConfig"]:
                raise TemplateError(
                    f"{name} has a DeadLetterConfig without an Arn: queues aren't made along here"
                )
            kept["DeadLetterConfig"] = {"Arn": given["DeadLetterConfig"]["Arn"]}
        return {"Id": name, "Arn": target, **kept}

    def _rule(self, logical_id: str, given: dict[str, Any]) -> Made:
        name = given.get("Name") or f"{self._stack.name}-{self.name_of(logical_id)}"
        rules = client("events")
        asked = {"Name": name, "State": given.get("State", "ENABLED")}
        if given.get("EventPattern"):
            asked["EventPattern"] = json.dumps(given["EventPattern"])
        if given.get("ScheduleExpression"):
            asked["ScheduleExpression"] = given["ScheduleExpression"]
        arn = rules.put_rule(**asked)["RuleArn"]
        if given.get("Targets"):
            rules.put_targets(Rule=name, Targets=given["Targets"])
        return Made(name, {"Arn": arn})

    def _schedule(self, logical_id: str, given: dict[str, Any]) -> Made:
        name = given.get("Name") or self.name_of(logical_id)
        target = {key: value for key, value in given["Target"].items() if key != "Id"}
        arn = client("scheduler").create_schedule(
            Name=name,
            ScheduleExpression=given["ScheduleExpression"],
            FlexibleTimeWindow=given.get("FlexibleTimeWindow", {"Mode": "OFF"}),
            State=given.get("State", "ENABLED"),
            Target={"RoleArn": _role_arn(self._stack.name), **target},
        )["ScheduleArn"]
        return Made(name, {"Arn": arn})

    def _table(self, logical_id: str, given: dict[str, Any]) -> Made:
        known = (
            "AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput", "GlobalSecondaryIndexes",
            "LocalSecondaryIndexes", "StreamSpecification", "DeletionProtectionEnabled", "Tags",
        )  # fmt: skip
        name = given.get("TableName") or f"{self._stack.name}-{self.name_of(logical_id)}"
        tables = client("dynamodb")
        asked = {key: given[key] for key in known if key in given}
        if "StreamSpecification" in asked:  # the API asks whether, the template only what
            asked["StreamSpecification"] = {"StreamEnabled": True, **asked["StreamSpecification"]}
        made = tables.create_table(TableName=name, **asked)["TableDescription"]
        if given.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
            recovery = {"PointInTimeRecoveryEnabled": True}
            tables.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
        streamed = {"StreamArn": made["LatestStreamArn"]} if "LatestStreamArn" in made else {}
        return Made(name, {"Arn": made["TableArn"], **streamed})

    def _simple_table(self, logical_id: str, given: dict[str, Any]) -> Made:
        key = given.get("PrimaryKey", {"Name": "id", "Type": "String"})
        kind = {"String": "S", "Number": "N", "Binary": "B"}[key["Type"]]
        full = {
            "AttributeDefinitions": [{"AttributeName": key["Name"], "AttributeType": kind}],
            "KeySchema": [{"AttributeName": key["Name"], "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        }
        return self._table(logical_id, {**given, **full})

    def _topic(self, logical_id: str, given: dict[str, Any]) -> Made:
        name = given.get("TopicName") or f"{self._stack.name}-{self.name_of(logical_id)}"
        topics = client("sns")
        attributes = {key: given[key] for key in ("KmsMasterKeyId",) if key in given}
        arn = topics.create_topic(Name=name, Attributes=attributes)["TopicArn"]
        for subscription in given.get("Subscription", []):
            topics.subscribe(
                TopicArn=arn, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"]
            )
        return Made(arn, {"TopicArn": arn, "TopicName": name})

    def _queue(self, logical_id: str, given: dict[str, Any]) -> Made:
        name = given.get("QueueName") or f"{self._stack.name}-{self.name_of(logical_id)}"
        known = ("MessageRetentionPeriod", "VisibilityTimeout", "DelaySeconds")
        asked = {key: str(given[key]) for key in known if key in given}
        url = client("sqs").create_queue(QueueName=name, Attributes=asked)["QueueUrl"]
        return Made(
            url, {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", "QueueName": name, "QueueUrl": url}
        )

    def _queue_policy(self, logical_id: str, given: dict[str, Any]) -> Made:
        policy = {"Policy": json.dumps(given["PolicyDocument"])}
        for url in given["Queues"]:
            client("sqs").set_queue_attributes(QueueUrl=url, Attributes=policy)
        return Made(logical_id)

    def _topic_policy(self, logical_id: str, given: dict[str, Any]) -> Made:
        for arn in given["Topics"]:
            policy = json.dumps(given["PolicyDocument"])
            client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
        return Made(logical_id)

    def _invoke_config(self, logical_id: str, given: dict[str, Any]) -> Made:
        self._event_invoke_config(given["FunctionName"], given["Qualifier"], given)
        return Made(logical_id)

    def _alarm(self, logical_id: str, given: dict[str, Any]) -> Made:
        name = given.get("AlarmName") or f"{self._stack.name}-{self.name_of(logical_id)}"
        client("cloudwatch").put_metric_alarm(**{**_typed(given), "AlarmName": name})
        return Made(name, {"Arn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"})

    def _log_group(self, logical_id: str, given: dict[str, Any]) -> Made:
        name = given.get("LogGroupName") or f"{self._stack.name}-{self.name_of(logical_id)}"
        client("logs").create_log_group(logGroupName=name)
        return Made(name, {"Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"})

    def _parameter(self, logical_id: str, given: dict[str, Any]) -> Made:
        name = given.get("Name") or self.name_of(logical_id)
        client("ssm").put_parameter(Name=name, Type=given["Type"], Value=str(given["Value"]), Overwrite=True)
        return Made(name, {"Type": given["Type"], "Value": str(given["Value"])})


Maker = Callable[[Deployment, str, dict[str, Any]], Made]
_MAKERS: dict[str, Maker] = {
    "AWS::Serverless::Function": Deployment._function,
    "AWS::Serverless::StateMachine": Deployment._machine,
    "AWS::Serverless::SimpleTable": Deployment._simple_table,
    "AWS::StepFunctions::StateMachine": Deployment._machine,
    "AWS::DynamoDB::Table": Deployment._table,
    "AWS::SNS::Topic": Deployment._topic,
    "AWS::SNS::TopicPolicy": Deployment._topic_policy,
    "AWS::SQS::Queue": Deployment._queue,
    "AWS::SQS::QueuePolicy": Deployment._queue_policy,
    "AWS::Lambda::EventInvokeConfig": Deployment._invoke_config,
    "AWS::CloudWatch::Alarm": Deployment._alarm,
    "AWS::Events::Rule": Deployment._rule,
    "AWS::Scheduler::Schedule": Deployment._schedule,
    "AWS::Logs::LogGroup": Deployment._log_group,
    "AWS::SSM::Parameter": Deployment._parameter,
}
_NUMBERS = {"Period": int, "EvaluationPeriods": int, "DatapointsToAlarm": int, "Threshold": float}
_TRUTHS = ("ActionsEnabled", "ReturnData")


def _typed(given: Any) -> Any:
    """Parameters reach a template as strings; CloudFormation makes numbers and truths of them, however deep."""
    if isinstance(given, list):
        return [_typed(each) for each in given]
    if not isinstance(given, Mapping):
        return given
    typed = {key: _typed(value) for key, value in given.items()}
    typed |= {key: number(typed[key]) for key, number in _NUMBERS.items() if key in typed}
    return typed | {key: str(typed[key]).lower() == "true" for key in _TRUTHS if key in typed}


def _role_arn(stack: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{stack}"


def _archive(logical_id: str) -> bytes:
    """Lambda wants a zip; the code itself is read where it lies."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("function.txt"), logical_id)
    return content.getvalue()
