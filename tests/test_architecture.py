"""The shape of the house: who imports whom, how large things are, and that no row is forgotten."""

from __future__ import annotations

import ast
import inspect
import io
import re
import statistics
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import autograd_engine
from autograd_engine import primitives, rows, stubgen, value
from autograd_engine.registry import TABLE

ROOT = Path(__file__).parents[1]
MODULES = sorted([*(ROOT / "autograd_engine").glob("*.py"), *(ROOT / "nn").glob("*.py")])
CYTHON = [p for p in sorted((ROOT / "autograd_engine").iterdir()) if p.suffix in (".pyx", ".pxi")]
# What pictures of networks share with pictures of graphs; else nn stands on public names alone.
SHARED = ("dot_text", "drawing", "files", "page", "rendering", "themes", "wording")
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "modes": set(),
    "conversion": set(),
    "rows": {"conversion"},
    "registry": {"rows"},
    "primitives": {"registry", "rows"},
    "anomalies": {"errors", "modes", "rows"},
    "following": {"modes"},
    "value": {"anomalies", "conversion", "following", "modes", "primitives", "registry", "rows"},
    "paths": set(),
    "backend": {"_native", "following", "paths", "registry", "rows", "value"},
    "linearization": {"conversion", "rows"},
    "operands": {"backend", "conversion", "modes", "primitives", "registry", "rows", "value"},
    "dual": {"anomalies", "following", "linearization", "modes", "operands", "primitives", "rows"},
    "tape": {"modes", "primitives", "rows"},
    "expression": {"backend", "conversion", "modes", "operands", "primitives", "rows", "tape"},
    "recording": {"backend", "expression", "following", "modes", "tape"},
    "program": {"expression", "primitives", "registry", "rows", "tape"},
    "splitting": {"primitives", "program"},
    "samples": {"conversion", "primitives"},
    "templates": {"backend", "conversion", "samples"},
    "work": {"backend", "program", "templates"},
    "lowering": {"primitives", "program", "rows", "splitting"},
    "encoding": {"lowering", "primitives", "registry", "tape"},
    "stubgen": {"paths", "primitives", "registry", "rows", "value"},
    "codegen": {"expression", "primitives", "registry", "rows", "tape"},
    "naming": {"registry"},
    "writing": {"codegen", "naming", "primitives", "program", "rows"},
    "source": {
        "codegen",
        "expression",
        "naming",
        "primitives",
        "program",
        "registry",
        "rows",
        "tape",
        "writing",
    },
    "copying": {"backend", "following", "modes", "rows"},
    "numpy_bridge": {
        "backend",
        "conversion",
        "expression",
        "modes",
        "operands",
        "registry",
        "samples",
    },
    "structures": {"modes", "samples"},
    "reports": set(),
    "parsing": {"backend", "conversion", "errors", "primitives", "registry", "rows"},
    "files": set(),
    "fusion": {
        "_native",
        "anomalies",
        "backend",
        "modes",
        "rows",
        "structures",
        "templates",
        "work",
    },
    "labels": {"backend", "conversion"},
    "numpy_executor": {"conversion", "splitting", "structures", "tape", "templates", "work"},
    "page": {"files"},
    "themes": set(),
    "transform": {"expression", "primitives", "program", "rows", "tape"},
    "wording": set(),
    "dot_text": {"themes", "wording"},
    "graph": {"backend", "labels", "modes", "operands", "program", "rows"},
    "notation": {"wording"},
    "replay": {
        "_executor",
        "_native",
        "backend",
        "encoding",
        "fusion",
        "lowering",
        "numpy_executor",
        "templates",
        "transform",
        "work",
    },
    "reverse": {
        "backend",
        "dual",
        "expression",
        "following",
        "linearization",
        "modes",
        "primitives",
        "transform",
    },
    "evaluation": {
        "backend",
        "conversion",
        "dual",
        "expression",
        "following",
        "modes",
        "primitives",
        "reverse",
        "structures",
    },
    "expansion": {"graph", "primitives"},
    "folding": {"graph"},
    "operations": {"expression", "notation", "primitives", "rows", "tape"},
    "formulas": {
        "expression",
        "graph",
        "notation",
        "operations",
        "primitives",
        "rows",
        "tape",
        "wording",
    },
    "prose": {"notation"},
    "routes": {"graph"},
    "derivatives": {"conversion", "evaluation", "structures"},
    "hints": {"formulas", "graph", "notation", "primitives", "prose", "rows"},
    "kinds": {"folding", "graph", "wording"},
    "looks": {"folding", "themes"},
    "sequence": {"formulas", "graph", "notation", "wording"},
    "arrows": {"folding", "graph", "looks", "wording"},
    "curvature": {"derivatives", "structures"},
    "gradcheck": {
        "backend",
        "conversion",
        "derivatives",
        "errors",
        "modes",
        "reports",
        "rows",
        "structures",
    },
    "interchange": {"errors", "expansion", "formulas", "graph", "kinds", "notation"},
    "lesson": {"formulas", "graph", "hints", "notation", "prose", "routes"},
    "options": {"derivatives", "splitting", "structures"},
    "precision": {
        "backend",
        "conversion",
        "derivatives",
        "errors",
        "following",
        "modes",
        "operands",
        "reports",
        "rows",
        "structures",
    },
    "explaining": {"backend", "expansion", "formulas", "graph", "lesson", "prose", "routes"},
    "inlining": {
        "backend",
        "conversion",
        "dual",
        "expression",
        "options",
        "primitives",
        "splitting",
        "structures",
        "templates",
    },
    "specialization": {
        "backend",
        "conversion",
        "expression",
        "options",
        "program",
        "recording",
        "replay",
        "splitting",
        "structures",
        "tape",
        "templates",
        "transform",
        "work",
    },
    "contents": {"arrows", "dot_text", "folding", "graph", "looks", "themes", "wording"},
    "rendering": {"errors", "files"},
    "cards": {
        "arrows",
        "contents",
        "dot_text",
        "folding",
        "formulas",
        "graph",
        "kinds",
        "looks",
        "rendering",
        "wording",
    },
    "flowcharts": {
        "arrows",
        "contents",
        "dot_text",
        "folding",
        "graph",
        "kinds",
        "looks",
        "themes",
        "wording",
    },
    "layout": {"rendering"},
    "outline": {
        "arrows",
        "contents",
        "folding",
        "formulas",
        "graph",
        "looks",
        "notation",
        "wording",
    },
    "storyboard": {"contents", "expansion", "folding", "graph", "kinds", "sequence", "wording"},
    "folded_cards": {
        "cards",
        "contents",
        "dot_text",
        "folding",
        "graph",
        "kinds",
        "looks",
        "rendering",
    },
    "drawing": {
        "backend",
        "cards",
        "errors",
        "expansion",
        "files",
        "flowcharts",
        "folded_cards",
        "folding",
        "graph",
        "interchange",
        "kinds",
        "looks",
        "outline",
        "rendering",
    },
    "compiled": {
        "drawing",
        "evaluation",
        "inlining",
        "modes",
        "options",
        "program",
        "source",
        "specialization",
        "templates",
        "work",
    },
    "grouped": {"folding", "graph", "storyboard", "wording"},
    "scene": {"backend", "grouped", "layout", "sequence", "storyboard", "themes"},
    "filming": {"layout", "scene", "storyboard"},
    "stepping": {"backend", "expansion", "page", "scene", "sequence"},
    "animating": {"backend", "conversion", "files", "filming", "scene", "storyboard"},
    "__main__": {
        "animating",
        "backend",
        "drawing",
        "errors",
        "explaining",
        "files",
        "parsing",
        "stepping",
        "themes",
    },
}


