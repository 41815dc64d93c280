"""Program: a recorded function as plain data.

    >>> from autograd_engine import compile, tanh
    >>> f = compile(lambda x, w: tanh(w * x) + 1.0)
    >>> f(0.0, 2.0)
    1.0
    >>> print(f.program)  # doctest: +ELLIPSIS
    v0 = x
    v1 = w
    v2 = v1 * v0          # ...
    v3 = tanh(v2)         # ...
    v5 = v3 + 1.0         # ...
    return v5

(The constant 1.0 is line v4.) It holds numbers, names and lines, no code: it can be compared,
hashed, saved and loaded.
"""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from autograd_engine import primitives
from autograd_engine.expression import INFIX
from autograd_engine.primitives import neg
from autograd_engine.registry import TABLE
from autograd_engine.rows import NaryPrimitive, Primitive
from autograd_engine.tape import COMPARISONS, Tape, applied

__all__ = ["Program"]

_COMPARE = {f.__name__: f for f in COMPARISONS}
_FORMAT = "autograd_engine program 1"
MAX_BYTES, MAX_LINES = 2_000_000_000, 20_000_000


class Program:
    """The lines of a function of numbers: inputs, constants and operations, and which are outputs.

    Calling it with a number for each input gives the list of the outputs, computed line by line as
    the eager engine would. It is a function like others: `compile` makes it fast, `grad`
    differentiates it.

    Attributes
    ----------
    inputs : tuple of str
        The names of the inputs, which are the first lines.
    operations : tuple
        What makes each line: a `Primitive`, or a function of `operator` for a comparison; None for
        inputs and constants.
    operands : tuple of tuple of int
        The lines that each is made of; those of a row over sequences one after the other.
    constants : mapping of int to float
        By the line.
    outputs : tuple of int
        Lines, one for each number that comes out.
    origins : tuple of (str, int)
        The file and line of your program that each line comes from.
    """

    __slots__ = ("_hash", "constants", "inputs", "operands", "operations", "origins", "outputs")

    def __init__(self, tape: Tape, outputs: Sequence[int]) -> None:
        self.inputs = tuple(tape.names.values())
        self.operations, self.operands = tuple(tape.operations), tuple(tape.operands)
        self.constants: Mapping[int, float] = dict(tape.constants)
        self.origins, self.outputs = tuple(tape.origins), tuple(outputs)
        self._hash: int | None = None

    def __len__(self) -> int:
        """The number of operations."""
        return len(self.operations) - len(self.inputs) - len(self.constants)

    def __call__(self, *inputs: Any) -> list[Any]:
        """The outputs for these inputs: numbers, or operands of any kind, such as Values."""
        if len(inputs) != len(self.inputs):
            raise TypeError(f"Program: expected {len(self.inputs)} numbers, got {len(inputs)}")
        numbers = list(inputs)
        for i in range(len(inputs), len(self.operations)):
            operation = self.operations[i]
            if operation is None:
                numbers.append(self.constants[i])
            else:
                numbers.append(applied(operation, tuple([numbers[j] for j in self.operands[i]])))
        return [numbers[i] for i in self.outputs]

    def _content(self) -> tuple[Any, ...]:
        constants = tuple((i, x.hex()) for i, x in self.constants.items())
        return self.inputs, self.operations, self.operands, constants, self.outputs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self._content() == other._content()

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self._content())
        return self._hash

    def __repr__(self) -> str:
        return (
            f"<Program of {len(self.inputs)} inputs, {len(self)} operations, "
            f"{len(self.outputs)} outputs>"
        )

    def __str__(self) -> str:
        return "\n".join(self._listing())

    def _listing(self) -> Iterator[str]:
        for i, name in enumerate(self.inputs):
            yield f"v{i} = {name if name.isprintable() else repr(name)}"
        for i in range(len(self.inputs), len(self.operations)):
            if self.operations[i] is not None:
                file, line = self.origins[i]
                text = f"v{i} = {self.line(i)}"
                yield f"{text:<20}  # {os.path.basename(file)}:{line}" if line else text
        yield "return " + ", ".join(map(self.name, self.outputs))

    def name(self, i: int) -> str:
        """How a line is called: v and its number, or the constant."""
        return repr(self.constants[i]) if i in self.constants else f"v{i}"

    def line(self, i: int) -> str:
        """The operation of a line, such as `v1 * v0` or `tanh(v2)`."""
        return written(self.operations[i], list(map(self.name, self.operands[i])))

    def save(self, path: str | Path) -> None:
        """Write it to a file, as JSON with numbers to the last bit; `load` reads it.

        Raises
        ------
        ValueError
            When it has primitives of your own: a file cannot carry their formulas.
        """
        rows = {x for x in self.operations if isinstance(x, Primitive)}
        own = sorted(x.name for x in rows if x.function.__module__ != primitives.__name__)
        if own:
            raise ValueError(f"Program.save: primitives of your own: {', '.join(own)}")
        first = len(self.inputs)
        lines = [
            [_named(operation), *operands]
            if operation is not None
            else self.constants[first + i].hex()
            for i, (operation, operands) in enumerate(
                zip(self.operations[first:], self.operands[first:], strict=True)
            )
        ]
        data = {
            "format": _FORMAT, "inputs": self.inputs, "lines": lines, "outputs": self.outputs,
            "origins": [[os.path.basename(file), line] for file, line in self.origins],
        }  # fmt: skip
        text = json.dumps(data, separators=(",", ":"))
        Path(path).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Program:
        """Read what `save` wrote. Nothing in the file is run as code, and all of it is checked.

        Raises
        ------
        ValueError
            When the file is no such program, is too large, or has been damaged; it says where.
        """
        size = Path(path).stat().st_size
        if size > MAX_BYTES:
            raise ValueError(f"{path}: {size:,} bytes; a program has at most {MAX_BYTES:,}")
        try:
            text = Path(path).read_text(encoding="utf-8")
            data = json.loads(text, object_pairs_hook=_without_duplicates)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: no JSON: {error}") from None
        if not isinstance(data, dict) or data.get("format") != _FORMAT:
            raise ValueError(f"{path}: no program of this version of autograd_engine")
        try:
            return _read(data)
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            reason = str(error)[:200]
            raise ValueError(f"{path}: damaged: {reason}") from None


