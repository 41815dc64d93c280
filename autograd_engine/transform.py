"""Passes over recorded lines: the gradient, and the removal of what nobody needs.

`pulled_back` is reverse mode on a tape: to the lines that compute a function it adds those that
compute its gradient, from the local derivatives in the table of primitives. So the gradient is
itself recorded, and may be differentiated again.
"""

from __future__ import annotations

import functools
import gc
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from autograd_engine import primitives
from autograd_engine.expression import Expression, recorded
from autograd_engine.program import Program
from autograd_engine.rows import ON_OPERANDS, NaryPrimitive, Primitive
from autograd_engine.tape import Alias, Tape

__all__ = [
    "compacted",
    "dependents",
    "frozen",
    "needed",
    "no_collector",
    "pulled_back",
    "shortened",
]

Term = tuple[int, int]  # an adjoint, and a local derivative


@contextmanager
def no_collector() -> Iterator[None]:
    """A pass without the cyclic collector, which would visit its many new lines again and again.

    Lines are in no cycle. No function of the user's runs meanwhile.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@no_collector()
def pulled_back(tape: Tape, pairs: Iterable[Term], inputs: Sequence[int]) -> list[int]:
    """The lines of the sum of cotangent * d output / d input over the pairs, for each input.

    Parameters
    ----------
    pairs : (cotangent, output) lines
    inputs : lines
        Nothing below them is looked at.

    Notes
    -----
    What an adjoint sums up becomes one `dot` of adjoints and local derivatives. Source: Griewank &
    Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, chapter 3.
    """
    pairs, inputs = list(pairs), tuple(inputs)
    one, zero = tape.constant(1.0), tape.constant(0.0)
    wanted, gradients = set(inputs), dict[int, int]()
    again = tape.dependents[0] == inputs  # for another of many outputs
    dependent = dependents(tape, inputs, max((output for _, output in pairs), default=-1))
    terms: dict[int, list[Term]] = _Terms() if again else defaultdict(list)
    for cotangent, output in pairs:
        terms[output].append((cotangent, one))
    origin = tape.origin
    for i in terms.downwards() if isinstance(terms, _Terms) else reversed(dependent):
        if i in terms and i in dependent:
            tape.origin = tape.origins[i] if tape.origins[i][1] else origin
            adjoint = _combined(tape, terms.pop(i), one)
            if i in wanted:
                gradients[i] = adjoint
            else:
                _send(tape, i, adjoint, dependent, terms)
    tape.origin = origin
    return [gradients.get(i, zero) for i in inputs]


class _Terms(dict[int, list[Term]]):
    """Terms by the line, and the lines that have some, the last first.

    So the gradient of one of many outputs costs what lies between it and the inputs, not the tape.
    """

    def __init__(self) -> None:
        self._lines: list[int] = []

    def __missing__(self, i: int) -> list[Term]:
        heapq.heappush(self._lines, -i)
        found = self[i] = []
        return found

    def downwards(self) -> Iterator[int]:
        """The lines; while it goes on, those before may get terms."""
        while self._lines:
            yield -heapq.heappop(self._lines)


def dependents(tape: Tape, inputs: tuple[int, ...], last: int) -> dict[int, None]:
    """The inputs, and the lines up to the last that depend on them in a differentiable way.

    The tape remembers them for the next call, which may be about another output.
    """
    known, end, found = tape.dependents
    if known != inputs:
        found, end = dict.fromkeys(sorted(inputs)), min(inputs, default=0)
    lines = found.keys()
    for i in range(end, last + 1):
        if i not in found and not lines.isdisjoint(tape.operands[i]):
            operation = tape.operations[i]
            if isinstance(operation, Primitive) or not getattr(operation, "fixed", True):
                found[i] = None
    tape.dependents = inputs, max(end, last + 1), found
    return found


def _send(
    tape: Tape, i: int, adjoint: int, dependent: dict[int, None], terms: dict[int, list[Term]]
) -> None:
    """Give each operand of a line, if it is dependent, the adjoint and the local derivative."""
    row, operands = tape.operations[i], tape.operands[i]
    if row.__class__ is not Primitive:
        for operand, slope in _slopes(tape, i, dependent):
            terms[operand].append((adjoint, slope))
        return
    given = (i, *operands)
    for operand, (steps, result) in zip(operands, _formulas(row), strict=True):
        if operand in dependent:
            slope = _replayed(tape, steps, given)[result] if steps else given[result]
            terms[operand].append((adjoint, slope))


def _slopes(tape: Tape, i: int, dependent: Iterable[int]) -> Iterable[Term]:
    """(operand, dz/d(operand)) for those operands of a line that are dependent."""
    row, operands = tape.operations[i], tape.operands[i]
    if isinstance(row, Alias):
        return [(operands[0], tape.constant(1.0))]
    if isinstance(row, NaryPrimitive):
        xs = [Expression(tape, x) for x in operands]
        numbers = [tape.constants.get(x) for x in operands]
        known = [x if number is None else number for x, number in zip(xs, numbers, strict=True)]
        found = row.local_derivatives(ON_OPERANDS, Expression(tape, i), known)
        return [
            (x, _line(tape, slope))
            for x, slope in zip(operands, found, strict=True)
            if x in dependent
        ]
    raise TypeError(f"{row!r} has no local derivatives")


def _line(tape: Tape, x: Any) -> int:
    return x.index if isinstance(x, Expression) else tape.constant(float(x))


class _Formula(NamedTuple):
    """A local derivative as lines: (operation, operands) or (None, constant), the last the result.

    Lines 0, 1, ... are the result z of the primitive and its operands; the steps come after them.
    """

    steps: list[tuple[Any, Any]]
    result: int


@functools.cache
def _formulas(row: Primitive) -> list[_Formula]:
    """The local derivatives of a row, recorded once."""
    return [_formula(row, derivative) for derivative in ON_OPERANDS.derivatives(row)]


def _formula(row: Primitive, derivative: Any) -> _Formula:
    tape = Tape()
    tape.origin = ("", 0)
    operands = [recorded(name, tape) for name in ("z", *map(str, range(row.arity)))]
    result = _line(tape, derivative(*operands))
    order = [i for i in needed(tape, [result]) if i > row.arity]
    place = {i: i for i in range(row.arity + 1)}
    steps: list[tuple[Any, Any]] = []
    for i in order:
        place[i] = row.arity + 1 + len(steps)
        constant = tape.constants.get(i)
        lines = tuple([place[j] for j in tape.operands[i]])
        steps.append((None, constant) if constant is not None else (tape.operations[i], lines))
    return _Formula(steps, place[result])


def _replayed(tape: Tape, steps: list[tuple[Any, Any]], given: tuple[int, ...]) -> list[int]:
    """The lines of a formula for these lines in place of z and the operands."""
    lines = list(given)
    for operation, of in steps:
        if operation is None:
            lines.append(tape.constant(of))
        else:
            lines.append(tape.emit(operation, tuple([lines[k] for k in of])))
    return lines


def _combined(tape: Tape, terms: list[Term], one: int) -> int:
    """The sum of products, as one line."""
    if len(terms) == 1 and terms[0][1] == one:
        return terms[0][0]
    if len(terms) > 1 and len(set(terms)) < len(terms):  # as in x * x
        counts = Counter(terms)
        terms = [
            (x, slope)
            if n == 1
            else (tape.constant(float(n)), tape.emit(primitives.mul, (x, slope)))
            for (x, slope), n in counts.items()
        ]
    if len(terms) == 1:
        ((adjoint, slope),) = terms
        if tape.constants.get(slope) == -1.0:
            return tape.emit(primitives.neg, (adjoint,))
        return tape.emit(primitives.mul, (adjoint, slope))
    adjoints, found = zip(*terms, strict=True)
    if set(found) == {one}:
        return tape.emit(primitives.add if len(terms) == 2 else primitives.sum, adjoints)
    return tape.emit(primitives.dot, (*adjoints, *found))


def needed(tape: Tape, outputs: Iterable[int]) -> list[int]:
    """The lines that these outputs are made of, themselves included, in order."""
    wanted = bytearray(len(tape))
    for i in outputs:
        wanted[i] = 1
    operands = tape.operands
    for i in range(len(tape) - 1, -1, -1):
        if wanted[i]:
            for operand in operands[i]:
                wanted[operand] = 1
    return [i for i, x in enumerate(wanted) if x]


@no_collector()
def compacted(tape: Tape, outputs: Sequence[int]) -> tuple[Tape, list[int]]:
    """A tape of the inputs, and of the lines that the outputs need; aliases are gone.

    Recording it again finds more common subexpressions, for an alias hides them.
    """
    new, place = Tape(), dict[int, int]()
    for i, name in tape.names.items():
        place[i] = new.input(name)
    operations, operands, origins = tape.operations, tape.operands, tape.origins
    lines = needed(tape, outputs)
    known = not _hides_common_lines(tape, lines)  # then no line can be a shorter or an older one
    for i in lines:
        operation = operations[i]
        if operation is None:
            if i in tape.constants:
                place[i] = new.constant(tape.constants[i])
        elif operation.__class__ is Alias:
            place[i] = place[operands[i][0]]
        elif known:
            place[i] = len(new.operations)
            new.operations.append(operation)
            new.operands.append(tuple([place[j] for j in operands[i]]))
            new.origins.append(origins[i])
        else:
            new.origin = origins[i]
            place[i] = new.emit(operation, tuple([place[j] for j in operands[i]]))
    return new, [place[i] for i in outputs]


def _hides_common_lines(tape: Tape, lines: list[int]) -> bool:
    """Whether something is computed both with an alias and with what it stands for."""
    operations, operands = tape.operations, tape.operands
    aliases = [i for i in lines if operations[i].__class__ is Alias]
    behind = {operands[i][0] for i in aliases}
    if not behind.isdisjoint(tape.constants):
        return True
    own = {i for i in lines if not behind.isdisjoint(operands[i])}
    return len(behind) < len(aliases) or not own.issubset(aliases)


def shortened(program: Program, outputs: Sequence[int]) -> Program:
    """A program for some of the outputs, without what only the others need."""
    return Program(*compacted(_tape(program), outputs))


def frozen(program: Program, numbers: Sequence[float]) -> Program:
    """A program with these numbers as constants in place of its last inputs."""
    tape, first = _tape(program), len(program.inputs) - len(numbers)
    for i, x in enumerate(numbers, first):
        del tape.names[i]
        tape.constants[i] = x
    return Program(*compacted(tape, program.outputs))


def _tape(program: Program) -> Tape:
    tape = Tape()
    tape.operations, tape.operands = list(program.operations), list(program.operands)
    tape.origins, tape.constants = list(program.origins), dict(program.constants)
    tape.names = dict(enumerate(program.inputs))
    return tape
