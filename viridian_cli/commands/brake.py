"""`viridian brake`: all traffic to blue, now."""

import time
from typing import Annotated, Any

import typer

from viridian import dns, traffic
from viridian.aws import executions, pages, router
from viridian.traffic import Forward
from viridian_cli import exits, failures, options, ordering, say, waiting
from viridian_cli.aws import by_hand, clock, releases, services, stack
from viridian_cli.aws.by_hand import Sides
from viridian_cli.exits import Exit, Stop

PANEL = "Stop"
_PATIENCE = 12  # looks: a minute, then whoever brakes must know that nobody knows


def command(
    context: typer.Context,
    service: options.Service,
    reason: options.Reason,
    without_ledger: Annotated[
        bool,
        typer.Option(
            "--without-ledger",
            help="With your own credentials: nothing of Viridian's has to work. Those on call are told the reason.",
        ),
    ] = False,
    route: options.Route = "",
    yes: options.Yes = False,
    json: options.Json = False,
) -> Exit:
    """Gives blue all traffic, and stays until it has it; what else there is to do, the rollback machine does."""
    if route and not without_ledger:
        raise Stop("route: the ledger has it. Say --route with --without-ledger alone.")
    done = (
        _alone(context.obj, service, route, reason, yes)
        if without_ledger
        else _ordered(context.obj, service, reason)
    )
    if json:
        say.document(done)
    else:
        say.line(f"{done['blue']} serves alone, {done['seconds']} s after the order.", style="green")
        say.line(done["next"])
    return Exit.PROMOTED


def _ordered(stack_: str, service: str, reason: str) -> dict[str, Any]:
    stack.find(stack_)
    began = clock.now()
    record = releases.pick(service)
    plan, execution = record.plan, ordering.rollback(record, reason)

    def look() -> tuple[dict[str, Any], Forward]:
        return executions.outcome(execution), router.forward(plan.route)

    while True:
        stands, forward = waiting.patiently(look, looks=_PATIENCE)
        if forward.alone(plan.blue.target_group):
            return {
                "service": service,
                "release": plan.release,
                "execution": execution,
                "blue": plan.blue.group,
                "seconds": round((clock.now() - began).total_seconds()),
                "next": f"`viridian watch {service}` shows how green is removed.",
            }
        if stands["status"] != "RUNNING":
            raise Stop(
                f"{stands.get('error') or stands['status']}: {stands.get('cause', '')} "
                f"If traffic must move all the same: `viridian brake {service} --without-ledger`.",
                exits.code(stands.get("error", "")),
            )
        time.sleep(waiting.LOOK_SECONDS)


def _alone(stack_: str, service: str, route: str, reason: str, yes: bool) -> dict[str, Any]:
    if not route:
        with services.or_named():
            stack.find(stack_)
            route = services.route(service)
    found = by_hand.sides(route, service)
    blue = found.blue
    if found.one_alone:
        raise Stop(
            f"{blue.group} serves alone, and no other fleet of {service} is known behind {route}: nothing was written. "
            f"If it is the one that fails, `viridian rollback {service} RELEASE` takes a promoted release back."
        )
    if not blue.healthy():
        raise Stop(f"{blue.group} has nobody healthy: scale it out first (docs/break-glass.md, step 2).")
    if not yes:
        _confirm(route, found)
    began = clock.now()
    seconds = round((by_hand.restore(route, found) - began).total_seconds())
    told = _tell(stack_, f"{service} was put on {blue.group} by hand", reason)
    slow = f"Resolvers keep what they know for another {dns.TTL} s. " if dns.is_name(route) else ""
    follow = (
        f"{told} {slow}Nothing else was touched: green stands, and a release that runs may write again. "
        f"`viridian hands-off {service}` prevents that; `viridian resolve {service}` then ends the release."
    )
    return {"service": service, "blue": blue.group, "seconds": seconds, "reason": reason, "next": follow}


def _confirm(route: str, found: Sides) -> None:
    if not say.asks():
        raise Stop("yes: not said, and nothing was written. Say --yes.")
    blue, green = found.blue, found.green
    shown = f"{route} shows {traffic.describe(found.forward)}."
    which, other = (
        ("the older fleet", f"; {green.group} has {green.healthy()}") if green else ("the only one known", "")
    )
    has = f"{blue.group}, {which}, which has {blue.healthy()} of {blue.standing()} healthy{other}"
    typer.confirm(f"{shown}\nGive everything to {has}?", abort=True, err=True)


def _tell(stack_: str, what: str, why: str) -> str:
    """Tells those on call: nothing else keeps the reason. What is in the way of that is said, and in the way of nothing."""
    try:
        pages.send(stack.find(stack_).output("PagesTopicArn"), what, f"{what}, without the ledger.\n\n{why}")
    except Exception as error:
        return f"Those on call were not told why: {failures.told(error)}"
    return "Those on call were told why."
