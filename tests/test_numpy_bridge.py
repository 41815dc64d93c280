"""NumPy and Values: functions, operators and arrays both ways, and what NumPy makes impossible."""

from __future__ import annotations

import math
import operator
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import autograd_engine as ae
from autograd_engine import Value
from autograd_engine.registry import TABLE
from autograd_engine.rows import NaryPrimitive

ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
by_name = {"ids": lambda f: f.__name__}


def array(*values: Any) -> Any:
    """A one-dimensional array of objects."""
    return np.array(values, dtype=object)


def data(values: Any) -> Any:
    """The data of an array of Values, by a way that shares nothing with NumPy's conversions."""
    assert values.dtype == object
    assert all(type(v) is Value and type(v.data) is float for v in values.flat)
    return np.array([v.data for v in values.flat]).reshape(values.shape)


def gradient_of(output: Value, inputs: Sequence[Value]) -> list[float]:
    for x in inputs:
        x.zero_grad()
    output.backward()
    assert all(type(x.grad) is float for x in inputs)
    return [x.grad for x in inputs]


# --- scalars --------------------------------------------------------------------------------------

SCALARS = [np.float64(2.5), np.float32(0.1), np.float16(0.1), np.int64(3), np.uint8(3), np.bool_(1)]


@pytest.mark.parametrize("scalar", [*SCALARS, np.array(2.5), np.array(3)], ids=repr)
@pytest.mark.parametrize("operate", ARITHMETIC, **by_name)
def test_a_numpy_scalar_is_a_constant_on_either_side(
    operate: Callable[[Any, Any], Any], scalar: Any
) -> None:
    v, number = Value(0.7), float(scalar)
    for z, plain in (
        (operate(v, scalar), operate(v, number)),
        (operate(scalar, v), operate(number, v)),
    ):
        assert type(z) is Value
        assert type(z.data) is float
        assert (z.data, list(z._derivatives)) == (plain.data, list(plain._derivatives))
        assert (z._op, z._prev) == (plain._op, (v,))
        assert [x if x is v else (type(x), x) for x in z._operands] == [
            x if x is v else (float, number) for x in z._operands
        ]


@pytest.mark.parametrize("scalar", [*SCALARS, np.array(2.5)], ids=repr)
@pytest.mark.parametrize("compare", COMPARISONS, **by_name)
def test_a_numpy_scalar_is_compared_by_data(
    compare: Callable[[Any, Any], Any], scalar: Any
) -> None:
    for number in (0.5, float(scalar), 4.0):
        v = Value(number)
        for result, expected in (
            (compare(v, scalar), compare(number, float(scalar))),
            (compare(scalar, v), compare(float(scalar), number)),
        ):
            assert isinstance(result, bool | np.bool_)
            assert bool(result) is expected


def test_an_augmented_numpy_scalar_becomes_a_value() -> None:
    v = Value(3.0)
    x: Any = np.float64(2.0)
    x *= v
    assert type(x) is Value
    assert (x.data, gradient_of(x, [v])) == (6.0, [2.0])


@pytest.mark.parametrize("scalar", [np.complex128(1j), np.str_("1"), np.bytes_(b"1")], ids=repr)
@pytest.mark.parametrize("operate", ARITHMETIC, **by_name)
def test_a_numpy_scalar_that_is_no_real_number_is_refused(
    operate: Callable[[Any, Any], Any], scalar: Any
) -> None:
    for arguments in ((Value(2.0), scalar), (scalar, Value(2.0))):
        with pytest.raises(TypeError):
            operate(*arguments)


def test_a_zero_d_array_that_holds_a_value_acts_as_the_value() -> None:
    v, w = Value(2.0), Value(3.0)
    held = np.asarray(w)
    assert (held.shape, held.dtype) == ((), np.dtype(object))
    for z in (held * v, np.multiply(v, held), np.multiply(held, v), v * held, ae.mul(v, held)):
        assert type(z) is Value
        assert (z.data, gradient_of(z, [v, w])) == (6.0, [3.0, 2.0])
    assert gradient_of(ae.exp(held), [w]) == gradient_of(np.exp(held), [w]) == [math.exp(3.0)]


# --- functions ------------------------------------------------------------------------------------

X, Y = 0.7, 1.9
R2 = X * X + Y * Y

