"""Where the runbook of an end or an alarm is."""

_SHARED = {"Retired": "Promoted"}  # ends that one runbook serves


def of(name: str) -> str:
    """The place, by the name of the end or the alarm."""
    return f"docs/runbooks.md#{_SHARED.get(name, name).lower()}"
