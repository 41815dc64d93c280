"""How compiled functions are called: as methods, from threads, with lists that change, at size."""

from __future__ import annotations

import copy
import functools
import numbers
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograd_engine import (
    Value,
    backend,
    compile,
    grad,
    hessian,
    jacobian,
    no_grad,
    sin,
    value_and_grad,
)

X, Y = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 1.0])


def loss(w: Any, x: Any, y: Any) -> Any:
    return (w * x - y) ** 2


@compile(batched="x", reduce="sum")
def decorated(x: Any) -> Any:
    return x * x


@pytest.mark.parametrize(("negative", "positive"), [(-1, 2), (-3, 0), ((0, -1), (0, 2))])
@pytest.mark.parametrize("of", [grad, value_and_grad])
def test_positions_from_the_end_are_the_same(of: Any, negative: Any, positive: Any) -> None:
    first, second = (
        compile(of(loss, argnums), batched=(1, 2), reduce="mean")(2.0, X, Y)
        for argnums in (negative, positive)
    )
    np.testing.assert_equal(first, second)
    one, other = (
        compile(hessian(loss, i), batched=(1, 2), reduce="mean")(2.0, X, Y) for i in (-1, 2)
    )
    np.testing.assert_equal(one, other)


def test_a_partial_of_a_derivative_is_a_derivative() -> None:
    def scaled(k: Any, w: Any, x: Any, y: Any) -> Any:
        return k * loss(w, x, y)

    expected = compile(grad(loss, 1), batched=(1, 2), reduce="mean")(2.0, X, Y)
    bound = functools.partial(grad(scaled, 2), 1.0)
    np.testing.assert_allclose(compile(bound, batched=(1, 2), reduce="mean")(2.0, X, Y), expected)
    again = compile(compile(grad(loss, 1)), batched=(1, 2), reduce="mean")
    np.testing.assert_equal(again(2.0, X, Y), expected)


def test_equal_objects_have_compiled_methods_of_their_own() -> None:
    class Line:
        def __init__(self, slope: float) -> None:
            self.slope = slope

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

        @compile(batched="x")
        def at(self, x: Any) -> Any:
            return self.slope * x

    two, three = Line(2.0), Line(3.0)
    assert two.at([1.0]).tolist() == [2.0]
    assert three.at([1.0]).tolist() == [3.0]
    assert two.at is two.at
    kept = two.at
    del two
    with pytest.raises(ReferenceError, match="is gone"):
        kept([[1.0]])


def test_products_that_occur_twice_do_not_overflow() -> None:
    f = compile(grad(lambda x: 1e308 * (x * x)))
    assert f(1e-10) == pytest.approx(2e298)


@numbers.Real.register
class Emptying:
    """A number that empties a list when it is read."""

    def __init__(self, of: list[Any]) -> None:
        self.of = of

    def __float__(self) -> float:
        self.of.clear()
        return 1.0


def test_a_list_that_changes_while_it_is_read_does_no_harm() -> None:
    c = compile(lambda xs: sum(xs))
    assert c([1.0] * 1000) == 1000.0
    xs: list[Any] = [1.0] * 1000
    xs[0] = Emptying(xs)
    if backend == "native":
        assert c(xs) == 1000.0  # as they were when it began
    else:
        with pytest.raises((TypeError, ValueError), match="compile: "):
            c(xs)
    assert xs == []


def test_without_more_threads_one_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=100_000)
    alone = compile(lambda x: sin(x), batched=0, reduce="sum")(x)

    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    several = compile(lambda x: sin(x), batched=0, reduce="sum", threads=4)
    several(x[:10])
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert several(x) == alone


def test_an_interrupt_while_threads_start_comes_through_when_all_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if backend != "native":
        pytest.skip("threads share work on the native executor")
    x = np.random.default_rng(0).normal(size=100_000)
    c = compile(lambda x: sin(x), batched=0, reduce="sum", threads=3)
    expected = c(x)

    def interrupted(self: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            c(x)
    assert c(x) == expected


def test_many_structures_from_many_threads_are_kept_and_forgotten_in_peace() -> None:
    c = compile(lambda xs: sum(xs))
    wrong: list[Any] = []

    def work(start: int) -> None:
        try:
            for n in range(1, 120):
                k = (n * 7 + start) % 100 + 1
                if c([1.0] * k) != k:
                    wrong.append(k)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_decorated_function_is_pickled_by_name_and_others_are_copied() -> None:
    assert pickle.loads(pickle.dumps(decorated)) is decorated
    other = compile(lambda x: x + 1.0)
    other(1.0)
    assert copy.deepcopy(other)(2.0) == 3.0


def growth(make: Callable[[int], Callable[[], Any]], small: int) -> float:
    """How many times as long four times the size takes."""
    times = []
    for n in (small, 4 * small):
        runs = []
        for _ in range(2):
            work = make(n)
            start = time.perf_counter()
            work()
            runs.append(time.perf_counter() - start)
        times.append(min(runs))
    return times[1] / times[0]


def long_sum(n: int) -> Callable[[], Any]:
    def f(xs: Any) -> Any:
        total = 0.0
        for x in xs:
            total = total + x * 2.0
        return total

    return lambda: compile(f)([1.0] * n)


def outputs(n: int) -> Callable[[], Any]:
    return lambda: compile(lambda a: [(a * float(i)).tanh() for i in range(n)])(Value(2.0))


def chain(n: int) -> Callable[[], Any]:
    def f(w: Any, x: Any) -> Any:
        y = x
        for _ in range(n):
            y = sin(y) * w + x
        return y

    return lambda: compile(value_and_grad(f), batched=1, reduce="mean")(0.5, np.ones(4))


@pytest.mark.parametrize(("make", "n"), [(long_sum, 4000), (outputs, 500), (chain, 2000)])
def test_four_times_the_size_takes_not_much_more_than_four_times_as_long(make: Any, n: int) -> None:
    assert growth(make, n) < 10.0  # 16 if it were quadratic


def test_a_jacobian_of_many_outputs_is_that_of_the_eager_engine() -> None:
    W = np.random.default_rng(0).normal(size=(12, 9))
    f = jacobian(lambda x: np.tanh(W @ x))
    x = np.linspace(-1.0, 1.0, 9)
    np.testing.assert_allclose(compile(f)(x), f(x), rtol=1e-12, atol=1e-14)


def test_the_last_call_says_which_program_it_is() -> None:
    c = compile(lambda xs: sum(xs))
    for n in (2, 3, 2):
        c([1.0] * n)
        assert len(c.program.inputs) == n
    w = Value(2.0)
    d = compile(lambda x: w * x)
    with no_grad():
        d(1.0)
    assert d.statistics["simplified"] == 1
