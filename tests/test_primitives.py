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
from autograd_engine.registry import ALIASES, TABLE
from autograd_engine.rows import ON_ARRAYS, Elementary, Namespace, NaryPrimitive, Primitive

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
    error = tolerance * max(1.0, abs(expected))
    assert analytic == expected or abs(analytic - expected) <= error < math.inf, (
        analytic,
        expected,
    )


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
        "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
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


def second_derivatives(row: Primitive, operands: Sequence[float]) -> list[list[float]]:
    """The derivatives by every operand of each local derivative: a formula runs on Values too."""
    values = [Value(x) for x in operands]
    z, rows = call(row, values), []
    for slope in row.derivatives:
        of_slope = slope(z, *split(row, values))
        for slope_of_one in of_slope if isinstance(row, NaryPrimitive) else [of_slope]:
            for x in values:
                x.zero_grad()
            if isinstance(slope_of_one, Value):
                slope_of_one.backward()
            rows.append([x.grad for x in values])
    return rows


@every_row
def test_second_derivatives_agree_with_fifty_digits(row: Primitive) -> None:
    with mpmath.workdps(50):
        for operands in points(row, size=2)[:4]:
            exact = [mpmath.mpf(x) for x in operands]
            found = second_derivatives(row, operands)
            for i, j in itertools.product(range(len(operands)), repeat=2):
                orders = [(i == k) + (j == k) for k in range(len(operands))]
                expected = mpmath.diff(lambda *xs: +row.primal(ON_MPMATH, xs), exact, orders)
                assert_close(found[i][j], float(expected), 1e-11)


# The definitions, written down once more: the table computes them in forms that cannot overflow.
DEFINITIONS: dict[str, Callable[..., Any]] = {
    "square": lambda x: x**2,
    "hypot": lambda x, y: mpmath.sqrt(x**2 + y**2),
    "atan2": lambda y, x: mpmath.arg(mpmath.mpc(x, y)),
    "sign": lambda x: x / abs(x),
    "heaviside": lambda x: (1 + x / abs(x)) / 2,
    "maximum": lambda x, y: (x + y + abs(x - y)) / 2,
    "minimum": lambda x, y: (x + y - abs(x - y)) / 2,
    "exp_difference": lambda x, y: mpmath.exp(x) / mpmath.exp(y),
    "logaddexp": lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
    "expm1": lambda x: mpmath.exp(x) - 1,
    "tanh": lambda x: (mpmath.exp(x) - mpmath.exp(-x)) / (mpmath.exp(x) + mpmath.exp(-x)),
    "asinh": lambda x: mpmath.log(x + mpmath.sqrt(x**2 + 1)),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "relu": lambda x: (x + abs(x)) / 2,
    "leaky_relu": lambda x: max(x, x / 100),
    "elu": lambda x: x if x > 0 else mpmath.exp(x) - 1,
    "gelu": lambda x: x * mpmath.ncdf(x),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "mish": lambda x: x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x))),
    "sum": lambda *xs: mpmath.fsum(xs),
    "mean": lambda *xs: mpmath.fsum(xs) / len(xs),
    "logsumexp": lambda *xs: mpmath.log(mpmath.fsum(map(mpmath.exp, xs))),
}
FAR = (-1000.0, -37.5, -6.25, -0.5, 0.5, 6.25, 37.5, 1000.0)


def test_every_composite_row_is_checked_against_its_definition() -> None:
    arithmetic = {"add", "sub", "mul", "div", "neg", "dot"}  # nothing but the operator itself
    composite = {row.name for row in ROWS if row.elementary is None}
    assert composite - arithmetic - set(DEFINITIONS) == set()


@pytest.mark.parametrize("name", DEFINITIONS)
def test_rows_agree_with_their_definitions_near_and_far(name: str) -> None:
    row, definition = TABLE[name], DEFINITIONS[name]
    arity = 2 if isinstance(row, NaryPrimitive) else row.arity
    far = [xs for xs in itertools.product(FAR, repeat=arity) if len(set(xs)) == arity]  # no ties
    with mpmath.workdps(1000):
        for operands in points(row, size=arity) + far:
            exact = [mpmath.mpf(x) for x in operands]
            node = call(row, [Value(x) for x in operands])
            expected = float(definition(*exact))
            assert_close(node.data, expected, 1e-13)
            if arity == 1 and name != "gelu":  # which says that its error is absolute
                assert node.data == pytest.approx(expected, rel=1e-13, abs=0.0)
            for i, derivative in enumerate(node._derivatives):
                orders = [int(i == k) for k in range(len(exact))]
                slope = mpmath.diff(definition, exact, orders)
                assert_close(derivative, float(slope), 1e-12)


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


@pytest.mark.parametrize("row", [row for row in ELEMENTWISE if row.arity <= 2], ids=by_name)
def test_a_row_with_one_or_two_operands_is_a_method_too(row: Primitive) -> None:
    names = [row.name, *row.aliases, *{"neg": ["__neg__"], "abs": ["__abs__"]}.get(row.name, [])]
    for name, operands in itertools.product(names, points(row)):
        self, *others = [Value(x) for x in operands]
        by_method, by_call = getattr(self, name)(*others), row(self, *others)
        assert by_method.data == by_call.data
        assert list(by_method._derivatives) == list(by_call._derivatives)
        assert by_method._op == row.symbol
        assert [id(x) for x in by_method._prev] == [id(x) for x in (self, *others)]


