"""`python -m viridian_cli`: the command without its installation."""

from viridian_cli.app import entry

entry()
