"""`viridian brake`: all traffic to blue, now."""

import time
from typing import Annotated, Any

import typer

from viridian import request, traffic
from viridian.aws import executions, profiles, router
from viridian.errors import Refusal
from viridian_cli import exits, options, ordering, say, waiting
from viridian_cli.aws import by_hand, clock, releases, stack
from viridian_cli.exits import Exit, Stop

PANEL = "Stop"


def command(
    context: typer.Context,
    service: options.Service,
    reason: options.Reason,
    without_ledger: Annotated[
        bool,
        typer.Option(
            "--without-ledger", help="With your own credentials: nothing of Viridian's has to work."
        ),
    ] = False,
    route: Annotated[
        str, typer.Option(help="With --without-ledger, if the profile can't be read either.")
    ] = "",
    yes: options.Yes = False,
    json: options.Json = False,
) -> Exit:
    """Gives blue all traffic, and stays until it has it; what else there is to do, the rollback machine does."""
    done = (
        _alone(context.obj, service, route, yes) if without_ledger else _ordered(context.obj, service, reason)
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
    while True:
        stands = executions.outcome(execution)
        if router.forward(plan.route).alone(plan.blue.target_group):
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


def _alone(stack_: str, service: str, route: str, yes: bool) -> dict[str, Any]:
    if not route:
        stack.find(stack_)
        try:
            route = request.parse_profile(profiles.find(service)[0]).route
        except Refusal as refusal:
            raise Stop(f"{refusal} Until then, name the route with --route.") from None
    found = by_hand.sides(route, service)
    blue, green = found.blue, found.green
    if not blue.healthy():
        raise Stop(f"{blue.group} has nobody healthy: scale it out first (docs/break-glass.md, step 2).")
    if not yes:
        shown = f"{route} shows {traffic.describe(found.forward)}."
        other = f"; {green.group} has {green.healthy()}" if green else ""
        has = f"{blue.group}, the older fleet, which has {blue.healthy()} of {blue.standing()} healthy{other}"
        if not typer.confirm(f"{shown}\nGive everything to {has}?", err=True):
            raise Stop("Nothing was written.")
    began = clock.now()
    seconds = round((by_hand.restore(route, found) - began).total_seconds())
    follow = (
        f"Nothing else was touched: green stands, and a release that runs may write again. `viridian hands-off {service}` "
        f"prevents that; `viridian resolve {service}` then ends the release."
    )
    return {"service": service, "blue": blue.group, "seconds": seconds, "next": follow}
