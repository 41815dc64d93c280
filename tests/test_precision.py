"""`check_derivatives`: what passes at fifty digits, what it catches, what it says and refuses."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_primitives import every_row, points, split

import autograd_engine as ae
from autograd_engine import (
    GradcheckError,
    Value,
    check_derivatives,
    derivative,
    dot,
    elementary,
    exp,
    grad,
    jvp,
    log,
    no_grad,
    primitive,
    sin,
    sqrt,
    tanh,
    taylor,
)
from autograd_engine.precision import DerivativeCheck, DerivativeReport
from autograd_engine.registry import TABLE
from autograd_engine.rows import Primitive
from nn import MLP

# --- what passes ----------------------------------------------------------------------------------


@every_row
def test_every_row_is_right_to_the_third_order(row: Primitive) -> None:
    for operands in points(row, size=2)[:3]:
        assert check_derivatives(row, split(row, operands), order=3)


@pytest.mark.parametrize("name", ["exp", "tanh", "log1p", "div", "pow", "atan2", "logsumexp"])
def test_it_goes_to_the_fifth_order(name: str) -> None:
    row = TABLE[name]
    report = check_derivatives(row, split(row, points(row, size=2)[0]), order=5)
    assert max(len(check.derivative.split(" by ")[1].split()) for check in report.checks) == 5


def test_nested_arguments_and_several_outputs() -> None:
    def f(p: dict[str, Any], scale: Any) -> dict[str, Any]:
        w = p["w"]
        return {"a": [exp(w[0] * p["b"]), w[1] / scale], "b": (dot(w, w) * tanh(scale),)}

    report = check_derivatives(f, [{"w": [0.5, -1.5], "b": 2}, 0.75], order=2)
    first = [check.derivative for check in report.checks if check.mode == "forward"][:5]
    assert first == [
        "f['a'][0] by 0['w'][0]",
        "f['a'][0] by 0['w'][1]",
        "f['a'][0] by 0['b']",
        "f['a'][0] by 1",
        "f['a'][1] by 0['w'][0]",
    ]
    inputs, outputs, modes = 4, 3, 2
    assert len(report.checks) == modes * outputs * (inputs + inputs**2)
    assert report
    assert report.passed
    assert report.failures == []


def test_the_derivatives_are_those_of_the_textbook() -> None:
    report = check_derivatives(lambda x, y: x**3 * y, [2.0, 5.0], order=3)
    found = {check.derivative.split(" by ")[1]: check.exact for check in report.checks}
    assert found == pytest.approx(
        {"0": 60, "1": 8, "0 0": 60, "0 1": 12, "1 0": 12, "1 1": 0}
        | {"0 0 0": 30, "0 0 1": 12, "0 1 0": 12, "1 0 0": 12}
        | {"0 1 1": 0, "1 0 1": 0, "1 1 0": 0, "1 1 1": 0}
    )
    assert [check.mode for check in report.checks[:2]] == ["reverse", "forward"]


@pytest.mark.parametrize(
    "given",
    [
        np.array([0.5, -1.5]),
        np.array([[0.5, 0.25], [1.0, 2.0]]),
        np.array([1, 2]),
        [np.float64(0.5), np.float64(2.0)],
        [np.array(0.5), np.int64(2)],
        np.array([Value(0.5), Value(2.0)]),
        [Value(0.5), 2.0],
    ],
    ids=["floats", "matrix", "whole", "scalars", "0-d", "objects", "Values"],
)
def test_arguments_may_be_arrays_and_numbers_of_any_kind(given: Any) -> None:
    def f(x: Any) -> Any:
        numbers = list(x.flat) if isinstance(x, np.ndarray) else x
        return dot(numbers, numbers) * sin(numbers[0])

    assert check_derivatives(f, [given], order=2)


def test_args_may_be_an_array_or_a_generator() -> None:
    assert check_derivatives(lambda x, y: x * y, (x for x in (1.0, 2.0)), order=2)  # type: ignore[arg-type]
    assert check_derivatives(lambda x, y: x * y, np.array([1.0, 2.0]), order=2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.exp(x).sum(),
        lambda x: np.dot(x, x),
        lambda x: np.linalg.norm(x),
        lambda x: np.arctan2(x, 0.3),
        lambda x: np.maximum(x, 0.25) ** 2,
        lambda x: np.array([1.0, 2.0]) * x,
        lambda x: x[::-1] / x.mean(),
    ],
)
def test_functions_of_numpy_work_on_arrays_of_the_arguments(f: Callable[..., Any]) -> None:
    assert check_derivatives(lambda x, y: f(np.array([x, y])), [0.5, 2.0], order=2)


def test_outputs_may_be_plain_numbers() -> None:
    report = check_derivatives(lambda x: [x * x, 3, {"one": 1.0}], [0.5], order=2)
    assert len(report.checks) == 12
    assert [check.exact for check in report.checks[2:6]] == [0.0] * 4
    assert check_derivatives(lambda x: 3.0, [0.5])


@pytest.mark.parametrize("scale", [1e-30, 1e-8, 1.0, 1e8])
@pytest.mark.parametrize(
    "f",
    [log, sqrt, tanh, sin, lambda x: x**3, lambda x: 1 / x, lambda x: 1e-8 * x + 1e8],
    ids=["log", "sqrt", "tanh", "sin", "cube", "reciprocal", "line"],
)
def test_arguments_of_any_size(f: Callable[..., Any], scale: float) -> None:
    assert check_derivatives(f, [scale])


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_two_arguments_of_very_different_size(scale: float) -> None:
    assert check_derivatives(lambda x, y: x * y / (x + y), [scale, 1.0 / scale])


@pytest.mark.parametrize("name", ["heaviside", "sign", "relu", "abs"])
@pytest.mark.parametrize("x", [-1.0, 1e-6])
def test_it_passes_beside_a_discontinuity(name: str, x: float) -> None:
    assert check_derivatives(TABLE[name], [x])


def test_a_branch_is_taken_as_it_is_on_floats() -> None:
    def f(x: Any) -> Any:
        return x * x if x > 0 else -x

    assert [check.ours for check in check_derivatives(f, [1.5], order=1).checks] == [3.0, 3.0]
    assert [check.ours for check in check_derivatives(f, [-1.5], order=1).checks] == [-1.0, -1.0]


# --- captured Values ------------------------------------------------------------------------------


def captured(w: Value) -> list[Callable[[Any], Any]]:
    return [
        lambda x: x * w,
        lambda x: w * x,
        lambda x: w.exp() * x * x,
        lambda x: dot([w, 1.0], [x, x * x]),
        lambda x: ae.maximum(w, x),
        lambda x: x * x if w < x else x,
        lambda x: np.array([w, w]) * x,
    ]


@pytest.mark.parametrize("k", range(7))
def test_captured_values_are_constants_and_keep_their_gradients(k: int) -> None:
    w = Value(2.0)
    w.grad = 7.0
    assert check_derivatives(captured(w)[k], [3.0], order=2)
    assert (w.data, w.grad) == (2.0, 7.0)


def test_a_model_is_checked_by_its_inputs() -> None:
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    assert check_derivatives(lambda *x: model(x), [0.5, -0.25], order=2)


def test_it_works_under_no_grad_and_leaves_the_mode_alone() -> None:
    w = Value(2.0)
    with no_grad():
        assert check_derivatives(lambda x: x * x * w, [3.0], order=2)
        assert not (w * w)._prev
    assert check_derivatives(lambda x: x * x * w, [3.0], order=2)
    assert (w * w)._prev


# --- what it catches ------------------------------------------------------------------------------


def wrong_to_order(order: int) -> Primitive:
    """x ** 3, whose derivatives are right up to order - 1 only."""

    @primitive(lambda z, x: 5.0)
    def six_times(x: Any) -> Any:
        return 6.0 * x

    @primitive(lambda z, x: six_times(x))
    def three_squares(x: Any) -> Any:
        return 3.0 * x * x

    slopes: list[Callable[..., Any]] = [
        lambda z, x: 3.0 * x * x + 1e-6,
        lambda z, x: six_times(x) * x / 2.0,
        lambda z, x: three_squares(x),
    ]

    @primitive(slopes[order - 1])
    def cube(x: Any) -> Any:
        return x * x * x

    return cube


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_wrong_derivative_is_found_at_its_order(order: int) -> None:
    cube = wrong_to_order(order)
    if order > 1:
        assert check_derivatives(cube, [2.0], order=order - 1)
    report = check_derivatives(cube, [2.0], order=order, raise_exception=False)
    by = " ".join("0" * order)
    assert [(x.derivative, x.mode) for x in report.failures] == [
        (f"cube by {by}", "reverse"),
        (f"cube by {by}", "forward"),
    ]
    with pytest.raises(GradcheckError, match=f"FAIL cube by {by}, reverse: "):
        check_derivatives(cube, [2.0])


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0, 1e3, 1e8])
@pytest.mark.parametrize("order", [2, 3])
def test_a_wrong_derivative_is_found_at_arguments_of_any_size(order: int, scale: float) -> None:
    report = check_derivatives(wrong_to_order(order), [scale], order, raise_exception=False)
    by = " ".join("0" * order)
    assert {check.derivative for check in report.failures} == {f"cube by {by}"}


def test_a_wrong_row_is_found_inside_a_function() -> None:
    cube = wrong_to_order(2)
    with pytest.raises(GradcheckError, match=r"FAIL .*by 0\[1\] 0\[1\]"):
        check_derivatives(lambda v: [v[0], tanh(v[0]) * cube(v[1])], [[0.5, 2.0]], order=2)


def test_either_order_of_a_mixed_derivative_is_checked() -> None:
    @primitive(lambda z, x, y: y, lambda z, x, y: getattr(x, "data", x))
    def product(x: Any, y: Any) -> Any:
        return x * y

    assert ae.hessian(lambda v: product(*v))([2.0, 3.0]) == [[0.0, 1.0], [0.0, 0.0]]
    with pytest.raises(GradcheckError, match="product"):
        check_derivatives(product, [2.0, 3.0], order=2)


def test_what_is_not_recorded_is_found() -> None:
    def partly(x: Any) -> Any:
        with no_grad():
            square = x * x
        return square * x

    with pytest.raises(GradcheckError, match="reverse: 4, exact 12"):
        check_derivatives(partly, [2.0], order=1)


@pytest.mark.parametrize("f", [ae.relu, ae.abs, ae.heaviside, ae.sign], ids=lambda row: row.name)
def test_a_kink_fails(f: Primitive) -> None:
    with pytest.raises(GradcheckError):
        check_derivatives(f, [0.0], order=2)


def test_nan_agrees_with_nothing() -> None:
    report = check_derivatives(tanh, [math.nan], order=1, raise_exception=False)
    assert len(report.failures) == 2
    check = DerivativeCheck("f by 0", "reverse", math.nan, math.nan, 1.0)
    assert not check.passed


def test_rtol_bounds_the_disagreement() -> None:
    cube = wrong_to_order(1)  # off by 1e-6 in 12
    assert check_derivatives(cube, [2.0], order=1, rtol=1e-7)
    with pytest.raises(GradcheckError):
        check_derivatives(cube, [2.0], order=1, rtol=1e-8)


def test_a_zero_is_judged_by_the_largest_derivative_of_its_order() -> None:
    def check(slope: float, size: float) -> DerivativeReport:
        @primitive(1.0, slope)
        def nearly(x: Any, y: Any) -> Any:
            return x + 0.0 * y

        f = lambda x, y: size * nearly(x, y)  # noqa: E731
        return check_derivatives(f, [1.0, 1.0], order=1, raise_exception=False)

    for size in (1e-6, 1.0, 1e6):
        assert check(5e-13, size)
        assert len(check(2e-12, size).failures) == 2


# --- the report -----------------------------------------------------------------------------------


def test_report_prints_one_line_per_derivative_and_mode() -> None:
    assert str(check_derivatives(tanh, [0.5], order=1)).splitlines() == [
        "check_derivatives: 0 of 2 derivatives disagree",
        "ok   tanh by 0, reverse: 0.786447732965927, exact 0.786447732965927",
        "ok   tanh by 0, forward: 0.786447732965927, exact 0.786447732965927",
    ]


def test_error_is_the_full_report_with_failures_first() -> None:
    cube = wrong_to_order(2)
    report = check_derivatives(cube, [2.0], order=2, raise_exception=False)
    assert not report
    assert not report.passed
    assert len(report.checks) == 4
    lines = str(report).splitlines()
    assert lines == [
        "check_derivatives: 2 of 4 derivatives disagree",
        "FAIL cube by 0 0, reverse: 11, exact 12",
        "FAIL cube by 0 0, forward: 11, exact 12",
        "ok   cube by 0, reverse: 12, exact 12",
        "ok   cube by 0, forward: 12, exact 12",
    ]
    with pytest.raises(GradcheckError, match=re.escape(str(report))):
        check_derivatives(cube, [2.0], order=2)


def test_long_reports_are_cut() -> None:
    report = check_derivatives(lambda *xs: ae.sum(xs), [0.1] * 15, order=1)
    lines = str(report).splitlines()
    assert len(lines) == 1 + 20 + 1
    assert lines[-1] == "(10 more)"


def test_a_callable_without_a_name_is_named_by_its_type() -> None:
    class Square:
        def __call__(self, x: Any) -> Any:
            return x * x

    report = check_derivatives(Square(), [2.0], order=1)
    assert report.checks[0].derivative == "Square by 0"


def test_the_third_order_is_the_default() -> None:
    report = check_derivatives(exp, [0.5])
    assert [x.derivative for x in report.checks[::2]] == ["exp by 0", "exp by 0 0", "exp by 0 0 0"]


# --- what it refuses ------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0, -1, 2.0, None, "2"])
def test_order_must_be_one_or_more(order: Any) -> None:
    with pytest.raises(
        (TypeError, ValueError), match=r"^check_derivatives: the order must be .*, got"
    ):
        check_derivatives(tanh, [0.5], order)


def test_order_may_be_a_whole_number_of_numpy() -> None:
    assert len(check_derivatives(tanh, [0.5], np.int64(2)).checks) == 4  # type: ignore[arg-type]


@pytest.mark.parametrize("args", [3.0, None, "ab", {"x": 1.0}, Value(1.0)])
def test_args_must_list_the_arguments(args: Any) -> None:
    with pytest.raises(TypeError, match=r"^check_derivatives: args must list the arguments of f"):
        check_derivatives(lambda x: x, args)


@pytest.mark.parametrize("leaf", ["a", None, 1j, object()])
def test_arguments_must_be_numbers(leaf: Any) -> None:
    with pytest.raises(TypeError, match=r"^check_derivatives: args: expected a real number, got "):
        check_derivatives(lambda x: x[0], [[leaf]])


@pytest.mark.parametrize(
    ("f", "args"), [(lambda x: [], [0.5]), (lambda: 3.0, []), (lambda x: 3.0, [[]])]
)
def test_a_check_of_nothing_is_an_error(f: Callable[..., Any], args: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"^check_derivatives: nothing to check, for f has no "):
        check_derivatives(f, args)


@pytest.mark.parametrize("result", [None, "a", [None]])
def test_results_must_be_numbers(result: Any) -> None:
    with pytest.raises(TypeError, match="expected a real number, got"):
        check_derivatives(lambda x: result, [0.5])


@pytest.mark.parametrize("f", [math.exp, float, round, int, lambda x: x * math.tanh(x)])
def test_functions_of_floats_are_refused_with_the_remedy(f: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="use the primitives of autograd_engine instead"):
        check_derivatives(f, [0.5])


def test_a_row_that_mpmath_does_not_have_is_named() -> None:
    @primitive(lambda z, x: 2.0 / math.sqrt(math.pi) * exp(-x * x))
    @elementary(math.erf)
    def error_function_of_ours(x: Any) -> Any: ...

    name = "error_function_of_ours"
    message = f"^check_derivatives: {name} does not run on mpmath's numbers: mpmath has no {name}$"
    with pytest.raises(TypeError, match=message):
        check_derivatives(error_function_of_ours, [0.5])


def test_a_row_of_mpmath_needs_no_more_than_its_name() -> None:
    @primitive(lambda z, x: -2.0 / math.sqrt(math.pi) * exp(-x * x))
    @elementary(math.erfc)
    def erfc(x: Any) -> Any: ...

    assert check_derivatives(erfc, [0.5])


def test_without_mpmath_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpmath", None)
    with pytest.raises(ImportError, match=r"^check_derivatives needs mpmath: pip install mpmath$"):
        check_derivatives(tanh, [0.5])


@pytest.mark.parametrize("x", [-1.0, 0.0])
@pytest.mark.parametrize("f", [log, sqrt, lambda x: x**0.5, lambda x: x**-0.5])
def test_outside_of_the_domain_the_check_fails(f: Callable[..., Any], x: float) -> None:
    with pytest.raises((GradcheckError, ValueError), match=r"^check_derivatives: "):
        check_derivatives(f, [x], order=1)


def test_the_precision_of_mpmath_is_left_as_it_was() -> None:
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(20):
        check_derivatives(tanh, [0.5])
        with pytest.raises(GradcheckError):
            check_derivatives(wrong_to_order(1), [0.5])
        assert mpmath.mp.dps == 20


def test_a_function_may_take_forward_derivatives_inside() -> None:
    assert check_derivatives(lambda x: jvp(lambda y: y**3 * x, (x,), (1.0,))[1], [0.4])
    assert check_derivatives(lambda x: x * taylor(exp, x, 2)[2], [0.5])
    assert check_derivatives(derivative(sin), [0.5])


def test_a_function_that_takes_a_gradient_inside_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^grad\(?.*reverse mode takes numbers, Values and dual"):
        check_derivatives(grad(sin), [0.5])


def test_a_primitive_that_mpmath_cannot_compute_is_named() -> None:
    @primitive(lambda z, x: 2.0 * x)
    def foreign(x: Any) -> Any:
        """x * x."""
        return np.float64.__mul__(x, x)

    with pytest.raises(TypeError, match=r"^check_derivatives: foreign does not run on mpmath"):
        check_derivatives(foreign, [0.5])
