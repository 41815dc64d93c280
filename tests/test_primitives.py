"""Every row of the table, whatever rows it has: nothing here names them one by one."""

from __future__ import annotations

import functools
import itertools
import math
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest

import autograd_engine
from autograd_engine import GradcheckError, Graph, Value, gradcheck, log_softmax, softmax
from autograd_engine.gradcheck import central_difference, complex_step
from autograd_engine.primitives import (
    ON_ARRAYS,
    TABLE,
    Elementary,
    Namespace,
    NaryPrimitive,
    Primitive,
)

EPSILON = sys.float_info.epsilon
SIZES = (1, 2, 7)
DRAWS = 8
ROWS = list(TABLE.values())
ELEMENTWISE = [row for row in ROWS if not isinstance(row, NaryPrimitive)]
NARY = [row for row in ROWS if isinstance(row, NaryPrimitive)]
BAD_OPERANDS = ["0.5", None, [0.5], 0.5j]


def by_name(x: Any) -> str | None:
    return x.name if isinstance(x, Primitive) else None


every_row = pytest.mark.parametrize("row", ROWS, ids=by_name)
every_elementwise_row = pytest.mark.parametrize("row", ELEMENTWISE, ids=by_name)
every_nary_row = pytest.mark.parametrize("row", NARY, ids=by_name)


def draw(low: float, high: float, rng: random.Random) -> float:
    """A number well inside an open interval, which may be infinite on either side."""
    if math.isfinite(low) and math.isfinite(high):
        return low + (high - low) * rng.uniform(0.05, 0.95)
    if math.isfinite(low):
        return low + math.exp(rng.uniform(-3.0, 2.0))
    if math.isfinite(high):
        return high - math.exp(rng.uniform(-3.0, 2.0))
    return rng.uniform(-4.0, 4.0)


def points(row: Primitive, size: int | None = None) -> list[tuple[float, ...]]:
    """Operands of the row, flat; an n-ary row gets sequences of `size`, or of each of SIZES."""
    rng = random.Random(row.name)
    sizes = (1,) if row not in NARY else SIZES if size is None else (size,)
    return [
        tuple(draw(low, high, rng) for low, high in row.domain for _ in range(n))
        for n in sizes
        for _ in range(DRAWS)
    ]


def split(row: Primitive, operands: Sequence[Any]) -> Sequence[Any]:
    """The arguments of a call with these flat operands."""
    if not isinstance(row, NaryPrimitive):
        return operands
    n = len(operands) // row.arity
    return [list(operands[i * n : (i + 1) * n]) for i in range(row.arity)]


def call(row: Primitive, operands: Sequence[Any]) -> Any:
    return row(*split(row, operands))


def replaced(operands: Sequence[Any], position: int, x: Any) -> list[Any]:
    return [*operands[:position], x, *operands[position + 1 :]]


def assert_close(analytic: float, expected: float, tolerance: float) -> None:
    assert abs(analytic - expected) <= tolerance * max(1.0, abs(expected)), (analytic, expected)


# --- local derivatives against three sources of truth ---------------------------------------------


@every_row
def test_local_derivatives_agree_with_central_differences(row: Primitive) -> None:
    for operands in points(row):
        node = call(row, [Value(x) for x in operands])
        for i, derivative in enumerate(node._derivatives):

            def along(x: float, i: int = i, operands: tuple[float, ...] = operands) -> float:
                return float(call(row, replaced(operands, i, x)))

            assert_close(derivative, central_difference(along, operands[i]), 1e-7)


@pytest.mark.parametrize("row", [row for row in ROWS if row.analytic], ids=by_name)
def test_local_derivatives_agree_with_a_complex_step(row: Primitive) -> None:
    for operands in points(row):
        node = call(row, [Value(x) for x in operands])
        for i, derivative in enumerate(node._derivatives):
            assert_close(derivative, complex_step(row, operands, i), 1e-13)