CLOSED_FORMS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "absolute": ((-X,), (-1.0,)),
    "add": ((X, Y), (1.0, 1.0)),
    "arccos": ((X,), (-1 / math.sqrt(1 - X * X),)),
    "arccosh": ((Y,), (1 / math.sqrt(Y * Y - 1),)),
    "arcsin": ((X,), (1 / math.sqrt(1 - X * X),)),
    "arcsinh": ((X,), (1 / math.sqrt(1 + X * X),)),
    "arctan": ((X,), (1 / (1 + X * X),)),
    "arctan2": ((X, Y), (Y / R2, -X / R2)),
    "arctanh": ((X,), (1 / (1 - X * X),)),
    "cbrt": ((X,), (X ** (-2 / 3) / 3,)),
    "cos": ((X,), (-math.sin(X),)),
    "cosh": ((X,), (math.sinh(X),)),
    "divide": ((X, Y), (1 / Y, -X / Y**2)),
    "exp": ((X,), (math.exp(X),)),
    "expm1": ((X,), (math.exp(X),)),
    "hypot": ((X, Y), (X / math.sqrt(R2), Y / math.sqrt(R2))),
    "log": ((X,), (1 / X,)),
    "log10": ((X,), (1 / (X * math.log(10)),)),
    "log1p": ((X,), (1 / (1 + X),)),
    "log2": ((X,), (1 / (X * math.log(2)),)),
    "logaddexp": ((X, Y), (1 / (1 + math.exp(Y - X)), 1 / (1 + math.exp(X - Y)))),
    "maximum": ((X, Y), (0.0, 1.0)),
    "minimum": ((X, Y), (1.0, 0.0)),
    "multiply": ((X, Y), (Y, X)),
    "negative": ((X,), (-1.0,)),
    "power": ((X, Y), (Y * X ** (Y - 1), X**Y * math.log(X))),
    "float_power": ((X, Y), (Y * X ** (Y - 1), X**Y * math.log(X))),
    "sign": ((X,), (0.0,)),
    "sin": ((X,), (math.cos(X),)),
    "sinh": ((X,), (math.cosh(X),)),
    "sqrt": ((X,), (0.5 / math.sqrt(X),)),
    "square": ((X,), (2 * X,)),
    "subtract": ((X, Y), (1.0, -1.0)),
    "tan": ((X,), (1 / math.cos(X) ** 2,)),
    "tanh": ((X,), (1 / math.cosh(X) ** 2,)),
}
NUMPYS_OWN_NAMES = {
    "sub": "subtract", "mul": "multiply", "div": "divide", "neg": "negative"
}  # fmt: skip
NO_OBJECT_LOOP = {"float_power", "logaddexp"}
CHOOSE_AN_ELEMENT = {"maximum", "minimum", "sign"}

every_ufunc = pytest.mark.parametrize("name", CLOSED_FORMS)


def test_every_row_that_numpy_has_is_in_the_table_of_closed_forms() -> None:
    known = set()
    for row in TABLE.values():
        for name in (NUMPYS_OWN_NAMES.get(row.name, row.name), *row.aliases):
            ufunc = getattr(np, name, None)
            if isinstance(ufunc, np.ufunc) and ufunc.nin == row.arity:
                known.add(ufunc.__name__)
    assert known == CLOSED_FORMS.keys()


@every_ufunc
def test_a_numpy_function_of_values_is_the_primitive(name: str) -> None:
    ufunc, (point, slopes) = getattr(np, name), CLOSED_FORMS[name]
    operands = [Value(x) for x in point]
    z = ufunc(*operands)
    assert type(z) is Value
    assert z.data == pytest.approx(float(ufunc(*point)), rel=1e-15)
    assert [id(x) for x in z._prev] == [id(x) for x in operands]
    assert gradient_of(z, operands) == pytest.approx(slopes, rel=1e-14)


@pytest.mark.parametrize("name", [n for n, (point, _) in CLOSED_FORMS.items() if len(point) == 2])
@pytest.mark.parametrize("kind", [float, np.float64, np.array], ids=["float", "float64", "0-d"])
def test_a_numpy_function_takes_a_value_beside_a_number(
    name: str, kind: Callable[[float], Any]
) -> None:
    ufunc, ((x, y), slopes) = getattr(np, name), CLOSED_FORMS[name]
    v, w = Value(x), Value(y)
    first, second = ufunc(v, kind(y)), ufunc(kind(x), w)
    assert first.data == second.data == pytest.approx(float(ufunc(x, y)), rel=1e-15)
    assert gradient_of(first, [v]) == pytest.approx(slopes[:1], rel=1e-14)
    assert gradient_of(second, [w]) == pytest.approx(slopes[1:], rel=1e-14)


