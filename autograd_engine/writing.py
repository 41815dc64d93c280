"""What source code in Python and in C have in common: its statements, in order, and comments."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import PureWindowsPath
from typing import Any

from autograd_engine import primitives
from autograd_engine.codegen import bare
from autograd_engine.naming import Language, identifiers, remark
from autograd_engine.program import Program
from autograd_engine.rows import NaryPrimitive, Primitive

__all__ = ["WIDTH", "Writer", "counted", "filled", "lists", "summary"]

WIDTH = 100
_TERMS = 50  # of a sum in one statement: compilers nest long ones deeply


class Writer:
    """A program in one language; `helpers` are the functions that it needs, by their rows."""

    language: Language
    mark: str

    def __init__(self, program: Program, name: str) -> None:
        self.program, self.title = program, remark(name, self.language)
        self.name, *self.inputs = identifiers([name, *program.inputs], self.language)
        self.helpers: dict[Any, str] = {}
        self.lines = _needed(program)
        self.origin: Any = None

    def text(self) -> str:
        """All of the file."""
        raise NotImplementedError

    def call(self, operation: Any, operands: Sequence[str]) -> str:
        """An operation; in parentheses if it is written with an operator."""
        raise NotImplementedError

    def literal(self, x: float) -> str:
        """A constant, to the last bit."""
        raise NotImplementedError

    def statement(self, start: str, text: str, comment: str) -> Iterator[str]:
        """The lines of one statement, from its left side, its right side and a comment."""
        raise NotImplementedError

    def operand(self, i: int) -> str:
        """How a line is called."""
        constant = self.program.constants.get(i)
        if constant is not None:
            return self.literal(constant)
        return self.inputs[i] if i < len(self.inputs) else f"v{i}"

    def statements(self) -> Iterator[str]:
        """All operations, in order."""
        for i in self.lines:
            operation = self.program.operations[i]
            if operation is not None:
                operands = list(map(self.operand, self.program.operands[i]))
                steps = _steps(f"v{i}", operation, operands)
                yield from self._line(i, steps or [bare(self.call(operation, operands))])

    def _line(self, i: int, steps: Sequence[str]) -> Iterator[str]:
        for k, step in enumerate(steps):
            comment = self._comment(i) if k == len(steps) - 1 else ""
            yield from self.statement(self.start(f"v{i}", k, len(steps)), step, comment)

    def start(self, name: str, step: int, steps: int) -> str:
        """The left side of a step of a line."""
        return f"    {name} = "

    def _comment(self, i: int) -> str:
        """Where a line comes from, unless the line before it comes from there too."""
        if self.program.origins[i] == self.origin:
            return ""
        self.origin = file, line = self.program.origins[i]
        name = remark(PureWindowsPath(file).name, self.language)  # both / and \ end a folder
        return f"  {self.mark} {name}:{line}" if line else ""


def _needed(program: Program) -> list[int]:
    """The lines that the outputs are made of."""
    wanted = bytearray(len(program.operations))
    for i in program.outputs:
        wanted[i] = 1
    for i in range(len(wanted) - 1, -1, -1):
        if wanted[i]:
            for operand in program.operands[i]:
                wanted[operand] = 1
    return [i for i, x in enumerate(wanted) if x]


def _steps(name: str, operation: Any, operands: Sequence[str]) -> list[str]:
    """A sum of many terms, in steps from left to right; none for other operations.

    There is a NUL in the place of each gap where a long line is not to be broken.
    """
    if operation is primitives.dot:
        n = len(operands) // 2
        pairs = zip(operands[:n], operands[n:], strict=True)
        terms: Sequence[str] = [f"{w}\0*\0{x}" for w, x in pairs]
    elif operation in (primitives.sum, primitives.mean):
        terms = operands
    else:
        return []
    steps = [
        " +\0".join([name] * bool(k) + list(terms[k : k + _TERMS]))
        for k in range(0, len(terms), _TERMS)
    ]
    if operation is primitives.mean:
        last = f"({steps.pop()})" if len(steps) == 1 else name
        steps.append(f"{last}\0/\0{float(len(terms))!r}")
    return steps


def lists(row: NaryPrimitive, operands: Sequence[str]) -> Iterator[str]:
    """The operands of a row over sequences, a list for each sequence."""
    n = len(operands) // row.arity
    for k in range(row.arity):
        yield ", ".join(operands[k * n : (k + 1) * n])


def filled(text: str, first: str, rest: str = " " * 8) -> list[str]:
    """A text in lines that are not too long; a NUL is a gap at which it is not broken."""
    if len(first) + len(text) <= WIDTH:
        return [f"{first}{text}".replace("\0", " ")]
    wrapper = textwrap.TextWrapper(WIDTH, first, rest)
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    return [line.replace("\0", " ") for line in wrapper.wrap(text)]


def summary(row: Primitive) -> str:
    """What a row computes, in a line."""
    first = (row.__doc__ or "").partition("\n")[0]
    return re.split(" (?:Convention|Source):", first)[0]


def counted(n: int) -> str:
    """How many numbers."""
    return f"{n} number{'s' * (n != 1)}"
