"""The checker itself: what it accepts, what it refuses, and what it says."""

from __future__ import annotations

import functools
import math
import random
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from test_primitives import every_row, points, split

import autograd_engine as ae
from autograd_engine import GradcheckError, Value, detect_anomaly, gradcheck, no_grad, primitive
from autograd_engine.gradcheck import Check, Report, central_difference, complex_step
from autograd_engine.registry import TABLE
from autograd_engine.rows import Primitive


@pytest.mark.parametrize(
    ("function", "at"),
    [
        (lambda x: x, [2.0]),
        (lambda x: x + x, [2.0]),
        (lambda x: x**2, [-3.0]),
        (lambda x: x**-3, [-1.5]),
        (lambda x: x**2, [0.0]),
        (lambda x: 2**x, [0.5]),
        (lambda x, y: x**y, [1.5, -2.5]),
        (lambda x, y: (x / y - y).tanh() * x.exp(), [0.3, -1.7]),
        (lambda x, y: ae.maximum(x, y) * ae.where(x > y, x, y), [0.3, 0.4]),
        (lambda *xs: ae.softmax(xs)[1], [0.5, -1.2, 2.0]),
        (lambda *xs: ae.dot(xs, xs) + ae.logsumexp(xs), [0.5, -1.2, 2.0]),
        (lambda x: x.log(), [1e-3]),
        (lambda x: x.sqrt() * 1e6, [1e-2]),
        (lambda x: x / 3, [1e200]),
        (lambda x: x.sigmoid(), [40.0]),
    ],
)
def test_right_gradients_pass(function: Callable[..., Value], at: list[float]) -> None:
    assert gradcheck(function, at).passed


def detached(x: Value) -> Value:
    return Value(x.data)


def wrong_without_grad(x: Value) -> Value:
    with no_grad():
        half = 0.5 * x
    return half * x


@pytest.mark.parametrize(
    ("function", "at"),
    [
        (lambda x: Value(math.exp(x)), 1.0),
        (lambda x: x * math.tanh(x), 0.5),
        (lambda x: detached(x) + x, 0.5),
        (wrong_without_grad, 2.0),
        (lambda x: x.relu(), 0.0),
        (lambda x: x.sqrt(), -1.0),
        (lambda x: 1 / x, 0.0),
    ],
)
def test_wrong_gradients_and_singular_points_fail(
    function: Callable[[Value], Value], at: float
) -> None:
    with pytest.raises(GradcheckError):
        gradcheck(function, [at])


@pytest.mark.parametrize("at", [-1.1, -2.0])
def test_a_large_whole_power_of_a_negative_base_passes(at: float) -> None:
    assert gradcheck(lambda x: x**101, [at]).passed


@pytest.mark.parametrize("at", [1e-100, 1e-200])
def test_a_logarithm_close_to_zero_passes(at: float) -> None:
    assert gradcheck(lambda x: x.log(), [at], rtol=1e-6).passed


def test_report_lists_inputs_then_edges_in_topological_order() -> None:
    def product(x: Value, w: Value) -> Value:
        return (x * w).tanh()

    report = gradcheck(product, [0.5, -1.5])
    assert [(check.operation, check.operand, check.at) for check in report.checks] == [
        ("product", "input 0", 0.5),
        ("product", "input 1", -1.5),
        ("*", "operand 0", 0.5),
        ("*", "operand 1", -1.5),
        ("tanh", "operand 0", -0.75),
    ]
    assert report.failures == []
    slope = 1.0 - math.tanh(-0.75) ** 2
    assert [check.analytic for check in report.checks] == pytest.approx(
        [-1.5 * slope, 0.5 * slope, -1.5, 0.5, slope], rel=1e-14
    )
    assert [check.complex_step is None for check in report.checks] == [True, True] + 3 * [False]


