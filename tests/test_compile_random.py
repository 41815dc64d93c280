"""Compiled functions against the eager engine, on random programs over all rows.

A program is a list of steps, each of which adds numbers to a pool. It is made up along with the
numbers that it will run on, so that these stay of moderate size, inside the domain of every row,
and away from kinks, where the last bit would decide.
"""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from test_primitives import ELEMENTWISE, NARY

import autograd_engine as ae
from autograd_engine import Value, backend, compile, grad, value_and_grad
from autograd_engine.lowering import Group, Matrix, Outer, lowered
from autograd_engine.splitting import TOTAL

CHUNKS, PER_CHUNK = 50, 20 if backend == "native" else 6
TOLERANCE = 1e-12  # of the size of the numbers that take part
MOST = 12.0  # how large numbers may become before they are squashed
UNIFORM, WIDTH, CAPTURED = 4, 3, 3
SIZES = [1, 2, 3, 7, 8, 9, 17, 40, 150]
SIGNS = [operator.lt, operator.le, operator.gt, operator.ge]
KINKED = {"sign", "heaviside", "abs", "relu", "leaky_relu", "elu", "maximum", "minimum", "where"}

Step = Callable[[list[Any]], list[Any]]


class Example(NamedTuple):
    """A program, and the numbers that it runs on; n samples lie along the first axis of x and y."""

    steps: list[Step]
    output: Step
    u: list[float]
    w: list[float]
    x: np.ndarray[Any, np.dtype[np.float64]]
    y: np.ndarray[Any, np.dtype[np.float64]]

    def __call__(self, u: Sequence[Any], x: Sequence[Any], y: Any, w: Sequence[Any]) -> Any:
        """The result for one sample, or on columns for all of them."""
        pool = [*u, *w, *x, y]
        for step in self.steps:
            pool += step(pool)
        return self.output(pool)[0]


def inside(x: Any, low: float, high: float) -> Any:
    """A number in the domain of a row, made of any number."""
    if math.isfinite(low) and math.isfinite(high):
        return 0.5 * (low + high) + 0.45 * (high - low) * ae.tanh(x)
    if math.isfinite(low):
        return ae.square(x) + (low + 0.5)
    return (high - 0.5) - ae.square(x) if math.isfinite(high) else x


def elementwise(row: Any, lines: list[int]) -> Step:
    def step(pool: list[Any]) -> list[Any]:
        return [row(*[inside(pool[i], *d) for i, d in zip(lines, row.domain, strict=True)])]

    return step


def over_sequences(row: Any, lines: list[int]) -> Step:
    def step(pool: list[Any]) -> list[Any]:
        n = len(lines) // row.arity
        parts = [[pool[i] for i in lines[k * n : (k + 1) * n]] for k in range(row.arity)]
        return [row(*parts)]

    return step


def spread(row: Any, lines: list[int]) -> Step:
    """Softmax and log_softmax."""
    return lambda pool: list(row([pool[i] for i in lines]))


def infix(sign: Any, i: int, j: int, constant: float | None) -> Step:
    def step(pool: list[Any]) -> list[Any]:
        other = pool[j] if constant is None else constant
        return [sign(pool[i], ae.square(other) + 0.7 if sign is operator.truediv else other)]

    return step


def chosen(sign: Any, i: int, j: int, k: int, m: int) -> Step:
    return lambda pool: [ae.where(sign(pool[i], pool[j]), pool[k], pool[m])]


def counted(sign: Any, i: int, j: int, k: int) -> Step:
    return lambda pool: [sign(pool[i], pool[j]) * pool[k] + 0.5]


def long_sum(lines: list[int], minus: bool) -> Step:
    """A sum from left to right, half of which is used once more."""

    def step(pool: list[Any]) -> list[Any]:
        total, half = pool[lines[0]], 0.0
        for k, i in enumerate(lines[1:], 1):
            total = total - pool[i] if minus and k % 3 == 2 else total + pool[i]
            half = total if k == len(lines) // 2 else half
        return [total, half * 0.5]

    return step