def mpmath_form(form: Elementary) -> Any:
    renamed: dict[str, Callable[..., Any]] = {
        "abs": mpmath.fabs,
        "pow": mpmath.power,
        "square": lambda x: x * x,
        "log2": lambda x: mpmath.log(x, 2),
        "where": lambda c, x, y: x if c else y,
    }
    name = form.signature.__name__
    return renamed.get(name) or getattr(mpmath, name)


ON_MPMATH = Namespace(mpmath_form)


@every_row
def test_primal_and_local_derivatives_agree_with_fifty_digits(row: Primitive) -> None:
    with mpmath.workdps(50):
        for operands in points(row):
            exact = [mpmath.mpf(x) for x in operands]
            node = call(row, [Value(x) for x in operands])
            assert_close(node.data, float(row.primal(ON_MPMATH, exact)), 1e-13)
            for i, derivative in enumerate(node._derivatives):

                def along(x: Any, i: int = i, exact: list[Any] = exact) -> Any:
                    return +row.primal(ON_MPMATH, replaced(exact, i, x))

                assert_close(derivative, float(mpmath.diff(along, exact[i])), 1e-13)


# --- one row, every kind of operand ---------------------------------------------------------------


@every_row
def test_floats_and_values_give_the_same_bits(row: Primitive) -> None:
    for operands in points(row):
        assert call(row, operands) == call(row, [Value(x) for x in operands]).data


@every_row
def test_arrays_give_the_results_of_floats(row: Primitive) -> None:
    samples = points(row, size=3)
    columns = [np.array(column) for column in zip(*samples, strict=True)]
    z = call(row, columns)
    assert isinstance(z, np.ndarray)
    assert z.shape == (len(samples),)
    floats = np.array([call(row, operands) for operands in samples])
    assert np.all(np.abs(z - floats) <= 8 * EPSILON * np.maximum(1.0, np.abs(floats)))


@every_row
def test_derivative_formulas_hold_on_arrays(row: Primitive) -> None:
    samples = points(row, size=3)
    columns = [np.array(column) for column in zip(*samples, strict=True)]
    derivatives = row.local_derivatives(ON_ARRAYS, row.primal(ON_ARRAYS, columns), columns)
    expected = zip(*[row.linearize(operands)[1] for operands in samples], strict=True)
    for on_arrays, on_floats in zip(derivatives, expected, strict=True):
        floats = np.array(on_floats)
        assert np.all(np.abs(on_arrays - floats) <= 16 * EPSILON * np.maximum(1.0, np.abs(floats)))


@every_row
def test_plain_numbers_of_every_type_give_a_float(row: Primitive) -> None:
    operands = points(row, size=2)[0]
    kinds: list[Callable[[float], Any]] = [float, np.float64, np.asarray]
    for kind in kinds:
        z = call(row, [kind(x) for x in operands])
        assert type(z) is float
        assert z == call(row, operands)


@every_row
def test_data_and_derivatives_are_floats(row: Primitive) -> None:
    for operands in [*points(row), (0.0,) * row.arity, (math.inf,) * row.arity]:
        node = call(row, [Value(x) for x in operands])
        assert type(node.data) is float
        assert [type(derivative) for derivative in node._derivatives] == [float] * len(operands)


@every_row
def test_operands_keep_their_order(row: Primitive) -> None:
    for operands in points(row):
        values = [Value(x) for x in operands]
        node = call(row, values)
        assert [id(x) for x in node._prev] == [id(x) for x in values]
        assert [id(x) for x in node._operands] == [id(x) for x in values]
        assert list(node._derivatives) == list(row.linearize(operands)[1])


@pytest.mark.parametrize(
    ("name", "operands", "expected"),
    [
        ("sub", (5.0, 3.0), 2.0),
        ("div", (6.0, 3.0), 2.0),
        ("pow", (2.0, 3.0), 8.0),
        ("where", (1.0, 5.0, 7.0), 5.0),
        ("where", (0.0, 5.0, 7.0), 7.0),
        ("exp_difference", (2.0, 1.0), math.e),
        ("maximum", (2.0, 3.0), 3.0),
        ("minimum", (2.0, 3.0), 2.0),
    ],
)
def test_first_operand_comes_first(name: str, operands: tuple[float, ...], expected: float) -> None:
    assert TABLE[name](*operands) == expected
    assert TABLE[name](*[Value(x) for x in operands]).data == expected


