"""`viridian plan`: what a release would do, without doing it."""

import json as json_
import time

import typer

from viridian.aws import executions, profiles
from viridian_cli import asking, exits, failures, options, say, waiting
from viridian_cli.aws import machines, stack
from viridian_cli.exits import Exit, Stop

PANEL = "Release"
LOOK_SECONDS = 2
_LISTS = ("steps", "timetable", "makes", "changes", "keeps", "head_room", "cost", "unchecked")


def command(
    context: typer.Context,
    service: options.Service,
    version: asking.Version,
    ami: asking.Ami = None,
    instance: asking.Instance = None,
    ami_parameter: asking.Parameter = None,
    pipeline: asking.Pipeline = None,
    fields: asking.Fields = "{}",
    json: options.Json = False,
) -> Exit:
    """Shows the whole plan of a release; nothing is touched."""
    asked = asking.document(
        service, version, fields, ami=ami, instance=instance, ami_parameter=ami_parameter, pipeline=pipeline
    )
    stack.find(context.obj)
    profiles.find(service)  # refuses one that isn't registered, before anything is started
    execution = machines.start("release", {**asked, "dry_run": True})
    while (stands := waiting.patiently(lambda: executions.outcome(execution)))["status"] == "RUNNING":
        time.sleep(LOOK_SECONDS)
    if stands["status"] != "SUCCEEDED":
        code = exits.code(stands.get("error", ""))
        raise Stop(failures.cause(stands) or f"The execution ended {stands['status']}: {execution}", code)
    planned = json_.loads(stands["output"])
    if json:
        say.document(planned)
        return Exit.PROMOTED
    say.line(f"{service} {version} would be released so:")
    for name in _LISTS:
        for n, line in enumerate(planned.get(name) or ()):
            say.line(f"{name.replace('_', ' ') if not n else '':10} {line}")
    return Exit.PROMOTED
