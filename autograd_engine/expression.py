"""Expression: an operand that is not a number but records what is done to it.

Rows, operators and comparisons work on Expressions as on numbers, and the result is an Expression:
a line of a `Tape`, which knows the operation and the lines that are its operands.

    >>> from autograd_engine.expression import Expression, recorded
    >>> from autograd_engine.primitives import sigmoid
    >>> x = recorded("x")
    >>> sigmoid(2.0 * x) + 1.0
    sigmoid(2.0 * x) + 1.0

So a formula can be written out in another language: `codegen.py` runs every row on Expressions and
prints the C that the native engine is made of; and a function of the user's, run once on
Expressions, becomes a `Program` (`recording.py`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NoReturn, final

from autograd_engine import primitives
from autograd_engine.backend import Value
from autograd_engine.conversion import is_array, number
from autograd_engine.modes import current_mode, users_line
from autograd_engine.operands import Operand
from autograd_engine.rows import Primitive
from autograd_engine.tape import COMPARISONS, Alias, Tape

__all__ = ["INFIX", "Expression", "recorded"]

INFIX = {
    getattr(primitives, name): sign
    for name, sign in {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}.items()
}
_EQUALITY = (operator.eq, operator.ne)  # `x == None` is False, as ever
_DETACHED = Alias(fixed=True)  # one for all: the same number twice is one line


def recorded(name: str, tape: Tape | None = None) -> Expression:
    """A new input of a tape, or of a tape of its own."""
    tape = Tape() if tape is None else tape
    return Expression(tape, tape.input(name))


def _infix(
    operation: Any,
) -> tuple[Callable[[Expression, Any], Any], Callable[[Expression, Any], Any]]:
    """The methods of a binary operator: `expression o other` and `number o expression`."""

    def method(self: Expression, other: Any) -> Any:
        tape = self.tape
        if other.__class__ is Expression and other.tape is tape:  # most are
            return Expression(tape, tape.emit(operation, (self.index, other.index)))
        if other.__class__ is float:
            return Expression(tape, tape.emit(operation, (self.index, tape.constant(other))))
        return Expression.bind(operation, (self, other))

    def reflected(self: Expression, other: Any) -> Any:
        return Expression.bind(operation, (other, self))

    return method, reflected


@final
class Expression(Operand):
    """A line of a tape.

    Attributes
    ----------
    tape : Tape
    index : int
        The number of the line.
    name : str
        Of an input; "" for everything else.
    constant : float or None
        Of a constant.
    operation : Primitive, function or None
        The primitive or, for a comparison, the function of `operator`; None for an input or a
        constant.
    operands : tuple of Expression and float

    Raises
    ------
    TypeError
        When the program needs the number, which is not there: in an `if`, or in `float()`.
    """

    __slots__ = ("index", "tape")

    def __init__(self, tape: Tape, index: int) -> None:
        self.tape, self.index = tape, index

    @staticmethod
    def bind(operation: Primitive | Callable[..., Any], operands: tuple[Any, ...]) -> Any:
        """The result of an operation; NotImplemented for operands that know better, as arrays."""
        tape, lines = _tape_of(operands), []
        for x in operands:
            if x.__class__ is Expression and x.tape is tape:
                lines.append(x.index)
                continue
            line = line_of(x, tape, operation)
            if line is None:
                return NotImplemented
            lines.append(line)
        return Expression(tape, tape.emit(operation, tuple(lines)))

    name = property(lambda self: self.tape.names.get(self.index, ""))
    constant = property(lambda self: self.tape.constants.get(self.index))
    operation = property(lambda self: self.tape.operations[self.index])

    @property
    def operands(self) -> tuple[Any, ...]:
        """What it is made of: Expressions, and constants as floats."""
        found = [Expression(self.tape, i) for i in self.tape.operands[self.index]]
        return tuple([x if x.constant is None else x.constant for x in found])

    @property
    def data(self) -> Expression:
        """The same number as a constant: no derivative goes through it."""
        return Expression(self.tape, self.tape.emit(_DETACHED, (self.index,)))

    def detach(self) -> Expression:
        """The same number as a constant: no derivative goes through it."""
        return self.data

    __add__, _number_add = _infix(primitives.add)
    __sub__, __rsub__ = _infix(primitives.sub)
    __mul__, __rmul__ = _infix(primitives.mul)
    __truediv__, __rtruediv__ = _infix(primitives.div)
    __pow__, __rpow__ = _infix(primitives.pow)
    __lt__, __gt__ = _infix(operator.lt)[0], _infix(operator.gt)[0]
    __le__, __ge__ = _infix(operator.le)[0], _infix(operator.ge)[0]
    __eq__, __ne__ = _infix(operator.eq)[0], _infix(operator.ne)[0]

    def __radd__(self, other: Any) -> Any:
        if other.__class__ is int and other == 0:  # where the builtin `sum` starts
            return self
        return self._number_add(other)

    __hash__ = object.__hash__  # by identity, as that of Values

    def __and__(self, other: Any) -> Any:
        """Both of two conditions."""
        return primitives.where(self, primitives.where(other, 1.0, 0.0), 0.0)

    def __or__(self, other: Any) -> Any:
        """At least one of two conditions."""
        return primitives.where(self, 1.0, primitives.where(other, 1.0, 0.0))

    def __invert__(self) -> Any:
        """The contrary of a condition."""
        return primitives.where(self, 0.0, 1.0)

    __rand__, __ror__ = __and__, __or__

    def __bool__(self) -> NoReturn:
        no_choice(self)

    def __float__(self) -> NoReturn:
        no_number(self)

    __int__ = __index__ = __trunc__ = __floor__ = __ceil__ = __float__

    def __round__(self, digits: int | None = None) -> NoReturn:
        no_number(self)

    def __getattr__(self, name: str) -> Any:
        """A primitive as a method."""
        if name in ("backward", "grad", "zero_grad", "label"):
            raise AttributeError(
                f"{_place()}: {name}: {self!r} is recorded; compile(value_and_grad(f)), or call "
                "backward on what the compiled function returns"
            )
        return super().__getattr__(name)

    def __reduce__(self) -> NoReturn:
        no_number(self)  # nor a copy

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __repr__(self) -> str:
        text = _text(self, 12)
        return text if len(text) <= 100 else text[:97] + "..."


def _tape_of(operands: tuple[Any, ...]) -> Tape:
    for x in operands:
        if x.__class__ is Expression:
            break
    tape: Tape = x.tape
    return tape


def line_of(x: Any, tape: Tape, operation: Any) -> int | None:
    """The line of an operand on a tape; None for an operand that is of no kind known here."""
    if x.__class__ is float:
        return tape.constant(x)
    if isinstance(x, Expression):
        if x.tape is not tape:
            _strange(operation, x)
        return x.index
    if isinstance(x, Value):
        recorder = current_mode().recorder
        if recorder is None or recorder.tape is not tape:
            _strange(operation, x)
        line: int = recorder.line_of(x)
        return line
    if is_array(x) or hasattr(x, "bind") or (x is None and operation in _EQUALITY):
        return None
    return tape.constant(number(x, _called(operation)))


def _strange(operation: Any, x: Any) -> NoReturn:
    what = " and an Expression that" if isinstance(x, Value) else ""
    raise TypeError(
        f"{_called(operation)}: {x!r}{what} was recorded by another function, or an earlier call; "
        "hand numbers over as arguments and results, not in a list or an attribute"
    )


def _called(operation: Any) -> str:
    name: str = COMPARISONS.get(operation) or operation.name
    return name


def no_choice(x: Any) -> NoReturn:
    """Say why a recorded number is neither true nor false."""
    raise TypeError(
        f"{_place()}: {x!r} is recorded, and not known to be true or false; write "
        "where(condition, x, y), maximum or minimum (of autograd_engine) instead of `if`, max and "
        "min, and & and | for `and` and `or`; bind a setting with functools.partial"
    )


def no_number(x: Any) -> NoReturn:
    """Say why a recorded number is none yet."""
    raise TypeError(
        f"{_place()}: {x!r} is recorded, and has no number yet; use the primitives of "
        "autograd_engine on it instead of float(), int(), round(), arrays of floats and the "
        "functions of math; bind a setting with functools.partial"
    )


def _place() -> str:
    file, line = users_line()
    return f"{file}:{line}"


def _text(x: Any, depth: int) -> str:
    """An expression as Python; what lies deeper than that is `...`."""
    if not isinstance(x, Expression):
        return repr(x)
    if x.operation is None:
        return x.name or repr(x.constant)
    if depth == 0:
        return "..."
    sign = INFIX.get(x.operation) or COMPARISONS.get(x.operation)
    if sign:
        left, right = (_in_parentheses(operand, depth - 1) for operand in x.operands)
        if sign == "**" and left.startswith("-"):
            left = f"({left})"  # Python reads -2.0 ** x as -(2.0 ** x)
        return f"{left} {sign} {right}"
    if x.operation is primitives.neg:
        return f"-{_in_parentheses(x.operands[0], depth - 1)}"
    if isinstance(x.operation, Alias):
        return _text(x.operands[0], depth)
    return f"{x.operation.name}({', '.join(_text(operand, depth - 1) for operand in x.operands)})"


def _in_parentheses(operand: Any, depth: int) -> str:
    """The operand of an operator: in parentheses when it is itself written with one."""
    operation = getattr(operand, "operation", None)
    while isinstance(operation, Alias):
        operand = operand.operands[0]
        operation = getattr(operand, "operation", None)
    infix = operation in INFIX or operation in COMPARISONS or operation is primitives.neg
    text = _text(operand, depth)
    return f"({text})" if infix and depth else text