@every_elementwise_row
def test_constants_get_no_edge(row: Primitive) -> None:
    operands = points(row)[0]
    every_derivative = row.linearize(operands)[1]
    for chosen in itertools.product((True, False), repeat=row.arity):
        if not any(chosen):
            continue
        mixed = [Value(x) if keep else x for x, keep in zip(operands, chosen, strict=True)]
        node = row(*mixed)
        assert node.data == row(*operands)
        assert [id(x) for x in node._prev] == [id(x) for x in mixed if isinstance(x, Value)]
        assert list(node._derivatives) == list(itertools.compress(every_derivative, chosen))
        assert list(map(float, node._operands)) == list(operands)


@pytest.mark.parametrize("row", [row for row in ELEMENTWISE if row.arity == 1], ids=by_name)
def test_a_row_with_one_operand_is_a_method_too(row: Primitive) -> None:
    name = {"neg": "__neg__", "abs": "__abs__"}.get(row.name, row.name)
    for (x,) in points(row):
        by_method, by_call = getattr(Value(x), name)(), row(Value(x))
        assert by_method.data == by_call.data
        assert by_method._derivatives == by_call._derivatives
        assert by_method._op == row.symbol


# --- what a row says about itself -----------------------------------------------------------------


@every_row
def test_row_is_documented(row: Primitive) -> None:
    assert row.__doc__ is not None
    assert "Source: " in row.__doc__
    assert row.symbol
    assert TABLE[row.name] is row


@every_row
def test_latex_shows_every_operand_in_balanced_braces(row: Primitive) -> None:
    marks = ["FIRST", "SECOND", "THIRD"][: row.arity]
    text = row.latex.format(*marks)
    assert [mark for mark in marks if mark not in text] == []
    assert text.count("{") == text.count("}")
    assert row._repr_latex_().startswith("$z = ")


@every_row
def test_derivatives_and_domain_fit_the_operands(row: Primitive) -> None:
    assert len(row.derivatives) == row.arity == len(row.domain)
    assert all(low < high for low, high in row.domain)


@every_row
def test_node_shows_the_symbol(row: Primitive) -> None:
    assert call(row, [Value(x) for x in points(row)[0]])._op == row.symbol


# --- bad operands ---------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", BAD_OPERANDS, ids=repr)
@every_row
def test_bad_operand_is_named(row: Primitive, bad: Any) -> None:
    operands = points(row, size=2)[0]
    for position in range(len(operands)):
        for others in (operands, [Value(x) for x in operands]):
            with pytest.raises(TypeError, match=f"^{row.name}: expected a real number"):
                call(row, replaced(others, position, bad))


@pytest.mark.parametrize(
    ("bad", "remedy"),
    [("1", "float(text)"), (1j, "real or imaginary part"), ([1.0], "[Value(v) for v in data]")],
)
def test_bad_operand_comes_with_a_remedy(bad: Any, remedy: str) -> None:
    with pytest.raises(TypeError, match=re.escape(remedy)):
        autograd_engine.exp(bad)


@pytest.mark.parametrize("bad", ["0.5", None, 0.5j], ids=repr)
@pytest.mark.parametrize("row", [row for row in ELEMENTWISE if row.arity > 1], ids=by_name)
def test_bad_operand_beside_an_array_is_named(row: Primitive, bad: Any) -> None:
    operands = [np.array([x]) for x in points(row)[0]]
    for position in range(row.arity):
        with pytest.raises(TypeError, match=f"^{row.name}: "):
            row(*replaced(operands, position, bad))


@every_elementwise_row
def test_complex_array_is_refused(row: Primitive) -> None:
    with pytest.raises(TypeError, match=f"^{row.name}: "):
        row(*[np.array([x + 0.5j]) for x in points(row)[0]])


