"""Settings that all tests share."""

from __future__ import annotations

import re
import shutil
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


# --- a browser ---------------------------------------------------------------

OUTSIDE = re.compile(r"^https?://(?!127\.0\.0\.1[:/])")  # addresses on other machines


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, as the machine has it: nothing is downloaded.

    Not for a whole session: while it runs, so does its event loop, and kernels bring their own.
    """
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    executable = next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        pytest.skip("no chromium on this machine")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield found
        found.close()


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens HTML, a file or an address; an error, message or dialog of the page fails the test.

    Of the network a page gets only the machine it runs on. `console=False` is for pages around
    ours, which have things to say; errors count there too.
    """
    troubles: list[str] = []
    contexts: list[Any] = []

    def dismiss(dialog: Any) -> None:
        troubles.append(dialog.message)
        dialog.dismiss()

    def visit(
        what: str | Path,
        *,
        width: int = 1200,
        height: int = 800,
        console: bool = True,
        **settings: Any,
    ) -> Any:
        if isinstance(what, str) and not what.startswith("http://"):
            path = tmp_path / f"page{len(contexts)}.html"
            path.write_text(f'<!DOCTYPE html><meta charset="utf-8">{what}', encoding="utf-8")
            what = path
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        context.route(OUTSIDE, lambda route: route.abort())
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", dismiss)
        if console:
            page.on("console", lambda message: troubles.append(message.text))
        page.goto(what.as_uri() if isinstance(what, Path) else what)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert troubles == []
