"""Expressions as text: `tanh(x*w + b)` becomes Values, and is never run as Python.

The text is parsed by `ast` and walked node by node; only numbers, names, arithmetic and the
primitives are known. Size and depth are bounded before anything is computed.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, NoReturn

from autograd_engine import primitives
from autograd_engine.backend import Value
from autograd_engine.conversion import number
from autograd_engine.errors import ExpressionError
from autograd_engine.registry import ALIASES, TABLE
from autograd_engine.rows import NaryPrimitive, Primitive

__all__ = ["evaluate"]

MAX_CHARACTERS, MAX_DEPTH, MAX_LABEL = 10_000, 100, 24
TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels; add many terms as sum([a, b, ...])"

_OPERATORS: dict[type[ast.AST], Primitive] = {
    ast.Add: primitives.add,
    ast.Sub: primitives.sub,
    ast.Mult: primitives.mul,
    ast.Div: primitives.div,
    ast.Pow: primitives.pow,
    ast.USub: primitives.neg,
}


def evaluate(text: str, values: Mapping[str, Value | float]) -> Value:
    """The Value of an expression; every name in it becomes one leaf, labelled with the name.

    Parameters
    ----------
    text : str
        Numbers, names, `+ - * / **`, parentheses and the primitives, as `sum([x, y])`.
    values : mapping of name to Value or real number
        One for each name.

    Raises
    ------
    ExpressionError
        For anything else, with the part that is not understood; for names without a value, values
        without a name, and text that is too long or nested too deep.

    Examples
    --------
    >>> from autograd_engine.parsing import evaluate
    >>> evaluate("2 * x + exp(0)", {"x": 3.0}).data
    7.0
    """
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"the expression is longer than {MAX_CHARACTERS:,} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (RecursionError, MemoryError):  # both are how the parser says it
        raise ExpressionError(f"cannot read {_short(text)!r}: {TOO_DEEP}") from None
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "not text"
        raise ExpressionError(f"cannot read {_short(text)!r}: {reason}") from None
    _check_depth(tree)
    leaves = {
        name: x if isinstance(x, Value) else Value(x, label=name) for name, x in values.items()
    }
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if spare := sorted(leaves.keys() - used):
        raise ExpressionError(f"{spare[0]!r} has a value but is not in the expression")
    result = _walk(tree, leaves)
    if isinstance(result, list):
        _refuse(tree, "a list is not a number; a primitive such as sum takes it")
    return result if isinstance(result, Value) else Value(result)


def _check_depth(tree: ast.AST) -> None:
    level, nodes = 0, [tree]
    while nodes:
        level, nodes = level + 1, [child for node in nodes for child in ast.iter_child_nodes(node)]
        if level > MAX_DEPTH:
            raise ExpressionError(f"the expression is {TOO_DEEP}")


def _walk(node: ast.expr, leaves: Mapping[str, Value]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as x) if not isinstance(x, bool):
            return _number(node, x)
        case ast.Name(id=name):
            if name not in leaves:
                raise ExpressionError(f"{name!r} has no value; add {name}=NUMBER")
            return leaves[name]
        case ast.BinOp(left, op, right) if type(op) in _OPERATORS:
            return _apply(node, _OPERATORS[type(op)], [left, right], leaves)
        case ast.BinOp(_, ast.BitXor(), _):
            _refuse(node, "a power is written with **, as in x**2")
        case ast.UnaryOp(op, operand) if type(op) in _OPERATORS:
            return _apply(node, _OPERATORS[type(op)], [operand], leaves)
        case ast.UnaryOp(ast.UAdd(), operand):
            return _walk(operand, leaves)
        case ast.List(elements) | ast.Tuple(elements):
            return [_walk(element, leaves) for element in elements]
        case ast.Call(ast.Name(id=name), operands, []):
            row = TABLE.get(name) or ALIASES.get(name)
            if row is None:
                raise ExpressionError(f"{name!r} is no primitive; known are {', '.join(TABLE)}")
            return _apply(node, row, operands, leaves)
    _refuse(node, "only numbers, names, + - * / ** and the primitives are known")


def _number(node: ast.expr, x: float) -> float:
    try:
        return number(x, "constant")
    except ValueError as error:
        _refuse(node, str(error))


def _apply(
    node: ast.expr, row: Primitive, operands: list[ast.expr], leaves: Mapping[str, Value]
) -> Any:
    """The result of a primitive, labelled with its piece of the text where that is short."""
    values = [_walk(operand, leaves) for operand in operands]
    if any(isinstance(x, list) != isinstance(row, NaryPrimitive) for x in values):
        _refuse(
            node,
            f"{row.name} takes {'a list' if isinstance(row, NaryPrimitive) else 'numbers'}, "
            "as in sum([x, y]) and tanh(x)",
        )
    try:
        result = row(*values)
    except (TypeError, ValueError) as error:
        _refuse(node, str(error))
    text = ast.unparse(node)
    if isinstance(result, Value) and len(text) <= MAX_LABEL:
        result.label = text
    return result


def _refuse(node: ast.expr, reason: str) -> NoReturn:
    raise ExpressionError(f"cannot read {_short(ast.unparse(node))!r}: {reason}")


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
