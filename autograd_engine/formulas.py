"""Formulas for people: how a node was computed, and its local derivatives, as text and as LaTeX.

Nothing is written here that the table of primitives does not say: a row's own formula runs on
recorded names, and what it chooses by `where` at this point is what is shown, so that the
derivative of x**3 at 2 reads `3*x**2`, without the cases that do not matter there.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import Any

from autograd_engine import primitives
from autograd_engine.expression import INFIX, Expression, recorded
from autograd_engine.graph import Graph, Node
from autograd_engine.notation import (
    ATOM,
    CHOICE,
    POWER,
    PRODUCT,
    SUM,
    Formula,
    constant,
    rounded,
    symbol_of,
)  # fmt: skip
from autograd_engine.rows import ON_OPERANDS, NaryPrimitive, Primitive
from autograd_engine.tape import COMPARISONS, Alias, Tape, applied
from autograd_engine.wording import printable

__all__ = [
    "ATOM", "CHOICE", "POWER", "PRODUCT", "SUM", "Formula", "arithmetic_of", "constant",
    "derivatives_of", "names_of", "operation_of", "rounded", "symbol_of",
]  # fmt: skip

LONGEST_NAME = 24  # longer ones are called v7: formulas must stay readable
LONGEST_FORMULA = 80
FEW, FEWEST = 6, 3  # operands that are written out; of more the first and the last ones

_LEVELS = {"**": POWER, "*": PRODUCT, "/": PRODUCT, "+": SUM, "-": SUM}


CUT = Formula("…", r"\ldots")


def names_of(graph: Graph) -> list[Formula]:
    """What each node is called, all different.

    A label, where there is one; else its expression, `x1*w1`, if short and not yet taken, else its
    number in the order of computation, `v7`. Equal labels get their scopes, then numbers.
    """
    taken = {""}
    repeated = _repeated(node.label for node in graph.nodes)
    names: list[Formula] = []
    for node in graph.nodes:
        candidates = _candidates(node, repeated, names)
        name = next((c for c in candidates if c.text not in taken), None)
        name = name or _numbered(node, taken)
        taken.add(name.text)
        names.append(name)
    return names


def _candidates(node: Node, repeated: set[str], names: Sequence[Formula]) -> list[Formula]:
    """The label; or the expression, also where the label says the same, as `parsing.py` has it."""
    label = [_labelled(node, repeated)] if node.label else []
    if node.primitive is None:
        return label
    operation = operation_of(node, names)
    if label:
        same = label[0].text.replace(" ", "") == operation.text.replace(" ", "")
        return [operation] if same else label
    return [operation] if len(operation.text) <= LONGEST_NAME else []


def _repeated(labels: Any) -> set[str]:
    once: set[str] = set()
    return {label for label in labels if label in once or once.add(label)}  # type: ignore[func-returns-value]


def _labelled(node: Node, repeated: set[str]) -> Formula:
    path = [*node.scope, node.label] if node.label in repeated else [node.label]
    text = printable(".".join(path)).strip()
    return Formula(text, symbol_of(text), _level(text), ATOM)


def _level(text: str) -> int:
    """How loosely a label binds: people and `parsing.py` label nodes with expressions."""
    bare = re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", text)
    return SUM if re.search(r"[^\w. ]", bare) else ATOM


def _numbered(node: Node, taken: set[str]) -> Formula:
    label = printable(node.label).strip()
    stem = f"{label} #" if label else "v"
    number = node.index
    while f"{stem}{number}" in taken:
        number += 1
    return Formula(f"{stem}{number}", symbol_of(f"{stem}{number}"))


def operation_of(node: Node, names: Sequence[Formula]) -> Formula:
    """How a node is computed from its operands: `x1*w1`, `tanh(n)`; a leaf is its own name."""
    if node.primitive is None:
        return names[node.index]
    operands = [names[x] if isinstance(x, int) else constant(x) for x in node.operands]
    return _applied(node.primitive, operands)


def arithmetic_of(node: Node, data: Sequence[float]) -> Formula:
    """The same in numbers, the `data` of all nodes: `2*(-3)`, `tanh(0.8814)`."""
    if node.primitive is None:
        return rounded(node.data)
    operands = [rounded(data[x] if isinstance(x, int) else x) for x in node.operands]
    return _applied(node.primitive, operands)


def derivatives_of(node: Node, names: Sequence[Formula], data: Sequence[float]) -> list[Formula]:
    """The local derivative by each operand, constants too, at these `data` of all nodes.

    Empty formulas where there are none: for a node that `compile` fused, and for rows whose
    formulas do not run on recorded names.
    """
    row = node.primitive
    if row is None:
        return []
    if row.opaque:
        return [Formula("", "")] * len(node.operands)
    tape = Tape()
    values = {x: recorded(f"v{x}", tape) for x in node.operands if isinstance(x, int)}
    operands = [values[x] if isinstance(x, int) else x for x in node.operands]
    z = recorded("z", tape)
    known = {f"v{x}": (names[x], data[x]) for x in values} | {"z": (names[node.index], node.data)}
    try:
        found = row.local_derivatives(ON_OPERANDS, z, operands)
        reader = _Reader(tape, known)
        return [reader.formula(d) for d in found]
    except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError):
        return [Formula("", "")] * len(node.operands)


class _Reader:
    """Reads recorded lines as formulas, with every `where` decided by the numbers at this point."""

    def __init__(self, tape: Tape, known: dict[str, tuple[Formula, float]]) -> None:
        self._known = known
        self._values: list[Any] = []
        self._plainer: dict[int, Any] = {}
        self._formulas: dict[int, Formula] = {}
        for i, operation in enumerate(tape.operations):
            if i in tape.constants:
                self._values.append(tape.constants[i])
            elif operation is None:
                self._values.append(known[tape.names[i]][1])
            else:
                operands = tuple([self._values[j] for j in tape.operands[i]])
                self._values.append(applied(operation, operands))

    def formula(self, x: Any) -> Formula:
        """A number or line; what is too long in it is an ellipsis."""
        x = self._plain(x)
        if not isinstance(x, Expression):
            return rounded(float(x))
        if x.operation is None:
            return self._known[x.name][0] if x.constant is None else rounded(x.constant)
        if x.index not in self._formulas:
            parts = [self.formula(operand) for operand in x.operands]
            while len((found := _applied(x.operation, parts)).text) > LONGEST_FORMULA:
                longest = max(range(len(parts)), key=lambda i: len(parts[i].text))
                parts[longest] = CUT
            self._formulas[x.index] = found
        return self._formulas[x.index]

    def _plain(self, x: Any) -> Any:
        """A line without what changes nothing here: choices, copies, + 0, * 1, x - x."""
        if not isinstance(x, Expression) or x.operation is None:
            return x
        if x.index not in self._plainer:
            self._plainer[x.index] = self._shorter(x, x.operation, x.operands)
        return self._plainer[x.index]

    def _shorter(self, x: Expression, operation: Any, operands: tuple[Any, ...]) -> Any:
        chosen = self._chosen(operation, operands)
        if chosen is not None:
            return self._plain(operands[chosen])
        plain = [self._plain(operand) for operand in operands]
        if not any(isinstance(y, Expression) for y in plain) or _cancels(operation, plain):
            return self._number(x)
        if (neutral := _NEUTRAL.get(operation)) is not None:
            left, right = plain
            if _is(right, neutral):
                return left
            if _is(left, neutral) and operation in (primitives.add, primitives.mul):
                return right
        return x

    def _chosen(self, operation: Any, operands: tuple[Any, ...]) -> int | None:
        """Which operand the result is at this point, for operations that choose one."""
        if isinstance(operation, Alias):
            return 0
        if operation is primitives.where:
            return 1 if self._number(operands[0]) else 2
        if operation in (primitives.maximum, primitives.minimum):
            x, y = map(self._number, operands)
            return None if x == y or x - y != x - y else int((x < y) == (operation.name[1] == "a"))
        return None

    def _number(self, x: Any) -> Any:
        return self._values[x.index] if isinstance(x, Expression) else x


def _cancels(operation: Any, operands: Sequence[Any]) -> bool:
    """Whether it is x - x."""
    if operation is not primitives.sub:
        return False
    left, right = [x.index if isinstance(x, Expression) else None for x in operands]
    return left is not None and left == right


_NEUTRAL = {
    primitives.add: 0.0, primitives.sub: 0.0, primitives.mul: 1.0, primitives.div: 1.0,
    primitives.pow: 1.0,
}  # fmt: skip


def _is(x: Any, number: float) -> bool:
    constant = x.constant if isinstance(x, Expression) else x
    return constant is not None and constant == number


def _applied(operation: Any, operands: Sequence[Formula]) -> Formula:
    """An operation on formulas."""
    if operation is primitives.square:  # x**2 reads better than square(x)
        operation, operands = primitives.pow, (*operands, constant(2.0))
    sign = INFIX.get(operation) or COMPARISONS.get(operation)
    if sign:
        return _infix(operation, sign, *operands)
    if operation is primitives.neg:
        inner = operands[0].within(PRODUCT)
        return Formula(f"-{inner.text}", f"-{inner.latex}", SUM, SUM)
    if isinstance(operation, NaryPrimitive):
        return _of_many(operation, operands)
    text = f"{operation.name}({', '.join(x.text for x in operands)})"
    latex, level = _from_template(operation, operands)
    return Formula(text, latex, ATOM, level)


def _infix(operation: Any, sign: str, left: Formula, right: Formula) -> Formula:
    level = _LEVELS.get(sign, CHOICE)
    strict = ATOM if level == POWER else level
    a, b = left.within(strict), right.within(level - 1)
    if level == CHOICE:
        return Formula(f"{a.text} {sign} {b.text}", f"{a.latex} {sign} {b.latex}", level, level)
    space = " " if level == SUM else ""
    if operation is primitives.div:  # a fraction groups by itself
        a_latex, b_latex, latex_level = left.latex, right.latex, POWER
    else:
        b_latex = right.latex if operation is primitives.pow else b.latex
        a_latex, latex_level = a.latex, level
    latex = operation.latex.format(a_latex, b_latex)
    return Formula(f"{a.text}{space}{sign}{space}{b.text}", latex, level, latex_level)


def _of_many(row: NaryPrimitive, operands: Sequence[Formula]) -> Formula:
    n = len(operands) // row.arity
    lists = [operands[k * n : (k + 1) * n] for k in range(row.arity)]
    text = _call(row, lists, FEW)
    if len(text) > LONGEST_FORMULA:
        text = _call(row, lists, FEWEST)
    if row is primitives.dot:
        terms = [_infix(primitives.mul, "*", w, x).latex for w, x in zip(*lists, strict=True)]
        latex = " + ".join(_few(terms, r"\ldots"))
    elif row is primitives.sum:
        latex = " + ".join(_few([x.within(PRODUCT).latex for x in operands], r"\ldots"))
    else:
        inside = ";\\ ".join(", ".join(_few([x.latex for x in xs], r"\ldots")) for xs in lists)
        name = row.name.replace("_", r"\_")
        return Formula(text, rf"\operatorname{{{name}}}({inside})")
    return Formula(text, latex, ATOM, SUM)


def _call(row: Primitive, lists: Sequence[Sequence[Formula]], most: int) -> str:
    texts = [f"[{', '.join(_few([x.text for x in xs], '...', most))}]" for xs in lists]
    return f"{row.name}({', '.join(texts)})"


def _few(texts: list[str], dots: str, most: int = FEW) -> list[str]:
    return texts if len(texts) <= most else [*texts[: most - 2], dots, texts[-1]]


def _from_template(row: Primitive, operands: Sequence[Formula]) -> tuple[str, int]:
    """A row's own LaTeX, with parentheses around operands that would be misread; and its level."""
    latex, outside = "", ""
    for literal, field, _, _ in string.Formatter().parse(row.latex):
        latex, outside = latex + literal, outside + _outside(latex, literal)
        if field is None:
            continue
        x = operands[int(field)]
        if _depth(latex):
            latex += x.within(PRODUCT if latex.endswith("- ") else CHOICE).latex
        elif re.fullmatch(r"\\[\\\w{}]+ ", latex):  # \tanh x: it must be clear where it ends
            latex = f"{latex.rstrip()}({x.latex})"
        else:
            latex, outside = latex + x.within(ATOM).latex, f"{outside}x"
    return latex, _level_of_template(outside)


def _depth(latex: str) -> int:
    """How many groups are open at the end of it."""
    opened = sum(latex.count(c) for c in "({") - sum(latex.count(c) for c in ")}")
    return opened + latex.count("|") % 2


def _outside(before: str, literal: str) -> str:
    """The part of a template that is in no group."""
    return "".join([c for i, c in enumerate(literal) if not _depth(before + literal[: i + 1])])


def _level_of_template(outside: str) -> int:
    if "?" in outside:
        return CHOICE
    if re.search(" [+-] ", outside):
        return SUM
    return PRODUCT if "x " in outside else POWER if "^" in outside else ATOM
