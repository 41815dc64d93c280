"""Settings that all tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from autograd_engine import value
from autograd_engine.registry import ALIASES, TABLE

collect_ignore = ["benchmarks"]  # they run by command, and need the extra `bench`

settings.register_profile("steady", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("steady")


def engines() -> set[Any]:
    """The classes Value that are loaded, one or two: rows are methods of each."""
    return {sys.modules.get("autograd_engine._native", value).Value, value.Value}  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test runs in an empty directory of its own: none writes into the checkout."""
    monkeypatch.chdir(tmp_path)
    yield


@pytest.fixture(autouse=True)
def _same_rows() -> Iterator[None]:
    """Rows, aliases and methods that a test adds, replaces or takes away do not outlive it."""
    rows, aliases = dict(TABLE), dict(ALIASES)
    attributes = {engine: dict(vars(engine)) for engine in engines()}
    yield
    for table, before in ((TABLE, rows), (ALIASES, aliases)):
        table.clear()
        table.update(before)
    for engine, before in attributes.items():
        for name in set(vars(engine)) - set(before):
            delattr(engine, name)
        for name, thing in before.items():
            if vars(engine).get(name) is not thing:
                setattr(engine, name, thing)
