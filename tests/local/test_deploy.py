"""A SAM template becomes what it describes, and what the local cloud can't give is a clear error."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Cloud
from local.control.template import TemplateError

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Prefix: {Type: String, Default: /services, AllowedPattern: "^/.*"}
  Level: {Type: String, Default: INFO, AllowedValues: [INFO, DEBUG]}
  Told: {Type: CommaDelimitedList, Default: "A,B", AllowedValues: [A, B, C]}
  Topic: {Type: String, Default: ""}
  Roles: {Type: CommaDelimitedList}
Conditions:
  MakesTopic: !Equals [!Ref Topic, ""]
  HasTopic: !Not [!Condition MakesTopic]
Globals:
  Function:
    CodeUri: code/
    Timeout: 60
    AutoPublishAlias: live
    Environment:
      Variables:
        TABLE: !Ref Table
        TOPIC: !If [MakesTopic, !Ref Pages, !Ref Topic]
        LEVEL: !Ref Level
Resources:
  PlanFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: plan_step.lambda_handler
      Timeout: 15
      Policies: [!Ref ReadPolicy]
      Environment: {Variables: {LEVEL: DEBUG, ROLE: !Select [1, !Ref Roles]}}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: machine.asl.json
      DefinitionSubstitutions:
        PlanArn: !Ref PlanFunction.Version
        Words: !Join ["-", [a, !Sub "${AWS::Region}", !Sub ["${x}", {x: !GetAtt Table.Arn}]]]
      Role: !GetAtt Role.Arn
  Table:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - {AttributeName: pk, AttributeType: S}
        - {AttributeName: sk, AttributeType: S}
        - {AttributeName: status, AttributeType: S}
      KeySchema: [{AttributeName: pk, KeyType: HASH}, {AttributeName: sk, KeyType: RANGE}]
      GlobalSecondaryIndexes:
        - IndexName: byStatus
          KeySchema: [{AttributeName: status, KeyType: HASH}]
          Projection: {ProjectionType: ALL}
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
  Simple: {Type: AWS::Serverless::SimpleTable}
  Pages: {Type: AWS::SNS::Topic, Condition: MakesTopic}
  Other: {Type: AWS::SNS::Topic, Condition: HasTopic}
  Letters: {Type: AWS::SQS::Queue, Properties: {QueueName: letters}}
  LettersPolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Letters]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sqs:SendMessage
            Resource: !GetAtt Letters.Arn
            Condition: {ArnEquals: {aws:SourceArn: !GetAtt WatchFunctionRang.Arn}}
  WatchFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: plan_step.lambda_handler
      ReservedConcurrentExecutions: !If [HasTopic, 3, !Ref AWS::NoValue]
      EventInvokeConfig:
        MaximumEventAgeInSeconds: 300
        MaximumRetryAttempts: 1
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Letters.Arn}}
      Events:
        Rang:
          Type: EventBridgeRule
          Properties:
            Pattern: {source: [aws.cloudwatch], detail: {state: {value: [ALARM]}}}
            DeadLetterConfig: {Arn: !GetAtt Letters.Arn}
            RetryPolicy: {MaximumEventAgeInSeconds: 300, MaximumRetryAttempts: 4}
        EveryMinute:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: rate(1 minute)
            DeadLetterConfig: {Arn: !GetAtt Letters.Arn}
            RetryPolicy: {MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 0}
  Silent:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: silent
      AlarmActions: !If [MakesTopic, [!Ref Pages], !Ref AWS::NoValue]
      ActionsEnabled: "true"
      EvaluationPeriods: "3"
      DatapointsToAlarm: 3
      Threshold: 1
      ComparisonOperator: LessThanThreshold
      TreatMissingData: breaching
      Metrics:
        - Id: well
          Expression: invocations - errors
        - Id: invocations
          ReturnData: "false"
          MetricStat: &invocations
            Period: "60"
            Stat: Sum
            Metric:
              Namespace: AWS/Lambda
              MetricName: Invocations
              Dimensions: [{Name: FunctionName, Value: !Ref WatchFunction}]
        - Id: errors
          ReturnData: false
          MetricStat:
            <<: *invocations
            Metric:
              Namespace: AWS/Lambda
              MetricName: Errors
              Dimensions: [{Name: FunctionName, Value: !Ref WatchFunction}]
  Logs: {Type: AWS::Logs::LogGroup}
  ReadPolicy: {Type: AWS::IAM::ManagedPolicy, Properties: {PolicyDocument: {Statement: []}}}
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
  Dead:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: dead
      Namespace: AWS/Lambda
      MetricName: Errors
      Dimensions: [{Name: FunctionName, Value: !Ref PlanFunction}]
      Statistic: Sum
      Period: "60"
      EvaluationPeriods: "1"
      Threshold: "1"
      ComparisonOperator: GreaterThanOrEqualToThreshold
Outputs:
  MachineArn: {Value: !Ref Machine}
  TableName: {Value: !Ref Table}
  Where: {Value: !Sub "${Prefix}/${AWS::AccountId}/${!kept}/${PlanFunction.Version}"}
  Never: {Condition: HasTopic, Value: !Ref Other}
"""
DEFINITION = {
    "QueryLanguage": "JSONata",
    "StartAt": "Plan",
    "States": {
        "Plan": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": "${PlanArn}"},
            "Output": {"environment": "{% $states.result.Payload %}", "words": "${Words}"},
            "End": True,
        }
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "plan_step.py").write_text(
        "import os\n"
        "def lambda_handler(event, context):\n"
        "    names = ['TABLE', 'TOPIC', 'LEVEL', 'ROLE']\n"
        "    return {**{n: os.environ[n] for n in names}, 'arn': context.invoked_function_arn}\n"
    )
    (tmp_path / "machine.asl.json").write_text(json.dumps(DEFINITION))
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return tmp_path


