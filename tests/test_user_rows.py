"""Rows that a user adds at run time: they work everywhere, and a refused one leaves nothing."""

from __future__ import annotations

import functools
import math
import operator
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import test_primitives
from conftest import engines

import autograd_engine as ae
from autograd_engine import (
    GradcheckError,
    Graph,
    Value,
    detect_anomaly,
    draw,
    draw_dot,
    elementary,
    exp,
    explain,
    gradcheck,
    log,
    log1p,
    primitive,
    relu,
    sigmoid,
)
from autograd_engine import abs as ae_abs
from autograd_engine.errors import ExpressionError
from autograd_engine.parsing import evaluate
from autograd_engine.registry import ALIASES, TABLE
from autograd_engine.rows import NaryPrimitive, Primitive
from nn import MLP

State = tuple[dict[str, Primitive], dict[str, Primitive], dict[str, Any]]


def state() -> State:
    return dict(TABLE), dict(ALIASES), dict(vars(Value))


def the_gaussian(**facts: Any) -> Primitive:
    @primitive(lambda z, x: -2.0 * x * z, latex="e^{{-{0}^2}}", **facts)
    def gaussian(x: Any) -> Any:
        """exp(-x * x). Source: a test."""
        return exp(-x * x)

    return gaussian


def a_norm() -> Primitive:
    @primitive(lambda z, x, y: 3.0 * x**2, lambda z, x, y: 3.0 * y**2, symbol="x^3+y^3")
    def cubes(x: Any, y: Any) -> Any:
        """x**3 + y**3. Source: a test."""
        return x**3 + y**3

    return cubes


def _twice(xs: Any) -> Any:
    return [2.0 * x for x in xs]


def the_sum_of_squares() -> NaryPrimitive:
    @primitive(lambda z, xs: _twice(xs), nary=True, symbol="Σx²", latex=r"\sum_i {0}_i^2")
    def sum_of_squares(xs: Any) -> Any:
        """x0**2 + x1**2 + ... Source: a test."""
        total = 0.0
        for x in xs:
            total = total + x * x
        return total

    assert isinstance(sum_of_squares, NaryPrimitive)
    return sum_of_squares


# --- one operand ----------------------------------------------------------------------------------


def test_a_row_works_on_numbers_values_and_arrays() -> None:
    gaussian = the_gaussian()
    right = math.exp(-0.25)
    for number in (0.5, np.float64(0.5), np.array(0.5)):
        assert type(gaussian(number)) is float
        assert gaussian(number) == right
    assert gaussian(1) == math.exp(-1)
    x = Value(0.5)
    y = gaussian(x)
    assert (type(y), y.data, y._op, y._prev, y._primitive) == (
        Value, right, "gaussian", (x,), gaussian
    )  # fmt: skip
    y.backward()
    assert x.grad == pytest.approx(-right, rel=1e-15)
    many = gaussian(np.array([[0.5, 1.0]]))
    assert many.dtype == float
    assert many == pytest.approx(np.exp(-np.array([[0.25, 1.0]])))
    values = gaussian(np.array([x, 0.5], dtype=object))
    assert (type(values[0]), values[0].data, values[1]) == (Value, right, right)


def test_a_row_is_a_method_also_of_values_made_before() -> None:
    x = Value(0.5)
    assert not hasattr(x, "gaussian")
    gaussian = the_gaussian(aliases=("bell",))
    for name in ("gaussian", "bell"):
        y = getattr(x, name)()
        assert (y.data, y._primitive, y._prev) == (gaussian(0.5), gaussian, (x,))
    assert Value.gaussian.__name__ == "gaussian"
    assert Value.gaussian.__doc__ == gaussian.__doc__ == "exp(-x * x). Source: a test."


def test_a_row_passes_gradcheck_with_a_complex_step() -> None:
    report = gradcheck(the_gaussian(), [0.3])
    (edge,) = [
        check for check in report.checks if check.operation == "gaussian" and check.complex_step
    ]
    assert edge.error < 1e-9


def test_a_wrong_derivative_is_caught() -> None:
    @primitive(lambda z, x: -2.0 * z)  # lacks the x
    def wrong_gaussian(x: Any) -> Any:
        """exp(-x * x)."""
        return exp(-x * x)

    with pytest.raises(GradcheckError, match=r"FAIL wrong_gaussian, operand 0 = 0.3"):
        gradcheck(wrong_gaussian, [0.3])


def test_a_row_shows_its_symbol_in_pictures(tmp_path: Path) -> None:
    y = the_gaussian(symbol="bell <&> curve")(Value(0.5, label="x"))
    y.backward()
    svg = draw(y, tmp_path / "graph.svg").read_text(encoding="utf-8")
    assert "bell &lt;&amp;&gt; curve" in svg
    assert "bell" in draw_dot(y).source
    assert "gaussian" in draw_dot(the_gaussian()(Value(0.5))).source


def test_a_row_may_be_typed() -> None:
    the_gaussian(aliases=("bell",))
    a_norm()
    the_sum_of_squares()
    assert evaluate("gaussian(x) + 1", {"x": 0.5}).data == math.exp(-0.25) + 1
    assert evaluate("bell(x)", {"x": 0.5})._op == "gaussian"
    assert evaluate("cubes(x, 2)", {"x": 1.0}).data == 9.0
    assert evaluate("sum_of_squares([x, 2, x])", {"x": 3.0}).data == 22.0
    with pytest.raises(ExpressionError, match="expected 1 operands, got 2"):
        evaluate("gaussian(x, x)", {"x": 1.0})


