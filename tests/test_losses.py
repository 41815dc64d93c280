"""Losses: closed forms, gradients, and targets that do not fit."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_engine import Value, gradcheck
from nn import half_squared_error, hinge, one_hot, softmax_cross_entropy, squared_error

LOGITS = [0.5, -1.25, 2.0]


def values(*numbers: float) -> list[Value]:
    return [Value(x) for x in numbers]


def gradients(loss: Value, outputs: list[Value]) -> list[float]:
    loss.backward()
    return [output.grad for output in outputs]


# --- closed forms ---------------------------------------------------------------


def test_squared_error_of_one_output() -> None:
    output = Value(3.0)
    loss = squared_error(output, 1.0)
    assert loss.data == 4.0
    assert gradients(loss, [output]) == [4.0]


def test_squared_error_adds_up_over_outputs() -> None:
    outputs = values(1.0, 2.0, 3.0)
    loss = squared_error(outputs, [0.0, 2.0, 5.0])
    assert loss.data == 5.0
    assert gradients(loss, outputs) == [2.0, 0.0, -4.0]


def test_half_squared_error_has_the_residual_as_its_gradient() -> None:
    outputs = values(1.0, 5.0)
    loss = half_squared_error(outputs, [0.5, 2.0])
    assert loss.data == 0.5 * (0.25 + 9.0)
    assert gradients(loss, outputs) == [0.5, 3.0]


@pytest.mark.parametrize("target", [[1.0], 1.0])
def test_one_output_meets_a_number_or_a_list_of_one(target: Any) -> None:
    assert squared_error(Value(3.0), target).data == 4.0


@pytest.mark.parametrize(
    ("output", "target", "loss", "gradient"),
    [(0.5, 1, 0.5, -1.0), (0.5, -1, 1.5, 1.0), (2.0, 1, 0.0, 0.0), (-3.0, -1, 0.0, 0.0)],
)
def test_hinge(output: float, target: int, loss: float, gradient: float) -> None:
    x = Value(output)
    result = hinge(x, target)
    assert result.data == loss
    assert gradients(result, [x]) == [gradient]


def test_cross_entropy_of_equal_logits_is_log_of_the_number_of_classes() -> None:
    for k in (2, 3, 10):
        assert softmax_cross_entropy(values(*[0.7] * k), k - 1).data == pytest.approx(math.log(k))


def test_cross_entropy_gradient_is_softmax_minus_target() -> None:
    outputs = values(*LOGITS)
    total = sum(map(math.exp, LOGITS))
    expected = [math.exp(x) / total - (i == 1) for i, x in enumerate(LOGITS)]
    loss = softmax_cross_entropy(outputs, 1)
    assert loss.data == pytest.approx(-math.log(math.exp(LOGITS[1]) / total), rel=1e-14)
    assert gradients(loss, outputs) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("target", [0, 1, 2])
def test_class_index_and_one_hot_row_are_the_same_target(target: int) -> None:
    (row,) = one_hot([target], 3)
    by_index, by_row = values(*LOGITS), values(*LOGITS)
    first, second = softmax_cross_entropy(by_index, target), softmax_cross_entropy(by_row, row)
    assert first.data == pytest.approx(second.data, rel=1e-15)
    assert gradients(first, by_index) == pytest.approx(gradients(second, by_row), rel=1e-14)


def test_cross_entropy_takes_floats_that_are_whole_and_tuples() -> None:
    assert softmax_cross_entropy(tuple(values(*LOGITS)), 1.0).data == (
        softmax_cross_entropy(values(*LOGITS), 1).data
    )


def test_cross_entropy_of_soft_targets() -> None:
    outputs = values(*LOGITS)
    total = sum(map(math.exp, LOGITS))
    target = [0.25, 0.25, 0.5]
    loss = softmax_cross_entropy(outputs, target)
    expected = [math.exp(x) / total - t for x, t in zip(LOGITS, target, strict=True)]
    assert gradients(loss, outputs) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(("target", "loss"), [(0, 0.0), (1, 2000.0)])
def test_cross_entropy_does_not_overflow(target: int, loss: float) -> None:
    outputs = values(1000.0, -1000.0)
    result = softmax_cross_entropy(outputs, target)
    assert result.data == loss
    assert all(map(math.isfinite, gradients(result, outputs)))


# --- gradients by finite differences ---------------------------------------------------------


@given(st.lists(st.floats(-4, 4), min_size=2, max_size=5), st.data())
def test_gradients_of_smooth_losses_pass_gradcheck(logits: list[float], data: Any) -> None:
    target = data.draw(st.integers(0, len(logits) - 1))
    gradcheck(lambda *x: softmax_cross_entropy(list(x), target), logits)
    gradcheck(lambda *x: squared_error(list(x), logits[::-1]), logits)
    gradcheck(lambda *x: half_squared_error(list(x), logits[::-1]), logits)


@pytest.mark.parametrize("output", [-2.0, 0.25, 1.5])
@pytest.mark.parametrize("target", [-1, 1])
def test_gradient_of_hinge_passes_gradcheck_away_from_its_kink(output: float, target: int) -> None:
    gradcheck(lambda x: hinge(x, target), [output])


# --- bad targets ---------------------------------------------------------------


@pytest.mark.parametrize("loss", [squared_error, half_squared_error])
@pytest.mark.parametrize(
    ("n", "target"), [(3, [1.0]), (3, 1.0), (2, [1.0, 2.0, 3.0]), (1, [1.0, 2.0])]
)
def test_squared_errors_refuse_targets_of_another_length(loss: Any, n: int, target: Any) -> None:
    with pytest.raises(ValueError, match=f"{n} outputs but"):
        loss(values(*[1.0] * n), target)


@pytest.mark.parametrize("target", ["1", None])
def test_squared_error_refuses_what_is_no_number(target: Any) -> None:
    with pytest.raises(TypeError, match="expected a real number"):
        squared_error(Value(1.0), target)


@pytest.mark.parametrize("target", [0, 2, 0.5, math.nan, None, "1", [1]])
def test_hinge_refuses_targets_other_than_minus_one_and_one(target: Any) -> None:
    with pytest.raises(ValueError, match=r"must be -1 or \+1"):
        hinge(Value(1.0), target)


def test_hinge_refuses_several_outputs() -> None:
    with pytest.raises(ValueError, match="one output, got 2"):
        hinge(values(1.0, 2.0), 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", [3, -1, 1.5, math.nan, math.inf, None])
def test_cross_entropy_refuses_what_is_no_class_index(target: Any) -> None:
    with pytest.raises(ValueError, match="must be a class index from 0 to 2"):
        softmax_cross_entropy(values(*LOGITS), target)


@pytest.mark.parametrize(
    "target",
    [[], [0.5, 0.5], [0.5, 0.5, 0.5], [1.5, -0.5, 0.0], [0.0, 0.0, 0.0], [math.nan, 0.0, 1.0]],
)
def test_cross_entropy_refuses_what_are_no_probabilities(target: Any) -> None:
    with pytest.raises(ValueError, match="must be 3 probabilities that add up to 1"):
        softmax_cross_entropy(values(*LOGITS), target)


@pytest.mark.parametrize("output", [Value(1.0), [Value(1.0)], []])
def test_cross_entropy_refuses_fewer_than_two_outputs(output: Any) -> None:
    with pytest.raises(ValueError, match="two or more"):
        softmax_cross_entropy(output, 0)


# --- comparison ---------------------------------------------------------------


@pytest.mark.parametrize("target", [0, 2, [0.2, 0.3, 0.5]])
def test_cross_entropy_equals_pytorch(target: Any) -> None:
    torch = pytest.importorskip("torch")
    outputs = values(*LOGITS)
    loss = softmax_cross_entropy(outputs, target)
    logits = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    kind = torch.float64 if isinstance(target, list) else torch.int64
    reference = torch.nn.functional.cross_entropy(logits, torch.tensor(target, dtype=kind))
    reference.backward()
    assert loss.data == pytest.approx(reference.item(), rel=1e-13)
    assert gradients(loss, outputs) == pytest.approx(logits.grad.tolist(), rel=1e-12)