@every_elementwise_row
def test_array_of_values_is_not_cut_from_the_graph(row: Primitive) -> None:
    operands = [np.array([Value(x)], dtype=object) for x in points(row)[0]]
    try:
        (z,) = row(*operands)
    except TypeError:
        return
    assert isinstance(z, Value)
    assert [id(x) for x in z._prev] == [id(column[0]) for column in operands]


@every_row
def test_wrong_number_of_operands_is_refused(row: Primitive) -> None:
    arguments = list(split(row, points(row)[0]))
    for wrong in (arguments[1:], [*arguments, arguments[0]]):
        with pytest.raises(TypeError, match=f"^{row.name}: expected {row.arity} "):
            row(*wrong)


@every_nary_row
@pytest.mark.parametrize("bad", [None, 3.0, Value(1.0)], ids=["None", "float", "Value"])
def test_nary_row_wants_sequences(row: Primitive, bad: Any) -> None:
    with pytest.raises(TypeError, match=f"^{row.name}: expected a sequence"):
        row(*[bad] * row.arity)


# --- many operands --------------------------------------------------------------------------------


@every_nary_row
@pytest.mark.parametrize("size", SIZES)
def test_nary_row_takes_generators(row: Primitive, size: int) -> None:
    operands = [Value(x) for x in points(row, size)[0]]
    from_lists = call(row, operands)
    from_generators = row(*[(x for x in xs) for xs in split(row, operands)])
    assert from_generators.data == from_lists.data
    assert [id(x) for x in from_generators._prev] == [id(x) for x in operands]


@every_nary_row
def test_nary_row_of_nothing_is_a_float_or_a_clear_error(row: Primitive) -> None:
    for arguments in ([[]] * row.arity, [iter(())] * row.arity):
        try:
            z = row(*arguments)
        except ValueError as error:
            assert str(error).startswith(f"{row.name}: needs at least one value")
        else:
            assert type(z) is float


def test_empty_sum_and_dot_are_zero() -> None:
    assert autograd_engine.sum([]) == 0.0
    assert autograd_engine.dot([], []) == 0.0