@pytest.mark.parametrize("name", sorted(CLOSED_FORMS.keys() - NO_OBJECT_LOOP - CHOOSE_AN_ELEMENT))
def test_a_numpy_function_of_arrays_of_values_calls_the_methods_of_the_elements(name: str) -> None:
    ufunc, (point, slopes) = getattr(np, name), CLOSED_FORMS[name]
    columns = [array(*(Value(x) for _ in range(3))) for x in point]
    z = ufunc(*columns)
    assert data(z) == pytest.approx(np.full(3, float(ufunc(*point))), rel=1e-15)
    for i in range(3):
        operands = [column[i] for column in columns]
        assert gradient_of(z[i], operands) == pytest.approx(slopes, rel=1e-14)


@pytest.mark.parametrize("name", [n for n, (point, _) in CLOSED_FORMS.items() if len(point) == 2])
def test_a_numpy_function_of_a_value_and_an_array_broadcasts(name: str) -> None:
    ufunc, ((x, y), slopes) = getattr(np, name), CLOSED_FORMS[name]
    v, many = Value(x), np.full((2, 3), y)
    z = ufunc(v, many)
    assert z.shape == (2, 3)
    assert data(z) == pytest.approx(np.full((2, 3), float(ufunc(x, y))), rel=1e-15)
    assert gradient_of(z[1, 2], [v]) == pytest.approx(slopes[:1], rel=1e-14)
    w, many = Value(y), np.full((2, 3), x)
    z = ufunc(many, w)
    assert gradient_of(z[1, 2], [w]) == pytest.approx(slopes[1:], rel=1e-14)


def test_a_value_beside_an_array_of_values_goes_through_the_primitive() -> None:
    """So conventions hold here, where a Value itself is an operand, also for the choosing ones."""
    v, many = Value(1.0), array(Value(1.0), Value(3.0))
    tie, below = np.maximum(v, many)
    assert gradient_of(tie, [v, many[0]]) == [0.5, 0.5]
    assert gradient_of(below, [v, many[1]]) == [0.0, 1.0]
    assert math.isnan(np.minimum(v, array(Value(math.nan)))[0].data)
    assert data(np.logaddexp(v, many)) == pytest.approx(np.logaddexp(1.0, [1.0, 3.0]))


def test_singular_points_give_ieee_results_through_numpy_too() -> None:
    assert np.log(Value(0.0)).data == -math.inf
    assert (np.float64(1.0) / Value(0.0)).data == math.inf
    assert math.isnan(np.sqrt(Value(-1.0)).data)
    assert data(np.array([1.0, -1.0]) / Value(0.0)).tolist() == [math.inf, -math.inf]


def test_singular_points_inside_an_array_of_values_do_not_warn() -> None:
    assert data(np.log(array(Value(0.0), Value(1.0)))).tolist() == [-math.inf, 0.0]
    assert data(np.exp(array(Value(1000.0), Value(0.0)))).tolist() == [math.inf, 1.0]
    assert data(1.0 / array(Value(0.0), Value(1.0))).tolist() == [math.inf, 1.0]


# --- comparing and asking -------------------------------------------------------------------------


@pytest.mark.parametrize("compare", COMPARISONS, **by_name)
def test_arrays_are_compared_by_data(compare: Callable[[Any, Any], Any]) -> None:
    numbers, v = np.array([[1.0, 2.0], [2.0, 3.0]]), Value(2.0)
    values = np.frompyfunc(Value, 1, 1)(numbers)
    for z, expected in (
        (compare(numbers, v), compare(numbers, 2.0)),
        (compare(v, numbers), compare(2.0, numbers)),
        (compare(values, v), compare(numbers, 2.0)),
        (compare(v, values), compare(2.0, numbers)),
        (compare(values, 2.0), compare(numbers, 2.0)),
        (compare(values, values), compare(numbers, numbers)),
    ):
        assert z.dtype == bool
        assert z.tolist() == expected.tolist()


def test_a_value_equals_no_text_and_no_none_in_an_array() -> None:
    v = Value(2.0)
    assert (np.array(["2.0"]) == v).tolist() == [False]
    assert (array(None, v, 2.0, "2.0") == v).tolist() == [False, True, True, False]
    assert (array(None, v) != v).tolist() == [True, False]


@pytest.mark.parametrize(
    "name", ["isfinite", "isinf", "isnan", "signbit", "floor", "ceil", "trunc", "rint"]
)
@pytest.mark.parametrize("x", [-1.5, 0.0, 2.5, math.inf, math.nan])
def test_questions_about_a_value_are_answered_by_data(name: str, x: float) -> None:
    answer = getattr(np, name)(Value(x))
    assert not isinstance(answer, Value)
    assert np.array_equal(answer, getattr(np, name)(x), equal_nan=True)


