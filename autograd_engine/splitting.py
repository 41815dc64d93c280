"""What of a program is computed once, what for every sample, and how samples are summed up.

A line that depends on no batched input is *uniform*, computed once; all others are computed in
*lanes*, one for each sample. A total over the batch of a product, or of a `dot`, becomes totals of
products, which are summed up as they are computed; what is uniform in a `dot` is added afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autograd_engine import primitives
from autograd_engine.program import Program

__all__ = ["EACH", "SHARE", "TOTAL", "Splitter"]

# What becomes of an output of one sample: the sum or mean over the batch, a part of that for each
# sample, or one number for each sample.
TOTAL, SHARE, EACH = "total", "share", "each"


class Splitter:
    """The lines of a program, and those that its outputs over a batch need beyond."""

    def __init__(self, program: Program, batched: Iterable[int], reduce: str | None) -> None:
        self.operations, self.operands = list(program.operations), list(program.operands)
        self.constants, self.reduce = dict(program.constants), reduce
        self.lanes = set(batched)
        lanes = self.lanes
        if lanes:
            for i, operands in enumerate(self.operands):
                if not lanes.isdisjoint(operands):
                    lanes.add(i)
        self.totals: dict[tuple[int, int], int] = {}
        self.known = {x.hex(): i for i, x in self.constants.items()}
        self.n = self._add(None, ())
        self.one = self.constant(1.0) if lanes else -1

    def _add(self, operation: Any, operands: tuple[int, ...]) -> int:
        self.operations.append(operation)
        self.operands.append(operands)
        return len(self.operations) - 1

    def constant(self, x: float) -> int:
        """The line of a constant."""
        if x.hex() not in self.known:
            i = self.known[x.hex()] = self._add(None, ())
            self.constants[i] = x
        return self.known[x.hex()]

    def output(self, line: int, kind: str) -> tuple[int, bool]:
        """The line of an output, and whether there is one number for each sample."""
        if kind == EACH or (kind == SHARE and self.reduce != "mean"):
            return line, True
        if kind == SHARE:
            share = self._add(primitives.div, (line, self.n))
            if line in self.lanes:
                self.lanes.add(share)
            return share, True
        return self._total(line), False

    def _total(self, line: int) -> int:
        """The line of a sum or mean over the batch."""
        if line not in self.lanes:
            return self._times_n(line)
        over_batch, uniform = [], []
        for x, y in self._products(line):
            if y not in self.lanes:
                uniform.append((x, y))
            elif x in self.lanes:
                over_batch.append(self._sum(x, y))
            else:  # sample by sample too: x * (y0 + y1) may be inf where x * y0 + x * y1 is not
                over_batch.append(self._sum(y, x))
        z = self._summed(over_batch)
        if self.reduce == "mean":
            z = self._add(primitives.div, (z, self.n))
        if not uniform:
            return z
        return self._add(primitives.add, (z, self._times_n(self._dot(uniform))))

    def _times_n(self, line: int) -> int:
        """What is the same in each sample, summed up; its mean is itself."""
        return line if self.reduce == "mean" else self._add(primitives.mul, (line, self.n))

    def _dot(self, pairs: list[tuple[int, int]]) -> int:
        if len(pairs) == 1:
            return self._add(primitives.mul, pairs[0])
        left, right = zip(*pairs, strict=True)
        return self._add(primitives.dot, (*left, *right))

    def _products(self, line: int) -> list[tuple[int, int]]:
        """A line as a sum of products; where one factor is uniform it stands first."""
        operation, operands = self.operations[line], self.operands[line]
        if operation is primitives.mul:
            pairs = [operands]
        elif operation is primitives.dot:
            half = len(operands) // 2
            pairs = list(zip(operands[:half], operands[half:], strict=True))
        else:
            return [(self.one, line)]
        return [(y, x) if (x in self.lanes) and (y not in self.lanes) else (x, y) for x, y in pairs]

    def _sum(self, x: int, y: int) -> int:
        """The line of a total over the batch of x * y."""
        found = self.totals.get((x, y)) or self.totals.get((y, x))
        if found is None:
            found = self.totals[x, y] = self._add(None, ())
        return found

    def _summed(self, lines: list[int]) -> int:
        if len(lines) == 1:
            return lines[0]
        row = primitives.add if len(lines) == 2 else primitives.sum
        return self._add(row, tuple(lines))
