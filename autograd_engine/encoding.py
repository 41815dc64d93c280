"""From lines to code for the native executor: which slot or register each number lives in.

Uniform numbers have a slot each. Lanes live in registers, which are given out again after the last
use of what was in them, so that a block of samples stays in the nearest cache. Results of one group
get registers side by side, and then one instruction does them all.
"""

from __future__ import annotations

import itertools
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from autograd_engine import primitives
from autograd_engine.lowering import Group, Lowered, Matrix, Outer, is_nary
from autograd_engine.registry import TABLE
from autograd_engine.tape import COMPARISONS

__all__ = ["OPCODES", "Plan", "encoded"]

_KERNELS = [row for row in TABLE.values() if row.function.__module__ == primitives.__name__]
_OTHERS = ("MATRIX", "OUTER", "LOAD", "STORE", "BROADCAST")
# The numbers of operations in `_executor.h`: those of `_kernels.h`, then comparisons, then others.
OPCODES: dict[Any, int] = {
    operation: i for i, operation in enumerate([*_KERNELS, *COMPARISONS, *_OTHERS], 1)
}

# Samples in a block: the most whose registers stay in the nearest cache, or, where the sums over
# many products are what takes time, in the next. Measured on networks of 300 and 2,400 parameters.
_BLOCKS = (256, 128, 64, 32, 16)
_NEAR, _NEXT, _MANY_SUMS = 48 << 10, 512 << 10, 1000


class Plan(NamedTuple):
    """What the native executor is made from.

    Attributes
    ----------
    keywords : dict
        The arguments of `Executor`.
    outputs : list of (int, bool)
        The slot or column of each output, and whether it is a column.
    statistics : dict of str to int
    """

    keywords: dict[str, Any]
    outputs: list[tuple[int, bool]]
    statistics: dict[str, int]


def encoded(low: Lowered) -> Plan:
    """The code of what was lowered."""
    slots = _slots(low)
    columns = [line for line, is_lane in low.outputs if is_lane]
    body = _Body(low, slots, columns)
    setup = array("i")
    for slot, register, count in _runs_of(body.broadcast, slots):
        setup.extend((OPCODES["BROADCAST"], 5, count, register, slot))
    registers = len(body.used)
    code = {
        "prologue": _uniform(low, low.before, slots),
        "setup": setup,
        "body": body.code,
        "epilogue": _uniform(low, low.after, slots),
        "pack": body.pack,
    }
    keywords: dict[str, Any] = {
        "uniforms": array("d", low.constants.values()),
        "registers": registers,
        "accumulators": body.totals,
        "block": _block(registers, body.totals),
        "inputs": len(low.uniform_inputs),
        "first_input": slots[low.n] + 1,
        "sums": body.first_total,
        "size": slots[low.n],
        "in_columns": len(low.lane_inputs),
        "out_columns": len(columns),
        **code,
    }
    uniforms = max(slots) + 1
    keywords["uniforms"].extend([0.0] * (uniforms - len(low.constants)))
    return Plan(keywords, _outputs(low, slots), _statistics(keywords, uniforms))


def _block(registers: int, sums: int) -> int:
    """How many samples are worked on at a time."""
    cache = _NEXT if sums > _MANY_SUMS else _NEAR
    return next((block for block in _BLOCKS if registers * block * 8 <= cache), _BLOCKS[-1])


def _outputs(low: Lowered, slots: list[int]) -> list[tuple[int, bool]]:
    """The slot or column of each output."""
    columns = itertools.count()
    return [(next(columns), True) if lane else (slots[i], False) for i, lane in low.outputs]


def _statistics(keywords: dict[str, Any], slots: int) -> dict[str, int]:
    sections = [keywords[name] for name in ("prologue", "setup", "body", "epilogue")]
    return {
        "instructions": sum(map(_count, sections)),
        "registers": keywords["registers"],
        "samples in a block": keywords["block"],
        "bytes": 4 * sum(map(len, [*sections, keywords["pack"]])) + 8 * slots,
    }


