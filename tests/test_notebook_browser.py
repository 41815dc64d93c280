"""Notebooks in a browser: a stepper works in JupyterLab and in HTML made by nbconvert.

A notebook that is not trusted loses all scripts; then the final picture is what remains.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

nbformat: Any = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("nbclient", reason="nbclient is not installed")

CELLS = [
    """
from autograd_engine import Value, stepper
x, w, b = Value(2.0, label="x"), Value(-3.0, label="w"), Value(6.5, label="b")
o = (x * w + b).tanh()
o.label = "o"
o.backward()
stepper(o)
""",
    "o",
    "stepper(o, theme='dark')",
    """
from nn import MLP, SGD, fit, hinge, training_stepper
X, y, model = [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [-1.0, 1.0, 1.0], MLP(2, [2, 1], rng=0)
optimizer = SGD(model.parameters(), lr=0.1)
settings = dict(loss=hinge, optimizer=optimizer, snapshots=True, progress=False)
training_stepper(model, fit(model, X, y, epochs=3, rng=0, **settings), X, y)
""",
]
TOKEN = "a-token-for-tests"
STEP = "root => Number(root.dataset.step)"


@pytest.fixture(scope="module")
def folder(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all of this happens, with a notebook that has been run."""
    folder = tmp_path_factory.mktemp("lab")
    path = folder / "work" / "untrusted.ipynb"
    path.parent.mkdir()
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, path)
    runner = Path(__file__).with_name("test_notebooks.py")
    subprocess.run([sys.executable, runner, path], check=True, env=environment(folder))
    return folder


def environment(folder: Path) -> dict[str, str]:
    """With everything that Jupyter writes kept in the folder."""
    places = {
        name: str(folder / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "HOME")
    }
    for place in places.values():
        Path(place).mkdir(exist_ok=True)
    return {**os.environ, **places}


