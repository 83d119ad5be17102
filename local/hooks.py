"""Replaces parts of moto while the local cloud is up, and puts them back."""

from collections.abc import Callable
from typing import Any

ABSENT = object()


class Hooks:
    """A list of replaced attributes; `undo` restores them last first."""

    def __init__(self) -> None:
        self._kept: list[tuple[Any, str, Any]] = []

    def set(self, owner: Any, name: str, value: Any) -> None:
        self._kept.append((owner, name, vars(owner).get(name, ABSENT)))
        setattr(owner, name, value)

    def wrap(self, owner: Any, name: str, around: Callable[..., Any]) -> None:
        """`around(original, *arguments)` is called in the place of `owner.name`."""
        original = getattr(owner, name)

        def replaced(*arguments: Any, **named: Any) -> Any:
            return around(original, *arguments, **named)

        self.set(owner, name, replaced)

    def undo(self) -> None:
        while self._kept:
            owner, name, value = self._kept.pop()
            if value is ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