def imported(path: Path) -> Iterator[str]:
    """Every module of ours that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "autograd_engine" and path.parent.name == "autograd_engine":
                yield from (f"autograd_engine.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def code_lines(source: str) -> list[int]:
    """The numbers of the lines that hold code: not blank, not comment, not docstring."""
    docstrings = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and ast.get_docstring(node, clean=False) is not None
        for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in silent | {tokenize.ENDMARKER}
        for line in range(token.start[0], token.end[0] + 1)
    }
    return sorted(lines - docstrings)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_imports_point_one_way(path: Path) -> None:
    own = {name for name in imported(path) if name.split(".")[0] in ("autograd_engine", "nn")}
    if path.parent.name == "nn":
        engine = {name for name in own if name.startswith("autograd_engine")}
        assert engine <= {"autograd_engine", *(f"autograd_engine.{name}" for name in SHARED)}
    elif path.stem != "__init__":
        allowed = {f"autograd_engine.{name}" for name in ARROWS[path.stem]}
        assert own <= allowed


def test_nn_imports_only_public_names() -> None:
    for path in (ROOT / "nn").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "autograd_engine":
                assert {alias.name for alias in node.names} <= set(autograd_engine.__all__)


def size(part: object) -> int:
    return len(code_lines(inspect.getsource(part)))  # type: ignore[arg-type]


def test_the_core_stays_small() -> None:
    assert size(primitives) + size(value) <= 500
    assert sum(map(size, (value.Value, value.topological_order, value.send_contributions))) <= 130


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_module_has_one_job(path: Path) -> None:
    if path.stem not in ("primitives", "value"):  # these two have a budget of their own
        assert len(code_lines(path.read_text())) <= 250


@pytest.mark.parametrize("path", CYTHON, ids=lambda path: path.name)
def test_a_file_of_cython_stays_readable(path: Path) -> None:
    code = re.sub(r'"""[\s\S]*?"""', "", path.read_text())
    lines = [line for line in code.splitlines() if line.strip() and line.strip()[0] != "#"]
    assert 50 < len(lines) <= 500


def test_the_stub_of_the_native_engine_is_up_to_date() -> None:
    message = "run `python -m autograd_engine.stubgen`"
    assert stubgen.STUB.read_text() == stubgen.stub(), message


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_a_row_takes_five_lines(row: rows.Primitive) -> None:
    assert size(row.function) <= 5


def test_functions_are_short() -> None:
    sizes = {}
    for path in MODULES:
        lines = code_lines(path.read_text())
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                own = [line for line in lines if node.lineno <= line <= (node.end_lineno or 0)]
                sizes[f"{path.stem}.{node.name}"] = len(own)
    assert max(sizes.values()) <= 40, max(sizes, key=lambda name: sizes[name])
    assert statistics.median(sizes.values()) <= 6


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_every_row_is_exported_and_documented(row: rows.Primitive) -> None:
    assert getattr(autograd_engine, row.name) is row
    assert row.__doc__ and "Source: " in row.__doc__
    if row.arity <= 2 and not isinstance(row, rows.NaryPrimitive):
        for name in (row.name, *row.aliases):
            assert callable(getattr(value.Value, name))


def test_a_star_import_leaves_the_builtins_alone() -> None:
    assert not {"sum", "abs", "pow", "min", "max", "compile"} & set(autograd_engine.__all__)


def test_every_public_name_has_a_docstring() -> None:
    import nn

    for package in (autograd_engine, nn):
        for name in package.__all__:
            if name != "backend":
                assert inspect.getdoc(getattr(package, name)), name
