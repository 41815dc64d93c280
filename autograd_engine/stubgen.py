"""The types of the native engine, for editors and type checkers: the class of `value.py`, and rows.

    python -m autograd_engine.stubgen

writes `_native.pyi` beside this file: the signatures and docstrings of the class Value as they are
in `value.py`, and one method for each primitive with one or two operands. (A type checker does not
know the methods of a user's own primitives; it knows the function: `gaussian(v)`.)
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograd_engine import paths, primitives, value
from autograd_engine.registry import TABLE
from autograd_engine.rows import NaryPrimitive, Primitive

__all__ = ["STUB", "stub"]

STUB = Path(__file__).with_name("_native.pyi")

_TOP = '''\
"""Made by `python -m autograd_engine.stubgen` from value.py and the table; do not edit."""

from collections.abc import Sequence
from typing import Any, final

from autograd_engine.modes import Info
from autograd_engine.rows import Primitive

kernels_hash: str
table_hash: str
def take_calls_of_rows() -> None: ...
'''

_FIELDS = """\
_info: Info | None
@property
def _derivatives(self) -> Sequence[float]: ...
@property
def _grad(self) -> float: ...
@property
def _number(self) -> float: ...
@property
def _operands(self) -> tuple[Any, ...]: ...
@property
def _prev(self) -> tuple[Value, ...]: ...
@property
def _primitive(self) -> Primitive | None: ...
@staticmethod
def bind(row: Primitive, operands: tuple[Any, ...]) -> Any: ...
"""

# What a call in the class body makes, such as `__neg__, __abs__ = unary(neg), unary(abs)`.
_MADE = {
    "infix": "def {}(self, other: Any) -> Value: ...",
    "unary": "def {}(self) -> Value: ...",
    "comparison": "def {}(self, other: Any) -> bool: ...",
}


def _tree(thing: Any) -> Any:
    """A class or function as it is written."""
    return ast.parse(inspect.getsource(thing)).body[0]


def _declarations(body: list[ast.stmt]) -> Iterator[str]:
    """The statements of the class, without what they do."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef):
            text = ast.get_docstring(statement)
            statement.body = [ast.Expr(ast.Constant(x)) for x in ([text] if text else []) + [...]]
            yield ast.unparse(ast.fix_missing_locations(statement))
        elif isinstance(statement, ast.Assign):
            yield from _made(statement)


def _made(statement: ast.Assign) -> Iterator[str]:
    """The methods that an assignment makes."""
    names = [name.id for name in ast.walk(statement.targets[0]) if isinstance(name, ast.Name)]
    calls = [node.func for node in ast.walk(statement.value) if isinstance(node, ast.Call)]
    makers = [call.id for call in calls if isinstance(call, ast.Name)]
    for name in names:
        if not name.startswith("__"):
            continue
        if name in ("__hash__", "__trunc__"):
            yield f"def {name}(self) -> int: ..."
        elif makers and makers[0] in _MADE:
            yield _MADE[makers[0]].format(name)


def _method(row: Primitive) -> Iterator[str]:
    other = ", other: Any, /" if row.arity == 2 else ", /"
    for name in (row.name, *row.aliases):
        yield f'def {name}(self{other}) -> Value:\n    """{inspect.getdoc(row)}"""\n    ...'


def stub() -> str:
    """The text of `_native.pyi`."""
    theirs = value.topological_order, value.assemble, paths.path_between, paths.varying
    functions = _declarations(list(map(_tree, theirs)))
    tree = _tree(value.Value)
    parts = [f'"""{ast.get_docstring(tree)}"""', _FIELDS, *_declarations(tree.body)]
    for row in TABLE.values():
        ours = row.function.__module__ == primitives.__name__
        if ours and row.arity <= 2 and not isinstance(row, NaryPrimitive):
            parts += _method(row)
    body = textwrap.indent("\n".join(parts), "    ")
    return "\n".join([_TOP, *functions, f"\n@final\nclass Value:\n{body}\n"])


if __name__ == "__main__":
    STUB.write_text(stub())
