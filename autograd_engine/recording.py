"""How a function becomes a Program: it runs once, on numbers that record what is done to them.

Recording is a mode that Values know. While it lasts no operation on a Value makes a node: it is
recorded, and the Value is an input that will be read at each call. Nothing is frozen but what
Python itself takes as a number: captured floats and arrays, and what somebody reads from `.data`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from autograd_engine.backend import Value
from autograd_engine.expression import Expression, line_of, no_choice, no_number
from autograd_engine.following import RUNNING
from autograd_engine.modes import MODE, Mode
from autograd_engine.tape import Alias, Tape

__all__ = ["Recorder", "recording"]

# What C calls the comparisons.
_COMPARE = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)


class Recorder:
    """The mode's `recorder`: what Values do while a function is recorded.

    Attributes
    ----------
    tape : Tape
    captured : dict of Value to int
        The Values that the function found outside its arguments, and their lines.
    """

    def __init__(self) -> None:
        self.tape, self.captured = Tape(), dict[Value, int]()

    def line_of(self, value: Value) -> int:
        """The input that stands for a Value."""
        line = self.captured.get(value)
        if line is None:
            name = value.label or f"captured[{len(self.captured)}]"
            line = self.captured[value] = self.tape.input(name)
        return line

    def expression(self, x: Any) -> Expression:
        """A number, Value or Expression as a line of this tape."""
        line = line_of(x, self.tape, Alias())
        assert line is not None
        return Expression(self.tape, line)

    def renewed(self, x: Any) -> Expression:
        """The same number under another line, by which alone a derivative is taken."""
        return Expression(self.tape, self.tape.emit(Alias(), (self.expression(x).index,)))

    def bind(self, operation: Any, operands: tuple[Any, ...]) -> Any:
        """The line of an operation on Values; NotImplemented for operands that know better."""
        lines = []
        for x in operands:
            line = line_of(x, self.tape, operation)
            if line is None:
                return NotImplemented
            lines.append(line)
        return Expression(self.tape, self.tape.emit(operation, tuple(lines)))

    def compare(self, code: int, x: Value, y: Any) -> Any:
        """A comparison, by the number that C has for it."""
        return self.bind(_COMPARE[code], (x, y))

    def detached(self, value: Value) -> Expression:
        """The number of a Value as a constant: read at each call, but without a derivative."""
        return self.expression(value).data

    def refuse(self, value: Value, choice: bool) -> NoReturn:
        """Say why a Value has no number now, or (for a choice) is not known to be true or false."""
        raise_error = no_choice if choice else no_number
        raise_error(value)


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record what is done to Values in this block, until its end."""
    recorder, outer = Recorder(), MODE.get()
    mode = MODE.set(Mode(False, False, outer.info, outer, recorder))
    RUNNING.add(recorder)  # so that float() and its like look closer
    try:
        yield recorder
    finally:
        RUNNING.discard(recorder)
        MODE.reset(mode)
        Value(0.0)  # or the native engine would keep this mode, until it makes another node
        recorder.tape.closed = True