def test_report_prints_one_line_per_derivative() -> None:
    lines = str(gradcheck(lambda x: x * 3, [2.0])).splitlines()
    assert lines[0] == "gradcheck: 0 of 2 derivatives disagree"
    assert lines[1].startswith("ok   <lambda>, input 0 = 2: analytic 3, central difference ")
    assert lines[2].startswith("ok   *, operand 0 = 2: analytic 3, central difference ")
    assert lines[2].endswith(", complex step 3")
    assert len(lines) == 3


def test_constants_are_not_checked_and_keep_their_positions() -> None:
    report = gradcheck(lambda x: ae.where(True, 2.0 - x, 0.0), [0.5])
    assert [(check.operation, check.operand) for check in report.checks[1:]] == [
        ("-", "operand 1"),
        ("where", "operand 1"),
    ]


def test_rows_that_are_not_analytic_have_no_complex_step() -> None:
    report = gradcheck(lambda x: x.relu(), [2.0])
    assert report.checks[-1].operation == "relu"
    assert report.checks[-1].complex_step is None


def test_error_is_the_full_report_with_failures_first() -> None:
    with pytest.raises(GradcheckError) as error:
        gradcheck(lambda x, y: x * math.tanh(y) + y * x, [0.5, 2.0])
    lines = str(error.value).splitlines()
    assert lines[0] == "gradcheck: 1 of 7 derivatives disagree"
    assert lines[1].startswith("FAIL <lambda>, input 1 = 2: analytic 0.5, central difference 0.53")
    assert all(line.startswith("ok   ") for line in lines[2:-1])
    assert lines[-1].startswith("every local derivative agrees, so something leaves the graph")
    assert isinstance(error.value, AssertionError)


def test_long_reports_are_cut() -> None:
    report = gradcheck(lambda *xs: ae.sum(xs), [0.1] * 30)
    lines = str(report).splitlines()
    assert len(lines) == 1 + 20 + 1
    assert lines[-1] == "(40 more)"


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (3.0, "float"),
        (None, "NoneType"),
        ([Value(1.0), 2], r"int at \[1\]"),
        (np.array([1.0]), r"float64 at \[0\]"),
        ({"loss": "low"}, r"str at \['loss'\]"),
    ],
)
def test_result_must_be_values(result: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=f"^gradcheck: f returned {kind}, not a Value; return"):
        gradcheck(lambda x: result, [1.0])


def test_inputs_must_be_numbers() -> None:
    with pytest.raises(TypeError, match=r"^gradcheck: expected a real number.* got str 'a'"):
        gradcheck(lambda x: x, ["a"])


def test_inputs_may_be_values_and_keep_their_gradients() -> None:
    x = Value(0.5)
    x.grad = 7.0
    assert gradcheck(lambda x: x.exp(), [x]).passed
    assert (x.data, x.grad, x._prev) == (0.5, 7.0, ())


def test_an_unused_input_has_derivative_zero() -> None:
    report = gradcheck(lambda x, y: x * 2, [1.0, 5.0])
    assert (report.checks[1].analytic, report.checks[1].central) == (0.0, 0.0)


def test_a_callable_without_a_name_is_named_by_its_type() -> None:
    report = gradcheck(functools.partial(ae.maximum, 0.0), [2.0])
    assert report.checks[0].operation == "partial"


def test_rtol_bounds_the_disagreement_with_the_central_difference() -> None:
    def almost(x: Value) -> Value:
        return x * 2 + Value(1e-4 * x.data)

    with pytest.raises(GradcheckError):
        gradcheck(almost, [1.0], rtol=1e-5)
    assert gradcheck(almost, [1.0], rtol=1e-3).passed


def check(analytic: float, central: float, exact: float | None = None) -> Check:
    return Check("f", "operand 0", 1.0, analytic, central, exact, 1e-7 * (1.0 + abs(central)))