def written(operation: Any, operands: Sequence[str]) -> str:
    """An operation as Python, for operands that are names or numbers."""
    sign = INFIX.get(operation) or COMPARISONS.get(operation)
    if sign:
        left, right = operands
        return f"({left}) {sign} {right}" if left.startswith("-") else f"{left} {sign} {right}"
    if operation is neg:
        return f"-{operands[0]}" if not operands[0].startswith("-") else f"-({operands[0]})"
    if isinstance(operation, NaryPrimitive):
        n = len(operands) // operation.arity
        lists = [", ".join(operands[k * n : (k + 1) * n]) for k in range(operation.arity)]
        return f"{operation.name}({', '.join(f'[{x}]' for x in lists)})"
    return f"{operation.name}({', '.join(operands)})"


def _named(operation: Any) -> str:
    return str(operation.name if isinstance(operation, Primitive) else operation.__name__)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _read(data: Mapping[str, Any]) -> Program:
    """A program from what was in a file."""
    tape, lines = Tape(), data["lines"]
    inputs = _list(data["inputs"], str, "inputs")
    if len(inputs) + len(_list(lines, object, "lines")) > MAX_LINES:
        raise ValueError(f"more than {MAX_LINES:,} lines")
    for name in inputs:
        tape.input(name)
    for line in lines:
        i = len(tape)
        if isinstance(line, str):
            tape.constants[i] = float.fromhex(line)
            operation, operands = None, tuple[int, ...]()
        else:
            operation, operands = _operation(line, i)
        tape.operations.append(operation)
        tape.operands.append(operands)
    origins = _list(data["origins"], list, "origins")
    if len(origins) != len(tape):
        raise ValueError("as many origins as lines are expected")
    for file, line in origins:
        if type(file) is not str or type(line) is not int:
            raise ValueError("an origin is a file and a line")
    tape.origins = [(file, line) for file, line in origins]
    outputs = _lines(_list(data["outputs"], int, "outputs"), len(tape))
    return Program(tape, outputs)


def _operation(line: Any, i: int) -> tuple[Any, tuple[int, ...]]:
    """The operation and operands of one line in a file."""
    name, *operands = _list(line, object, f"line {i}")
    operation: Any = _COMPARE.get(name) or TABLE.get(name)
    if operation is None:
        raise ValueError(f"line {i}: unknown operation {name!r}")
    arity = operation.arity if isinstance(operation, Primitive) else 2
    many = isinstance(operation, NaryPrimitive)
    if not operands or (len(operands) % arity if many else len(operands) != arity):
        raise ValueError(f"line {i}: {name} of {len(operands)} operands")
    return operation, _lines(operands, i)


def _list(x: Any, kind: type, what: str) -> list[Any]:
    if not isinstance(x, list) or not all(isinstance(item, kind) for item in x):
        raise ValueError(f"{what}: expected a list of {kind.__name__}")
    return x


def _lines(numbers: Iterable[Any], end: int) -> tuple[int, ...]:
    """Numbers of lines, all before `end`."""
    found = tuple(map(operator.index, numbers))
    if any(isinstance(x, bool) or not 0 <= x < end for x in numbers):
        raise ValueError(f"line {end}: operands must be lines before it, got {found}")
    return found