@pytest.fixture(scope="module")
def lab(folder: Path) -> Iterator[str]:
    """The address of a JupyterLab with two notebooks, of which it trusts one."""
    pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")
    work = folder / "work"
    trusted = work / "trusted.ipynb"
    notebook = nbformat.read(work / "untrusted.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("trusted"))  # the signature is of contents
    nbformat.write(notebook, trusted)
    command = [sys.executable, "-m", "jupyter"]
    settings = {"env": environment(folder), "cwd": work, "stdout": subprocess.DEVNULL}
    subprocess.run([*command, "trust", trusted], check=True, **settings)
    server = subprocess.Popen(
        [
            *command, "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0",
            f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={work}",
            f"--LabApp.app_settings_dir={settings_of(folder)}",
        ],
        stderr=subprocess.DEVNULL,
        **settings,
    )  # fmt: skip
    try:
        yield address(server, Path(settings["env"]["JUPYTER_RUNTIME_DIR"]))
    finally:
        server.terminate()
        server.wait(timeout=20)


def settings_of(folder: Path) -> Path:
    """JupyterLab asks nobody for news or updates."""
    path = folder / "settings"
    path.mkdir()
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    overrides = {"@jupyterlab/apputils-extension:notification": quiet}
    (path / "overrides.json").write_text(json.dumps(overrides), encoding="utf-8")
    return path


def address(server: subprocess.Popen[bytes], runtime: Path) -> str:
    """Where the server listens, once it answers; it writes so into a file."""
    for _ in range(300):
        assert server.poll() is None, "JupyterLab did not start"
        for path in runtime.glob("jpserver-*.json"):
            try:
                port = json.loads(path.read_text("utf-8"))["port"]
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={TOKEN}").close()
                return f"http://127.0.0.1:{port}"
            except (OSError, ValueError):
                pass
        time.sleep(0.1)
    raise AssertionError("JupyterLab did not answer in 30 seconds")


@pytest.fixture
def outputs(lab: str, visit: Any) -> Any:
    """Opens a notebook and gives what is under each cell."""

    def outputs(name: str) -> list[Any]:
        page = visit(f"{lab}/doc/tree/{name}.ipynb?token={TOKEN}", height=1600, console=False)
        found = page.locator(".jp-OutputArea-output")
        found.nth(len(CELLS) - 1).wait_for(timeout=60_000)
        return found.all()

    return outputs


def width_of_picture(output: Any) -> float:
    """Of the one image, when it is decoded; 0 for a broken one."""
    image = output.locator("img")
    assert image.count() == 1 and image.is_visible()
    return image.evaluate("image => image.decode().then(() => image.naturalWidth, () => 0)")


def test_a_trusted_notebook_has_steppers_that_work(outputs: Any) -> None:
    first, picture, second, training = outputs("trusted")
    page, roots = first.page, [output.locator(".ae-stepper") for output in (first, second)]
    assert width_of_picture(picture) > 300
    for root in roots:
        root.get_by_title("step forward").click()
    roots[1].get_by_title("last step").click()
    assert [root.evaluate(STEP) for root in roots] == [1, 7]
    assert first.locator("[data-c] [data-r]").all_text_contents().count("-6.0000") == 1
    assert not any(output.locator("img").is_visible() for output in (first, second))
    backgrounds = [root.evaluate("r => getComputedStyle(r).backgroundColor") for root in roots]
    assert backgrounds == ["rgb(255, 255, 255)", "rgb(15, 23, 42)"]
    roots[0].locator("svg").click(position={"x": 3, "y": 3})
    page.keyboard.press("ArrowRight")
    assert roots[0].evaluate(STEP) == 2
    check_that_keys_are_not_shortcuts(page, roots[0])
    assert roots[0].evaluate(STEP) == 6 and roots[1].evaluate(STEP) == 7
    epochs = training.locator(".ae-training_stepper")
    check_that_keys_are_not_shortcuts(page, epochs)
    assert epochs.get_attribute("data-epoch") == "2"


def check_that_keys_are_not_shortcuts(page: Any, root: Any) -> None:
    """Not those of the stepper, and not the others, by which JupyterLab would take the focus."""
    cells, active = page.locator(".jp-Notebook .jp-Cell"), ".jp-Cell.jp-mod-active"
    root.get_by_title(re.compile("forward")).click()
    own = root.get_attribute("id")
    before = cells.count(), page.locator(f"{active} #{own}").count()
    for key in ("End", "ArrowLeft", "j", "0", "0", "d", "d", "x", "b", "Control", "Escape", "Tab"):
        page.keyboard.press(key)  # 0 0 restarts the kernel, d d deletes the cell, b adds one
        assert page.evaluate("id => !!document.activeElement.closest('#' + id)", own), key
    assert page.locator(".jp-Dialog").count() == 0
    assert (cells.count(), page.locator(f"{active} #{own}").count()) == before == (before[0], 1)


def test_a_notebook_that_is_not_trusted_shows_the_final_picture(outputs: Any) -> None:
    found = outputs("untrusted")
    for output in found:
        assert width_of_picture(output) > 300
        assert output.locator("button, input, select, script, svg").count() == 0
        assert output.inner_text().strip() == ""
    assert found[0].locator("img").get_attribute("alt").startswith("o = 0.4621, step by step")


def test_html_by_nbconvert_has_steppers_that_work(folder: Path, visit: Any) -> None:
    pytest.importorskip("nbconvert", reason="nbconvert is not installed")
    path = folder / "work" / "untrusted.ipynb"
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--log-level=ERROR", "--to=html", path]
    subprocess.run(command, check=True, env=environment(folder))
    page = visit(path.with_suffix(".html"), console=False)
    assert page.locator(".ae-training_stepper .panel").count() > 2
    first, second = page.locator(".ae-stepper").all()
    first.get_by_title("step forward").click()
    first.press("ArrowRight")
    second.press("End")
    assert [first.evaluate(STEP), second.evaluate(STEP)] == [2, 7]
    assert width_of_picture(page.locator(".jp-OutputArea-output").nth(1)) > 300
