"""From a Program to a Plan: what is computed once, what for every sample, and how it is summed up.

The passes, each a function:

* `splitting.py`: what is uniform, what is done in lanes, and what over the whole batch.
* `_long_sums`: x0 + x1 + ... becomes one `sum`, in the same order.
* `_matrices`: dots of uniform weights with the same lanes become one matrix instruction, with the
  uniform numbers added to them; totals over the same lanes likewise.
* `scheduled`: independent lines with the same operation come side by side, so that they are done by
  one instruction.

What comes out is in terms of lines; `encoding.py` gives them registers and writes the code.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from autograd_engine import primitives
from autograd_engine.program import Program
from autograd_engine.rows import NaryPrimitive
from autograd_engine.splitting import Splitter

__all__ = ["Group", "Lowered", "Matrix", "Outer", "lowered"]

_WINDOW = 256  # lines that are looked at together, so that few registers are in use at a time


Line = tuple[Any, tuple[int, ...]]  # operation and operands


class Group(NamedTuple):
    """Lines with the same operation, none of which depends on another."""

    operation: Any
    lines: list[int]


class Matrix(NamedTuple):
    """outs[j] = biases[j] + sum over k of weights[j][k] * xs[k]: weights uniform, xs lanes."""

    outs: list[int]
    xs: tuple[int, ...]
    biases: list[int]
    weights: list[tuple[int, ...]]


class Outer(NamedTuple):
    """totals[j][k] = the sum over all samples of a[j] * b[k], which are lanes."""

    a: list[int]
    b: tuple[int, ...]
    totals: list[list[int]]


class Lowered(NamedTuple):
    """What a plan does, in terms of lines.

    Attributes
    ----------
    lines : list of (operation, operands)
    constants : dict of int to float
    uniform_inputs, lane_inputs : list of int
    n : int
        The line that holds the size of the batch.
    before, body, after : lists of Group, Matrix and Outer
        Uniform work, work for every lane, and uniform work on the totals.
    outputs : list of (int, bool)
        The line of each output, and whether it is one number for each sample.
    """

    lines: list[Line]
    constants: dict[int, float]
    uniform_inputs: list[int]
    lane_inputs: list[int]
    n: int
    before: list[Group]
    body: list[Any]
    after: list[Group]
    outputs: list[tuple[int, bool]]


def lowered(
    program: Program, batched: Sequence[int], kinds: Sequence[str], reduce: str | None
) -> Lowered:
    """The work of a program over a batch.

    Parameters
    ----------
    batched : sequence of int
        The inputs that have a number for each sample.
    kinds : sequence of str
        What becomes of each output: TOTAL, SHARE or EACH.
    reduce : "mean", "sum" or None
    """
    split = Splitter(program, batched, reduce)
    outputs = [
        split.output(line, kind) if batched else (line, False)
        for line, kind in zip(program.outputs, kinds, strict=True)
    ]
    keep = {line for line, _ in outputs}
    roots = keep | {x for pair in split.totals for x in pair}
    lines = list(zip(split.operations, split.operands, strict=True))
    before, within, behind = _long_sums(lines, _parts(split, roots), roots)
    body = _matrices(lines, within, roots, split) if batched else []
    known = set(batched)
    return Lowered(
        lines=lines,
        constants=split.constants,
        uniform_inputs=[i for i in range(len(program.inputs)) if i not in known],
        lane_inputs=list(batched),
        n=split.n,
        before=scheduled(lines, before),
        body=_grouped(lines, body),
        after=scheduled(lines, behind),
        outputs=outputs,
    )


def _parts(split: Splitter, roots: Iterable[int]) -> tuple[list[int], list[int], list[int]]:
    """The lines that are needed: uniform ones, lanes, and uniform ones that need totals."""
    operations, operands, lanes = split.operations, split.operands, split.lanes
    wanted = bytearray(len(operations))
    for i in roots:
        wanted[i] = 1
    for i in range(len(operations) - 1, -1, -1):
        if wanted[i]:
            for j in operands[i]:
                wanted[j] = 1
    before, within, behind = list[int](), list[int](), list[int]()
    after = set(split.totals.values())
    for i, operation in enumerate(operations):
        if wanted[i] and operation is not None:
            if i in lanes:
                within.append(i)
            elif after and not after.isdisjoint(operands[i]):
                after.add(i)
                behind.append(i)
            else:
                before.append(i)
    return before, within, behind


def _long_sums(lines: list[Line], parts: tuple[list[int], ...], keep: set[int]) -> list[list[int]]:
    """The parts without the lines that merge into longer sums, x0 + x1 + ... from left to right."""
    operation = primitives.add
    known = [{i for i in part if lines[i][0] is operation} for part in parts]
    sums = [i for part in known for i in sorted(part) if lines[i][1][0] in part]
    if not sums:
        return list(parts)
    uses = Counter(j for part in parts for i in part for j in lines[i][1])
    terms: dict[int, list[int]] = {}  # of the sums that are long, by their last line so far
    gone = set[int]()
    for i in sums:
        left, right = lines[i][1]
        if uses[left] == 1 and left not in keep:
            gone.add(left)
            terms[i] = terms.pop(left) if left in terms else list(lines[left][1])
            terms[i].append(right)
    for i, added in terms.items():
        lines[i] = (primitives.sum, tuple(added))
    return [[i for i in part if i not in gone] for part in parts]


def _matrices(lines: list[Line], part: list[int], keep: set[int], split: Splitter) -> list[Any]:
    """The lines of the body, and in their place the matrices that they become part of."""
    lanes = split.lanes
    rows = {i: row for i in part if (row := _row(lines[i], lanes)) is not None}
    sizes = Counter(xs for xs, _ in rows.values())
    rows = {i: row for i, row in rows.items() if len(row[0]) > 1 or sizes[row[0]] > 1}
    biases = _biases(lines, part, rows, lanes, keep)
    zero = split.constant(-0.0) if rows else -1  # -0.0 + x is x, for every x
    if len(lines) < len(split.operations):
        lines.append((None, ()))
    groups = dict[tuple[int, ...], Matrix]()
    found: list[Any] = []
    taken = {total for total, _ in biases.values()}
    for i in part:
        if i in rows:
            xs, weights = rows[i]
            if xs not in groups:
                groups[xs] = Matrix([], xs, [], [])
                found.append(groups[xs])
            out, bias = biases.get(i, (i, zero))
            groups[xs].outs.append(out)
            groups[xs].biases.append(bias)
            groups[xs].weights.append(weights)
        elif i not in taken:
            found.append(i)
    return _with_totals(found, split.totals, split.one)


def _row(line: Line, lanes: set[int]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """(lanes, weights) of a line that is a sum of products of those; else None."""
    operation, operands = line
    if operation is primitives.mul:
        half = 1
    elif operation is primitives.dot:
        half = len(operands) // 2
    else:
        return None
    left, right = operands[:half], operands[half:]
    if lanes.isdisjoint(left) and lanes.issuperset(right):
        return right, left
    if lanes.isdisjoint(right) and lanes.issuperset(left):
        return left, right
    return None


def _biases(
    lines: list[Line], part: list[int], rows: Any, lanes: set[int], keep: set[int]
) -> dict[int, tuple[int, int]]:
    """For rows to which only a uniform number is added: (line of the sum, line of the number)."""
    uses = Counter(j for i in part for j in lines[i][1])
    found = {}
    for i in part:
        operation, operands = lines[i]
        if operation is primitives.add:
            for x, y in (operands, operands[::-1]):
                if (
                    x in rows
                    and len(rows[x][0]) > 1
                    and y not in lanes
                    and not (uses[x] > 1 or x in keep)
                ):
                    found[x] = (i, y)
    return found


def _with_totals(items: list[Any], totals: dict[tuple[int, int], int], one: int) -> list[Any]:
    """The items with each outer product behind the last line that it needs."""
    by_first: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for (x, y), total in totals.items():
        by_first[x][y] = total
    by_second: defaultdict[Any, list[int]] = defaultdict(list)
    for x, row in by_first.items():
        others = tuple(sorted(row.keys() - {one}))
        if others:
            by_second[others, others].append(x)
        if one in row:  # plain sums by themselves, so that those of a layer's weights are in order
            by_second[others, (one,)].append(x)
    outers = [
        Outer(a, b, [[by_first[x][y] for y in b] for x in a]) for (_, b), a in by_second.items()
    ]
    made = {}
    for place, item in enumerate(items):
        for i in item.outs if isinstance(item, Matrix) else (item,):
            made[i] = place
    behind: defaultdict[int, list[Outer]] = defaultdict(list)
    for outer in outers:
        behind[max(made.get(i, -1) for i in (*outer.a, *outer.b))].append(outer)
    found: list[Any] = list(behind[-1])
    for place, item in enumerate(items):
        found += [item, *behind[place]]
    return found


def _grouped(lines: list[Line], items: list[Any]) -> list[Any]:
    """Runs of single lines as groups; matrices and outer products stay where they are."""
    found: list[Any] = []
    run: list[int] = []
    for item in items:
        if isinstance(item, int):
            run.append(item)
        else:
            found += [*scheduled(lines, run), item]
            run = []
    return found + scheduled(lines, run)


def scheduled(lines: list[Line], part: list[int]) -> list[Group]:
    """Lines with the same operation side by side, within a window, each after its operands."""
    found = []
    for start in range(0, len(part), _WINDOW):
        window = part[start : start + _WINDOW]
        depth = dict.fromkeys(window, 0)
        known = depth.get
        order: dict[Any, int] = {}
        level: defaultdict[int, list[int]] = defaultdict(list)
        for i in window:
            operation, operands = lines[i]
            d = -1
            for j in operands:
                below = known(j, -1)
                if below > d:
                    d = below
            depth[i] = d + 1
            level[_WINDOW * (d + 1) + order.setdefault(operation, len(order))].append(i)
        found += [Group(lines[of[0]][0], of) for _, of in sorted(level.items())]
    return found


def is_nary(operation: Any) -> bool:
    """Whether a line of this operation takes any number of operands."""
    return isinstance(operation, NaryPrimitive)
