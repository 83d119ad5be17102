"""CodeBuild: images that Packer makes of a build artifact."""

from typing import Any

from viridian import names
from viridian.aws import clients, ledger
from viridian.errors import Refusal
from viridian.fence import Fence
from viridian.image import Making
from viridian.plan import Plan
from viridian.request import PackerSource, S3Artifact

EXPORTED = "AMI_ID"
_RELEASE = "VIRIDIAN_RELEASE"
_LATEST = 100  # of a project's builds: as many as one call lists, and another tells about


def find_project(name: str) -> dict[str, Any]:
    """A project as AWS shows it; a Refusal if there is none."""
    found = clients.reader("codebuild").batch_get_projects(names=[name])["projects"]
    if not found:
        raise Refusal("source.project", name, "Use a project that exists in this account and Region.")
    return dict(found[0])


def start(plan: Plan, fence: Fence) -> str:
    """Has the project build an image of the artifact, once; answers with the build's id."""
    if (begun := find(plan)) is not None:
        return begun
    source = _source(plan)
    with ledger.mutation(fence, "StartBuild", source.project, after=variables(plan)) as entry:
        build = clients.writer("codebuild").start_build(
            projectName=source.project,
            idempotencyToken=names.token(plan.service, plan.release),
            environmentVariablesOverride=[
                {"name": name, "value": value, "type": "PLAINTEXT"} for name, value in variables(plan).items()
            ],
        )["build"]
        entry.shown = str(build["id"])
    return str(entry.shown)


def variables(plan: Plan) -> dict[str, str]:
    """What a build is told: for whom it builds, and of what."""
    artifact = _source(plan).artifact
    told = {
        "VIRIDIAN_SERVICE": plan.service,
        _RELEASE: plan.release,
        "VIRIDIAN_VERSION": plan.version,
        "ARTIFACT": artifact.uri,
    }
    version = artifact.version_id if isinstance(artifact, S3Artifact) else None
    return {**told, "ARTIFACT_VERSION": version} if version else told


def find(plan: Plan) -> str | None:
    """The build that was started for this release, by what it was told."""
    client, told = clients.reader("codebuild"), (_RELEASE, plan.release)
    listed = client.list_builds_for_project(projectName=_source(plan).project, sortOrder="DESCENDING")["ids"]
    found = client.batch_get_builds(ids=listed[:_LATEST])["builds"] if listed else []
    for build in found:
        if told in [(each["name"], each["value"]) for each in build["environment"]["environmentVariables"]]:
            return str(build["id"])
    return None


def follow(build: str) -> Making:
    """How a build is getting on: its status, the image that it exports, and the first of its phases that failed."""
    found = clients.reader("codebuild").batch_get_builds(ids=[build])["builds"]
    if not found:
        return Making(
            id=build, what=f"build {build}", status="IN_PROGRESS"
        )  # it was listed or started a moment ago
    shown = found[0]
    exported = {each["name"]: each["value"] for each in shown.get("exportedEnvironmentVariables", [])}
    return Making(
        id=build,
        what=f"build {build}",
        status=shown["buildStatus"],
        reason=next((_words(phase) for phase in shown.get("phases", []) if _failed(phase)), ""),
        began=shown["startTime"],
        image=exported.get(EXPORTED),
        stands=shown["buildStatus"] == "IN_PROGRESS",
    )


def remove(making: Making, fence: Fence) -> None:
    """Stops a build; what has ended is CodeBuild's history, and stays."""
    with ledger.mutation(fence, "StopBuild", making.id):
        clients.writer("codebuild").stop_build(id=making.id)


def _failed(phase: dict[str, Any]) -> bool:
    return phase.get("phaseStatus") not in (None, "SUCCEEDED", "IN_PROGRESS")


def _words(phase: dict[str, Any]) -> str:
    told = [context["message"] for context in phase.get("contexts", []) if context.get("message")]
    return f"{phase['phaseType']}: {told[0] if told else phase['phaseStatus']}"


def _source(plan: Plan) -> PackerSource:
    assert isinstance(plan.source, PackerSource)
    return plan.source
