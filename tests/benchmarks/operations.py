"""How long does one operation take, forward and backward, in a deep graph and in a wide one?

Deep: a chain x = x * a + b. Wide: the builtin `sum` of n products. Both on Values, micrograd, HIPS
autograd and PyTorch's 0-d tensors, in one process, in turn; the median time divided by the number
of operations (+ and *) in the formula. Then our own ways to write the wide sum, and the dot of
two lists of 64 as one node, against + and * on the same engine.
"""

from __future__ import annotations

import functools
import operator
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import autograd_engine
from autograd_engine import Value
from tests.benchmarks.measuring import (
    Row,
    Settings,
    alternate,
    check_agreement,
    compared,
    imported,
    nanoseconds,
    progress,
    recursion_for_peers,
    script,
)

Formula = Callable[..., Any]


class Side(NamedTuple):
    """Something to time, and how to read the gradients from what it returns."""

    run: Callable[[], Any]
    gradients: Callable[[Any], list[float]]


def chain(length: int, x: Any, a: Any, b: Any) -> Any:
    """x = x * a + b, again and again: 2 * length operations."""
    for _ in range(length):
        x = x * a + b
    return x


def products(*operands: Any) -> list[Any]:
    """The products of the first half of the operands with the second."""
    half = len(operands) // 2
    return list(map(operator.mul, operands[:half], operands[half:]))


def wide(*operands: Any) -> Any:
    """The builtin sum of products."""
    return sum(products(*operands))


def wide_with_our_sum(*operands: Any) -> Any:
    """The products, and one node for their sum."""
    return autograd_engine.sum(products(*operands))


def wide_with_dot(*operands: Any) -> Any:
    """One node for everything."""
    half = len(operands) // 2
    return autograd_engine.dot(operands[:half], operands[half:])


def side_with_leaves(
    leaf: Callable[[float], Any], formula: Formula, numbers: Sequence[float], repeats: int = 1
) -> Side:
    """The formula on leaves, which keep adding up gradients; making them is not timed."""
    leaves = [leaf(number) for number in numbers]

    def run() -> Any:
        for _ in range(repeats):
            result = formula(*leaves)
            result.backward()
        return result

    return Side(run, lambda _: [float(x.grad) for x in leaves])


def ours(formula: Formula, numbers: Sequence[float], repeats: int = 1) -> Side:
    """The formula on Values."""
    return side_with_leaves(Value, formula, numbers, repeats)


def micrograd(formula: Formula, numbers: Sequence[float]) -> Side | None:
    """The formula on micrograd's Values."""
    if engine := imported("micrograd.engine"):
        return side_with_leaves(engine.Value, formula, numbers)
    return None


def hips_autograd(formula: Formula, numbers: Sequence[float]) -> Side | None:
    """The formula under `autograd.grad`, by one array of all operands.

    An array, because by a list of n numbers it takes time in the square of n; so it pays for n
    indexing operations too, which the others do not have.
    """
    autograd, numpy = imported("autograd"), imported("numpy")
    if autograd is None or numpy is None:
        return None
    gradient = autograd.grad(lambda operands: formula(*operands))
    return Side(lambda: gradient(numpy.array(numbers)), lambda result: list(map(float, result)))


def pytorch(formula: Formula, numbers: Sequence[float]) -> Side | None:
    """The formula on 0-d tensors of float64."""
    torch = imported("torch")
    if torch is None:
        return None
    leaf = functools.partial(torch.tensor, dtype=torch.float64, requires_grad=True)
    return side_with_leaves(leaf, formula, numbers)


def seconds(question: str, sides: dict[str, Side], runs: int) -> dict[str, float]:
    """The median time of each side, once all agree about the gradients."""
    progress(f"operations: {question}")
    check_agreement(question, {name: side.gradients(side.run()) for name, side in sides.items()})
    times = alternate({name: side.run for name, side in sides.items()}, runs)
    return {name: timing.work for name, timing in times.items()}


def against_peers(
    question: str, formula: Formula, numbers: Sequence[float], operations: int, runs: int
) -> Iterator[Row]:
    """A row for each peer: nanoseconds per operation of the formula."""
    peers = {
        "micrograd": micrograd(formula, numbers),
        "HIPS autograd": hips_autograd(formula, numbers),
        "PyTorch": pytorch(formula, numbers),
    }
    there = {name: side for name, side in peers.items() if side}
    times = seconds(question, {"ours": ours(formula, numbers), **there}, runs)
    for name in peers:
        theirs = times[name] / operations if name in times else None
        yield compared(question, times["ours"] / operations, name, theirs, nanoseconds)


def against_ourselves(
    question: str,
    formulas: dict[str, Formula],
    numbers: Sequence[float],
    repeats: int,
    settings: Settings,
) -> Iterator[Row]:
    """Each formula but the first against the first, on our engine: the time of one evaluation."""
    sides = {name: ours(formula, numbers, repeats) for name, formula in formulas.items()}
    times = seconds(question, sides, settings.runs)
    first, *others = formulas
    for name in others:
        mine, other = times[name] / repeats, times[first] / repeats
        yield compared(f"{question}: {name}", mine, f"ours with {first}", other, microseconds)


def by_hand(w: Sequence[Value], x: Sequence[Value]) -> Value:
    """The dot product as a chain of * and +."""
    total = w[0] * x[0]
    for a, b in zip(w[1:], x[1:], strict=True):
        total = total + a * b
    return total


def side_of_lists(
    formula: Callable[..., Value], numbers: Sequence[float], repeats: int = 1
) -> Side:
    """A formula of two lists of Values, which are there already."""
    leaves = list(map(Value, numbers))
    w, x = leaves[: len(leaves) // 2], leaves[len(leaves) // 2 :]

    def run() -> Value:
        for _ in range(repeats):
            result = formula(w, x)
            result.backward()
        return result

    return Side(run, lambda _: [v.grad for v in leaves])


def dot_against_chain(numbers: Sequence[float], settings: Settings) -> Iterator[Row]:
    """One node against one for each operation, forward and backward."""
    repeats = settings.size(300, 2)
    formulas = {"dot": autograd_engine.dot, "+ and *": by_hand}
    question = f"dot of two lists of {len(numbers) // 2}"
    sides = {name: side_of_lists(formula, numbers, repeats) for name, formula in formulas.items()}
    times = seconds(question, sides, settings.runs)
    mine, other = (times[name] / repeats for name in formulas)
    yield compared(question, mine, "ours with + and *", other, microseconds)


def microseconds(seconds: float) -> str:
    """Seconds, printed as microseconds."""
    return f"{seconds * 1e6:.1f} µs"


def rows(settings: Settings) -> Iterator[Row]:
    """Nanoseconds per operation against each peer, then one node against many on our engine."""
    recursion_for_peers()
    length = settings.size(10_000, 500)
    numbers = [random.Random(0).uniform(-1.0, 1.0) for _ in range(2 * length)]
    start = [0.5, 0.9999, 0.0001]
    deep = functools.partial(chain, length)
    question = f"chain x * a + b, {2 * length:,} operations: per operation"
    yield from against_peers(question, deep, start, 2 * length, settings.runs)
    question = f"builtin sum of {length:,} products: per operation"
    yield from against_peers(question, wide, numbers, 2 * length - 1, settings.runs)
    by_name = {"builtin sum": wide, "autograd_engine.sum": wide_with_our_sum, "dot": wide_with_dot}
    question = f"sum of {length:,} products"
    yield from against_ourselves(question, by_name, numbers, 1, settings)
    yield from dot_against_chain(numbers[:128], settings)


if __name__ == "__main__":
    script(__doc__, rows)