@pytest.mark.parametrize("name", ["mean", "logsumexp"])
def test_empty_mean_and_logsumexp_are_errors(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: needs at least one value, got none$"):
        TABLE[name]([])


@pytest.mark.parametrize("row", [row for row in NARY if row.arity > 1], ids=by_name)
def test_sequences_of_different_length_are_refused(row: Primitive) -> None:
    sequences: list[Any] = [[Value(1.0)] * (i + 2) for i in range(row.arity)]
    with pytest.raises(ValueError, match=f"^{row.name}: the sequences differ in length: 2 and 3"):
        row(*sequences)
    with pytest.raises(ValueError, match=f"^{row.name}: the sequences differ in length"):
        row([], *sequences[1:])


@every_nary_row
def test_nary_row_mixes_constants_and_values(row: Primitive) -> None:
    operands = points(row, size=3)[0]
    every_derivative = row.linearize(operands)[1]
    for chosen in itertools.product((True, False), repeat=len(operands)):
        if not any(chosen):
            continue
        mixed = [Value(x) if keep else x for x, keep in zip(operands, chosen, strict=True)]
        node = call(row, mixed)
        assert node.data == call(row, operands)
        assert [id(x) for x in node._prev] == [id(x) for x in mixed if isinstance(x, Value)]
        assert list(node._derivatives) == list(itertools.compress(every_derivative, chosen))


@every_nary_row
def test_a_value_twice_in_a_sequence_has_two_edges(row: Primitive) -> None:
    x = Value(0.7)
    node = row(*[[x, x]] * row.arity)
    assert len(node._prev) == 2 * row.arity
    node.backward()
    assert x.grad == pytest.approx(math.fsum(node._derivatives), rel=1e-15)


def test_sums_add_from_left_to_right() -> None:
    xs = [1e16, 1.0, -1e16, 1.0]
    assert autograd_engine.sum([Value(x) for x in xs]).data == 1.0
    assert autograd_engine.dot([Value(x) for x in xs], [1.0] * 4).data == 1.0
    assert autograd_engine.mean([Value(x) for x in xs]).data == 0.25


# --- softmax and log_softmax ----------------------------------------------------------------------

both_softmaxes = pytest.mark.parametrize("function", [softmax, log_softmax])


@both_softmaxes
@pytest.mark.parametrize("size", SIZES)
def test_softmax_has_three_edges_an_operand(function: Callable[..., Any], size: int) -> None:
    outputs = function([Value(float(i)) for i in range(size)])
    graph = Graph(autograd_engine.sum(outputs))
    assert len(graph.edges) - size == 3 * size
    assert len(graph.nodes) - 1 == size + 1 + size


@both_softmaxes
@pytest.mark.parametrize(
    "operands", [(0.3,), (0.5, -1.2, 2.0), (1000.0, 0.0, -1000.0), (-1000.0, -1000.5)]
)
def test_softmax_agrees_with_fifty_digits(
    function: Callable[..., Any], operands: tuple[float, ...]
) -> None:
    with mpmath.workdps(1000):
        powers = [mpmath.exp(mpmath.mpf(x)) for x in operands]
        shares = [power / mpmath.fsum(powers) for power in powers]
        exact = [float(mpmath.log(s)) if function is log_softmax else float(s) for s in shares]
        shares = [float(s) for s in shares]
    for i, expected in enumerate(exact):
        xs = [Value(x) for x in operands]
        outputs = function(xs)
        assert_close(outputs[i].data, expected, 1e-13)
        assert_close(function(list(operands))[i], expected, 1e-13)
        outputs[i].backward()
        for j, x in enumerate(xs):
            slope = (i == j) - shares[j]
            assert_close(x.grad, slope * (1.0 if function is log_softmax else shares[i]), 1e-12)


@both_softmaxes
def test_softmax_takes_generators_and_constants(function: Callable[..., Any]) -> None:
    v = Value(0.5)
    mixed = function(x for x in (1.0, v, 2))
    assert [z.data for z in mixed] == function([1.0, 0.5, 2.0])
    mixed[0].backward()
    assert v.grad == pytest.approx(
        -math.exp(0.5)
        / (math.e + math.exp(0.5) + math.exp(2.0))
        * (mixed[0].data if function is softmax else 1.0)
    )


@both_softmaxes
def test_softmax_of_nothing_is_an_error(function: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="needs at least one value"):
        function([])


def test_an_operand_of_minus_infinity_has_no_share() -> None:
    xs = [Value(-math.inf), Value(1.0), Value(1.0)]
    shares = softmax(xs)
    assert [z.data for z in shares] == pytest.approx([0.0, 0.5, 0.5], abs=1e-15)
    shares[1].backward()
    assert [x.grad for x in xs] == pytest.approx([0.0, 0.25, -0.25], abs=1e-15)
    logs = log_softmax([-math.inf, 1.0, 1.0])
    assert logs == pytest.approx([-math.inf, -math.log(2.0), -math.log(2.0)], abs=1e-15)


@both_softmaxes
@pytest.mark.parametrize(
    "operands",
    list(itertools.product((0.0, 1000.0, math.inf, -math.inf, math.nan), repeat=3)),
)
def test_softmax_never_raises(function: Callable[..., Any], operands: tuple[float, ...]) -> None:
    xs = [Value(x) for x in operands]
    outputs = function(xs)
    assert all(type(z.data) is float for z in outputs)
    outputs[0].backward()
    assert math.nan not in operands or math.isnan(outputs[0].data)


# --- a wrong row is caught ------------------------------------------------------------------------

CHANGES: dict[str, Callable[[float], float]] = {
    "sign": lambda d: -d,
    "0.1 percent": lambda d: d * 1.001,
    "+ 1e-3": lambda d: d + 1e-3,
}


class WrongDerivative(NamedTuple):
    row: Primitive
    position: int
    change: str
    operands: tuple[float, ...]
    edge: int


def wrong_derivatives() -> Iterator[Any]:
    """Each row, operand and change, at the point where the derivative is largest.

    A factor does nothing to a derivative of 0, as of `where` by its condition: left out.
    """
    for row in ROWS:
        samples = points(row, size=2)
        stride = len(samples[0]) // row.arity
        for position in range(row.arity):
            edge = position * stride
            slopes = [abs(row.linearize(operands)[1][edge]) for operands in samples]
            steepest = max(range(len(samples)), key=slopes.__getitem__)
            for change in CHANGES:
                if slopes[steepest] > 0.0 or change == "+ 1e-3":
                    yield pytest.param(
                        WrongDerivative(row, position, change, samples[steepest], edge),
                        id=f"{row.name}-{position}-{change}",
                    )


def rebuilt(row: Primitive, derivatives: tuple[Callable[..., Any], ...]) -> Primitive:
    """The row with other derivatives, not entered into the table."""
    return type(row)(
        row.elementary or row.function,
        derivatives,
        latex=row.latex,
        symbol=row.symbol,
        domain=row.domain,
        analytic=row.analytic,
    )


def changed(derivative: Callable[..., Any], change: Callable[[float], float]) -> Callable[..., Any]:
    def wrong(z: Any, *operands: Any) -> Any:
        right = derivative(z, *operands)
        return [change(d) for d in right] if isinstance(right, Sequence) else change(right)

    return wrong


@pytest.mark.parametrize("case", list(wrong_derivatives()))
def test_gradcheck_catches_a_wrong_derivative(case: WrongDerivative) -> None:
    row = case.row
    derivatives = list(row.derivatives)
    derivatives[case.position] = changed(derivatives[case.position], CHANGES[case.change])
    wrong = rebuilt(row, tuple(derivatives))
    blame = rf"FAIL {re.escape(row.symbol)}, operand {case.edge} = "
    with pytest.raises(GradcheckError, match=blame):
        gradcheck(lambda *xs: call(wrong, xs), case.operands)
    assert TABLE[row.name] is row


@every_row
def test_gradcheck_passes_the_row_itself(row: Primitive) -> None:
    same = rebuilt(row, tuple(changed(d, lambda x: x) for d in row.derivatives))
    for operands in points(row):
        for function in (row, same):
            report = gradcheck(lambda *xs, function=function: call(function, xs), operands)
            assert {check.operation for check in report.checks} >= {row.symbol}


def test_gradcheck_names_the_wrong_operation_inside_a_function() -> None:
    tanh = TABLE["tanh"]
    wrong = rebuilt(tanh, (changed(tanh.derivatives[0], CHANGES["0.1 percent"]),))
    with pytest.raises(GradcheckError) as error:
        gradcheck(lambda x, w: (wrong(x * w) + x) ** 2, [0.5, -1.5])
    failed = [line for line in str(error.value).splitlines() if line.startswith("FAIL")]
    blamed = [line for line in failed if "<lambda>" not in line]
    assert [line.split(",")[0] for line in blamed] == ["FAIL tanh"]


def test_left_to_right_is_the_order_of_reduce() -> None:
    rng = random.Random(0)
    xs = [rng.uniform(-1.0, 1.0) * 10.0 ** rng.randint(-8, 8) for _ in range(100)]
    assert autograd_engine.sum(xs) == functools.reduce(lambda a, b: a + b, xs)


@pytest.mark.parametrize("size", [1.0, 1e3, 1e15, 1e300])
def test_logsumexp_shares_its_derivative_exactly_at_any_size(size: float) -> None:
    assert autograd_engine.logsumexp([Value(size), Value(size)])._derivatives == [0.5, 0.5]


def test_a_row_with_a_complex_or_whole_result_makes_float_nodes() -> None:
    root = Primitive(lambda x: x**0.5, (lambda z, x: 0.5 / z,), latex="{0}")
    one = Primitive(lambda x: 1, (0.0,), latex="1")
    assert math.isnan(root(Value(-2.0)).data)
    assert type(one(Value(2.0)).data) is float


def test_a_formula_names_its_own_operands() -> None:
    assert autograd_engine.where._repr_latex_() == r"$z = c\ ?\ x : y$"
    assert autograd_engine.dot._repr_latex_() == r"$z = \sum_i w_i x_i$"