def _uniform(low: Lowered, groups: list[Group], slots: list[int]) -> array[int]:
    """The code of uniform work."""
    code, some = array("i"), list[int]()
    for group in groups:
        some += _grouped(low, group, slots)
        if len(some) > 50_000:
            code.extend(some)
            some = []
    code.extend(some)
    return code


def _count(code: array[int]) -> int:
    """The number of instructions."""
    count = at = 0
    while at < len(code):
        count, at = count + 1, at + code[at + 1]
    return count


def _slots(low: Lowered) -> list[int]:
    """The slot of each uniform line: constants, n, inputs, before, totals, after; -1 for lanes."""
    totals = [
        total
        for item in low.body
        if isinstance(item, Outer)
        for row in item.totals
        for total in row
    ]
    before = [line for group in low.before for line in group.lines]
    after = [line for group in low.after for line in group.lines]
    slots = [-1] * len(low.lines)
    order = (*low.constants, low.n, *low.uniform_inputs, *before, *totals, *after)
    for slot, line in enumerate(order):
        slots[line] = slot
    return slots


def _grouped(low: Lowered, group: Group, place: Sequence[int] | dict[int, int]) -> Iterable[int]:
    """The instructions of a group; `place` has the slot or register of a line."""
    op, lines = OPCODES[group.operation], low.lines
    if is_nary(group.operation):
        code: list[int] = []
        for i in group.lines:
            operands = lines[i][1]
            n = len(operands) // group.operation.arity
            code += (op, 4 + len(operands), place[i], n, *[place[j] for j in operands])
        return code
    if len(group.lines) > 1:
        rows = [(place[i], *[place[j] for j in lines[i][1]]) for i in group.lines]
        return itertools.chain.from_iterable(_elementwise(op, rows))
    (i,) = group.lines
    x, *others = lines[i][1]
    y = place[others[0]] if others else 0
    z = place[others[1]] if len(others) > 1 else 0
    return (op, 10, 1, place[i], place[x], 0, y, 0, z, 0)


