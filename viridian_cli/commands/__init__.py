"""One module per command: its name is the command's, `command` what it does, `PANEL` where the help lists it."""