def test_comparisons_fill_an_array_that_is_given() -> None:
    out = np.zeros(2, dtype=bool)
    assert np.equal(Value(2.0), np.array([1.0, 2.0]), out=out) is out
    assert out.tolist() == [False, True]


def test_masks_and_extremes_of_values_work_by_data() -> None:
    values = array(Value(2.0), Value(-1.0), Value(3.0))
    assert [v.data for v in values[values > 0.0]] == [2.0, 3.0]
    assert [v.data for v in np.sort(values)] == [-1.0, 2.0, 3.0]
    assert (np.argmax(values), np.argmin(values)) == (2, 1)
    assert np.max(values) is values[2]
    assert np.allclose(values, [2.0, -1.0, 3.0])


# --- operators on arrays --------------------------------------------------------------------------


@pytest.mark.parametrize("operate", ARITHMETIC, **by_name)
@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 2, 2), (0,), (0, 3), (2, 0)], ids=str)
@pytest.mark.parametrize("of_values", [False, True], ids=["numbers", "Values"])
def test_an_operation_with_an_array_works_element_by_element_both_ways(
    operate: Callable[[Any, Any], Any], shape: tuple[int, ...], of_values: bool
) -> None:
    numbers = np.linspace(0.5, 2.0, math.prod(shape)).reshape(shape)
    operand = np.frompyfunc(Value, 1, 1)(numbers).astype(object) if of_values else numbers
    v = Value(1.5)
    for z, expected in (
        (operate(v, operand), operate(1.5, numbers)),
        (operate(operand, v), operate(numbers, 1.5)),
    ):
        assert z.shape == shape
        assert data(z) == pytest.approx(expected, rel=1e-15)
        for index in np.ndindex(shape):
            others = [x for x in z[index]._prev if x is not v]
            assert [id(x) for x in others] == [id(operand[index])] * of_values


def test_two_dimensional_arrays_broadcast_against_each_other() -> None:
    column, row = np.array([[1.0], [2.0]]), array(Value(3.0), Value(4.0), Value(5.0))
    z = column * row + Value(0.5)
    assert data(z).tolist() == [[3.5, 4.5, 5.5], [6.5, 8.5, 10.5]]
    assert gradient_of(z[1, 2], row) == [0.0, 0.0, 2.0]


def test_shapes_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        np.ones(2) * array(Value(1.0), Value(2.0), Value(3.0))
    with pytest.raises(ValueError):
        ae.maximum(np.ones(2), array(Value(1.0), Value(2.0), Value(3.0)))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16, np.float32, np.longdouble])
def test_arrays_of_every_real_type_are_constants(dtype: Any) -> None:
    numbers, v = np.array([0, 1, 1], dtype=dtype), Value(2.5)
    for z in (numbers * v, v * numbers, ae.mul(v, numbers), ae.mul(numbers, v)):
        assert data(z).tolist() == [0.0, 2.5, 2.5]
        assert {type(x) for node in z for x in node._operands} == {float, Value}
        assert gradient_of(z[1], [v]) == [1.0]


def test_a_float32_keeps_its_own_value() -> None:
    v = Value(1.0)
    assert (np.float32(0.1) * v).data == float(np.float32(0.1)) != 0.1
    assert (np.array([0.1], dtype=np.float32) * v)[0].data == float(np.float32(0.1))


@pytest.mark.parametrize("operate", ARITHMETIC, **by_name)
@pytest.mark.parametrize(
    ("bad", "remedy"),
    [
        (np.array([1j]), "real or imaginary part"),
        (np.array(["1"]), r"float\(text\)"),
        (array(None), "a number first"),
        (array("1"), r"float\(text\)"),
    ],
    ids=["complex", "text", "None", "text object"],
)
def test_an_array_of_what_is_no_real_number_is_refused_with_the_remedy(
    operate: Callable[[Any, Any], Any], bad: Any, remedy: str
) -> None:
    for arguments in ((Value(2.0), bad), (bad, Value(2.0))):
        with pytest.raises(TypeError, match=f"^[a-z]+: expected a real number, .*{remedy}"):
            operate(*arguments)


