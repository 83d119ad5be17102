"""Whoever else changes a fleet meanwhile: an instance refresh, or an update of the stack that owns it."""

from viridian import preflight
from viridian.aws import auto_scaling, stacks
from viridian.errors import Drifted, Refusal
from viridian.record import Record


def ensure_idle(owner: str | None, blue: str) -> None:
    """Refuses to begin while blue is being replaced: there would be no telling what to go back to."""
    if words := _at_work(owner, blue):
        raise Refusal("route", words, "Start again once that is over.")


def ensure_still_idle(record: Record) -> None:
    """Raises Drifted before green gets more of the traffic while either fleet is being replaced."""
    plan = record.plan
    if words := _at_work(plan.blue_owner, plan.blue.group, plan.green_group):
        raise Drifted(words)


def _at_work(owner: str | None, *groups: str) -> str | None:
    for group in groups:
        if status := auto_scaling.refresh(group):
            return f"an instance refresh of {group} is {status}"
    stack = preflight.stack(owner)
    if stack and (status := stacks.change(stack)):
        return f"stack {stack}, which owns {groups[0]}, is {status}"
    return None