@pytest.mark.parametrize(
    ("one", "passed"),
    [
        (check(2.0, 2.0 + 1e-8), True),
        (check(2.0, 2.0 + 1e-6), False),
        (check(1e9, 1e9 + 1.0), True),
        (check(0.0, 5e-8), True),
        (check(2.0, 2.0, 2.0 + 1e-14), True),
        (check(2.0, 2.0, 2.0 + 1e-11), False),
        (check(math.nan, math.nan), False),
        (check(2.0, math.nan), False),
        (check(math.inf, math.inf), False),
    ],
)
def test_error_is_relative_to_the_larger_of_one_and_the_estimate(one: Check, passed: bool) -> None:
    assert one.passed is passed
    report = Report((one,), ())
    assert report.passed is passed
    assert len(report.failures) == (not passed)
    assert re.match("ok   " if passed else "FAIL ", str(one))


# --- the two estimates ----------------------------------------------------------------------------

SMOOTH: list[tuple[Callable[[float], float], Callable[[float], float]]] = [
    (lambda x: x * x * x, lambda x: 3.0 * x * x),
    (math.atan, lambda x: 1.0 / (1.0 + x * x)),
    (lambda x: x / 7.0 - 2.0, lambda x: 1.0 / 7.0),
    (lambda x: math.hypot(x, 1.0), lambda x: x / math.hypot(x, 1.0)),
]