def test_no_array_ever_hides_in_data() -> None:
    numbers, v = np.array([1.0, 2.0]), Value(2.0)
    for z in (
        numbers * v,
        v * numbers,
        np.exp(v * numbers),
        ae.tanh(v * numbers),
        numbers @ [v, v],
    ):
        for node in np.atleast_1d(np.asarray(z, dtype=object)):
            assert type(node) is Value
            assert type(node.data) is float
    for act in (
        lambda: Value(numbers),
        lambda: setattr(v, "data", numbers),
        lambda: setattr(v, "grad", numbers),
        lambda: v.backward(numbers),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError, match="one element at a time"):
            act()
    v.data, v.grad = np.float64(3.0), np.array(4.0)  # type: ignore[assignment]
    assert (type(v.data), type(v.grad), v.data, v.grad) == (float, float, 3.0, 4.0)
    v.backward(np.float32(2.0))
    assert (type(v.grad), v.grad) == (float, 6.0)


# --- linear algebra and statistics ----------------------------------------------------------------


def five() -> tuple[Any, Any]:
    numbers = np.array([0.5, -1.0, 2.0, 0.25, 3.0])
    return numbers, array(*map(Value, numbers))


@pytest.mark.parametrize(
    "multiply", [operator.matmul, np.dot, np.matmul, np.inner], ids=["@", "dot", "matmul", "inner"]
)
def test_matrix_times_values(multiply: Callable[[Any, Any], Any]) -> None:
    _, xs = five()
    matrix = np.arange(10.0).reshape(2, 5)
    z = multiply(matrix, xs)
    assert data(z) == pytest.approx(matrix @ np.array([x.data for x in xs]), rel=1e-15)
    assert gradient_of(z[1], xs) == matrix[1].tolist()


def test_matrix_of_values_times_numbers_from_either_side() -> None:
    numbers, values = np.arange(1.0, 7.0).reshape(2, 3), np.array([0.5, -1.0, 2.0])
    weights = np.frompyfunc(Value, 1, 1)(numbers)
    z = weights @ values
    assert data(z).tolist() == (numbers @ values).tolist()
    assert gradient_of(z[0], list(weights.flat)) == [0.5, -1.0, 2.0, 0.0, 0.0, 0.0]
    assert data(np.ones(2) @ weights).tolist() == (np.ones(2) @ numbers).tolist()
    assert data(weights @ weights.T).tolist() == (numbers @ numbers.T).tolist()


def test_sums_and_products_of_values() -> None:
    numbers, xs = five()
    for total in (np.sum(xs), xs.sum(), np.add.reduce(xs)):
        assert total.data == pytest.approx(numbers.sum())
        assert gradient_of(total, xs) == [1.0] * 5
    product = np.prod(xs)
    assert gradient_of(product, xs) == pytest.approx(numbers.prod() / numbers)
    assert data(np.cumsum(xs)) == pytest.approx(np.cumsum(numbers))
    assert data(np.sum(np.stack([xs, xs]), axis=0)) == pytest.approx(2 * numbers)


def test_mean_of_values() -> None:
    numbers, xs = five()
    for mean in (np.mean(xs), xs.mean()):
        assert mean.data == pytest.approx(numbers.mean())
        assert gradient_of(mean, xs) == pytest.approx([0.2] * 5)


@pytest.mark.parametrize("ddof", [0, 1])
def test_variance_and_deviation_of_values(ddof: int) -> None:
    numbers, xs = five()
    slopes = 2 * (numbers - numbers.mean()) / (5 - ddof)
    variance = np.var(xs, ddof=ddof)
    assert variance.data == pytest.approx(np.var(numbers, ddof=ddof))
    assert gradient_of(variance, xs) == pytest.approx(slopes)
    deviation = np.std(xs, ddof=ddof)
    assert deviation.data == pytest.approx(np.std(numbers, ddof=ddof))
    assert gradient_of(deviation, xs) == pytest.approx(slopes / (2 * deviation.data))


def test_products_of_vectors_of_values() -> None:
    numbers, xs = five()
    for square in (np.dot(xs, xs), xs @ xs, np.inner(xs, xs), np.einsum("i,i->", xs, xs)):
        assert square.data == pytest.approx(numbers @ numbers)
        assert gradient_of(square, xs) == pytest.approx(2 * numbers)
    assert data(np.outer(xs, xs)) == pytest.approx(np.outer(numbers, numbers))
    assert data(np.diff(xs)) == pytest.approx(np.diff(numbers))


# --- the primitives on arrays ---------------------------------------------------------------------


