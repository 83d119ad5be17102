"""`viridian init`: registers a service, and tags what it lends."""

from collections.abc import Callable
from typing import Annotated

import typer

from viridian import preflight, request
from viridian_cli import asking, finding, options, proposing, say
from viridian_cli.aws import account, registering, stack
from viridian_cli.exits import Exit, Stop
from viridian_cli.finding import Found, Way
from viridian_cli.proposing import Proposal

PANEL = "Keep house"


def command(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="A name for the service; asked for if left out.")] = "",
    route: Annotated[
        str, typer.Option(help="The listener or rule, as an ARN, if it can't be told from the account.")
    ] = "",
    guard: Annotated[
        list[str] | None, typer.Option(help="An alarm that guards releases, instead of those found; repeat.")
    ] = None,
    fields: Annotated[
        str,
        typer.Option(help="More fields of the profile as JSON, or @FILE: docs/reference.md.", metavar="JSON"),
    ] = "{}",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the profile that stands.")] = False,
    print_: Annotated[
        bool, typer.Option("--print", help="Print the AWS CLI lines that do it, and do nothing.")
    ] = False,
    yes: options.Yes = False,
    json: options.Json = False,
) -> Exit:
    """Asks the account what can be released, shows the profile and the tags, and after a yes writes them."""
    stack.find(context.obj)
    given = {name: value for name, value in (("route", route), ("guards", guard)) if value}
    asked = request.parse_as(asking.parsed("fields", fields), dict) | given
    standing = account.registered(service) if service else {}
    way = _way(account.find(service), str(asked.get("route") or standing.get("route", "")))
    wanted = proposing.propose(service or _name(way), way, asked, overwrite)
    told = {name: getattr(wanted, name) for name in ("service", "profile", "no_guards", "next")}
    if print_ and json:
        say.document({**told, "by_hand": wanted.by_hand()})
        return Exit.PROMOTED
    if print_:
        for line in wanted.by_hand():
            say.line(line)
        return Exit.PROMOTED
    if not json:
        _show(wanted, say.line)
    if not (wanted.done or yes):
        _confirm(wanted, json)
    wanted.write()
    if json:
        say.document({**told, "lent": [thing.id for thing in wanted.lends]})
    else:
        say.line(f"{wanted.service} is {'registered already' if wanted.done else 'registered'}.", "green")
        say.line(f"Next, with blue's own image, what would be in the way of a release: {wanted.next}")
    return Exit.PROMOTED


def _way(found: Found, route: str) -> Way:
    if route:
        return finding.named(found, route)
    if not found.ways:
        raise finding.nothing(found)
    if len(found.ways) == 1:
        return found.ways[0]
    if not say.asks():
        raise finding.several(found)
    for number, way in enumerate(found.ways, start=1):
        typer.echo(f"{number:3}  {way.words}", err=True)
    n: int = typer.prompt("Which of them", type=int, err=True)
    if not 1 <= n <= len(found.ways):
        raise Stop(f"route: {n}. Give a number from 1 to {len(found.ways)}.")
    return found.ways[n - 1]


def _name(way: Way) -> str:
    if not say.asks():
        raise Stop(f"service: missing. Name it: `viridian init {finding.service_name(way)}`.")
    return str(typer.prompt("A name for the service", default=finding.service_name(way), err=True))


def _confirm(wanted: Proposal, json: bool) -> None:
    if not say.asks():
        raise Stop("yes: not said, and nothing was written. Say --yes, or --print for the AWS CLI's lines.")
    if json:
        _show(wanted, say.aside)
    typer.confirm("Write this?", abort=True, err=True)


def _show(wanted: Proposal, tell: Callable[[str], None]) -> None:
    tell(wanted.way.words)
    for alarm, why in wanted.no_guards.items():
        tell(f"no guard: {alarm}: {why}")
    if wanted.owner:
        tell(f"{wanted.owner} owns the group: add the tags there, too (docs/infrastructure-as-code.md).")
    if not wanted.registered:
        tell(f"{registering.parameter(wanted.service)}:")
        tell(finding.text(wanted.profile))
    for thing in wanted.lends:
        tags = preflight.lending(thing, wanted.service)
        tell(f"tagged {' '.join(f'{key}={value}' for key, value in tags.items())}: {thing.id}")
