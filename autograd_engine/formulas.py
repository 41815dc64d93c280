"""Formulas for people: how a node was computed, and its local derivatives, as text and as LaTeX.

Nothing is written here that the table of primitives does not say: a row's own formula runs on
recorded names, and what it chooses by `where` at this point is what is shown, so that the
derivative of x**3 at 2 reads `3*x**2`, without the cases that do not matter there.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from autograd_engine import primitives
from autograd_engine.expression import Expression, recorded
from autograd_engine.graph import Graph, Node
from autograd_engine.notation import (
    ATOM,
    SUM,
    Formula,
    as_read,
    constant,
    exact,
    fraction,
    rounded,
    symbol_of,
)
from autograd_engine.operations import LONGEST_FORMULA, operation_on, shown_of
from autograd_engine.rows import ON_OPERANDS
from autograd_engine.tape import Alias, Tape, applied
from autograd_engine.wording import LONGEST_LABEL, abridged

__all__ = ["Names", "arithmetic_of", "derivatives_of", "names_of", "operation_of", "recomputed"]

LONGEST_NAME = 24  # longer ones are called v7: formulas must stay readable
MOST_EXPRESSIONS = 10_000  # nodes: in larger graphs an unlabelled one has its number for a name
CUT = Formula("…", r"\ldots")
RESULT = "z"  # what it is called while local derivatives are recorded


class Names(list[Formula]):
    """What the nodes of a graph are called; it knows the constants beside them, too."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self._graph = graph

    def constant(self, x: float) -> Formula:
        """A constant with six digits; with all where others in this graph would look the same."""
        brief = constant(x)
        return exact(x) if brief.text in self._shared else brief

    @cached_property
    def _shared(self) -> set[str]:
        numbers = {x for node in self._graph.nodes for x in node.operands if isinstance(x, float)}
        return _repeated(constant(x).text for x in numbers)


def names_of(graph: Graph) -> Names:
    """What each node is called, all different, and none longer than a label may be.

    A label, where there is one; else its expression, `x1*w1`, if short and not yet taken, else its
    number in the order of computation, `v7`. Equal labels get their scopes, then numbers.
    """
    taken = {""}
    labels = {node.label for node in graph.nodes}
    repeated = _repeated(node.label for node in graph.nodes)
    small = len(graph.nodes) <= MOST_EXPRESSIONS
    names = Names(graph)

    def is_free(text: str, node: Node) -> bool:
        return text not in taken and (node.label != "" or text not in labels)

    for node in graph.nodes:
        candidates = _candidates(node, repeated, names) if small or node.label else []
        name = next((c for c in candidates if is_free(c.text, node)), None)
        name = name or _numbered(node, is_free)
        taken.add(name.text)
        names.append(name)
    return names


def _candidates(node: Node, repeated: set[str], names: Names) -> list[Formula]:
    """The label; or the expression, also where the label says the same, as `parsing.py` has it."""
    label = [_labelled(node, repeated)] if node.label else []
    if node.primitive is None:
        return label
    operation = operation_of(node, names)
    if label:
        same = label[0].text.replace(" ", "") == operation.text.replace(" ", "")
        return [operation] if same and len(operation.text) <= LONGEST_LABEL else label
    return [operation] if len(operation.text) <= LONGEST_NAME else []


def _repeated(labels: Iterable[str]) -> set[str]:
    return {label for label, times in Counter(labels).items() if times > 1}


def _labelled(node: Node, repeated: set[str]) -> Formula:
    path = [node.label]
    if node.label in repeated:  # "layer 0" and "w" are layer0.w: before * a blank is misread
        path = [*[scope.replace(" ", "") for scope in node.scope], node.label]
    text = abridged(".".join(path)).strip()
    return Formula(text, symbol_of(text), level := _level(text), level)


def _level(text: str) -> int:
    """How loosely a label binds: people and `parsing.py` label nodes with expressions."""
    if text.isidentifier():
        return ATOM
    bare, found = text, 1
    while found:  # f(g(x)): from the inside out
        bare, found = re.subn(r"\([^()]*\)|\[[^\[\]]*\]", "", bare)
    return SUM if re.search(r"[^\w.#'′…]", bare) else ATOM


def _numbered(node: Node, is_free: Callable[[str, Node], bool]) -> Formula:
    number = node.index
    while not is_free(text := _with_number(node.label, number), node):
        number += 1
    level = _level(text)
    return Formula(text, symbol_of(text), level, level)


def _with_number(label: str, number: int) -> str:
    if not label:
        return f"v{number}"
    end = f"#{number}"
    stem = abridged(label, LONGEST_LABEL - len(end)).strip()
    return f"{stem}{end}" if stem else f"v{number}"


def operation_of(node: Node, names: Sequence[Formula]) -> Formula:
    """How a node is computed from its operands: `x1*w1`, `tanh(n)`; a leaf is its own name."""
    if node.primitive is None:
        return names[node.index]
    write = names.constant if isinstance(names, Names) else constant
    shown = shown_of(node.primitive, node.operands)
    return operation_on(
        node.primitive, [names[x] if isinstance(x, int) else write(x) for x in shown]
    )


def arithmetic_of(node: Node, data: Sequence[float]) -> Formula:
    """The same in numbers, the `data` of all nodes: `2*(-3)`, `tanh(0.8814)`."""
    if node.primitive is None:
        return rounded(node.data)
    shown = shown_of(node.primitive, node.operands)
    numbers = [rounded(data[x] if isinstance(x, int) else x) for x in shown]
    return operation_on(node.primitive, numbers)


def recomputed(node: Node, data: Sequence[float]) -> float:
    """What a reader gets who computes a node from the numbers of `arithmetic_of`; nan for none."""
    if node.primitive is None or node.primitive.opaque:
        return node.data
    numbers = [as_read(data[x] if isinstance(x, int) else x) for x in node.operands]
    try:
        return node.primitive.evaluate(numbers)
    except (ValueError, ArithmeticError):  # of a row that someone wrote
        return math.nan


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
    z = recorded(RESULT, tape)
    known = {f"v{x}": (names[x], data[x]) for x in values}
    known[RESULT] = (names[node.index], node.data)
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
            return fraction(float(x))
        if x.operation is None:
            return self._known[x.name][0] if x.constant is None else rounded(x.constant)
        if x.index not in self._formulas:
            parts = [self.formula(operand) for operand in x.operands]
            found = operation_on(x.operation, parts)
            for longest in sorted(range(len(parts)), key=lambda i: -len(parts[i].text)):
                if len(found.text) > LONGEST_FORMULA:
                    parts[longest] = CUT
                    found = operation_on(x.operation, parts)
            self._formulas[x.index] = found if len(found.text) <= LONGEST_FORMULA else CUT
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
        if operation is primitives.sign and getattr(plain[0], "name", "") == RESULT:
            return self._number(x)  # of its own result: relu asks which of its two lines it is on
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
            return (
                None
                if x == y or x - y != x - y
                else int((x < y) == (operation is primitives.maximum))
            )
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