@every_ufunc
def test_a_primitive_takes_arrays_of_values_numbers_and_both(name: str) -> None:
    point, slopes = CLOSED_FORMS[name]
    name = {value: key for key, value in NUMPYS_OWN_NAMES.items()}.get(name, name)
    row = next(row for row in TABLE.values() if name in (row.name, *row.aliases))
    columns = [array(Value(x), x, Value(x)) for x in point]
    z = row(*columns)
    assert type(z[0]) is Value
    assert type(z[1]) is float
    assert z[0].data == z[1] == row(*point)
    operands = [column[2] for column in columns]
    assert gradient_of(z[2], operands) == pytest.approx(slopes, rel=1e-14)
    if len(point) == 2:
        v = Value(point[0])
        z = row(v, np.full((2, 2), point[1]))
        assert gradient_of(z[1, 1], [v]) == pytest.approx(slopes[:1], rel=1e-14)
        w = Value(point[1])
        z = row(np.full((2, 2), point[0]), w)
        assert gradient_of(z[1, 1], [w]) == pytest.approx(slopes[1:], rel=1e-14)


def test_a_choice_among_arrays_and_values() -> None:
    v, w = Value(2.0), array(Value(3.0), Value(4.0))
    z = ae.where(np.array([True, False]), v, w)
    assert data(z).tolist() == [2.0, 4.0]
    assert gradient_of(z[0], [v, w[0]]) == [1.0, 0.0]
    assert gradient_of(z[1], [v, w[1]]) == [0.0, 1.0]
    assert ae.where(w > 3.5, w, 0.0)[0].data == 0.0


