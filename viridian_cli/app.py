"""The command line: one module of `commands` per command, and one line for whatever goes wrong in any."""

import importlib
import os
import pkgutil
import sys
from typing import Annotated

import typer

from viridian_cli import commands, failures, say
from viridian_cli.aws import answers
from viridian_cli.exits import Exit

app = typer.Typer(
    name="viridian",
    help="Blue/green releases of EC2 fleets: start one, watch it, stop it, understand it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _stack(
    context: typer.Context,
    stack: Annotated[
        str, typer.Option(envvar="VIRIDIAN_STACK", help="The CloudFormation stack that Viridian is.")
    ] = "viridian",
) -> None:
    context.obj = stack


_INTERRUPTED = 130  # what Typer makes of Ctrl-C
PANELS = ("Release", "Look", "Decide", "Stop", "Keep house")

found = {
    name.replace("_", "-"): importlib.import_module(f"{commands.__name__}.{name}")
    for _, name, _ in pkgutil.iter_modules(commands.__path__)
}
for name, module in sorted(found.items(), key=lambda each: PANELS.index(each[1].PANEL)):
    app.command(name, rich_help_panel=module.PANEL)(module.command)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command, and answers with the code to end with; nothing that goes wrong shows a traceback."""
    if region := os.environ.get("AWS_REGION"):  # boto3 reads its other name alone
        os.environ["AWS_DEFAULT_REGION"] = region
    try:
        answers.listen()
        code = int(app(arguments, standalone_mode=False) or Exit.PROMOTED)
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        return code
    except typer.TyperException as error:
        say.complain(error.format_message())
        return Exit.REFUSED
    except typer.Abort:  # of a question, and all are asked before anything is done
        say.complain("Nothing was written.")
        return Exit.REFUSED
    except KeyboardInterrupt:
        say.complain("Stopped looking. What was begun in AWS goes on.")
        return Exit.UNKNOWN
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.UNKNOWN
    except Exception as error:
        if os.environ.get("VIRIDIAN_DEBUG"):
            raise
        stop = failures.told(error)
        say.complain(str(stop))
        return stop.exit


def entry() -> None:
    """The console script."""
    sys.exit(main())