def deploy(cloud: Cloud, folder: Path, **parameters: str) -> Any:
    return cloud.deploy(folder / "template.yaml", {"Roles": "arn:one, arn:two", **parameters})


def test_a_template_stands_and_its_machine_runs(cloud: Cloud, folder: Path) -> None:
    stack = deploy(cloud, folder)
    ended = cloud.run(stack.outputs["MachineArn"], {})
    environment = ended.output["environment"]
    version = stack.outputs["Where"].split("/")[-1]
    assert environment == {
        "TABLE": stack.outputs["TableName"],
        "TOPIC": stack.resources["Pages"],
        "LEVEL": "DEBUG",
        "ROLE": "arn:two",
        "arn": version,
    }
    assert version.endswith(":1")
    table = f"arn:aws:dynamodb:us-east-1:123456789012:table/{stack.outputs['TableName']}"
    assert ended.output["words"] == f"a-us-east-1-{table}"
    assert stack.outputs["Where"].startswith("/services/123456789012/${kept}/")


def test_conditions_leave_resources_and_outputs_out(cloud: Cloud, folder: Path) -> None:
    stack = deploy(cloud, folder, Topic="arn:aws:sns:us-east-1:123456789012:mine")
    assert "Pages" not in stack.resources
    assert "Other" in stack.resources
    assert stack.outputs["Never"] == stack.resources["Other"]


def test_properties_reach_what_is_made(cloud: Cloud, folder: Path) -> None:
    stack = deploy(cloud, folder)
    function = cloud.client("lambda").get_function_configuration(FunctionName=stack.resources["PlanFunction"])
    assert (function["Timeout"], function["Runtime"]) == (15, "python3.13")
    tables = cloud.client("dynamodb")
    table = tables.describe_table(TableName=stack.outputs["TableName"])["Table"]
    assert table["GlobalSecondaryIndexes"][0]["IndexName"] == "byStatus"
    backups = tables.describe_continuous_backups(TableName=stack.outputs["TableName"])
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    alarm = cloud.client("cloudwatch").describe_alarms(AlarmNames=["dead"])["MetricAlarms"][0]
    assert (alarm["Period"], alarm["Threshold"], alarm["StateValue"]) == (60, 1.0, "INSUFFICIENT_DATA")
    aliases = cloud.client("lambda").list_aliases(FunctionName=stack.resources["PlanFunction"])["Aliases"]
    assert [(alias["Name"], alias["FunctionVersion"]) for alias in aliases] == [("live", "1")]


