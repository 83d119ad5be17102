"""`viridian release`: begins a release."""

from typing import Annotated

import typer

from viridian import names
from viridian.aws import profiles
from viridian_cli import asking, following, options
from viridian_cli.aws import machines, stack
from viridian_cli.exits import Exit, Stop

PANEL = "Release"


def command(
    context: typer.Context,
    service: options.Service,
    version: asking.Version,
    ami: asking.Ami = None,
    instance: asking.Instance = None,
    ami_parameter: asking.Parameter = None,
    pipeline: asking.Pipeline = None,
    commit: asking.Commit = None,
    fields: asking.Fields = "{}",
    key: Annotated[
        str | None, typer.Option(help="Asked again with the same key, the release is joined, not begun anew.")
    ] = None,
    wait: options.Wait = False,
    json: options.Json = False,
) -> Exit:
    """Begins a release of a new version."""
    asked = asking.document(
        service,
        version,
        fields,
        commit,
        ami=ami,
        instance=instance,
        ami_parameter=ami_parameter,
        pipeline=pipeline,
    )
    asked |= {"key": key} if key else {}
    if asked.get("dry_run"):
        raise Stop("dry_run: true. Use `viridian plan`, which shows what it finds.")
    stack.find(context.obj)
    profiles.find(service)  # refuses one that isn't registered, before anything is started
    execution = machines.start("release", asked)
    release = None if asked.get("key") else names.release(version, execution)
    return following.follow(service, release, execution, wait=wait, json=json)
