"""The options that mean the same in every command."""

from typing import Annotated

import typer

from viridian_cli import completion

Service = Annotated[
    str, typer.Argument(help="The service, as it is registered.", autocompletion=completion.services)
]
Release = Annotated[
    str,
    typer.Argument(
        help="The release's id or its version; the one that runs, or ran last, if left out.",
        autocompletion=completion.releases_,
    ),
]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; it is kept with the release.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait", help="Stay until it is over: 0 promoted, 1 rolled back, 2 held, 3 refused, 4 can't tell."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask first.")]