def test_what_sam_makes_of_a_functions_events(cloud: Cloud, folder: Path) -> None:
    """The names and shapes of samtranslator's model/eventsources/push.py and scheduler.py."""
    stack = deploy(cloud, folder)
    name = stack.resources["WatchFunction"]
    alias = f"arn:aws:lambda:us-east-1:123456789012:function:{name}:live"
    letters = "arn:aws:sqs:us-east-1:123456789012:letters"
    rule = stack.resources["WatchFunctionRang"]
    assert rule.startswith("viridian-WatchFunctionRang-")
    (target,) = cloud.client("events").list_targets_by_rule(Rule=rule)["Targets"]
    assert (target["Arn"], target["DeadLetterConfig"]) == (alias, {"Arn": letters})
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 300, "MaximumRetryAttempts": 4}
    schedule = cloud.client("scheduler").get_schedule(Name="WatchFunctionEveryMinute")["Target"]
    assert (schedule["Arn"], schedule["DeadLetterConfig"]) == (alias, {"Arn": letters})
    assert schedule["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
    config = cloud.client("lambda").get_function_event_invoke_config(FunctionName=name, Qualifier="live")
    assert (config["MaximumEventAgeInSeconds"], config["MaximumRetryAttempts"]) == (300, 1)
    assert config["DestinationConfig"]["OnFailure"] == {"Destination": letters}
    assert cloud.functions.concurrency(name) is None
    url = cloud.client("sqs").get_queue_url(QueueName="letters")["QueueUrl"]
    policy = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    (statement,) = json.loads(policy["Policy"])["Statement"]
    source = f"arn:aws:events:us-east-1:123456789012:rule/{rule}"
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": source}}


def test_concurrency_is_reserved_where_the_template_says_so(cloud: Cloud, folder: Path) -> None:
    stack = deploy(cloud, folder, Topic="arn:aws:sns:us-east-1:123456789012:mine")
    assert cloud.functions.concurrency(stack.resources["WatchFunction"]) == 3


def test_an_alarm_of_metric_math_is_made_as_it_is_written(cloud: Cloud, folder: Path) -> None:
    stack = deploy(cloud, folder)
    (alarm,) = cloud.client("cloudwatch").describe_alarms(AlarmNames=["silent"])["MetricAlarms"]
    assert (alarm["ActionsEnabled"], alarm["AlarmActions"]) == (True, [stack.resources["Pages"]])
    assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"], alarm["Threshold"]) == (3, 3, 1.0)
    shown = {each["Id"]: each for each in alarm["Metrics"]}
    assert shown["well"]["Expression"] == "invocations - errors"
    assert shown["errors"]["ReturnData"] is False
    assert shown["errors"]["MetricStat"]["Period"] == 60
    assert shown["errors"]["MetricStat"]["Metric"]["MetricName"] == "Errors"
    cloud.until(lambda: False, 600)
    (alarm,) = cloud.client("cloudwatch").describe_alarms(AlarmNames=["silent"])["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM", "its handler fails for want of a variable"
    assert len(cloud.published(stack.resources["Pages"])) == 1


def test_policies_are_recorded(cloud: Cloud, folder: Path) -> None:
    stack = deploy(cloud, folder)
    assert stack.policies["ReadPolicy"] == {"PolicyDocument": {"Statement": []}}
    assert stack.policies["PlanFunction"] == [stack.resources["ReadPolicy"]]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("{Type: AWS::SQS::Queue", "{Type: AWS::Kinesis::Stream"), "Letters is a AWS::Kinesis::Stream"),
        (("!Ref PlanFunction.Version", "!Ref PlanFunction.Nonsense"), "no attribute Nonsense"),
        (("TABLE: !Ref Table", "TABLE: !Ref Tabel"), "Tabel is referred to, and isn't in the template"),
        (("PlanArn: ", "PlannArn: "), "no DefinitionSubstitutions for PlanArn"),
        (("machine.asl.json", "lost.asl.json"), "DefinitionUri lost.asl.json"),
        (("CodeUri: code/", "CodeUri: lost/"), "CodeUri lost/"),
        (("Condition: MakesTopic", "Condition: Sometimes"), "no condition Sometimes"),
        (("!Join [", "!Cidr ["), "no Fn::Cidr"),
        (("DeadLetterConfig: {Arn: !GetAtt Letters.Arn}", "DeadLetterConfig: {Type: SQS}"), "without an Arn"),
        (("TABLE: !Ref Table", "TABLE: !Ref PlanFunction"), "in a circle: .*PlanFunction"),
    ],
)
def test_what_cannot_be_made_is_named(cloud: Cloud, folder: Path, wrong: tuple[str, str], words: str) -> None:
    assert wrong[0] in TEMPLATE
    (folder / "template.yaml").write_text(TEMPLATE.replace(*wrong))
    with pytest.raises(TemplateError, match=words):
        deploy(cloud, folder)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"Prefix": "services"}, r"Prefix is 'services', which doesn't match \^/"),
        ({"Level": "LOUD"}, "Level is 'LOUD': give one of INFO, DEBUG"),
        ({"Told": "C, D"}, "Told is 'D': give one of A, B, C"),
        ({"Nothing": "x"}, "no parameter Nothing"),
    ],
)
def test_parameters_are_checked(cloud: Cloud, folder: Path, parameters: dict[str, str], words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        deploy(cloud, folder, **parameters)


def test_a_parameter_without_a_default_is_asked_for(cloud: Cloud, folder: Path) -> None:
    with pytest.raises(TemplateError, match="Roles has no default"):
        cloud.deploy(folder / "template.yaml")
