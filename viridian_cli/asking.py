"""A release as it is asked for on the command line, as the document that starts it."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from viridian import request
from viridian_cli.exits import Stop

_SOURCES = {
    "ami": ("ami", "image_id"),
    "instance": ("instance", "instance_id"),
    "ami_parameter": ("ami_parameter", "parameter"),
    "pipeline": ("image_builder", "pipeline_arn"),
}

Version = Annotated[str, typer.Argument(help="The version, as semantic versioning has it: 2.0.0.")]
Ami = Annotated[str | None, typer.Option("--ami", help="An image that is ready: ami-...")]
Instance = Annotated[str | None, typer.Option("--instance", help="An instance to make the image of: i-...")]
Parameter = Annotated[
    str | None, typer.Option("--ami-parameter", help="A parameter that holds an image's id.")
]
Pipeline = Annotated[str | None, typer.Option("--pipeline", help="The ARN of an Image Builder pipeline.")]
Fields = Annotated[
    str,
    typer.Option(
        "--fields",
        help="More fields of the input as JSON, or @FILE: docs/reference.md has them all.",
        metavar="JSON",
    ),
]
Commit = Annotated[str | None, typer.Option("--commit", help="What it was built of; kept with the image.")]


def document(
    service: str,
    version: str,
    fields: str,
    commit: str | None = None,
    **sources: str | None,
) -> dict[str, Any]:
    """The execution's input. What is wrong with it is said here, before anything is started."""
    asked = {**_fields(fields), "service": service, "version": version}
    given = [
        (kind, field, value) for name, value in sources.items() if value for kind, field in [_SOURCES[name]]
    ]
    if given:
        kind, field, value = given[0]
        asked["source"] = {"type": kind, field: value}
    if commit:
        asked["build"] = {**asked.get("build", {}), "commit": commit}
    if len(given) > 1 or "source" not in asked:
        raise Stop(
            "source: give one of --ami, --instance, --ami-parameter and --pipeline, or a `source` in --fields."
        )
    request.parse(asked)
    return asked


def parsed(field: str, text: str) -> Any:
    """JSON as it was typed, or in the file that was named with an @."""
    try:
        return json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except (OSError, ValueError) as error:
        raise Stop(f"{field}: {text}. Give JSON, or @ and a file that has it ({error}).") from None


def _fields(text: str) -> dict[str, Any]:
    found = parsed("fields", text)
    if not isinstance(found, dict):
        raise Stop(f"fields: {text}. Give a JSON object: its fields go into the release's input.")
    return found
