"""The rows of the matrix, by theme: each module lists its own as ROWS."""

import importlib
import pkgutil

from tests.faults.points import Row


def every() -> list[Row]:
    """All rows, in the order of their ids."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    ]
    rows: list[Row] = [row for module in modules for row in getattr(module, "ROWS", [])]
    names = [row.id for row in rows]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two rows are called {', '.join(sorted(twice))}")
    return sorted(rows, key=lambda row: row.id)