def test_a_row_that_was_not_defined_may_not_be_typed() -> None:
    with pytest.raises(ExpressionError, match="'gaussian' is no primitive"):
        evaluate("gaussian(x)", {"x": 0.5})


def test_a_row_shows_its_formula() -> None:
    assert the_gaussian()._repr_latex_() == "$z = e^{-x^2}$"
    assert repr(the_gaussian()) == "<primitive gaussian>"

    @primitive(1.0)
    def my_row(x: Any) -> Any:
        return x

    assert my_row._repr_latex_() == r"$z = \operatorname{my\_row}(x)$"


def test_a_row_may_be_the_activation_of_a_model() -> None:
    model = MLP(2, [3, 1], activation=the_gaussian(), rng=0)
    output = model([0.5, -1.0])
    output.backward()
    assert any(p.grad for p in model.parameters())
    gradcheck(lambda x, y: model([x, y]), [0.5, -1.0])


def test_a_row_is_named_by_detect_anomaly() -> None:
    gaussian = the_gaussian()
    with detect_anomaly(), pytest.raises(ae.AnomalyError, match=r"^gaussian: the result is nan"):
        gaussian(Value(math.nan))


def test_a_row_refuses_what_is_no_number_by_name() -> None:
    gaussian = the_gaussian()
    for bad in ("0.5", None, 0.5j, [0.5], np.array(["0.5"]), np.array([0.5j])):
        with pytest.raises(TypeError, match=r"^gaussian: expected a real number"):
            gaussian(bad)
    for wrong in ((), (1.0, 2.0), (Value(1.0), 2.0)):
        with pytest.raises(TypeError, match=r"^gaussian: expected 1 operands"):
            gaussian(*wrong)