def test_sums_of_arrays_add_element_by_element() -> None:
    numbers, xs = five()
    v = Value(1.0)
    assert ae.sum([numbers, numbers]).tolist() == (2 * numbers).tolist()
    for total in (ae.sum([xs, numbers, v]), ae.sum([v, numbers, xs])):
        assert data(total) == pytest.approx(2 * numbers + 1.0)
        assert gradient_of(total[3], [v, *xs]) == [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    assert data(ae.mean([xs, numbers])) == pytest.approx(numbers)


def test_a_dot_and_a_logsumexp_of_arrays() -> None:
    numbers, xs = five()
    w = [Value(2.0), Value(-1.0)]
    z = ae.dot(w, [xs, numbers])
    assert data(z) == pytest.approx(numbers)
    assert gradient_of(z[2], [*w, xs[2]]) == [2.0, 2.0, 2.0]
    assert data(ae.logsumexp([xs, numbers])) == pytest.approx(np.logaddexp(numbers, numbers))
    shares = ae.softmax([xs, numbers])
    assert data(shares[0]) == pytest.approx(np.full(5, 0.5))


@pytest.mark.parametrize(
    "row", [r for r in TABLE.values() if isinstance(r, NaryPrimitive)], ids=repr
)
def test_an_nary_row_takes_the_elements_of_an_array(row: NaryPrimitive) -> None:
    numbers, xs = five()
    from_array, from_list = row(*[xs] * row.arity), row(*[list(xs)] * row.arity)
    assert type(from_array) is Value
    assert from_array.data == from_list.data == row(*[numbers] * row.arity)
    assert gradient_of(from_array, xs) == gradient_of(from_list, xs)


def test_a_primitive_of_nothing_is_nothing() -> None:
    for empty in (np.array([]), np.zeros((0, 3)), array(), np.zeros((2, 0), dtype=object)):
        assert ae.exp(empty).shape == np.exp(empty).shape == empty.shape
        assert ae.maximum(empty, Value(1.0)).shape == empty.shape


# --- options and other methods of NumPy's functions -----------------------------------------------


def test_out_takes_an_array_of_objects() -> None:
    v, out = Value(2.0), np.zeros(2, dtype=object)
    z = np.multiply(v, np.array([1.0, 3.0]), out=out)
    assert z is out
    assert data(out).tolist() == [2.0, 6.0]
    scalar = np.zeros((), dtype=object)
    assert np.exp(v, out=scalar) is scalar
    assert type(scalar.item()) is Value


def test_an_array_of_values_is_changed_in_place() -> None:
    v, values = Value(2.0), array(Value(1.0), Value(3.0))
    first, kept = values[0], values
    values *= v
    assert values is kept
    assert data(values).tolist() == [2.0, 6.0]
    assert gradient_of(values[0], [v, first]) == [1.0, 2.0]


@pytest.mark.parametrize("dtype", [float, int, np.float32])
def test_an_array_of_numbers_cannot_be_changed_into_values_in_place(dtype: Any) -> None:
    numbers = np.array([1, 2], dtype=dtype)
    with pytest.raises(TypeError, match=r"^multiply: .* write x = x \* v, not x \*= v"):
        numbers *= Value(2.0)
    with pytest.raises(TypeError, match=r"cannot hold Values"):
        np.exp(Value(2.0), out=np.zeros((), dtype=dtype))
    with pytest.raises(TypeError):
        numbers += array(Value(1.0), Value(2.0))
    assert numbers.tolist() == [1, 2]


@pytest.mark.parametrize(
    "options",
    [{"where": np.array(True)}, {"dtype": float}, {"casting": "unsafe"}, {"order": "F"}],
    ids=lambda options: next(iter(options)),
)
def test_options_that_do_not_go_with_a_value_are_named(options: dict[str, Any]) -> None:
    (option,) = options
    with pytest.raises(TypeError, match=rf"^add: {option}= does not go with a Value"):
        np.add(Value(2.0), 1.0, **options)


@pytest.mark.parametrize(
    ("called", "act"),
    [
        ("add.reduce", lambda v: np.add.reduce(v)),
        ("add.reduce", lambda v: np.sum(v)),
        ("maximum.reduce", lambda v: np.max(v)),
        ("add.accumulate", lambda v: np.add.accumulate(v)),
        ("add.reduceat", lambda v: np.add.reduceat(v, [0])),
        ("multiply.outer", lambda v: np.multiply.outer(v, [1.0, 2.0])),
        ("add.at", lambda v: np.add.at(np.zeros(2), 0, v)),
        ("less.reduce", lambda v: np.less.reduce(v)),
        ("matmul", lambda v: np.ones(2) @ v),
        ("remainder", lambda v: np.float64(3.0) % v),
        ("floor_divide", lambda v: np.ones(2) // v),
        ("divmod", lambda v: np.divmod(v, 2.0)),
        ("positive", lambda v: np.positive(v)),
        ("reciprocal", lambda v: np.reciprocal(v)),
        ("modf", lambda v: np.modf(v)),
        ("bitwise_and", lambda v: np.bool_(True) & v),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_what_no_primitive_stands_for_is_named_with_the_remedy(
    called: str, act: Callable[[Value], Any]
) -> None:
    with pytest.raises(TypeError, match=rf"^{called}: no primitive for it .* take .data"):
        act(Value(2.0))


def test_heaviside_of_numpy_has_an_operand_more_and_says_so() -> None:
    with pytest.raises(TypeError, match=r"^heaviside: expected 1 operands, got 2"):
        np.heaviside(Value(2.0), 0.5)
    assert ae.heaviside(array(Value(2.0)))[0].data == 1.0


# --- what NumPy makes impossible ------------------------------------------------------------------


def test_choosing_functions_give_one_element_the_whole_derivative() -> None:
    a, b = array(Value(1.0), Value(math.nan)), array(Value(1.0), Value(2.0))
    with np.errstate(invalid="ignore"):  # NumPy warns of a nan among objects of any kind
        chosen = np.maximum(a, b)
    assert (chosen[0] is a[0]) != (chosen[0] is b[0])
    shared = ae.maximum(a, b)
    assert gradient_of(shared[0], [a[0], b[0]]) == [0.5, 0.5]
    assert math.isnan(shared[1].data)
    assert np.max(b) is b[1]


@pytest.mark.parametrize("name", ["arctan2", "hypot"])
def test_functions_of_two_arrays_want_values_in_the_first(name: str) -> None:
    ufunc, numbers, values = getattr(np, name), np.array([1.0, 2.0]), array(Value(3.0), Value(4.0))
    assert data(ufunc(values, numbers)) == pytest.approx(ufunc([3.0, 4.0], [1.0, 2.0]))
    with pytest.raises((TypeError, AttributeError)):
        ufunc(numbers, values)
    row = {"arctan2": ae.atan2, "hypot": ae.hypot}[name]
    assert data(row(numbers, values)) == pytest.approx(ufunc([1.0, 2.0], [3.0, 4.0]))


@pytest.mark.parametrize(
    "act",
    [
        np.isfinite,
        np.isnan,
        lambda values: np.logaddexp(values, values),
        lambda values: np.linalg.inv(np.outer(values, values)),
        lambda values: np.linalg.solve(np.eye(2), values),
        lambda values: np.linalg.det(np.outer(values, values)),
    ],
    ids=["isfinite", "isnan", "logaddexp", "inv", "solve", "det"],
)
def test_functions_without_a_loop_for_objects_raise(act: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        act(array(Value(1.0), Value(2.0)))
    v = Value(1.0)
    assert data(ae.logaddexp(array(v, v), 1.0)) == pytest.approx(1.0 + math.log(2.0))


def test_an_array_that_mixes_numbers_and_values_goes_through_the_primitives() -> None:
    v = Value(2.0)
    with pytest.raises(TypeError):
        np.exp(array(1.0, v))
    z = ae.exp(array(1.0, v))
    assert [float(x) for x in z] == [math.e, math.exp(2.0)]
    assert gradient_of(z[1], [v]) == [math.exp(2.0)]


def test_converting_to_floats_takes_the_data() -> None:
    values = [Value(1.0) * 2, Value(3.0)]
    for numbers in (np.array(values, dtype=float), array(*values).astype(float)):
        assert numbers.dtype == float
        assert numbers.tolist() == [2.0, 3.0]
    assert type(np.float64(values[1])) is np.float64


# --- loading --------------------------------------------------------------------------------------


def run(program: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_importing_the_package_does_not_import_numpy() -> None:
    assert run("import sys, autograd_engine; print('numpy' in sys.modules)") == "False\n"


@pytest.mark.parametrize("first", ["numpy", "autograd_engine"])
def test_either_may_be_imported_first(first: str) -> None:
    program = (
        f"import {first}, autograd_engine, numpy as np; v = autograd_engine.Value(2.0); "
        "print(type(np.float64(2) * v).__name__, np.exp(v)._op, (np.ones(1) * v).dtype)"
    )
    assert run(program) == "Value exp object\n"


# --- SciPy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "x", "slope"),
    [
        ("erf", 0.5, 2 / math.sqrt(math.pi) * math.exp(-0.25)),
        ("cbrt", 8.0, 1 / 12),
        ("expm1", 0.5, math.exp(0.5)),
        ("log1p", 0.5, 1 / 1.5),
    ],
)
def test_functions_of_scipy_that_are_rows_work_on_a_value(
    name: str, x: float, slope: float
) -> None:
    special = pytest.importorskip("scipy.special")
    v = Value(x)
    z = getattr(special, name)(v)
    assert type(z) is Value
    assert z.data == pytest.approx(float(getattr(special, name)(x)))
    assert gradient_of(z, [v]) == pytest.approx([slope])


def test_other_functions_of_scipy_are_refused_with_the_remedy() -> None:
    special = pytest.importorskip("scipy.special")
    with pytest.raises(TypeError, match=r"expit: no primitive for it on a Value; use a primitive"):
        special.expit(Value(0.5))
    with pytest.raises(TypeError):
        special.erf(array(Value(0.5)))


# --- strangers other than arrays ------------------------------------------------------------------


class Knowing:
    """Knows what to do with a Value on its left, and in a primitive."""

    def __radd__(self, other: Any) -> str:
        return f"{other.data} + stranger"

    @staticmethod
    def bind(row: Any, operands: tuple[Any, ...]) -> str:
        return f"{row.name} of {len(operands)}"


class Refusing:
    """Has the same hook, and passes."""

    @staticmethod
    def bind(row: Any, operands: tuple[Any, ...]) -> Any:
        return NotImplemented


def test_a_stranger_that_knows_better_is_asked() -> None:
    v = Value(2.0)
    assert v + Knowing() == "2.0 + stranger"
    for operands in ((v, Knowing()), (Knowing(), v), (1.0, Knowing())):
        assert ae.maximum(*operands) == "maximum of 2"
    assert ae.exp(Knowing()) == "exp of 1"


@pytest.mark.parametrize("operate", ARITHMETIC, **by_name)
def test_a_stranger_that_knows_nothing_is_a_type_error(operate: Callable[[Any, Any], Any]) -> None:
    for operands in ((Value(2.0), object()), (object(), Value(2.0))):
        with pytest.raises(TypeError, match="unsupported operand type"):
            operate(*operands)


def test_strangers_that_all_pass_are_a_type_error_that_names_the_primitive() -> None:
    v = Value(2.0)
    for operands in ((v, Refusing()), (Refusing(), v), (1.0, Refusing())):
        with pytest.raises(TypeError, match=r"^maximum: these operands do not go together"):
            ae.maximum(*operands)
    with pytest.raises(TypeError, match=r"^maximum: expected a real number"):
        ae.maximum(v, object())


def test_masked_arrays_keep_their_mask_and_the_graph() -> None:
    v, masked = Value(2.0), np.ma.array([1.0, 100.0], mask=[False, True])
    for z in (masked * v, v * masked):
        assert z.mask.tolist() == [False, True]
        assert isinstance(z[0], Value)
        assert z[0]._prev[0] is v
    assert isinstance((v * np.ma.array([1.0, 2.0])).sum(), Value)
