"""The notebooks run from top to bottom, and hold the outputs of such a run.

To store the outputs anew after a change:

    .venv/bin/python tests/test_notebooks.py notebooks/*.ipynb
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def executed(path: Path) -> Any:
    """The notebook after a clean run in its folder, over sockets in files rather than ports."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    with tempfile.TemporaryDirectory() as sockets, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the machinery's own
        manager = AsyncKernelManager(
            kernel_name="python3", transport="ipc", ip=str(Path(sockets) / "kernel")
        )
        NotebookClient(
            notebook,
            km=manager,
            timeout=300,
            resources={"metadata": {"path": str(path.parent)}},
            record_timing=False,
        ).execute()
    return notebook


def texts(notebook: Any) -> list[str]:
    """What the cells printed or returned, as plain text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [
        re.sub(r"0x[0-9a-f]+", "0x", output.get("text") or output["data"]["text/plain"])
        for output in outputs
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_from_top_to_bottom_and_gives_what_is_stored(path: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(path, tmp_path))
    subprocess.run(
        [sys.executable, __file__, copy], check=True
    )  # it leaves sockets to the collector
    assert texts(nbformat.read(copy, as_version=4)) == texts(nbformat.read(path, as_version=4))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_stored_after_a_clean_run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {
        "execute_result",
        "stream",
        "display_data",
    }
    assert not any(output.get("name") == "stderr" for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_small_and_names_no_machine(path: Path) -> None:
    text = path.read_text()
    assert len(text) < 300_000
    assert not re.search(r"/(home|root|tmp|Users|work|usr)/", text)


def test_there_are_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} == {"derivative_step_by_step", "moons"}


if __name__ == "__main__":
    for word in sys.argv[1:]:
        nbformat.write(executed(Path(word)), word)
