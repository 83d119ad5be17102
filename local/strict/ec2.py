"""What EC2 refuses, merges and remembers, and moto doesn't (aws-facts.md A8, I3, I7)."""

import copy
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidLaunchTemplateVersionNotFound
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend, LaunchTemplateVersion
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.utils import parse_user_data

from local.hooks import Hooks


def install(hooks: Hooks) -> None:
    hooks.wrap(InstanceResponse, "run_instances", _run_instances)
    hooks.wrap(LaunchTemplateBackend, "create_launch_template", _create_launch_template)
    hooks.set(LaunchTemplates, "create_launch_template_version", _create_version)
    hooks.set(LaunchTemplates, "delete_launch_template_versions", _delete_versions)
    hooks.set(LaunchTemplate, "create_version", _add_version)
    hooks.set(LaunchTemplate, "get_version", _get_version)
    hooks.set(LaunchTemplate, "tags", property(lambda template: template.get_tags(), lambda *_: None))
    hooks.set(
        LaunchTemplate,
        "default_version",
        lambda template: _numbered(template, template.default_version_number),
    )


def _once(response: Any, call: str, key: str, make: Any) -> Any:
    """The answer already given to this ClientToken, or a new one."""
    token = response._get_params().get("ClientToken")
    if not token:
        return make()
    params = {name: value for name, value in response._get_params().items() if name != "ClientToken"}
    answers = vars(response.ec2_backend).setdefault("answers", {})
    asked, answer = answers.setdefault((call, key, token), (params, None))
    if asked != params:
        raise EC2ClientError(
            "IdempotentParameterMismatch", f"Client token {token} was used with other parameters"
        )
    if answer is None:
        try:
            answer = make()
        except Exception:
            del answers[call, key, token]
            raise
        answers[call, key, token] = (params, answer)
    return answer


def _run_instances(original: Any, response: InstanceResponse) -> Any:
    image = response._get_param("ImageId")
    if image:
        check_image(response.ec2_backend, image)
    return _once(response, "RunInstances", "", lambda: original(response))


def check_image(backend: Any, image_id: str) -> None:
    image = backend.amis.get(image_id)
    if image is None:
        raise EC2ClientError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    if image.state != "available":
        raise EC2ClientError(
            "InvalidAMIID.Unavailable", f"The image ID '{image_id}' is not available: {image.state}"
        )


def _create_launch_template(
    original: Any, backend: Any, name: str, description: str, template_data: dict[str, Any], tag_spec: Any
) -> LaunchTemplate:
    """The template's own tags aren't part of its data; moto mixes them in."""
    specs = [
        spec
        for spec in template_data.get("TagSpecifications", [])
        if spec["ResourceType"] != "launch-template"
    ]
    data = {
        key: value for key, value in template_data.items() if key != "TagSpecifications" and value is not None
    }
    return original(  # type: ignore[no-any-return]
        backend, name, description, {**data, **({"TagSpecifications": specs} if specs else {})}, tag_spec
    )


def _template(response: LaunchTemplates) -> LaunchTemplate:
    backend: LaunchTemplateBackend = response.ec2_backend
    if name := response._get_param("LaunchTemplateName"):
        return backend.get_launch_template_by_name(name)
    return backend.get_launch_template(response._get_param("LaunchTemplateId"))


def _create_version(response: LaunchTemplates) -> Any:
    """A version with a source inherits what it doesn't name itself."""
    template = _template(response)
    response.error_on_dryrun()
    return _once(
        response, "CreateLaunchTemplateVersion", template.id, lambda: _new_version(response, template)
    )


def _new_version(response: LaunchTemplates, template: LaunchTemplate) -> ActionResult:
    data = dict(response._get_param("LaunchTemplateData", {}))
    if "UserData" in data:
        data["UserData"] = parse_user_data(data["UserData"])
    if source := response._get_param("SourceVersion"):
        data = {**_inherited(template.get_version(source).data), **data}
    version = template.create_version(data, response._get_param("VersionDescription"))
    return ActionResult(
        {
            "LaunchTemplateVersion": {
                "CreateTime": version.create_time,
                "CreatedBy": f"arn:{response.partition}:iam::{response.current_account}:root",
                "DefaultVersion": template.is_default(version),
                "LaunchTemplateData": version.data,
                "LaunchTemplateId": template.id,
                "LaunchTemplateName": template.name,
                "VersionDescription": version.description,
                "VersionNumber": version.number,
            }
        }
    )


def _inherited(data: dict[str, Any]) -> dict[str, Any]:
    """Snapshots in the block device mapping are left behind unless the new version names them.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplateVersion.html, SourceVersion
    """
    inherited = copy.deepcopy(data)
    for mapping in inherited.get("BlockDeviceMappings", []):
        mapping.get("Ebs", {}).pop("SnapshotId", None)
    return inherited


def _delete_versions(response: LaunchTemplates) -> ActionResult:
    template = _template(response)
    done: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    for number in map(int, response._get_param("Versions", [])):
        entry: dict[str, Any] = {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionNumber": number,
        }
        version = next((each for each in template.versions if each.number == number), None)
        if version is None or template.is_default(version):
            code = "launchTemplateVersionDoesNotExist" if version is None else "unexpectedError"
            refused.append(
                {**entry, "ResponseError": {"Code": code, "Message": f"Version {number} was not deleted"}}
            )
        else:
            template.versions.remove(version)
            done.append(entry)
    return ActionResult(
        {
            "SuccessfullyDeletedLaunchTemplateVersions": done,
            "UnsuccessfullyDeletedLaunchTemplateVersions": refused,
        }
    )


def _add_version(template: Any, data: dict[str, Any], description: str) -> LaunchTemplateVersion:
    """Numbers only rise, even when the last version was deleted."""
    template.last_number = getattr(template, "last_number", len(template.versions)) + 1
    version = LaunchTemplateVersion(template, template.last_number, data, description)
    template.versions.append(version)
    return version


def _get_version(template: LaunchTemplate, number: Any) -> LaunchTemplateVersion:
    if str(number).lower() == "$latest":
        return template.versions[-1]
    return _numbered(
        template, template.default_version_number if str(number).lower() == "$default" else number
    )


def _numbered(template: LaunchTemplate, number: Any) -> LaunchTemplateVersion:
    for version in template.versions:
        if str(version.number) == str(number):
            return version
    raise InvalidLaunchTemplateVersionNotFound(template_id=template.id, version=number)