def _elementwise(op: int, rows: list[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    """Instructions for (out, operands...): those in equal steps become one with a count."""
    start, end = 0, len(rows)
    while start < end:
        first, count = rows[start], 1
        steps: tuple[int, ...] = (0,) * len(first)
        if start + 1 < end:
            steps = tuple([y - x for x, y in zip(first, rows[start + 1], strict=True)])
            if steps[0] == 1:
                count = 2
                while start + count < end and rows[start + count] == tuple(
                    [x + count * step for x, step in zip(first, steps, strict=True)]
                ):
                    count += 1
        pairs = list(zip(first, steps if count > 1 else (0,) * len(first), strict=True))
        flat = [x for pair in pairs[1:] for x in pair] + [0] * (6 - 2 * (len(first) - 1))
        yield (op, 10, count, first[0], *flat)
        start += count


def _runs_of(registers: dict[int, int], slots: list[int]) -> Iterator[tuple[int, int, int]]:
    """(slot, register, count) of uniform lines that lie in registers."""
    pairs = [(slots[line], register) for line, register in registers.items()]
    start = 0
    for i in range(1, len(pairs) + 1):
        if i == len(pairs) or pairs[i] != (
            pairs[start][0] + i - start,
            pairs[start][1] + i - start,
        ):
            yield (*pairs[start], i - start)
            start = i


class _Body:
    """The code for a block of lanes."""

    def __init__(self, low: Lowered, slots: list[int], columns: Sequence[int]) -> None:
        self.low, self.slots = low, slots
        self.code, self.pack = array("i"), array("i")
        self.used, self.free = bytearray(), 0  # which registers are in use; all before that are
        self.register: dict[int, int] = {}
        self.totals = 0
        firsts = (x.totals[0][0] for x in low.body if isinstance(x, Outer))
        self.first_total = slots[next(firsts)] if any(isinstance(x, Outer) for x in low.body) else 0
        self.columns: defaultdict[int, list[int]] = defaultdict(list)
        for column, line in enumerate(columns):
            self.columns[line].append(column)
        uniform = {i for item in low.body for i in self._operands(item) if slots[i] >= 0}
        uniform |= {line for line in columns if slots[line] >= 0}
        self.broadcast = dict[int, int]()
        for line in sorted(uniform, key=slots.__getitem__):
            self.broadcast[line] = self._allocated([line])
        items = [self._loads(), *low.body]
        read = [self._operands(item) for item in items]
        self.last = {i: place for place, lines in enumerate(read) for i in lines}
        for place, item in enumerate(items):
            self._item(item)
            self._stored(self._results(item))
            for i in {*read[place], *self._results(item)}:
                if slots[i] < 0 and self.last.get(i, -1) <= place and i in self.register:
                    register = self.register.pop(i)
                    self.used[register] = 0
                    self.free = min(self.free, register)
        self._stored(list(self.broadcast))

    def _loads(self) -> list[int]:
        """The inputs that are used."""
        wanted = {i for item in self.low.body for i in self._operands(item)} | self.columns.keys()
        return [i for i in self.low.lane_inputs if i in wanted]

    def _operands(self, item: Any) -> Iterable[int]:
        """The lines that an item reads from registers."""
        if isinstance(item, Matrix):
            return item.xs
        if isinstance(item, Outer):
            return (*item.a, *item.b)
        if isinstance(item, Group):
            return {j for i in item.lines for j in self.low.lines[i][1]}
        return ()

    def _results(self, item: Any) -> list[int]:
        if isinstance(item, Outer):
            return []
        return item.outs if isinstance(item, Matrix) else getattr(item, "lines", item)

    def _allocated(self, lines: Sequence[int]) -> int:
        """The first of registers side by side for these lines."""
        count = len(lines)
        first = self.used.find(bytes(count), self.free)
        if first < 0:
            first = len(self.used.rstrip(b"\0"))
            self.used.extend(bytes(first + count - len(self.used)))
        self.used[first : first + count] = b"\1" * count
        if first == self.free or count == 1:
            self.free = first + count  # all before are in use
        self.register.update(zip(lines, range(first, first + count), strict=True))
        return first

    def _item(self, item: Any) -> None:
        if isinstance(item, Outer):
            self._emit("OUTER", len(item.a), len(item.b), self.totals, *item.a, *item.b)
            self.totals += len(item.a) * len(item.b)
        elif isinstance(item, Matrix):
            self._allocated(item.outs)
            start = len(self.pack)
            slot = self.slots.__getitem__
            self.pack.extend(map(slot, item.biases))
            for column in zip(*item.weights, strict=True):
                self.pack.extend(map(slot, column))
            self._emit("MATRIX", len(item.outs), len(item.xs), start, *item.outs, *item.xs)
        elif isinstance(item, Group):
            self._allocated(item.lines)
            self.code.extend(_grouped(self.low, item, self.register))
        else:
            self._loaded(item)

    def _emit(self, name: str, rows: int, columns: int, start: int, *lines: int) -> None:
        registers = [self.register[i] for i in lines]
        self.code.extend((OPCODES[name], 5 + len(lines), rows, columns, start, *registers))

    def _loaded(self, lines: list[int]) -> None:
        column = {line: i for i, line in enumerate(self.low.lane_inputs)}
        if lines:
            self._allocated(lines)
        for i in lines:
            self.code.extend((OPCODES["LOAD"], 5, 1, self.register[i], column[i]))

    def _stored(self, lines: Iterable[int]) -> None:
        for i in lines:
            for column in self.columns.get(i, ()):
                self.code.extend((OPCODES["STORE"], 5, 1, self.register[i], column))
