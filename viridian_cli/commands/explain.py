"""`viridian explain`: what happened to a release, when, why, by whom, and what to do next."""

from pathlib import Path
from typing import Annotated

import typer

from viridian_cli import narrating, options, say
from viridian_cli.aws import gathering, look, stack
from viridian_cli.exits import Stop
from viridian_cli.report import markdown, page, terminal

PANEL = "Look"


def command(
    context: typer.Context,
    service: options.Service,
    release: options.Release = "",
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown, for a pull request.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write one page with plots, which needs nothing else.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Tells a release's whole story: when what happened and why, who had a say, the evidence, the cost, and what to do."""
    stack.find(context.obj)
    record = look.meant(service, release)
    told = narrating.tell(record, gathering.gather(record))
    if html is not None:
        _write(html, page.render(told))
    if json:
        say.document(told)
    elif as_markdown:
        say.raw(markdown.render(told))
    elif html is not None:
        say.line(f"{html}")
    else:
        terminal.show(told)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(f"html: {path}. Name a file that can be written ({error.strerror}).") from None
