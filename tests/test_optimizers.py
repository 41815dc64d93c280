"""SGD: closed forms, settings that are refused, and the same path as PyTorch."""

from __future__ import annotations

import math
from typing import Any

import pytest

from autograd_engine import Value, tanh
from nn import SGD


def step_with(optimizer: SGD, *gradients: float) -> None:
    for parameter, gradient in zip(optimizer.parameters, gradients, strict=True):
        parameter.grad = gradient
    optimizer.step()


def test_plain_step_goes_against_the_gradient() -> None:
    a, b = Value(1.0), Value(2.0)
    step_with(SGD([a, b], lr=0.5), 2.0, -4.0)
    assert (a.data, b.data) == (0.0, 4.0)


def test_momentum_adds_a_share_of_the_previous_step() -> None:
    w = Value(0.0)
    optimizer = SGD([w], lr=1.0, momentum=0.5)
    path = []
    for _ in range(4):
        step_with(optimizer, 1.0)
        path.append(w.data)
    assert path == [-1.0, -2.5, -4.25, -6.125]


def test_momentum_carries_on_where_the_gradient_is_zero() -> None:
    w = Value(0.0)
    optimizer = SGD([w], lr=1.0, momentum=0.5)
    step_with(optimizer, 1.0)
    step_with(optimizer, 0.0)
    assert w.data == -1.5


def test_changed_learning_rate_scales_new_gradients_only() -> None:
    w = Value(0.0)
    optimizer = SGD([w], lr=1.0, momentum=0.5)
    step_with(optimizer, 1.0)
    optimizer.lr = 0.1
    step_with(optimizer, 1.0)
    assert w.data == pytest.approx(-1.0 - (0.1 + 0.5), rel=1e-15)


def test_quadratic_shrinks_by_the_closed_form_factor() -> None:
    w = Value(3.0)
    optimizer = SGD([w], lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        (w**2).backward()
        optimizer.step()
    assert w.data == pytest.approx(3.0 * 0.8**20, rel=1e-13)


def test_zero_learning_rate_moves_nothing() -> None:
    w = Value(3.0)
    step_with(SGD([w], lr=0.0), 1.0)
    assert w.data == 3.0


def test_zero_grad_forgets_all_gradients() -> None:
    parameters = [Value(1.0), Value(2.0)]
    for parameter in parameters:
        parameter.grad = 5.0
    SGD(parameters).zero_grad()
    assert [p.grad for p in parameters] == [0.0, 0.0]


def test_parameters_stay_the_same_objects() -> None:
    w = Value(1.0)
    optimizer = SGD((p for p in [w]), lr=0.1)
    step_with(optimizer, 1.0)
    assert optimizer.parameters[0] is w


def test_parameter_listed_twice_moves_once() -> None:
    w, equal = Value(1.0), Value(1.0)
    optimizer = SGD([w, w, equal], lr=1.0)
    step_with(optimizer, 0.25, 0.5)
    assert (w.data, equal.data) == (0.75, 0.5)


@pytest.mark.parametrize("parameters", [[], [1.0], [Value(1.0), 2.0], [None]])
def test_parameters_that_are_no_values_are_refused(parameters: Any) -> None:
    with pytest.raises(ValueError, match="needs a list of Values"):
        SGD(parameters)


@pytest.mark.parametrize("lr", [-0.1, math.inf, math.nan])
def test_learning_rates_that_cannot_work_are_refused(lr: float) -> None:
    with pytest.raises(ValueError, match="lr must be finite and not negative"):
        SGD([Value(1.0)], lr)


@pytest.mark.parametrize("momentum", [-0.1, 1.0, 2.0, math.nan])
def test_momentum_outside_zero_to_one_is_refused(momentum: float) -> None:
    with pytest.raises(ValueError, match=r"momentum must be in \[0, 1\)"):
        SGD([Value(1.0)], momentum=momentum)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_hundred_steps_equal_pytorch(momentum: float) -> None:
    torch = pytest.importorskip("torch")
    start = [0.5, -1.5]
    ours = [Value(x) for x in start]
    theirs = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = SGD(ours, lr=0.05, momentum=momentum)
    reference = torch.optim.SGD([theirs], lr=0.05, momentum=momentum)
    for _ in range(100):
        optimizer.zero_grad()
        ((tanh(ours[0] * 2 + ours[1]) - 0.5) ** 2 + 0.1 * ours[1] ** 2).backward()
        optimizer.step()
        reference.zero_grad()
        x, y = theirs
        ((torch.tanh(x * 2 + y) - 0.5) ** 2 + 0.1 * y**2).backward()
        reference.step()
        assert [p.data for p in ours] == pytest.approx(theirs.tolist(), rel=1e-12, abs=1e-12)
    assert [p.data for p in ours] != start
