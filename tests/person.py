"""A person of the account: an IAM user with keys of their own, who signs what they say."""

import json
from dataclasses import dataclass
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.control.calls import PERSON, made_by
from local.control.session import REGION, session
from local.control.urls import Answer


@dataclass(frozen=True)
class Person:
    """Somebody with credentials."""

    cloud: Any
    arn: str
    credentials: Credentials

    @classmethod
    def named(cls, cloud: Any, name: str) -> "Person":
        """A user of this name, made for the purpose."""
        iam = cloud.client("iam")
        arn = iam.create_user(UserName=name)["User"]["Arn"]
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return cls(cloud, arn, Credentials(key["AccessKeyId"], key["SecretAccessKey"]))

    def start(self, machine: str, document: Any) -> str:
        """Starts an execution; answers with its ARN."""
        access, secret = self.credentials.access_key, self.credentials.secret_key
        client = session().client("stepfunctions", aws_access_key_id=access, aws_secret_access_key=secret)
        with made_by(PERSON):
            started = client.start_execution(stateMachineArn=machine, input=json.dumps(document))
        return str(started["executionArn"])

    def post(
        self, url: str, document: Any, *, method: str = "POST", kind: str = "application/json"
    ) -> Answer:
        """Sends a document, signed as curl --aws-sigv4 does it."""
        body = json.dumps(document).encode()
        request = AWSRequest(method=method, url=url, headers={"Content-Type": kind}, data=body)
        SigV4Auth(self.credentials, "lambda", REGION).add_auth(request)
        headers = {str(name): str(value) for name, value in request.headers.items()}
        answer: Answer = self.cloud.functions.urls.ask(method, url, headers, body)
        return answer
