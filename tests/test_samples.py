"""The arrays that a compiled function gets: comparisons and choices in them are recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd_engine as ae
from autograd_engine import Program, Value, compile, grad, no_grad, value_and_grad, where
from nn import MLP, hinge, softmax_cross_entropy

X = np.random.default_rng(0).normal(size=(9, 4))

SAME: dict[str, Callable[[Any], Any]] = {
    "abs by where": lambda x: ae.sum(where(x > 0, x, -x)),
    "guarded sqrt": lambda x: ae.sum(where(x > 0, ae.sqrt(where(x > 0, x, 1.0)), 0.0)),
    "maximum": lambda x: np.maximum(x, 0.25).sum() + np.minimum(0.25, x).sum(),
    "max and min": lambda x: x.max() - np.min(x) + np.max(x),
    "products": lambda x: x @ np.arange(4.0) + np.dot(x, x) + (x**2).mean() + x.std(),
    "views": lambda x: x.reshape(2, 2).T[0].sum() + x[::-1][0] - x[1:].sum(),
    "loops": lambda x: ae.sum([2.0 * a for a in x]) + len(x),
    "in place": lambda x: add_in_place(x),
    "two conditions": lambda x: where((x[0] > 0) & (x[1] > 0) | ~(x[2] > x[3]), x[0], x[1]),
    "arrays of conditions": lambda x: ae.sum(where((x > 0) & (x < 1), x, 0.0)),
}


def add_in_place(x: Any) -> Any:
    y = x.copy()
    y += 1.0
    y[0] = 2.0 * y[1]
    return y.sum()


@pytest.mark.parametrize("name", SAME)
def test_what_arrays_do_they_do_in_a_compiled_function(name: str) -> None:
    f = SAME[name]
    expected = [float(f(x)) for x in X]
    np.testing.assert_allclose(compile(f, batched=0)(X), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose([compile(f)(x) for x in X], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", sorted(SAME.keys() - {"two conditions", "arrays of conditions"}))
def test_gradients_are_those_of_the_eager_engine(name: str) -> None:
    f = SAME[name]
    expected = [grad(f)(x) for x in X]
    np.testing.assert_allclose(compile(grad(f), batched=0)(X), expected, rtol=1e-12, atol=1e-14)


def test_losses_of_nn_compile() -> None:
    one, three = MLP(4, [5, 1], rng=0), MLP(4, [5, 3], rng=0)
    signs, classes = np.sign(X[:, 0]), np.arange(9) % 3
    with no_grad():
        for model, loss, targets in (
            (one, hinge, signs), (three, softmax_cross_entropy, classes)
        ):  # fmt: skip
            c = compile(lambda x, t, m=model, f=loss: f(m(x), t), batched=(0, 1))
            expected = [loss(model(x), t).data for x, t in zip(X, targets.tolist(), strict=True)]
            np.testing.assert_allclose(c(X, targets), expected, rtol=1e-12)
            assert np.isnan(c(X, targets + 7)).all()
        c = compile(lambda x, t: softmax_cross_entropy(three(x), t), batched=(0, 1))
        expected = [softmax_cross_entropy(three(x), int(k)).data for x, k in zip(X, classes)]  # noqa: B905
        np.testing.assert_allclose(c(X, np.eye(3)[classes].tolist()), expected, rtol=1e-12)


def test_out_is_filled_under_no_grad_although_values_take_part() -> None:
    model, out = MLP(4, [5, 1], rng=0), np.empty(9)
    predict = compile(model, batched=0)
    with no_grad():
        assert predict(X, out=out) is out
        np.testing.assert_allclose(out, [model(x).data for x in X], rtol=1e-12)
    with pytest.raises(TypeError, match="under no_grad"):
        predict(X, out=out)


def test_a_frozen_program_has_the_numbers_of_now(tmp_path: Path) -> None:
    w = Value(2.0, label="w")
    c = compile(lambda x: w * x + 1.0, batched=0)
    c([1.0, 2.0])
    assert c.program.inputs == ("x", "w")
    w.data = 3.0
    frozen = c.frozen()
    assert frozen.inputs == ("x",)
    assert frozen(2.0) == [7.0]
    assert c.program(2.0, 5.0) == [11.0]
    assert "3.0" in c.source("c")
    frozen.save(tmp_path / "line.json")
    again = compile(Program.load(tmp_path / "line.json"), batched=0)
    assert [x.tolist() for x in again([1.0, 2.0])] == [[4.0, 7.0]]
    by_argument = compile(value_and_grad(lambda v, x: v * x))
    by_argument(2.0, 3.0)
    assert by_argument.frozen() == by_argument.program
