"""`viridian collect`: what releases left behind."""

import json as json_
from typing import Annotated

import typer

from viridian.aws import clients
from viridian_cli import options, say
from viridian_cli.aws import stack
from viridian_cli.exits import Exit, Stop

PANEL = "Keep house"


def command(
    context: typer.Context,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove it now, not only say what would go.")
    ] = False,
    json: options.Json = False,
) -> Exit:
    """Shows what the collector would remove and what it keeps, each with its reason."""
    function = stack.find(context.obj).output("CollectFunctionName")
    answer = clients.writer("lambda", 330).invoke(
        FunctionName=function, Payload=json_.dumps({"dry_run": not remove}).encode()
    )
    found = json_.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise Stop(f"The collector failed: {found.get('errorMessage', found)}", Exit.UNKNOWN)
    if json:
        say.document(found)
        return Exit.PROMOTED
    for name in ("removed", "left", "failed", "reported", "kept"):
        title = "would be removed" if name == "removed" and not remove else name
        for line in found[name]:
            say.line(f"{title:17} {line}")
    if not any(found[name] for name in ("removed", "left", "failed", "reported", "kept")):
        say.line("Nothing that a release made is left.")
    return Exit.PROMOTED
