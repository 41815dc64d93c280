"""Tape: what was recorded, line by line, each line once.

A line is an input, a constant, or an operation on lines before it. Whoever records a line that is
there already gets the one that is there (common subexpressions), and where the result is known
nothing is recorded at all: constants are folded, and what IEEE 754 lets one leave out is left out,
such as `x * 1`. Never `x * 0`, which is nan where x is inf.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Iterable
from typing import Any

from autograd_engine import primitives
from autograd_engine.modes import users_line
from autograd_engine.rows import Primitive

__all__ = ["COMPARISONS", "NO_LINE", "Alias", "Tape"]

COMPARISONS: dict[Callable[[Any, Any], Any], str] = {
    operator.lt: "<", operator.le: "<=", operator.gt: ">", operator.ge: ">=",
    operator.eq: "==", operator.ne: "!=",
}  # fmt: skip

NO_LINE = ("", 0)


class Alias:
    """The operation of a line that means its operand, and stands for it under another number.

    Each is another one, so it is never taken for a line that is there: `grad` differentiates by
    such lines, and by nothing that its function found elsewhere. Where it is `fixed`, no derivative
    goes through it.
    """

    def __init__(self, fixed: bool = False) -> None:
        self.fixed, self.name = fixed, "detach" if fixed else "alias"


class Tape:
    """Lines, by their number.

    Attributes
    ----------
    operations : list
        What makes each line: a `Primitive`, a function of `operator` for a comparison, an `Alias`;
        None for inputs and constants.
    operands : list of tuple of int
        The lines that it is made of; those of a row over sequences one after the other.
    constants : dict of int to float
    names : dict of int to str
        Of the inputs.
    origins : list of (str, int)
        File and line of the program that recorded it.
    origin : (str, int) or None
        What to note as the origin from now on; None to look for it.
    dependents : (inputs, end, lines)
        The lines before `end` that depend on some inputs, as `transform.py` last asked.
    """

    __slots__ = (
        "_known", "closed", "constants", "dependents", "names", "operands", "operations", "origin",
        "origins",
    )  # fmt: skip

    def __init__(self) -> None:
        self.operations: list[Any] = []
        self.operands: list[tuple[int, ...]] = []
        self.origins: list[tuple[str, int]] = []
        self.constants: dict[int, float] = {}
        self.names: dict[int, str] = {}
        self.origin: tuple[str, int] | None = None
        self.closed = False
        self.dependents: tuple[tuple[int, ...], int, dict[int, None]] = ((-1,), 0, {})
        self._known: dict[Any, int] = {}

    def __len__(self) -> int:
        return len(self.operations)

    def input(self, name: str) -> int:
        """A new input."""
        i = self._append(None, (), NO_LINE)
        self.names[i] = name
        return i

    def constant(self, x: float) -> int:
        """The line of a constant; numbers of other bits, such as 0.0 and -0.0, are others."""
        key = _key(x)
        i = self._known.get(key)
        if i is None:
            i = self._known[key] = self._append(None, (), NO_LINE)
            self.constants[i] = x
        return i

    def emit(self, operation: Any, operands: tuple[int, ...]) -> int:
        """The line of an operation: a new one, one that is there, or one that it comes down to."""
        key = operation, operands
        i = self._known.get(key)
        if i is None:
            i = self._shorter(operation, operands)
            if i is None:
                i = self._append(operation, operands, self.origin or users_line())
            self._known[key] = i
        return i

    def _append(self, operation: Any, operands: tuple[int, ...], origin: tuple[str, int]) -> int:
        if self.closed:
            raise RuntimeError(
                "compile: a recorded number was used after its function had been recorded; return "
                "what you need instead of keeping it in a list or an attribute"
            )
        self.operations.append(operation)
        self.operands.append(operands)
        self.origins.append(origin)
        return len(self.operations) - 1

    def _shorter(self, operation: Any, operands: tuple[int, ...]) -> int | None:
        """The line that an operation comes down to, if there is one."""
        shorter = _SHORTER.get(operation)
        if shorter is not None:
            found = shorter(self, operands)
            if found is not None:
                return found
        constants = self.constants
        for i in operands:
            if i not in constants:
                return None
        if isinstance(operation, Primitive) or operation in COMPARISONS:
            return self.constant(applied(operation, tuple([constants[i] for i in operands])))
        return None


def _key(x: float) -> Any:
    """What a constant is known by: the number; its bits where others equal it, or nothing does."""
    return x if x < 0.0 or x > 0.0 else struct.pack("d", x)


def applied(operation: Any, operands: tuple[Any, ...]) -> Any:
    """An operation on operands of any kind; a comparison of plain numbers gives 1.0 or 0.0."""
    if isinstance(operation, Primitive):
        return operation.apply(operands)
    z = operation(*operands)
    return z if hasattr(z, "bind") else z * 1.0


# What operations come down to: functions of the tape and the operands, None where to nothing.


def _neutral(numbers: Iterable[float | None]) -> Callable[[Tape, tuple[int, ...]], int | None]:
    """Leave out an operand that changes nothing: for the left and the right one, which number."""
    left, right = (None if x is None else _key(x) for x in numbers)

    def shorter(tape: Tape, operands: tuple[int, ...]) -> int | None:
        x, y = operands
        known = tape._known
        if right is not None and known.get(right) == y:
            return x
        return y if left is not None and known.get(left) == x else None

    return shorter


def _negation(tape: Tape, operands: tuple[int, ...]) -> int | None:
    (x,) = operands
    return tape.operands[x][0] if tape.operations[x] is primitives.neg else None


def _power(tape: Tape, operands: tuple[int, ...]) -> int | None:
    x, y = operands
    exponent = tape.constants.get(y)
    if exponent == 1.0:
        return x
    return tape.emit(primitives.square, (x,)) if exponent == 2.0 else None


def _choice(tape: Tape, operands: tuple[int, ...]) -> int | None:
    c, x, y = operands
    if x == y:
        return x
    known = tape.constants.get(c)
    return None if known is None else x if known else y


def _one_product(tape: Tape, operands: tuple[int, ...]) -> int | None:
    return tape.emit(primitives.mul, operands) if len(operands) == 2 else None


def _one_term(tape: Tape, operands: tuple[int, ...]) -> int | None:
    return operands[0] if len(operands) == 1 else None


_SHORTER: dict[Any, Callable[[Tape, tuple[int, ...]], int | None]] = {
    primitives.mul: _neutral((1.0, 1.0)),
    primitives.add: _neutral((-0.0, -0.0)),
    primitives.sub: _neutral((None, 0.0)),
    primitives.div: _neutral((None, 1.0)),
    primitives.neg: _negation,
    primitives.pow: _power,
    primitives.where: _choice,
    primitives.dot: _one_product,
    primitives.sum: _one_term,
    primitives.mean: _one_term,
}