@pytest.mark.parametrize("f_and_slope", SMOOTH, ids=["cube", "atan", "line", "hypot"])
@pytest.mark.parametrize("x", [0.0, 1e-300, 1e-8, 1e-3, 0.3, -2.5, 40.0, 1e3, -1e6])
def test_central_difference_is_accurate(
    f_and_slope: tuple[Callable[[float], float], Callable[[float], float]], x: float
) -> None:
    f, slope = f_and_slope
    assert central_difference(f, x) == pytest.approx(slope(x), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("x", [1e-6, 1e-2, 1.0, 1e3, 1e12])
def test_central_difference_keeps_inside_the_domain(x: float) -> None:
    def log_or_nan(t: float) -> float:
        return math.log(t) if t > 0.0 else math.nan

    assert central_difference(log_or_nan, x) == pytest.approx(1.0 / x, rel=1e-7)


@pytest.mark.parametrize("x", [1e200, -1e300])
def test_central_difference_of_a_line_survives_huge_arguments(x: float) -> None:
    assert central_difference(lambda t: t / 4.0, x) == pytest.approx(0.25, rel=1e-9)


@pytest.mark.parametrize("x", [math.inf, -math.inf, math.nan])
def test_central_difference_is_nan_where_no_step_can_be_taken(x: float) -> None:
    calls = 0

    def identity(t: float) -> float:
        nonlocal calls
        calls += 1
        assert calls < 10_000, "the steps never end"
        return t

    assert math.isnan(central_difference(identity, x))


def test_central_difference_is_nan_without_a_finite_value() -> None:
    assert math.isnan(central_difference(lambda t: math.nan, 1.0))


def test_central_difference_close_to_a_kink() -> None:
    assert central_difference(lambda t: max(0.0, t), 1e-3) == pytest.approx(1.0, abs=1e-9)
    assert central_difference(lambda t: max(0.0, t), -1e-3) == pytest.approx(0.0, abs=1e-9)


def test_central_difference_at_a_kink_is_the_mean_of_both_sides() -> None:
    assert central_difference(lambda t: max(0.0, t), 0.0) == pytest.approx(0.5)


@pytest.mark.parametrize("x", [-3.0, -1e-5, 1e-5, 0.7, 12.0])
def test_complex_step_has_no_cancellation(x: float) -> None:
    assert complex_step(TABLE["exp"], [x], 0) == pytest.approx(math.exp(x), rel=1e-15)
    assert complex_step(TABLE["tanh"], [x], 0) == pytest.approx(1.0 / math.cosh(x) ** 2, rel=1e-14)
    assert complex_step(TABLE["div"], [x, 3.0], 1) == pytest.approx(-x / 9.0, rel=1e-15)


def test_gradients_of_captured_values_are_left_alone() -> None:
    w = Value(2.0)
    w.grad = 7.0
    gradcheck(lambda x: x * w, [3.0])
    assert w.grad == 7.0


def test_it_refuses_to_check_what_is_not_recorded() -> None:
    with no_grad(), pytest.raises(ValueError, match="no_grad"):
        gradcheck(lambda x: x * x, [3.0])


# --- nested arguments and results -----------------------------------------------------------------


def test_arguments_may_be_nested_and_arrive_as_they_were_given() -> None:
    seen: list[Any] = []

    def loss(w: list[list[Value]], data: dict[str, Any], scale: Value) -> Value:
        seen.append((w, data, scale))
        rows = [ae.dot(row, data["x"]) for row in w]
        return ae.sum(rows) * scale + data["b"][0]

    w = [[0.5, -1.0], [2.0, 0.25]]
    report = gradcheck(loss, [w, {"x": (1.5, 3.0), "b": np.array([0.1])}, Value(2.0)])
    assert [check.operand for check in report.of_inputs] == [
        "input 0[0][0]",
        "input 0[0][1]",
        "input 0[1][0]",
        "input 0[1][1]",
        "input 1['x'][0]",
        "input 1['x'][1]",
        "input 1['b'][0]",
        "input 2",
    ]
    assert [check.analytic for check in report.of_inputs] == [
        3.0,
        6.0,
        3.0,
        6.0,
        5.0,
        -1.5,
        1.0,
        1.5,
    ]
    matrix, data, scale = seen[0]
    assert type(matrix) is list
    assert type(matrix[0]) is list
    assert type(data["x"]) is tuple
    assert type(data["b"]) is np.ndarray
    assert data["b"].shape == (1,)
    assert isinstance(data["b"][0], Value)
    assert isinstance(scale, Value)


class Point(NamedTuple):
    x: Any
    y: Any


def test_named_tuples_and_matrices_keep_their_shape() -> None:
    def f(p: Point, m: Any) -> Value:
        assert m.shape == (2, 2)
        result: Value = p.x * m[0, 1] + p.y * m[1, 0]
        return result

    report = gradcheck(f, [Point(2.0, 3.0), np.array([[1.0, 2.0], [3.0, 4.0]])])
    assert [check.operand for check in report.of_inputs][1:4] == [
        "input 0[1]",
        "input 1[0, 0]",
        "input 1[0, 1]",
    ]
    assert [check.analytic for check in report.of_inputs] == [2.0, 3.0, 0.0, 2.0, 3.0, 0.0]


def test_every_output_is_checked_by_every_input() -> None:
    report = gradcheck(lambda *xs: ae.softmax(xs), [0.5, -1.0])
    assert [(check.operation, check.operand) for check in report.of_inputs] == [
        ("<lambda>[0]", "input 0"),
        ("<lambda>[0]", "input 1"),
        ("<lambda>[1]", "input 0"),
        ("<lambda>[1]", "input 1"),
    ]
    p = 1.0 / (1.0 + math.exp(-1.5))
    expected = [p * (1 - p), -p * (1 - p), -p * (1 - p), p * (1 - p)]
    assert [check.analytic for check in report.of_inputs] == pytest.approx(expected, rel=1e-14)


def test_a_wrong_output_among_right_ones_is_named() -> None:
    with pytest.raises(GradcheckError, match=r"FAIL <lambda>\['b'\], input 0 = 1: analytic 0,"):
        gradcheck(lambda x: {"a": x * 2, "b": Value(x.data)}, [1.0])


def test_each_operation_of_a_shared_graph_is_checked_once() -> None:
    def f(x: Value) -> list[Value]:
        y = x.tanh()
        return [y * 2, y * 3, y]

    assert [check.operation for check in gradcheck(f, [0.5]).of_operations] == ["tanh", "*", "*"]


def test_raise_exception_false_returns_the_failed_report() -> None:
    report = gradcheck(lambda x: x * math.exp(x), [1.0], raise_exception=False)
    assert not report
    assert not report.passed
    assert [check.operation for check in report.failures] == ["<lambda>"]
    assert gradcheck(lambda x: x.exp(), [1.0], raise_exception=False)


def test_the_report_names_the_operation_to_look_at() -> None:
    @ae.primitive(lambda z, x: 2.0 * z)
    def wrong_exp(x: Any) -> Any:
        return ae.exp(x)

    report = gradcheck(lambda x: wrong_exp(x * 2) + x, [0.3], raise_exception=False)
    assert "look at the local derivatives of wrong_exp, or move off" in str(report)


def test_atol_bounds_the_disagreement_where_the_derivative_is_small() -> None:
    def almost(x: Value) -> Value:
        return x * 0.0 + Value(1e-6 * x.data)

    assert not gradcheck(almost, [1.0], raise_exception=False)
    assert gradcheck(almost, [1.0], atol=1e-5)


@pytest.mark.parametrize("values", [3.0, None, "ab", {"x": 1.0}, Value(1.0)])
def test_values_must_list_the_arguments(values: Any) -> None:
    with pytest.raises(TypeError, match=r"^gradcheck: values must list the arguments of f"):
        gradcheck(lambda x: x, values)


@pytest.mark.parametrize("order", [0, 3, -1, 1.5, None, "2"])
def test_only_orders_one_and_two_are_checked(order: Any) -> None:
    message = (
        f"gradcheck: checks derivatives of order 1 or 2, got order={order!r}; "
        "check_derivatives goes further"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        gradcheck(lambda x: x, [1.0], order)


@pytest.mark.parametrize(
    ("f", "values"), [(lambda: Value(1.0), []), (lambda x: [], [1.0]), (lambda x: x[0], [[]])]
)
def test_a_check_of_nothing_is_an_error(f: Callable[..., Any], values: list[Any]) -> None:
    with pytest.raises((ValueError, IndexError)):
        gradcheck(f, values)


def test_gradients_of_captured_values_are_left_alone_with_many_outputs() -> None:
    w = Value(2.0)
    w.grad = 7.0
    gradcheck(lambda x: [x * w, w * w], [3.0])
    assert w.grad == 7.0


def test_bad_leaf_in_a_structure_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^gradcheck: expected a real number.*got NoneType"):
        gradcheck(lambda x: x[0], [[1.0, None]])


def test_a_large_function_is_judged_by_what_its_rounding_allows() -> None:
    for offset in (1e3, 1e7, 1e9, 1e10):
        assert gradcheck(lambda x, offset=offset: offset + x.sin(), [1.0])
        with pytest.raises(GradcheckError):
            gradcheck(lambda x, offset=offset: offset + x.detach() * 2 + x.sin(), [1.0])


def test_a_function_that_is_not_deterministic_is_refused() -> None:
    rng = random.Random(0)
    with pytest.raises(
        ValueError, match=r"^gradcheck: f gave .* at the same point; make it determin"
    ):
        gradcheck(lambda x: x * rng.random(), [1.0])


def test_a_function_may_raise_outside_its_domain() -> None:
    def log_of_probability(p: Value) -> Value:
        if not 0.0 < p < 1.0:
            raise ValueError("no probability")
        return p.log()

    assert gradcheck(log_of_probability, [0.1])
    with detect_anomaly():
        assert gradcheck(lambda x: x.log(), [0.1])


def test_formulas_on_math_have_no_complex_step() -> None:
    @ae.primitive(lambda z, x: -2.0 / math.sqrt(math.pi) * ae.exp(-x * x))
    @ae.elementary(math.erfc)
    def complementary(x: Any) -> Any: ...

    @ae.primitive(lambda z, x: math.cos(x))
    def sine(x: Any) -> Any:
        return math.sin(x)

    for row in (complementary, sine):
        report = gradcheck(row, [0.5])
        assert report.of_operations[0].complex_step is None


def test_zero_costs_no_more_than_other_points() -> None:
    calls = []
    central_difference(lambda t: calls.append(t) or t * t, 0.0)  # type: ignore[func-returns-value]
    assert len(calls) < 100


def test_captured_gradients_are_kept_when_a_backward_pass_raises() -> None:
    w = Value(0.0)
    w.grad = 7.0
    with detect_anomaly(), pytest.raises(ae.AnomalyError):
        gradcheck(lambda x: (x * w).sqrt(), [1.0])
    assert w.grad == 7.0


def test_a_difference_that_is_all_rounding_confirms_nothing() -> None:
    for offset in (1e15, 1e16):
        with pytest.raises(GradcheckError):
            gradcheck(lambda x, offset=offset: x.detach() * 2 + x + offset, [0.5])


def test_a_function_with_a_changing_number_of_outputs_is_refused() -> None:
    calls: list[Value] = []

    def growing(x: Value) -> list[Value]:
        calls.append(x)
        return [x] * len(calls)

    with pytest.raises(ValueError, match="at the same point; make it deterministic"):
        gradcheck(growing, [1.0])


# --- second derivatives ---------------------------------------------------------------------------


@every_row
def test_every_row_passes_to_the_second_order(row: Primitive) -> None:
    for operands in points(row, size=3 if row.arity == 1 else 2):
        assert gradcheck(row, split(row, operands), order=2)


@pytest.mark.parametrize(
    ("f", "values"),
    [
        (lambda x, y: (x / y - y).tanh() * x.exp(), [0.3, -1.7]),
        (lambda x: x**3 + 1e6 * x.sin(), [0.5]),
        (lambda x: (x**2 + 1e-3).sqrt(), [0.01]),
        (lambda x: ae.softmax(x), [[0.5, -1.2, 2.0]]),
        (lambda x: ae.log_softmax(x)[1], [np.array([0.5, -1.2, 2.0])]),
        (lambda x, y: ae.maximum(x, y) * ae.where(x > y, x, y), [0.3, 0.4]),
        (
            lambda w, x: [[ae.dot(row, x).sigmoid() for row in w]],
            [[[0.5, -1.0], [2.0, 0.25]], (1.5, 3)],
        ),
    ],
)
def test_right_second_derivatives_pass(f: Callable[..., Any], values: list[Any]) -> None:
    assert gradcheck(f, values, order=2)


def test_second_derivatives_of_nested_arguments_are_listed_after_the_first() -> None:
    def outputs(p: dict[str, Any], scale: Value) -> dict[str, Any]:
        return {"a": [p["x"] * p["y"][0] * scale], "b": p["y"][1] ** 2}

    values = [{"x": 1.0, "y": (2.0, np.array([3.0])[0])}, 0.5]
    first, both = gradcheck(outputs, values), gradcheck(outputs, values, order=2)
    inputs, found = 4, 2
    assert both.of_inputs[: inputs * found] == first.of_inputs
    assert both.of_operations == first.of_operations
    second = both.of_inputs[inputs * found :]
    assert [check.operation for check in second[::inputs]] == [
        f"gradient of outputs{output}{place}"
        for output in ("['a'][0]", "['b']")
        for place in ("[0]['x']", "[0]['y'][0]", "[0]['y'][1]", "[1]")
    ]
    assert [check.operand for check in second[:inputs]] == [
        "input 0['x']",
        "input 0['y'][0]",
        "input 0['y'][1]",
        "input 1",
    ]
    hessians = np.array([check.analytic for check in second]).reshape(found, inputs, inputs)
    expected = [[0.0, 0.5, 0.0, 2.0], [0.5, 0.0, 0.0, 1.0], [0.0] * 4, [2.0, 1.0, 0.0, 0.0]]
    assert hessians[0] == pytest.approx(np.array(expected))
    assert hessians[1] == pytest.approx(np.diag([0.0, 0.0, 2.0, 0.0]))


def test_the_first_order_is_the_default_and_checks_what_it_did() -> None:
    report = gradcheck(ae.tanh, [0.5])
    assert report.checks == gradcheck(ae.tanh, [0.5], 1).checks
    assert len(report.of_inputs) == 1


def without_graph(x: Any) -> Any:
    return getattr(x, "data", x)


def cube_that_leaves_the_graph() -> Primitive:
    @primitive(lambda z, x: 3.0 * without_graph(x) ** 2)
    def cube_by_data(x: Any) -> Any:
        return x * x * x

    return cube_by_data


def cube_of_a_wrong_slope() -> Primitive:
    @primitive(lambda z, x: 5.0 * x)
    def three_squares(x: Any) -> Any:
        return 3.0 * x * x

    @primitive(lambda z, x: three_squares(x))
    def cube_by_squares(x: Any) -> Any:
        return x * x * x

    return cube_by_squares


@pytest.mark.parametrize(
    ("make", "analytic"), [(cube_that_leaves_the_graph, 0), (cube_of_a_wrong_slope, 10)]
)
def test_a_wrong_second_derivative_fails_by_name(
    make: Callable[[], Primitive], analytic: int
) -> None:
    cube = make()
    assert gradcheck(cube, [2.0])
    report = gradcheck(cube, [2.0], order=2, raise_exception=False)
    assert [check.operation for check in report.failures] == [f"gradient of {cube.name}[0]"]
    line = f"FAIL gradient of {cube.name}[0], input 0 = 2: analytic {analytic}, central difference"
    with pytest.raises(GradcheckError, match=re.escape(line)):
        gradcheck(cube, [2.0], order=2)


def test_a_wrong_second_derivative_fails_inside_a_function() -> None:
    cube = cube_that_leaves_the_graph()

    def both(x: Value, y: Value) -> list[Value]:
        return [x * y, x.exp() * cube(y)]

    report = gradcheck(both, [0.5, 2.0], order=2, raise_exception=False)
    assert [(check.operation, check.operand) for check in report.failures] == [
        ("gradient of both[1][1]", "input 1"),
    ]
    assert gradcheck(both, [0.5, 2.0])


def test_either_order_of_a_mixed_derivative_is_checked() -> None:
    @primitive(lambda z, x, y: y, lambda z, x, y: without_graph(x))
    def product(x: Any, y: Any) -> Any:
        return x * y

    report = gradcheck(product, [2.0, 3.0], order=2, raise_exception=False)
    assert [(check.operation, check.operand) for check in report.failures] == [
        ("gradient of product[1]", "input 0"),
    ]


def test_second_derivatives_leave_captured_gradients_alone() -> None:
    w, x = Value(2.0), Value(3.0)
    w.grad = x.grad = 7.0
    assert gradcheck(lambda x: [(x * w).exp(), w * w + x], [x], order=2)
    assert (w.grad, x.grad) == (7.0, 7.0)
    assert (w.data, x.data) == (2.0, 3.0)
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: x.detach() * w * x, [x], order=2)
    assert (w.grad, x.grad) == (7.0, 7.0)


def test_a_kink_of_the_slope_fails_at_the_second_order() -> None:
    def square_of_relu(x: Value) -> Value:
        return ae.pow(ae.relu(x), 2)  # type: ignore[no-any-return]

    report = gradcheck(square_of_relu, [0.0], order=2, raise_exception=False)
    assert [check.passed for check in report.of_inputs] == [True, False]
    assert report.of_inputs[1].operation == "gradient of square_of_relu[0]"


def test_constant_slopes_are_checked_too() -> None:
    report = gradcheck(lambda x, y: 2 * x - y, [1.0, 2.0], order=2)
    assert [check.analytic for check in report.of_inputs] == [2.0, -1.0, 0.0, 0.0, 0.0, 0.0]


def test_neither_order_is_checked_under_no_grad() -> None:
    with no_grad(), pytest.raises(ValueError, match="no_grad"):
        gradcheck(lambda x: x * x, [3.0], order=2)


def test_the_order_may_be_given_by_name_and_by_position() -> None:
    assert len(gradcheck(ae.exp, [0.5], 2).of_inputs) == 2
    assert len(gradcheck(ae.exp, [0.5], order=1).of_inputs) == 1


def test_a_function_may_end_in_a_derivative() -> None:
    assert gradcheck(lambda x: ae.grad(lambda y: y**3 * x)(x), [0.4])
    assert gradcheck(lambda x: x * ae.grad(lambda y: y**3 * x)(x), [0.4], order=2)