MODULE = '''
from autograd_engine import exp, log, primitive

FACTOR = 2.0

@primitive(lambda z, x: z / (FACTOR + z))
def my_row_of_a_module(x):
    """exp(FACTOR * x), with a derivative that only pickling tests need."""
    return exp(FACTOR * x)
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    name = "module_with_a_row_of_its_own"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield __import__(name)
    del sys.modules[name]


def test_a_row_of_a_module_pickles_by_its_name(module: Any) -> None:
    row = module.my_row_of_a_module
    y = row(Value(0.5, label="x")) * 2
    y.backward()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(row, protocol)) is row
        copied = pickle.loads(pickle.dumps(y, protocol))
        node = copied._prev[0]
        leaf = node._prev[0]
        assert node._primitive is row
        leaf.zero_grad()
        copied.backward()
        assert leaf.grad == y._prev[0]._prev[0].grad != 0.0


def test_a_row_inside_a_function_does_not_pickle_and_says_so() -> None:
    with pytest.raises((pickle.PicklingError, AttributeError), match="gaussian"):
        pickle.dumps(the_gaussian()(Value(0.5)))


# --- more operands --------------------------------------------------------------------------------


def test_a_row_of_two_operands_works_on_numbers_values_constants_and_arrays() -> None:
    cubes = a_norm()
    assert cubes(2.0, 3) == 35.0
    x, y = Value(2.0), Value(3.0)
    for z in (cubes(x, y), x.cubes(y)):
        assert (z.data, z._op, z._prev, list(list(z._derivatives))) == (
            35.0,
            "x^3+y^3",
            (x, y),
            [12.0, 27.0],
        )
    for z, prev, derivatives, operands in (
        (cubes(x, 3), (x,), [12.0], (x, 3.0)),
        (x.cubes(3.0), (x,), [12.0], (x, 3.0)),
        (cubes(np.float64(2), y), (y,), [27.0], (2.0, y)),
    ):
        assert (z.data, z._prev, list(z._derivatives), z._operands) == (
            35.0,
            prev,
            derivatives,
            operands,
        )
    assert cubes(np.array([2.0, 0.0]), 3.0).tolist() == [35.0, 27.0]
    values = cubes(x, np.array([3.0, 1.0]))
    assert [v.data for v in values] == [35.0, 9.0]
    values[0].backward()
    assert x.grad == 12.0
    assert gradcheck(cubes, [0.5, -1.5]).passed
    with pytest.raises(TypeError):
        x.cubes()


def test_a_row_of_three_operands_is_no_method() -> None:
    @primitive(lambda z, a, x, b: x, lambda z, a, x, b: a, 1.0, latex="{0} {1} + {2}")
    def affine(a: Any, x: Any, b: Any) -> Any:
        return a * x + b

    a, x = Value(2.0), Value(3.0)
    z = affine(a, x, 1.0)
    assert (z.data, list(z._derivatives)) == (7.0, [3.0, 2.0])
    assert gradcheck(affine, [0.5, -1.5, 2.0]).passed
    assert not hasattr(Value, "affine")
    assert evaluate("affine(2, x, 1)", {"x": 3.0}).data == 7.0


def test_a_row_of_whole_sequences_works_on_numbers_values_constants_and_arrays() -> None:
    squares = the_sum_of_squares()
    assert squares([1.0, 2, np.float64(3)]) == squares(x for x in (1.0, 2.0, 3.0)) == 14.0
    assert squares([]) == 0.0
    x = Value(3.0)
    z = squares([x, 2.0, x])
    assert (z.data, z._op, z._prev) == (22.0, "Σx²", (x, x))
    z.backward()
    assert x.grad == 12.0
    assert squares([np.array([1.0, 2.0]), 3.0]).tolist() == [10.0, 13.0]
    first, second = squares([np.array([1.0, 2.0]), x])
    assert (first.data, second.data) == (10.0, 13.0)
    assert gradcheck(lambda *xs: squares(xs), [0.5, -1.5, 2.0]).passed
    assert "Σx²" in draw_dot(z).source
    assert not hasattr(Value, "sum_of_squares")


def test_a_row_of_two_sequences_splits_them_again() -> None:
    @primitive(
        lambda z, w, x: [w_i * 0.0 + x_i * x_i for w_i, x_i in zip(w, x, strict=True)],
        lambda z, w, x: [2.0 * w_i * x_i for w_i, x_i in zip(w, x, strict=True)],
        nary=True,
        latex="{0} {1}",
    )
    def weighted_squares(w: Any, x: Any) -> Any:
        total = 0.0
        for w_i, x_i in zip(w, x, strict=True):
            total = total + w_i * x_i * x_i
        return total

    xs = [Value(1.0), Value(2.0)]
    z = weighted_squares([3.0, 4.0], xs)
    assert (z.data, list(z._derivatives)) == (19.0, [6.0, 16.0])
    assert gradcheck(lambda *v: weighted_squares(v[:2], v[2:]), [3.0, 4.0, 1.0, 2.0]).passed
    with pytest.raises(ValueError, match=r"^weighted_squares: the sequences differ in length"):
        weighted_squares([1.0], xs)


# --- rows made of rows, and of other things -------------------------------------------------------


@primitive(lambda z, x: 3.0 * x * x)
def module_level_cube(x: Any) -> Any:
    """x**3. Source: a test."""
    return x * x * x


# It is of use to the next test only, and must not be a row of every other test file.
del TABLE["module_level_cube"]
for engine in engines():
    del engine.module_level_cube  # type: ignore[attr-defined]


def a_row_on_a_row() -> Primitive:
    @primitive(lambda z, x: 3.0 * x * x * exp(module_level_cube(x)))
    def exp_of_cube(x: Any) -> Any:
        """exp(x**3). Source: a test."""
        return exp(module_level_cube(x))

    return exp_of_cube


def test_a_row_may_be_built_on_another_row_of_the_user() -> None:
    row = a_row_on_a_row()
    assert row(0.5) == math.exp(0.125)
    assert row(np.array([0.5, 1.0])) == pytest.approx([math.exp(0.125), math.e])
    x = Value(0.5)
    y = row(x)
    assert [id(v) for v in y._prev] == [id(x)]
    assert gradcheck(row, [0.5]).passed


def test_a_row_may_be_built_on_a_row_of_the_same_function() -> None:
    inner = the_gaussian()

    @primitive(lambda z, x: -2.0 * x * inner(x))
    def gaussian_plus_one(x: Any) -> Any:
        return inner(x) + 1.0

    assert gaussian_plus_one(0.5) == math.exp(-0.25) + 1.0
    assert gaussian_plus_one(np.array([0.5]))[0] == pytest.approx(math.exp(-0.25) + 1.0)
    assert gaussian_plus_one(Value(0.5)).data == math.exp(-0.25) + 1.0
    assert gradcheck(gaussian_plus_one, [0.5]).passed


def _digamma(x: Any) -> Any:
    """lgamma'(x) for x > 0, by its asymptotic series far out. Source: DLMF 5.5.2, 5.11.2."""
    shift = 0.0
    for k in range(10):
        shift = shift + 1.0 / (x + k)
    y = x + 10.0
    s = 1.0 / (y * y)
    tail = s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s * (1 / 132)))))
    return log(y) - 0.5 / y - tail - shift


def the_lgamma() -> Primitive:
    @primitive(lambda z, x: _digamma(x), domain=((0.0, math.inf),), analytic=False)
    @elementary(math.lgamma)
    def lgamma(x: Any) -> Any:
        """The logarithm of the gamma function. Source: DLMF 5.2(i)."""

    return lgamma


def test_a_function_that_numpy_lacks_works_everywhere() -> None:
    lgamma = the_lgamma()
    assert not hasattr(np, "lgamma")
    assert lgamma(4.5) == math.lgamma(4.5)
    x = Value(4.5)
    y = x.lgamma()
    y.backward()
    assert y.data == math.lgamma(4.5)
    assert x.grad == pytest.approx(float(mpmath.digamma(4.5)), rel=1e-13)
    grid = np.array([[0.5, 1.5], [2.5, 3.5]])
    assert lgamma(grid) == pytest.approx(np.vectorize(math.lgamma)(grid), rel=1e-15)
    assert [v.data for v in np.array([1.5, 2.5]) * lgamma(x)] == [1.5 * y.data, 2.5 * y.data]
    assert gradcheck(lgamma, [4.5]).passed


@pytest.mark.parametrize("x", [0.0, -1.0, 1e308, math.inf, math.nan])
def test_a_function_that_numpy_lacks_never_raises(x: float) -> None:
    """At a pole `math` raises and says no more, so the result is nan."""
    lgamma = the_lgamma()
    try:
        expected = math.lgamma(x)
    except (ValueError, OverflowError):
        expected = math.nan
    for result in (lgamma(x), lgamma(Value(x)).data, lgamma(np.array([x]))[0]):
        assert result == expected or (math.isnan(result) and math.isnan(expected))
    assert all(type(d) is float for d in lgamma(Value(x))._derivatives)


def test_a_function_with_another_name_in_numpy_is_found_there() -> None:
    @primitive(math.pi / 180.0, latex="{0}")
    @elementary(math.radians, numpy="deg2rad")
    def to_radians(x: Any) -> Any:
        """Degrees as radians. Source: a test."""

    assert to_radians.aliases == ("deg2rad",)
    assert to_radians(180.0) == math.pi
    assert to_radians(np.array([180.0, 0.0])).tolist() == [math.pi, 0.0]
    x = Value(180.0)
    for y in (x.to_radians(), x.deg2rad(), np.deg2rad(x), np.deg2rad(np.array([x]))[0]):
        assert (y.data, y._op, y._derivatives[0]) == (math.pi, "to_radians", math.pi / 180.0)


@pytest.mark.parametrize(
    ("body", "at", "expected"),
    [
        (lambda x: 1, 2.0, 1.0),
        (lambda x: x > 0, 2.0, 1.0),
        (lambda x: x > 0, -2.0, 0.0),
        (lambda x: 3, math.nan, 3.0),
    ],
    ids=["int", "True", "False", "int at nan"],
)
def test_a_row_whose_formula_gives_an_int_or_a_bool_makes_float_nodes(
    body: Callable[[Any], Any], at: float, expected: float
) -> None:
    @primitive(0.0)
    def step(x: Any) -> Any:
        return body(x)

    for result in (step(at), Value(at).step().data, step(Value(at)).data):
        assert type(result) is float
        assert result == expected
    (derivative,) = Value(at).step()._derivatives
    assert (type(derivative), derivative) == (float, 0.0)


def test_derivatives_that_are_ints_become_floats_in_backward() -> None:
    @primitive(1)
    def same(x: Any) -> Any:
        return x

    x = Value(2.0)
    same(x).backward()
    assert (type(x.grad), x.grad) == (float, 1.0)


def the_inverse() -> Primitive:
    @primitive(lambda z, x: -1.0 / (x * x))
    def inverse(x: Any) -> Any:
        return 1.0 / x

    return inverse


def test_a_row_that_raises_at_a_singular_point_gives_ieee_results() -> None:
    inverse = the_inverse()
    with pytest.raises(ZeroDivisionError):
        inverse.function(0.0)
    for result in (inverse(0.0), Value(0.0).inverse().data, inverse(np.array([0.0]))[0]):
        assert result == math.inf
    assert inverse(-0.0) == -math.inf
    assert list(Value(0.0).inverse()._derivatives) == [-math.inf]
    assert gradcheck(inverse, [0.5]).passed


def test_a_row_whose_derivative_alone_is_singular_keeps_its_result() -> None:
    @primitive(lambda z, x: 1.0 / x)
    def odd(x: Any) -> Any:
        return x + 1.0

    y = Value(0.0).odd()
    assert (y.data, list(y._derivatives)) == (1.0, [math.inf])


def test_a_row_that_turns_complex_gives_nan() -> None:
    @primitive(lambda z, x: 0.5 / z, domain=((0.0, math.inf),))
    def root(x: Any) -> Any:
        return x**0.5

    for result in (root(-2.0), Value(-2.0).root().data, root(np.array([-2.0]))[0]):
        assert math.isnan(result)
    assert gradcheck(root, [0.5]).passed


def test_a_row_that_turns_complex_halfway_gives_nan() -> None:
    @primitive(lambda z, x: 0.5 * z / x**0.5, domain=((0.0, math.inf),))
    def exp_of_root(x: Any) -> Any:
        return exp(x**0.5)

    for result in (exp_of_root(-2.0), Value(-2.0).exp_of_root().data):
        assert math.isnan(result)


# --- refused rows ---------------------------------------------------------------------------------


def refuse(error: type[Exception], match: str, *derivatives: Any, body: Any, **facts: Any) -> None:
    """The row is refused, and the table and Value are what they were."""
    before = state()
    with pytest.raises(error, match=match):
        primitive(*derivatives, **facts)(body)
    assert state() == before


def named(name: str, *, arity: int = 1) -> Callable[..., Any]:
    """A function of that name."""
    functions: dict[int, Callable[..., Any]] = {
        1: lambda x: x, 2: lambda x, y: x + y, 3: lambda x, y, z: x
    }  # fmt: skip
    function = functions[arity]
    function.__name__ = function.__qualname__ = name
    return function


@pytest.mark.parametrize("name", ["exp", "add", "sum", "swish", "arcsin", "logaddexp"])
def test_the_name_of_another_row_is_refused(name: str) -> None:
    match = f"^primitive {name}: this name is taken by <primitive .*> of autograd_engine.primitives"
    refuse(ValueError, match, 1.0, body=named(name))
    refuse(ValueError, match, 1.0, body=named("fresh"), aliases=(name,))


@pytest.mark.parametrize(
    "name",
    ["data", "backward", "grad", "label", "detach", "zero_grad", "bind", "_prev", "_op", "_info",
     "_backward", "__add__", "__float__"],
)  # fmt: skip
@pytest.mark.parametrize("arity", [1, 2])
def test_the_name_of_an_attribute_of_value_is_refused(name: str, arity: int) -> None:
    if name.startswith("_"):
        match = "^primitive: expected a def with a public name, got <function _"
        refuse(TypeError, match, *[1.0] * arity, body=named(name, arity=arity))
    else:
        match = f"^primitive {name}: Value has a {name} of its own; choose another name"
        refuse(ValueError, match, *[1.0] * arity, body=named(name, arity=arity))


@pytest.mark.parametrize("aliases", [("data",), ("fresh_alias", "grad")])
def test_an_alias_that_is_an_attribute_of_value_is_refused(aliases: tuple[str, ...]) -> None:
    match = f"^primitive {aliases[-1]}: Value has a {aliases[-1]} of its own"
    refuse(ValueError, match, 1.0, body=named("fresh"), aliases=aliases)


@pytest.mark.parametrize(
    ("derivatives", "arity", "facts"),
    [
        ((), 1, {}),
        ((1.0, 1.0), 1, {}),
        ((1.0,), 2, {}),
        ((1.0, 1.0), 2, {"domain": ((0.0, 1.0),)}),
        ((1.0,), 1, {"domain": ((0.0, 1.0), (0.0, 1.0))}),
        ((1.0,), 2, {"nary": True}),
    ],
)
def test_operands_derivatives_and_domain_must_fit(
    derivatives: tuple[float, ...], arity: int, facts: dict[str, Any]
) -> None:
    match = (
        f"^primitive fresh: {arity} parameters, {len(derivatives)} local derivatives and .* "
        "each operand needs one of each"
    )
    refuse(TypeError, match, *derivatives, body=named("fresh", arity=arity), **facts)


def test_unknown_facts_are_refused() -> None:
    refuse(TypeError, "unexpected keyword", 1.0, body=named("fresh"), colour="red")


def test_the_name_of_another_row_of_the_user_is_refused() -> None:
    the_gaussian(aliases=("bell",))
    for name in ("gaussian", "bell"):
        match = rf"^primitive {name}: this name is taken by <primitive gaussian> of {__name__}"
        refuse(ValueError, match, 1.0, body=named(name))
        refuse(ValueError, match, 1.0, body=named("fresh"), aliases=("free", name))


# --- defined again --------------------------------------------------------------------------------

CELL = """
from autograd_engine import exp, primitive

@primitive(lambda z, x: {factor} * z{more})
def from_a_cell(x):
    return exp({factor} * x)
"""


def run_cell(factor: float, more: str = "") -> Primitive:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(CELL.format(factor=factor, more=more), namespace)
    row: Primitive = namespace["from_a_cell"]
    return row


def test_a_cell_that_is_run_again_replaces_its_row() -> None:
    first, x = run_cell(2.0), Value(0.5)
    old = x.from_a_cell()
    second = run_cell(3.0)
    assert TABLE["from_a_cell"] is second is not first
    assert (x.from_a_cell().data, second(0.5)) == (math.exp(1.5), math.exp(1.5))
    assert evaluate("from_a_cell(x)", {"x": 0.5}).data == math.exp(1.5)
    assert gradcheck(Value.from_a_cell, [0.5]).passed
    old.backward()
    assert (old.data, x.grad) == (math.e, 2.0 * math.e)


def test_a_row_that_is_defined_again_keeps_its_aliases() -> None:
    run_cell(2.0, ', aliases=("cell",)')
    second = run_cell(3.0, ', aliases=("cell",)')
    assert ALIASES["cell"] is second
    assert Value(0.5).cell().data == math.exp(1.5)


def test_a_row_that_is_defined_again_without_an_alias_loses_it() -> None:
    run_cell(2.0, ', aliases=("cell",)')
    run_cell(3.0)
    assert "cell" not in ALIASES
    assert not hasattr(Value, "cell")


def test_a_wrong_second_definition_leaves_the_first() -> None:
    first = run_cell(2.0)
    before = state()
    with pytest.raises(TypeError, match=r"^primitive from_a_cell: 1 parameters, 2 local"):
        run_cell(3.0, ", 1.0")
    assert state() == before
    assert TABLE["from_a_cell"] is first


# --- softplus as a row of the user's: one row, and everything picks it up -------------------------


@pytest.fixture
def softplus(monkeypatch: pytest.MonkeyPatch) -> Primitive:
    """The table's own softplus taken out; then the row and one export, all at run time."""
    del TABLE["softplus"]
    for engine in engines():
        del engine.softplus  # type: ignore[attr-defined]

    @primitive(lambda z, x: sigmoid(x), latex=r"\ln(1 + e^{{{0}}})", analytic=False)
    def softplus(x: Any) -> Any:
        """log(1 + exp(x)). Source: a test."""
        return relu(x) + log1p(exp(-ae_abs(x)))

    monkeypatch.setattr(ae, "softplus", softplus)
    return softplus


def test_softplus_at_run_time_is_value_method_picture_and_gradcheck(softplus: Primitive) -> None:
    x = Value(0.5, label="x")
    right = math.log1p(math.exp(0.5))
    for y in (softplus(x), x.softplus()):
        assert y.data == pytest.approx(right, rel=1e-15)
        x.zero_grad()
        y.backward()
        assert x.grad == pytest.approx(1 / (1 + math.exp(-0.5)), rel=1e-15)
        assert "softplus" in draw_dot(y).source
    assert evaluate("softplus(x)", {"x": 0.5}).data == y.data
    assert gradcheck(softplus, [0.5]).passed
    assert [softplus(Value(x)).data for x in (-1000.0, 1000.0)] == [0.0, 1000.0]


def rows_of(check: Callable[..., Any]) -> set[str]:
    """The names of the rows that a test takes as its one argument `row`."""
    marks = [mark for mark in getattr(check, "pytestmark", ()) if mark.name == "parametrize"]
    if [mark.args[0] for mark in marks] != ["row"]:
        return set()
    return {row.name for row in marks[0].args[1]}


CHECKS = [
    function
    for name, function in vars(test_primitives).items()
    if name.startswith("test_") and "softplus" in rows_of(function)
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_checks_of_every_row_pass_softplus_at_run_time(
    softplus: Primitive, check: Callable[[Primitive], None]
) -> None:
    check(softplus)


def test_most_checks_take_every_row_of_the_table() -> None:
    """As it is when they are collected: so a new row needs no edit there."""
    assert len(CHECKS) > 12
    assert sum(rows_of(check) == TABLE.keys() for check in CHECKS) > 6


def test_checks_of_every_row_fail_a_wrong_one() -> None:
    @primitive(lambda z, x: z, latex="{0}")
    def wrong_square(x: Any) -> Any:
        """x * x. Source: a test."""
        return x * x

    for check in (
        test_primitives.test_local_derivatives_agree_with_central_differences,
        test_primitives.test_primal_and_local_derivatives_agree_with_fifty_digits,
        test_primitives.test_gradcheck_passes_the_row_itself,
    ):
        with pytest.raises(AssertionError):
            check(wrong_square)


# --- a formula sees the names around it as they are -----------------------------------------------

SHEET = """
from autograd_engine import exp, primitive
K = 2.0

@primitive(lambda z, x: K + 0.0 * x)
def scaled(x):
    return K * x

@primitive(lambda z, x: slope(x))
def early(x):
    return helper(x)

def helper(x):
    return x * x

def slope(x):
    return 2.0 * x

@primitive(lambda z, x: like_cosine(x))
def like_sine(x):
    return (exp(x) - exp(-x)) / 2.0

@primitive(lambda z, x: like_sine(x))
def like_cosine(x):
    return (exp(x) + exp(-x)) / 2.0

def even(n, x):
    return x if n == 0 else odd(n - 1, x)

def odd(n, x):
    return even(n - 1, x) + 1.0

@primitive(1.0)
def five_more(x):
    return even(10, x)
"""


def run_sheet(text: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    names = {"__name__": "sheet"} if names is None else names
    exec(compile(text, "sheet", "exec"), names)
    return names


def everywhere(row: Any, x: float) -> list[Any]:
    """Result on a float, a Value and an array, and the local derivative."""
    node = row(Value(x))
    return [row(x), node.data, float(row(np.array([x]))[0]), *node._derivatives]


def test_a_helper_may_stand_below_its_row() -> None:
    assert everywhere(run_sheet(SHEET)["early"], 3.0) == [9.0, 9.0, 9.0, 6.0]


def test_two_rows_may_need_each_other() -> None:
    names = run_sheet(SHEET)
    for row, function, slope in (
        ("like_sine", math.sinh, math.cosh),
        ("like_cosine", math.cosh, math.sinh),
    ):
        expected = [function(0.5)] * 3 + [slope(0.5)]
        assert everywhere(names[row], 0.5) == pytest.approx(expected, rel=1e-14)


def test_helpers_may_call_each_other() -> None:
    assert everywhere(run_sheet(SHEET)["five_more"], 2.0) == [7.0, 7.0, 7.0, 1.0]


def test_a_constant_that_changes_changes_the_row_on_every_kind_of_number() -> None:
    names = run_sheet(SHEET)
    assert everywhere(names["scaled"], 1.0) == [2.0, 2.0, 2.0, 2.0]
    names["K"] = 5.0
    assert everywhere(names["scaled"], 1.0) == [5.0, 5.0, 5.0, 5.0]


def test_a_row_follows_the_row_it_is_made_of_when_that_is_defined_again() -> None:
    inner = "@primitive(lambda z, x: {0} * x ** ({0} - 1.0))\ndef inner(x):\n    return x ** {0}\n"
    names = run_sheet(SHEET + inner.format(2.0))
    run_sheet("@primitive(lambda z, x: 3.0 * x)\ndef outer(x):\n    return inner(x) * 1.5\n", names)
    assert names["outer"](2.0) == 6.0
    run_sheet(inner.format(3.0), names)
    assert everywhere(names["outer"], 2.0)[:3] == [12.0, 12.0, 12.0]


# --- what is no real number never gets into a node ------------------------------------------------


def test_a_complex_derivative_is_nan_or_an_error_but_never_a_gradient() -> None:
    @primitive(lambda z, x: 1.5 * x**0.5)
    def threehalves(x: Any) -> Any:
        return x * 1.0

    x = Value(-4.0)
    threehalves(x).backward()
    assert math.isnan(x.grad)

    @primitive(lambda z, x: 1j * x)
    def imaginary(x: Any) -> Any:
        return x * 1.0

    with pytest.raises(TypeError, match=r"^imaginary: the local derivatives of this .*complex"):
        imaginary(Value(2.0))
    assert imaginary(2.0) == 2.0


@pytest.mark.parametrize("bad", [None, "a", np.array([1.0, 2.0])], ids=["None", "str", "array"])
def test_a_derivative_that_is_no_number_is_named_when_the_node_is_made(bad: Any) -> None:
    @primitive(lambda z, x: bad)
    def strange(x: Any) -> Any:
        return x * 1.0

    with pytest.raises(TypeError, match=r"^strange: the local derivatives of this primitive: "):
        strange(Value(2.0))


@pytest.mark.parametrize("body", [lambda x: None, lambda x: [x], lambda x: 1j * x])
def test_a_result_that_is_no_number_is_named(body: Callable[[Any], Any]) -> None:
    @primitive(1.0)
    def strange(x: Any) -> Any:
        return body(x)

    for x in (2.0, Value(2.0)):
        with pytest.raises(TypeError, match=r"^strange: the result of this primitive: strange: "):
            strange(x)


def test_a_captured_value_is_not_cut_from_the_graph_in_silence() -> None:
    weight = Value(3.0)

    @primitive(lambda z, x: 3.0)
    def weighted(x: Any) -> Any:
        return weight * x

    with pytest.raises(TypeError, match=r"^weighted: the result of this primitive: .*got Value"):
        weighted(Value(2.0))


@pytest.mark.parametrize("count", [1, 3])
def test_an_nary_row_with_too_few_or_many_derivatives_makes_no_node(count: int) -> None:
    @primitive(lambda z, xs: [1.0] * count, nary=True)
    def total(xs: Any) -> Any:
        return functools.reduce(operator.add, xs)

    with pytest.raises(TypeError, match=rf"^total: the local derivatives.*: {count} for 2"):
        total([Value(1.0), Value(2.0)])


def test_evaluation_on_floats_leaves_the_derivatives_alone() -> None:
    @primitive(lambda z, x: 1 / 0)
    def faulty(x: Any) -> Any:
        return x * 2.0

    assert faulty(2.0) == 4.0


# --- what cannot work is refused at once ----------------------------------------------------------


@pytest.mark.parametrize(
    "derivative",
    [lambda x: 2.0 * x, lambda: 1.0, lambda z, x, y: 1.0],
    ids=["no z", "none", "three"],
)
def test_a_derivative_with_other_parameters_is_refused(derivative: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"^primitive fresh: local derivative 0 must take z and"):
        primitive(derivative)(named("fresh"))
    assert "fresh" not in TABLE


def test_a_partial_may_be_a_derivative() -> None:
    @primitive(functools.partial(lambda k, z, x: k, 2.5))
    def linear(x: Any) -> Any:
        return 2.5 * x

    assert gradcheck(linear, [0.5])


@pytest.mark.parametrize("function", [math.gamma, None, 3.0, functools.partial(max, 0.0)])
def test_what_is_no_def_is_refused(function: Any) -> None:
    with pytest.raises(TypeError, match=r"^primitive: expected a def with a public name, got "):
        primitive(1.0)(function)


def test_a_lambda_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"^primitive: expected a def with a public name, got <function .*<lambda>"
    ):
        primitive(1.0)(lambda x: x)


def test_the_decorator_without_derivatives_is_explained_when_the_row_is_called() -> None:
    @primitive
    def bare(x: Any) -> Any:
        return x

    with pytest.raises(TypeError, match=r"write @primitive\(derivative, ...\) above a def"):
        bare(2.0)


def test_elementary_above_primitive_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^elementary: stands below @primitive, on a def; got <"):
        elementary(math.lgamma)(ae.exp)


@pytest.mark.parametrize(
    "latex",
    [r"\operatorname{sq}({0})", "{}^2", "{1}", "{-1}", "{0.real}", "{0!r}", "{0:.3f}", "{0", "0}"],
)
def test_a_formula_for_pictures_with_other_fields_than_the_operands_is_refused(latex: str) -> None:
    with pytest.raises(
        ValueError, match=r"^primitive fresh: latex .* \{0\}.* write \{\{ and \}\} for braces"
    ):
        primitive(1.0, latex=latex)(named("fresh"))
    assert "fresh" not in TABLE and not hasattr(Value, "fresh")


def test_braces_in_a_formula_for_pictures_are_doubled() -> None:
    row = primitive(1.0, latex=r"\operatorname{{sq}}({0})")(named("fresh"))
    assert r"\operatorname{sq}(x)" in explain(row(Value(2.0, label="x"))).latex()


@pytest.mark.parametrize("aliases", ["sq", ("_sq",), ("s q",), ["sq"]])
def test_aliases_must_be_public_names(aliases: Any) -> None:
    with pytest.raises(TypeError, match=r"^primitive fresh: aliases must be a tuple of names"):
        primitive(1.0, aliases=aliases)(named("fresh"))
    assert not hasattr(Value, "s")


def test_numpys_function_of_the_same_name_is_not_taken_unasked() -> None:
    @primitive(lambda z, x: math.nan)
    @elementary(lambda x: math.sin(x) / x)
    def sinc(x: Any) -> Any: ...

    assert sinc(np.array([1.0]))[0] == sinc(1.0) == math.sin(1.0)


def test_a_function_that_numpy_does_not_have_is_named_by_numpy() -> None:
    @primitive(1.0)
    @elementary(math.gamma, numpy="no_such_function")
    def gamma_like(x: Any) -> Any: ...

    with pytest.raises(AttributeError, match="no_such_function"):
        gamma_like(np.array([1.0]))


# --- singular points, however a formula reaches the rows ------------------------------------------


def test_a_formula_that_calls_rows_as_attributes_follows_ieee_754() -> None:
    @primitive(lambda z, x: -1.0 / ae.exp(x))
    def inverse_exp(x: Any) -> Any:
        return 1.0 / ae.exp(x)

    assert inverse_exp(-800.0) == math.inf
    assert everywhere(inverse_exp, -800.0) == [math.inf, math.inf, math.inf, -math.inf]


def test_a_formula_on_math_is_nan_where_math_raises() -> None:
    @primitive(lambda z, x: 1.0 / x)
    def plain_log(x: Any) -> Any:
        return math.log(x)

    assert math.isnan(plain_log(-1.0))
    assert math.isnan(Value(-1.0).plain_log().data)
    assert gradcheck(plain_log, [0.1])
    x = Value(1.0)
    y = plain_log(x)
    x.data = -1.0
    assert Graph(y).output.outdated


def test_a_derivative_that_raises_everywhere_is_nan() -> None:
    @primitive(lambda z, x: 1 / 0)
    def faulty(x: Any) -> Any:
        return x * 2.0

    x = Value(2.0)
    y = faulty(x)
    y.backward()
    assert (y.data, math.isnan(x.grad)) == (4.0, True)


def test_lists_of_derivatives_of_the_wrong_length_are_refused_one_by_one() -> None:
    @primitive(lambda z, w, x: [*x, 9.0], lambda z, w, x: list(w)[1:], nary=True)
    def shifted_dot(w: Any, x: Any) -> Any:
        return w[0] * x[0] + w[1] * x[1]

    with pytest.raises(TypeError, match=r"^shifted_dot: the local derivatives.*: 3 for 2 operands"):
        shifted_dot([Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)])


def test_arrays_of_derivatives_are_lists_too() -> None:
    @primitive(lambda z, xs: np.ones(len(xs)), nary=True)
    def total(xs: Any) -> Any:
        return functools.reduce(operator.add, xs)

    xs = [Value(1.0), Value(2.0)]
    total(xs).backward()
    assert [x.grad for x in xs] == [1.0, 1.0]
    assert [type(x.grad) for x in xs] == [float, float]


@pytest.mark.parametrize("body", [lambda x: x + 0j, lambda x: None], ids=["complex", "None"])
def test_a_result_that_is_no_number_is_named_on_arrays_too(body: Callable[[Any], Any]) -> None:
    @primitive(1.0)
    def strange(x: Any) -> Any:
        return body(x)

    with pytest.raises(TypeError, match=r"^strange: the result on arrays of this primitive: "):
        strange(np.array([1.0, 2.0]))


def test_a_constant_row_keeps_the_shape_of_an_array() -> None:
    @primitive(0.0)
    def one(x: Any) -> Any:
        return 1.0

    assert one(np.array([[1.0, 2.0]])).tolist() == [[1.0, 1.0]]


def test_a_method_that_numpy_asks_for_cannot_be_replaced() -> None:
    with pytest.raises(ValueError, match="Value has a conjugate of its own"):
        primitive(-1.0)(named("conjugate"))


def test_the_remainders_of_math_and_numpy_are_two_functions() -> None:
    @primitive(1.0, 1.0)
    @elementary(math.remainder)
    def remainder(x: Any, y: Any) -> Any: ...

    assert remainder(5.0, 3.0) == remainder(np.array([5.0]), 3.0)[0] == -1.0


def test_an_alias_that_is_listed_twice_does_no_harm() -> None:
    for _ in range(2):
        primitive(1.0, aliases=("twice", "twice"))(named("fresh"))
    assert ALIASES["twice"] is TABLE["fresh"]


def test_helpers_keep_their_attributes() -> None:
    text = "@primitive(2.0)\ndef scaled_by(x):\n    return helper.scale * x\n"
    names = run_sheet(SHEET)
    names["helper"].scale = 2.0
    run_sheet(text, names)
    assert everywhere(names["scaled_by"], 3.0) == [6.0, 6.0, 6.0, 2.0]