def products(lines: list[int]) -> Step:
    """a * b + c * d + ..."""

    def step(pool: list[Any]) -> list[Any]:
        pairs = zip(lines[::2], lines[1::2], strict=True)
        return [sum(pool[i] * pool[j] for i, j in pairs)]

    return step


def layer(xs: list[int], weights: list[list[Any]], biases: list[Any], taps: bool) -> Step:
    """Dots with the same lanes; weights are lines or constants, and some have no bias."""

    def step(pool: list[Any]) -> list[Any]:
        def number(k: Any) -> Any:
            return k if isinstance(k, float) else pool[k]

        found = []
        for row, bias in zip(weights, biases, strict=True):
            z = ae.dot([number(k) for k in row], [pool[i] for i in xs])
            found.append(z if bias is None else z + number(bias))
            if taps and bias is not None:
                found.append(ae.tanh(z))
        return found

    return step


class Author:
    """Makes up one example; what it needs to know of the numbers so far, it has in columns."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.n = rng.choice(SIZES)
        numbers = np.random.default_rng(seed)
        self.u, self.w = (
            numbers.normal(size=UNIFORM).tolist(),
            numbers.normal(size=CAPTURED).tolist(),
        )
        self.x, self.y = numbers.normal(size=(self.n, WIDTH)), numbers.normal(size=self.n)
        self.pool: list[Any] = [*self.u, *self.w, *self.x.T, self.y]
        self.first_lane = UNIFORM + CAPTURED
        self.uniform = list(range(self.first_lane))
        self.steps: list[Step] = []

    def any(self, count: int) -> list[int]:
        """Lines, those of late more often than others, now and then all uniform."""
        if self.rng.random() < 0.2:
            return self.rng.choices(self.uniform, k=count)
        late = range(max(0, len(self.pool) - 8), len(self.pool))
        return [
            self.rng.choice(late) if self.rng.random() < 0.5 else self.rng.randrange(len(self.pool))
            for _ in range(count)
        ]

    def lanes(self, count: int) -> list[int]:
        lanes = [i for i, x in enumerate(self.pool) if np.ndim(x)]
        return self.rng.choices(lanes, k=count)

    def proposals(self) -> Iterator[Step]:
        rng = self.rng
        while True:
            kind = rng.random()
            if kind < 0.35:
                row = rng.choice(ELEMENTWISE)
                lines = self.any(row.arity)
                if row.name not in KINKED or self.is_clear_of_kinks(row, lines):
                    yield elementwise(row, lines)
            elif kind < 0.55:
                i, j = self.any(2)
                sign = rng.choice([operator.add, operator.sub, operator.mul, operator.truediv])
                yield infix(sign, i, j, rng.uniform(-2, 2) if rng.random() < 0.2 else None)
            elif kind < 0.62:
                i, j, k, m = self.any(4)
                if self.is_apart(i, j):
                    sign = rng.choice(SIGNS)
                    yield chosen(sign, i, j, k, m) if rng.random() < 0.7 else counted(sign, i, j, k)
            elif kind < 0.70:
                row = rng.choice(NARY)
                yield over_sequences(row, self.any(rng.choice([1, 2, 3, 6, 11]) * row.arity))
            elif kind < 0.73:
                yield spread(rng.choice([ae.softmax, ae.log_softmax]), self.any(rng.choice([2, 4])))
            elif kind < 0.82:
                yield long_sum(self.any(rng.choice([3, 4, 5, 9, 20])), rng.random() < 0.3)
            elif kind < 0.90:
                yield products(self.any(2 * rng.choice([2, 3, 5])))
            else:
                yield self.layer()

    def layer(self) -> Step:
        rng = self.rng
        xs = self.lanes(rng.choice([1, 2, 3, 5, 9]))
        rows = rng.choice([1, 2, 3, 6])
        weights = [
            [rng.choice(self.uniform) if rng.random() < 0.8 else rng.uniform(-1, 1) for _ in xs]
            for _ in range(rows)
        ]
        biases = [rng.choice([None, rng.choice(self.uniform), 0.25]) for _ in range(rows)]
        return layer(xs, weights, biases, rng.random() < 0.2)

    def is_apart(self, i: int, j: int) -> bool:
        """Whether no sample has numbers so near to each other that rounding might decide."""
        return bool(np.min(np.abs(np.subtract(self.pool[i], self.pool[j]))) > 1e-7)

    def is_clear_of_kinks(self, row: Any, lines: list[int]) -> bool:
        columns = [self.pool[i] for i in lines]
        if len(columns) == 2:
            return self.is_apart(*lines)
        return bool(np.min(np.abs(columns[0])) > 1e-7)

    def add(self, step: Step) -> bool:
        """Take a step, unless numbers get out of hand by it."""
        with np.errstate(all="ignore"):
            new = step(self.pool)
        if not all(np.isfinite(z).all() for z in new) or max(np.max(np.abs(z)) for z in new) > 1e4:
            return False
        squashed = [bool(np.max(np.abs(z)) > MOST) for z in new]

        def taken(pool: list[Any]) -> list[Any]:
            found = zip(step(pool), squashed, strict=True)
            return [4.0 * ae.tanh(z * 0.02) if small else z for z, small in found]

        start = len(self.pool)
        self.pool += taken(self.pool)
        self.uniform += [i for i in range(start, len(self.pool)) if not np.ndim(self.pool[i])]
        self.steps.append(taken)
        return True

    def example(self) -> Example:
        rng = self.rng
        count = rng.choice([3, 8, 20, 45])
        proposals = self.proposals()
        while len(self.steps) < count:
            self.add(next(proposals))
        last = list(range(max(self.first_lane, len(self.pool) - 12), len(self.pool)))
        ways: list[Step] = [
            over_sequences(ae.mean, last),
            products(last if len(last) % 2 == 0 else last[1:]),
            over_sequences(ae.dot, [*rng.choices(self.uniform, k=len(last)), *last]),
            infix(operator.mul, rng.choice(self.uniform), last[-1], None),
            infix(operator.add, rng.choice(last), last[-1], None),
            layer(
                last, [rng.choices(self.uniform, k=len(last))], [rng.choice(self.uniform)], False
            ),
        ]
        lane = rng.choice(self.lanes(1))  # so that every result depends on a sample
        way = rng.choice(ways)
        return Example(
            self.steps, lambda pool: [way(pool)[0] + pool[lane]], self.u, self.w, self.x, self.y
        )


class Eager(NamedTuple):
    """What the eager engine finds for one sample, and how large the numbers were."""

    value: float
    by_u: list[float]
    by_x: list[float]
    by_w: list[float]
    scale: float


def eager(example: Example, k: int) -> Eager:
    """One sample."""
    u, w, x = (list(map(Value, xs)) for xs in (example.u, example.w, example.x[k].tolist()))
    z = example(u, x, Value(example.y[k]), w)
    z.backward()
    seen, scale, rest = {id(z)}, 1.0, [z]
    while rest:
        node = rest.pop()
        slopes = [abs(d) for d in node._derivatives]
        scale = max(scale, abs(node.data), abs(node.grad), *[abs(node.grad) * d for d in slopes])
        scale = max(scale, abs(node.grad * node.data))
        for child in node._prev:
            if id(child) not in seen:
                seen.add(id(child))
                rest.append(child)
    found = [[v.grad for v in vs] for vs in (u, x, w)]
    return Eager(z.data, *found, scale)


def examples(chunk: int) -> Iterator[tuple[int, Example, list[Eager], str | None]]:
    """(seed, program, results of the eager engine for each sample, reduce)."""
    for seed in range(chunk * PER_CHUNK, (chunk + 1) * PER_CHUNK):
        example = Author(seed).example()
        expected = [eager(example, k) for k in range(len(example.y))]
        yield seed, example, expected, ["mean", "sum", None][seed % 3]


def over_batch(numbers: Any, reduce: str | None) -> Any:
    columns = np.array(numbers)
    if reduce is None:
        return columns
    total = np.add.reduce(columns, axis=0)
    return total / len(columns) if reduce == "mean" else total


def assert_near(got: Any, expected: Any, scale: float, seed: int) -> None:
    got, expected = np.array(got, float), np.array(expected, float)
    assert got.shape == expected.shape, seed
    error = np.max(np.abs(got - expected), initial=0.0)
    assert error <= TOLERANCE * scale, (seed, error / scale, got, expected)


every_chunk = pytest.mark.parametrize("chunk", range(CHUNKS))


@every_chunk
def test_random_programs_give_what_the_eager_engine_gives(chunk: int) -> None:
    for seed, example, expected, reduce in examples(chunk):
        n = len(expected)
        size = max(e.scale for e in expected)
        scale = size * (n if reduce == "sum" else 1)

        # gradients by arguments that are not batched
        c = compile(value_and_grad(example, argnums=(0, 3)), batched=(1, 2), reduce=reduce)
        value, (by_u, by_w) = c(example.u, example.x, example.y, example.w)
        values = over_batch([e.value for e in expected], reduce)
        gradients = [over_batch([e.by_u for e in expected], reduce)]
        gradients += [over_batch([e.by_w for e in expected], reduce)]
        assert_near(value, values, scale, seed)
        assert_near(np.transpose(by_u), gradients[0], scale, seed)
        assert_near(np.transpose(by_w), gradients[1], scale, seed)

        # gradients by batched arguments keep the batch
        c = compile(grad(example, argnums=1), batched=(1, 2), reduce=reduce)
        by_x = np.array([e.by_x for e in expected]) / (n if reduce == "mean" else 1)
        assert_near(c(example.u, example.x, example.y, example.w), by_x, size, seed)

        # captured Values
        w = list(map(Value, example.w))
        c = compile(lambda u, x, y, e=example, w=w: e(u, x, y, w), batched=(1, 2), reduce=reduce)
        loss = c(example.u, example.x, example.y)
        if isinstance(loss, Value):
            assert_near(loss.data, values, scale, seed)
            loss.backward()
            assert_near([v.grad for v in w], gradients[1], scale, seed)
        elif np.array(loss).dtype == object:
            assert_near([z.data for z in loss], values, scale, seed)
            loss[-1].backward()
            assert_near([v.grad for v in w], gradients[1][-1], scale, seed)
        else:  # none of them has a part in the result
            assert_near(loss, values, scale, seed)
            assert not gradients[1].any()


def test_random_programs_make_use_of_all_that_there_is() -> None:
    """Of every row and comparison, of matrices, totals, and uniform work before and after."""
    names, kinds = set[str](), set[Any]()
    lanes = range(UNIFORM, UNIFORM + WIDTH + 1)
    for seed in range(200):
        example = Author(seed).example()
        f = value_and_grad(example, argnums=(0, 3))
        c = compile(f, batched=(1, 2), reduce="mean")
        c(example.u, example.x, example.y, example.w)
        program = c.program
        names |= {getattr(x, "name", getattr(x, "__name__", "")) for x in program.operations}
        low = lowered(program, list(lanes), [TOTAL] * len(program.outputs), "mean")
        kinds |= {type(x) for x in low.body}
        kinds |= {"before"} if low.before else set()
        kinds |= {"after"} if low.after else set()
    assert {row.name for row in (*ELEMENTWISE, *NARY)} | {"lt", "le", "gt", "ge"} <= names
    assert {Group, Matrix, Outer, "before", "after"} <= kinds