@pytest.mark.parametrize("row", [row for row in ELEMENTWISE if row.arity == 2], ids=by_name)
def test_a_method_takes_a_plain_number_as_its_second_operand(row: Primitive) -> None:
    x, y = points(row)[0]
    self = Value(x)
    node = getattr(self, row.name)(y)
    assert node.data == row(x, y)
    assert node._prev == (self,)
    assert list(node._derivatives) == list(row.linearize((x, y))[1][:1])


@pytest.mark.parametrize("row", [row for row in ROWS if row in NARY or row.arity > 2], ids=by_name)
def test_a_row_of_more_operands_is_no_method(row: Primitive) -> None:
    assert not hasattr(Value, row.name)


@pytest.mark.parametrize(
    ("alias", "name", "operands"),
    [
        ("absolute", "abs", (-0.5,)),
        ("arccos", "acos", (0.5,)),
        ("arccosh", "acosh", (1.5,)),
        ("arcsin", "asin", (0.5,)),
        ("arcsinh", "asinh", (0.5,)),
        ("arctan", "atan", (0.5,)),
        ("arctan2", "atan2", (0.5, -1.5)),
        ("arctanh", "atanh", (0.5,)),
        ("power", "pow", (0.5, -1.5)),
        ("swish", "silu", (0.5,)),
    ],
)
def test_aliases_are_the_same_operation(alias: str, name: str, operands: tuple[float, ...]) -> None:
    row = TABLE[name]
    assert ALIASES[alias] is row
    values = [Value(x) for x in operands]
    node = getattr(values[0], alias)(*values[1:])
    assert node.data == row(*operands)
    assert node._op == row.symbol
    assert node._primitive is row
    assert [id(x) for x in node._prev] == [id(x) for x in values]


def test_swish_is_silu() -> None:
    assert autograd_engine.swish is autograd_engine.silu


@every_row
def test_the_package_exports_the_row(row: Primitive) -> None:
    public = getattr(autograd_engine, row.name)
    assert public is row
    operands = points(row, size=2)[0]
    on_floats, on_values = call(public, operands), call(public, [Value(x) for x in operands])
    on_arrays = call(public, [np.array([x, x]) for x in operands])
    assert type(on_floats) is float
    assert type(on_values) is Value
    assert on_values.data == on_floats
    assert on_arrays == pytest.approx([on_floats, on_floats], rel=8 * EPSILON)


# --- PyTorch --------------------------------------------------------------------------------------

NOT_IN_TORCH = {"cbrt", "exp_difference", "heaviside", "where"}  # heaviside has no derivative there


@pytest.mark.parametrize(
    "row", [row for row in ELEMENTWISE if row.name not in NOT_IN_TORCH], ids=by_name
)
def test_results_and_derivatives_agree_with_torch(row: Primitive) -> None:
    torch = pytest.importorskip("torch")
    form = getattr(torch.nn.functional, row.name, None) or getattr(torch, row.name)
    if row.name == "softplus":
        form = functools.partial(form, threshold=1000.0)  # which is linear beyond 20 by default
    for operands in points(row):
        tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in operands]
        expected = form(*tensors)
        expected.backward()
        node = row(*[Value(x) for x in operands])
        assert_close(node.data, expected.item(), 1e-12)
        for derivative, tensor in zip(node._derivatives, tensors, strict=True):
            assert_close(derivative, tensor.grad.item(), 1e-12)


def test_logsumexp_softmax_and_log_softmax_agree_with_torch() -> None:
    torch = pytest.importorskip("torch")
    for operands in points(TABLE["logsumexp"], size=7):
        for name in ("logsumexp", "softmax", "log_softmax"):
            tensor = torch.tensor(operands, dtype=torch.float64, requires_grad=True)
            values = [Value(x) for x in operands]
            expected = getattr(torch, name)(tensor, dim=0)
            found = getattr(autograd_engine, name)(values)
            if name != "logsumexp":
                expected, found = expected[2], found[2]
            expected.backward()
            found.backward()
            assert_close(found.data, expected.item(), 1e-12)
            for x, slope in zip(values, tensor.grad.tolist(), strict=True):
                assert_close(x.grad, slope, 1e-12)


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
    [("1", "float(text)"), (1j, "real or imaginary part"), ([1.0], "[exp(v) for v in data]")],
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
    (z,) = row(*operands)
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
    assert list(autograd_engine.logsumexp([Value(size), Value(size)])._derivatives) == [0.5, 0.5]


def test_a_row_with_a_complex_or_whole_result_makes_float_nodes() -> None:
    root = Primitive(lambda x: x**0.5, (lambda z, x: 0.5 / z,), latex="{0}")
    one = Primitive(lambda x: 1, (0.0,), latex="1")
    assert math.isnan(root(Value(-2.0)).data)
    assert type(one(Value(2.0)).data) is float


def test_a_formula_names_its_own_operands() -> None:
    assert autograd_engine.where._repr_latex_() == r"$z = c\ ?\ x : y$"
    assert autograd_engine.dot._repr_latex_() == r"$z = \sum_i w_i x_i$"
