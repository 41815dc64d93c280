"""grad, vjp, jvp and their kin as a user meets them: structures, Values, errors, NumPy, nesting."""

from __future__ import annotations

import functools
import math
import operator
import random
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_engine as ae
from autograd_engine import (
    AnomalyError,
    Graph,
    Value,
    backend,
    cos,
    derivative,
    detect_anomaly,
    dot,
    exp,
    following,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    log,
    log1p,
    maximum,
    named_scope,
    no_grad,
    paths,
    primitive,
    relu,
    sigmoid,
    sin,
    sqrt,
    tanh,
    taylor,
    value_and_grad,
    vjp,
)
from autograd_engine.backend import path_between, varying
from autograd_engine.dual import Dual
from autograd_engine.modes import current_mode
from autograd_engine.precision import Precise
from autograd_engine.registry import TABLE
from autograd_engine.rows import NaryPrimitive, Primitive
from nn import MLP

Function = Callable[..., Any]

INF, NAN = math.inf, math.nan


class Point(NamedTuple):
    x: Any
    y: Any


def cube(x: Any) -> Any:
    return x * x * x


def identical(a: Any, b: Any) -> bool:
    """The same structure, types, shapes and numbers; nan is nan."""
    if isinstance(b, np.ndarray):
        same = isinstance(a, np.ndarray) and (a.shape, a.dtype) == (b.shape, b.dtype)
        return same and bool(np.array_equal(a, b, equal_nan=True))
    if type(a) is not type(b):
        return False
    if isinstance(b, dict):
        return list(a) == list(b) and all(identical(a[key], b[key]) for key in b)
    if isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(identical, a, b))
    return bool(a == b or (a != a and b != b))


def close(a: Any, b: Any, rel: float = 1e-12) -> bool:
    """The same structure and shapes, and numbers that are near each other."""
    if isinstance(b, np.ndarray):
        same = isinstance(a, np.ndarray) and a.dtype == float and a.shape == b.shape
        return same and bool(np.allclose(a, b, rtol=rel, atol=1e-14, equal_nan=True))
    if type(a) is not type(b):
        return False
    if isinstance(b, dict):
        return list(a) == list(b) and all(close(a[key], b[key], rel) for key in b)
    if isinstance(b, list | tuple):
        return len(a) == len(b) and all(close(x, y, rel) for x, y in zip(a, b, strict=True))
    return bool(a == pytest.approx(b, rel=rel, abs=1e-14, nan_ok=True))


def by_reverse(f: Function, x: float) -> Any:
    return grad(f)(x)


def by_forward(f: Function, x: float) -> Any:
    return jvp(f, (x,), (1.0,))[1]


BOTH = pytest.mark.parametrize("differentiated", [by_reverse, by_forward])

# --- structures of arguments ----------------------------------------------------------------------

ONE_NUMBER: list[Any] = [
    2.0, 2, np.float64(2), np.float32(2), np.int64(2), np.array(2.0), np.array(2), Fraction(2),
    np.longdouble(2),
]  # fmt: skip


@pytest.mark.parametrize("x", ONE_NUMBER, ids=lambda x: f"{type(x).__name__}-{x}")
def test_every_kind_of_number_counts_as_a_float(x: Any) -> None:
    assert identical(grad(cube)(x), 12.0)
    assert identical(value_and_grad(cube)(x), (8.0, 12.0))
    assert identical(jvp(cube, (x,), (np.int64(1),)), (8.0, 12.0))
    assert identical(jacobian(cube)(x), 12.0)
    assert identical(jacobian(cube, mode="forward")(x), 12.0)
    assert identical(hessian(cube)(x), 12.0)
    assert identical(hvp(cube, (x,), (x,)), 24.0)
    assert identical(derivative(cube)(x), 12.0)
    assert identical(taylor(cube, x, 4), [8.0, 12.0, 6.0, 1.0, 0.0])
    output, pullback = vjp(cube, x)
    assert identical((output, pullback(x)), (8.0, (24.0,)))


def test_a_bool_counts_as_0_or_1() -> None:
    assert identical(grad(cube)(True), 3.0)
    assert identical(grad(cube)(np.True_), 3.0)
    assert identical(jvp(cube, (True,), (True,)), (1.0, 3.0))
    assert identical(grad(lambda x: (x * x).sum())(np.array([True, False])), np.array([2.0, 0.0]))


def test_whole_numbers_are_not_divided_as_such() -> None:
    assert identical(grad(lambda x: x[0] / x[1])([1, 2]), [0.5, -0.25])
    assert identical(grad(lambda x: x[0] ** x[1])(np.array([2, -1])), np.array([-0.25, log(2) / 2]))


STRUCTURES: list[tuple[Any, Function, Any]] = [
    ([2, 3.0], lambda p: p[0] * p[1], [3.0, 2.0]),
    ((2, 3.0), lambda p: p[0] * p[1], (3.0, 2.0)),
    ({"w": 2, "b": 3.0}, lambda p: p["w"] * p["b"], {"w": 3.0, "b": 2.0}),
    (Point(2, 3), lambda p: p.x * p.y, Point(3.0, 2.0)),
    ({1: (2,), (0, "a"): [[3]]}, lambda p: p[1][0] * p[0, "a"][0][0],
     {1: (3.0,), (0, "a"): [[2.0]]}),
    (np.array([2.0, 3.0]), lambda p: p[0] * p[1], np.array([3.0, 2.0])),
    (np.array([[2, 3]]), lambda p: p[0, 0] * p[0, 1], np.array([[3.0, 2.0]])),
    (np.array([[2], [3]], np.float32), lambda p: p.prod(), np.array([[3.0], [2.0]])),
    (np.full((1, 2, 1), 2.0), lambda p: p.prod(), np.full((1, 2, 1), 2.0)),
    (np.array([2, 3.5], object), lambda p: p[0] * p[1], np.array([3.5, 2.0])),
    ([np.array([2.0]), 3, {"c": np.array(4)}], lambda p: (p[0] * p[1] * p[2]["c"])[0],
     [np.array([12.0]), 8.0, {"c": 6.0}]),
    (Point(np.ones((2, 2)), [(np.int8(2),)]), lambda p: p.x.sum() * p.y[0][0],
     Point(np.full((2, 2), 2.0), [(4.0,)])),
    ([], lambda p: 1.0, []),
    ((), lambda p: 1.0, ()),
    ({}, lambda p: 1.0, {}),
    ([[], {}, ()], lambda p: 1, [[], {}, ()]),
    (np.zeros(0), lambda p: p.sum(), np.zeros(0)),
    (np.zeros((2, 0, 3), int), lambda p: p.sum(), np.zeros((2, 0, 3))),
    ([np.zeros((0, 1)), 3.0], lambda p: p[0].sum() + p[1], [np.zeros((0, 1)), 1.0]),
]  # fmt: skip


@pytest.mark.parametrize(("argument", "f", "gradient"), STRUCTURES, ids=str)
def test_the_gradient_has_the_structure_of_the_argument(
    argument: Any, f: Function, gradient: Any
) -> None:
    assert identical(grad(f)(argument), gradient)
    assert identical(value_and_grad(f)(argument)[1], gradient)
    assert identical(vjp(f, argument)[1](1.0), (gradient,))
    assert identical(jacobian(f, mode="reverse")(argument), gradient)
    assert identical(jacobian(f, mode="forward")(argument), gradient)


def test_an_array_of_another_memory_order_keeps_its_places() -> None:
    weights = np.arange(6.0).reshape(2, 3)
    for x in (np.asfortranarray(np.ones((2, 3))), np.ones((3, 2)).T, np.ones((4, 6))[::2, ::2]):
        assert identical(grad(lambda x: (x * weights).sum())(x), weights)
        assert identical(jacobian(lambda x: (x * weights).sum(), mode="forward")(x), weights)


def test_a_list_subclass_keeps_its_class() -> None:
    class Weights(list[Any]):
        pass

    assert type(grad(lambda p: p[0] * p[1])(Weights([2, 3]))) is Weights


def test_the_argument_is_not_changed_and_may_be_by_the_function() -> None:
    def clobbering(p: Any) -> Any:
        p["x"] = p["x"] * 3
        p["a"][0] = p["a"][0] * p["x"]
        return p["a"][0]

    argument = {"x": 2.0, "a": np.array([5.0])}
    assert identical(grad(clobbering)(argument), {"x": 15.0, "a": np.array([6.0])})
    assert identical(argument, {"x": 2.0, "a": np.array([5.0])})


def weighted(x: Any, y: Any, z: Any = 1.0) -> Any:
    return x * y**2 * z


@pytest.mark.parametrize(
    ("argnums", "gradient"),
    [
        (0, 9.0),
        (1, 12.0),
        (-1, 12.0),
        (-2, 9.0),
        (np.int64(1), 12.0),
        ((0,), (9.0,)),
        ((0, 1), (9.0, 12.0)),
        ((1, 0), (12.0, 9.0)),
        ((-1, 0), (12.0, 9.0)),
        ([0, 1], (9.0, 12.0)),
        (range(2), (9.0, 12.0)),
        (np.array([1, 0]), (12.0, 9.0)),
        ((), ()),
    ],
    ids=str,
)
def test_argnums_say_by_which_arguments(argnums: Any, gradient: Any) -> None:
    assert identical(grad(weighted, argnums)(2.0, 3), gradient)
    assert identical(value_and_grad(weighted, argnums)(2, 3.0), (18.0, gradient))
    for mode in ("forward", "reverse", None):
        assert identical(jacobian(weighted, argnums, mode=mode)(2, 3), gradient)


def test_argnums_from_a_generator_serve_every_call() -> None:
    gradient = grad(weighted, (i for i in (1, 0)))  # type: ignore[arg-type]
    assert identical(gradient(2.0, 3.0), (12.0, 9.0))
    assert identical(gradient(2.0, 3.0), (12.0, 9.0))


def test_other_arguments_arrive_as_they_are() -> None:
    seen: list[Any] = []

    def f(x: Any, text: Any, *, scale: Any, table: Any) -> Any:
        seen.append((text, scale, table))
        return x * scale

    table = {"a": None}
    for function in (grad(f), jacobian(f), jacobian(f, mode="forward"), derivative(f)):
        assert identical(function(2.0, "text", scale=3, table=table), 3.0)
        assert (seen[-1][0], seen[-1][1]) == ("text", 3)
        assert seen[-1][2] is table
    assert identical(value_and_grad(f)(2.0, "text", scale=3, table=table), (6.0, 3.0))
    assert identical(hessian(f)(2.0, "text", scale=3, table=table), 0.0)
    assert identical(grad(weighted)(2.0, y=3, z=2), 18.0)


def test_the_new_function_has_the_name_and_text_of_the_old() -> None:
    def energy(x: Any) -> Any:
        """x squared."""
        return x * x

    for function, name in (
        (grad(energy), "grad"),
        (value_and_grad(energy), "value_and_grad"),
        (jacobian(energy), "jacobian"),
        (hessian(energy), "hessian"),
        (derivative(energy), "derivative"),
    ):
        assert function.__name__ == f"{name}(energy)"
        assert function.__doc__ == "x squared."
    assert grad(functools.partial(weighted, 2.0))(3.0) == 12.0
    assert grad(sin)(0.5) == math.cos(0.5)
    assert grad(grad(energy)).__name__ == "grad(grad(energy))"


# --- structures of results ------------------------------------------------------------------------


def test_a_jacobian_has_the_structure_of_the_output_and_inside_that_of_the_argument() -> None:
    def f(p: Any) -> Any:
        x, y = p["x"], p["y"]
        return {"product": x * y, "list": [y, (x.sum(),)], "constant": 5}

    at = {"x": np.array([1.0, 2.0]), "y": 3.0}
    expected = {
        "product": {"x": np.array([[3.0, 0.0], [0.0, 3.0]]), "y": np.array([1.0, 2.0])},
        "list": [
            {"x": np.array([0.0, 0.0]), "y": 1.0},
            ({"x": np.array([1.0, 1.0]), "y": 0.0},),
        ],
        "constant": {"x": np.array([0.0, 0.0]), "y": 0.0},
    }
    for mode in (None, "forward", "reverse"):
        assert identical(jacobian(f, mode=mode)(at), expected)


def test_a_jacobian_by_several_arguments_has_a_tuple_in_each_place() -> None:
    def f(x: Any, y: Any) -> Any:
        return Point(x * y, [y[1]])

    x, y = 2.0, np.array([3.0, 4.0])
    expected = Point(
        (np.array([3.0, 4.0]), np.array([[2.0, 0.0], [0.0, 2.0]])), [(0.0, np.array([0.0, 1.0]))]
    )
    for mode in (None, "forward", "reverse"):
        assert identical(jacobian(f, (0, 1), mode=mode)(x, y), expected)
        assert identical(jacobian(f, 1, mode=mode)(x, y).x, expected.x[1])


SHAPES: list[tuple[int, ...]] = [(), (1,), (3,), (2, 3), (1, 2, 2), (0,), (2, 0)]


@pytest.mark.parametrize("mode", [None, "forward", "reverse"])
@pytest.mark.parametrize("inner", SHAPES, ids=str)
@pytest.mark.parametrize("outer", SHAPES, ids=str)
def test_the_blocks_of_a_jacobian_have_the_shape_of_output_and_input(
    outer: tuple[int, ...], inner: tuple[int, ...], mode: Any
) -> None:
    weights = np.arange(1.0, 1.0 + math.prod(outer) * math.prod(inner)).reshape((*outer, *inner))

    def f(x: Any) -> Any:
        x = np.asarray(x, dtype=object)
        y = np.tensordot(weights, x, x.ndim) if weights.size else np.zeros(outer)
        return y.item() if outer == () else y

    x = np.ones(inner) if inner else 1.0
    found = jacobian(f, mode=mode)(x)
    if outer == inner == ():
        assert identical(found, 1.0)
    else:
        assert identical(found, weights)


def test_the_jacobian_goes_forward_where_outputs_are_many_more_than_inputs() -> None:
    kinds: list[str] = []

    def wide(n: int) -> Function:
        def f(x: Any) -> Any:
            kinds.append(type(x).__name__)
            return [x * i for i in range(n)]

        return f

    for n, last in ((1000, "Value"), (1001, "Dual")):
        assert jacobian(wide(n))(1.0) == [float(i) for i in range(n)]
        assert kinds[-1] == last
    jacobian(wide(1), mode="forward")(1.0)
    assert set(kinds[-1:]) == {"Dual"}
    del kinds[:]
    jacobian(wide(1000), mode="reverse")(1.0)
    assert kinds == ["Value"]


def test_both_modes_of_a_jacobian_agree_on_many_functions() -> None:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(4, 3))
    x = rng.normal(size=3)
    functions: list[Function] = [
        lambda x: A @ x,
        lambda x: tanh(A @ x),
        lambda x: np.outer(x, x),
        lambda x: np.exp(x) * x[::-1],
        lambda x: {"a": x[0] / x[1], "b": [ae.softmax(x), ae.logsumexp(x)]},
        lambda x: np.cumsum(x) ** 2,
        lambda x: x.reshape(3, 1) * A.T,
        lambda x: [ae.where(x[0] > 0, x[1], x[2]), maximum(x[0], x[1]), ae.hypot(x[0], x[2])],
    ]
    for f in functions:
        reverse, forward = jacobian(f, mode="reverse")(x), jacobian(f, mode="forward")(x)
        assert close(forward, reverse)
        assert identical(jacobian(f)(x), reverse)


def test_a_jacobian_of_a_jacobian_has_three_axes() -> None:
    x = np.array([1.0, 2.0])
    expected = np.zeros((2, 2, 2))
    expected[0, 0, 0], expected[1, 1, 1] = 6.0, 12.0
    for outer in ("forward", "reverse"):
        for inner in ("forward", "reverse"):
            found = jacobian(jacobian(lambda x: x**3, mode=inner), mode=outer)(x)
            assert close(found, expected), (outer, inner)


def test_a_jacobian_calls_the_function_once_in_reverse_and_once_per_input_going_forward() -> None:
    calls: list[Any] = []

    def f(x: Any) -> Any:
        calls.append(x)
        return x * 2

    jacobian(f, mode="reverse")(np.ones(5))
    assert len(calls) == 1
    jacobian(f, mode="forward")(np.ones(5))
    assert len(calls) == 6


def test_a_hessian_of_an_array_is_a_matrix() -> None:
    rng = np.random.default_rng(1)
    A = rng.normal(size=(3, 3))
    found = hessian(lambda x: x @ A @ x)(rng.normal(size=3))
    assert close(found, A + A.T)
    assert identical(hessian(lambda x: x[0, 0] * x[1, 0])(np.ones((2, 1))).shape, (2, 1, 2, 1))
    assert identical(hessian(cube)(2), 12.0)
    assert identical(hessian(lambda x: x.sum())(np.zeros(0)), np.zeros((0, 0)))


def test_a_hessian_has_the_structure_of_the_argument_twice() -> None:
    def f(p: Any) -> Any:
        return (p["w"] ** 2).sum() * p["b"]

    found = hessian(f)({"w": np.array([1.0, 2.0]), "b": 3.0})
    assert identical(
        found,
        {
            "w": {"w": np.array([[6.0, 0.0], [0.0, 6.0]]), "b": np.array([2.0, 4.0])},
            "b": {"w": np.array([2.0, 4.0]), "b": 0.0},
        },
    )
    assert identical(hessian(lambda x: x[0] * x[1] ** 2)([2.0, 3.0]), [[0.0, 6.0], [6.0, 4.0]])


def test_a_hessian_by_several_arguments_has_tuples() -> None:
    found = hessian(lambda x, y: (x**2).sum() * y, (0, 1))(np.array([1.0, 2.0]), 3.0)
    x_x, x_y = np.array([[6.0, 0.0], [0.0, 6.0]]), np.array([2.0, 4.0])
    assert identical(found, ((x_x, x_y), (x_y, 0.0)))
    assert identical(hessian(weighted, -1)(2.0, 3.0), 4.0)
    assert identical(hessian(weighted, (1,))(2.0, 3.0), ((4.0,),))


def test_a_hessian_times_a_vector_is_that_product() -> None:
    rng = np.random.default_rng(2)
    A, x, v = rng.normal(size=(4, 4)), rng.normal(size=4), rng.normal(size=4)

    def f(x: Any) -> Any:
        return ae.sum(sin(A @ x)) * x[0]

    assert close(hvp(f, (x,), (v,)), hessian(f)(x) @ v)
    product = hvp(lambda p, y: p["a"] ** 2 * y, ({"a": 2.0}, 3.0), ({"a": 1}, 10))
    assert identical(product, ({"a": 6.0 + 40.0}, 4.0))
    assert identical(hvp(lambda x: 3.0, (np.ones(2),), (np.ones(2),)), np.zeros(2))


def test_value_and_grad_hands_auxiliary_results_out() -> None:
    def f(x: Any) -> Any:
        return x**2, {"twice": 2 * x, "array": np.array([x, x * x]), "text": "t", "none": None}

    (value, extra), gradient = value_and_grad(f, has_aux=True)(3.0)
    assert (value, gradient) == (9.0, 6.0)
    assert identical(
        extra, {"twice": 6.0, "array": np.array([3.0, 9.0]), "text": "t", "none": None}
    )
    thing = object()
    assert value_and_grad(lambda x: (x, thing), has_aux=True)(3.0)[0][1] is thing
    assert identical(value_and_grad(lambda x: (2, x), has_aux=True)(3.0), ((2.0, 3.0), 0.0))


def test_results_are_plain_numbers_also_for_singletons_and_constants() -> None:
    output, pullback = vjp(lambda x: [x, 1.0, np.float64(2), np.ones(2)], 3.0)
    assert output[0] == 3.0
    assert type(output[0]) is float
    assert identical(pullback([1, 1, 1, [1, 1]]), (1.0,))
    found = jvp(lambda x: [x, 1, True, np.float64(2), np.arange(2)], (3.0,), (2.0,))
    zeros = np.zeros(2)
    assert identical(found[0], [3.0, 1.0, 1.0, 2.0, np.arange(2.0)])
    assert identical(found[1], [2.0, 0.0, 0.0, 0.0, zeros])
    coefficients = taylor(lambda x: {"a": x * x, "b": 7}, 3.0, 2)
    assert identical(
        coefficients, [{"a": 9.0, "b": 7.0}, {"a": 6.0, "b": 0.0}, {"a": 1.0, "b": 0.0}]
    )


@pytest.mark.parametrize("mode", [None, "forward", "reverse"])
def test_an_array_of_no_axes_counts_as_its_number(mode: Any) -> None:
    def f(x: Any) -> Any:
        return np.array(x[0] * x[1], dtype=object)

    x = np.array([2.0, 3.0])
    assert identical(grad(f)(x), np.array([3.0, 2.0]))
    assert identical(jacobian(f, mode=mode)(x), np.array([3.0, 2.0]))


def test_a_value_in_an_array_of_no_axes_counts_as_that_value() -> None:
    x = Value(2.0)
    result = grad(cube)(np.array(x, dtype=object))
    result.backward()
    assert (result.data, x.grad) == (12.0, 12.0)


# --- what does not depend -------------------------------------------------------------------------

INDEPENDENT: list[Function] = [
    lambda x: 1.0, lambda x: 3, lambda x: np.float64(2), lambda x: np.array(4.0), lambda x: True,
    lambda x: Value(3.0), lambda x: x.detach() * 2.0 if hasattr(x, "detach") else 1.0,
    lambda x: ae.sign(2.0),
]  # fmt: skip


@pytest.mark.parametrize("f", INDEPENDENT)
def test_an_output_that_does_not_depend_has_derivatives_of_0(f: Function) -> None:
    assert identical(grad(f)(2.0), 0.0)
    assert identical(value_and_grad(f)(2.0)[1], 0.0)
    assert identical(grad(grad(f))(2.0), 0.0)
    assert identical(jvp(f, (2.0,), (1.0,))[1], 0.0)
    assert identical(vjp(f, 2.0)[1](5.0), (0.0,))
    assert identical(hessian(f)(2.0), 0.0)
    assert identical(hvp(f, (2.0,), (1.0,)), 0.0)
    assert identical(derivative(f, 3)(2.0), 0.0)
    assert identical(taylor(f, 2.0, 3)[1:], [0.0, 0.0, 0.0])
    for mode in (None, "forward", "reverse"):
        assert identical(jacobian(f, mode=mode)(2.0), 0.0)


def test_zeros_have_the_shape_of_the_argument() -> None:
    at = {"a": np.ones((2, 1)), "b": [1, ()]}
    zeros = {"a": np.zeros((2, 1)), "b": [0.0, ()]}
    assert identical(grad(lambda p: 1.0)(at), zeros)
    assert identical(vjp(lambda p: [1.0, np.ones(2)], at)[1]([2.0, np.ones(2)]), (zeros,))
    assert identical(hvp(lambda p: 1.0, (at,), (at,)), zeros)
    for mode in (None, "forward", "reverse"):
        found = jacobian(lambda p: np.ones(3), mode=mode)(at)
        assert identical(found, {"a": np.zeros((3, 2, 1)), "b": [np.zeros(3), ()]})
    second = hessian(lambda p: 1.0)(at)
    assert identical(second["a"]["a"], np.zeros((2, 1, 2, 1)))
    assert identical(second["b"][0], zeros)


def test_an_output_that_depends_on_some_arguments_only_has_zeros_for_the_others() -> None:
    assert identical(grad(lambda x, y: x * x, (0, 1))(3.0, 4.0), (6.0, 0.0))
    found = jacobian(lambda x: [x[0], 1.0])(np.array([1.0, 2.0]))
    assert identical(found, [np.array([1.0, 0.0]), np.zeros(2)])
    assert identical(hessian(lambda x: x[0] ** 2)(np.ones(2)), np.array([[2.0, 0.0], [0.0, 0.0]]))


def test_a_linear_function_has_a_second_derivative_of_0() -> None:
    for f in (lambda x: x, lambda x: 3 * x + 1, lambda x: -x, lambda x: x / 2.0, relu):
        assert identical(grad(grad(f))(2.0), 0.0)
        assert identical(hessian(f)(2.0), 0.0)
        assert identical(by_forward(grad(f), 2.0), 0.0)
        assert identical(by_forward(lambda x, f=f: by_forward(f, x), 2.0), 0.0)


def test_the_identity_gives_the_argument_back() -> None:
    assert identical(value_and_grad(lambda x: x)(3), (3.0, 1.0))
    assert identical(jvp(lambda x: x, (3,), (2,)), (3.0, 2.0))
    output, pullback = vjp(lambda x: x, [1, np.array([2.0, 3.0])])
    assert identical(output, [1.0, np.array([2.0, 3.0])])
    assert identical(pullback([5, np.array([6, 7])]), ([5.0, np.array([6.0, 7.0])],))
    assert identical(taylor(lambda x: x, 3, 2), [3.0, 1.0, 0.0])
    assert identical(jacobian(lambda x: x)(np.ones(2)), np.eye(2))


# --- nesting --------------------------------------------------------------------------------------


def by_dual(f: Function) -> Function:
    return lambda x: jvp(f, (x,), (1.0,))[1]


def by_pullback(f: Function) -> Function:
    return lambda x: vjp(f, x)[1](1.0)[0]


def of_the_forward_jacobian(f: Function) -> Function:
    return jacobian(f, mode="forward")


WAYS: dict[str, Function] = {
    "grad": grad,
    "jvp": by_dual,
    "vjp": by_pullback,
    "jacobian": jacobian,
    "forward": of_the_forward_jacobian,
    "derivative": derivative,
    "value_and_grad": lambda f: lambda x: value_and_grad(f)(x)[1],
    "taylor": lambda f: lambda x: taylor(f, x, 1)[1],
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
EVERY_OTHER_WAY = pytest.mark.parametrize("other", WAYS.values(), ids=WAYS.keys())


@EVERY_WAY
@EVERY_OTHER_WAY
def test_derivatives_nest_in_any_mix(way: Function, other: Function) -> None:
    def f(x: Any) -> Any:
        return sin(x) * exp(x / 2)

    x = 0.7
    second = math.exp(x / 2) * (math.cos(x) - 0.75 * math.sin(x))
    third = math.exp(x / 2) * (-0.25 * math.cos(x) - 1.375 * math.sin(x))
    assert close(way(other(f))(x), second)
    assert close(other(way(other(f)))(x), third)


@EVERY_WAY
@EVERY_OTHER_WAY
def test_the_derivatives_of_nested_functions_are_not_confused(
    way: Function, other: Function
) -> None:
    assert identical(way(lambda x: x * other(lambda y: x + y)(1.0))(1.0), 1.0)
    assert identical(way(lambda x: x * other(lambda y: x * y)(2.0))(3.0), 6.0)
    assert identical(way(lambda x: other(lambda y: x * y * y)(x))(3.0), 12.0)
    assert identical(way(lambda x: other(lambda y: x)(2.0))(3.0), 0.0)
    assert identical(way(lambda x: other(lambda y: y * y)(2.0) * x)(3.0), 4.0)
    assert identical(way(lambda x: other(lambda y: x * x)(2.0) + x)(3.0), 1.0)


@EVERY_WAY
@EVERY_OTHER_WAY
def test_a_derivative_inside_two_others_knows_what_varies_in_between(
    way: Function, other: Function
) -> None:
    def mixed(y: Any) -> Any:
        return way(lambda z: y * z)(1.0)

    assert identical(other(lambda x: x * way(mixed)(3.0))(1.0), 1.0)
    assert identical(other(lambda x: x * other(mixed)(3.0))(1.0), 1.0)


def test_grad_of_grad_of_grad_and_further() -> None:
    f: Function = lambda x: x**5  # noqa: E731
    for k, expected in enumerate([32.0, 80.0, 160.0, 240.0, 240.0, 120.0, 0.0]):
        assert identical(f(2.0), expected), k
        f = grad(f)


ROWS = [row for name, row in sorted(TABLE.items()) if not isinstance(row, NaryPrimitive)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_primitive_has_the_same_second_derivatives_in_all_mixes(row: Primitive) -> None:
    at = {"acosh": (1.7,)}.get(row.name, (0.37, 0.81, -0.45)[: row.arity])
    reverse = jacobian(grad(row, range(row.arity)), range(row.arity), mode="reverse")(*at)
    forward = jacobian(grad(row, range(row.arity)), range(row.arity), mode="forward")(*at)
    assert close(forward, reverse, 1e-11)
    step = 1e-5
    for i in range(row.arity):
        up, down = list(at), list(at)
        up[i], down[i] = up[i] + step, down[i] - step
        slopes = zip(
            grad(row, range(row.arity))(*up), grad(row, range(row.arity))(*down), strict=True
        )
        for j, (above, below) in enumerate(slopes):
            assert reverse[j][i] == pytest.approx((above - below) / (2 * step), rel=1e-6, abs=1e-8)
        along = [float(j == i) for j in range(row.arity)]
        twice = jvp(lambda *x, v=along: jvp(row, x, v)[1], at, along)[1]
        assert twice == pytest.approx(reverse[i][i], rel=1e-11, abs=1e-14)
        over = grad(lambda *x, v=along: jvp(row, x, v)[1], i)(*at)
        assert over == pytest.approx(reverse[i][i], rel=1e-11, abs=1e-14)


NARY: list[tuple[str, Function]] = [
    ("sum", lambda x: ae.sum(x) ** 2),
    ("mean", lambda x: ae.mean(x) ** 2),
    ("dot", lambda x: ae.dot(x, x)),
    ("dot with itself turned", lambda x: ae.dot(x, x[::-1]) ** 2),
    ("dot with numbers", lambda x: exp(ae.dot(x, [1.0, -2.0, 0.5]))),
    ("logsumexp", ae.logsumexp),
    ("softmax", lambda x: ae.softmax(x)[1]),
    ("log_softmax", lambda x: ae.log_softmax(x)[2] * x[0]),
]


@pytest.mark.parametrize(("name", "f"), NARY, ids=[name for name, _ in NARY])
def test_primitives_of_sequences_have_second_derivatives_in_all_mixes(
    name: str, f: Function
) -> None:
    x, step = np.array([0.3, -0.7, 1.1]), 1e-5
    found = hessian(f)(x)
    for mode in ("reverse", "forward"):
        assert close(jacobian(grad(f), mode=mode)(x), found, 1e-11)
        assert close(jacobian(jacobian(f, mode="forward"), mode=mode)(x), found, 1e-11)
    columns = [(grad(f)(x + step * e) - grad(f)(x - step * e)) / (2 * step) for e in np.eye(3)]
    assert np.allclose(found, np.array(columns).T, rtol=1e-6, atol=1e-8)


def test_it_agrees_with_torch() -> None:
    torch = pytest.importorskip("torch")
    functional = torch.autograd.functional
    rng = np.random.default_rng(3)
    A, x = rng.normal(size=(3, 3)), rng.normal(size=3)
    v, u = rng.normal(size=3), rng.normal(size=3)
    B = torch.tensor(A)

    def ours(x: Any) -> Any:
        return np.tanh(A @ x) * x[0]

    def theirs(x: Any) -> Any:
        return torch.tanh(B @ x) * x[0]

    t = torch.tensor(x)
    expected = functional.jacobian(theirs, t).numpy()
    for mode in (None, "forward", "reverse"):
        assert close(jacobian(ours, mode=mode)(x), expected, 1e-10)
    for found, wanted in (
        (jvp(ours, (x,), (v,)), functional.jvp(theirs, t, torch.tensor(v))),
        ((vjp(ours, x)[0], vjp(ours, x)[1](u)[0]), functional.vjp(theirs, t, torch.tensor(u))),
    ):
        assert close(found[0], wanted[0].numpy(), 1e-10)
        assert close(found[1], wanted[1].numpy(), 1e-10)
    hessian_of_theirs = functional.hessian(lambda x: theirs(x).sum(), t).numpy()
    assert close(hessian(lambda x: ours(x).sum())(x), hessian_of_theirs, 1e-10)
    product = functional.hvp(lambda x: theirs(x).sum(), t, torch.tensor(v))[1].numpy()
    assert close(hvp(lambda x: ours(x).sum(), (x,), (v,)), product, 1e-10)


def test_a_hessian_of_a_model_agrees_with_torch() -> None:
    torch = pytest.importorskip("torch")
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    numbers = np.array([p.data for p in model.parameters()])

    def ours(x: Any) -> Any:
        return model(x) ** 2

    def theirs(x: Any) -> Any:
        for layer in model.layers:
            last = layer is model.layers[-1]
            rows = [[w.data for w in neuron.w] for neuron in layer.neurons]
            bias = [neuron.b.data for neuron in layer.neurons if neuron.b is not None]
            x = torch.tensor(rows, dtype=torch.float64) @ x + torch.tensor(
                bias, dtype=torch.float64
            )
            x = x if last else torch.tanh(x)
        return x[0] ** 2

    x = np.array([0.3, -0.8])
    with no_grad():
        found = hessian(ours)(x)
    assert close(found, torch.autograd.functional.hessian(theirs, torch.tensor(x)).numpy(), 1e-10)
    assert [p.data for p in model.parameters()] == numbers.tolist()


# --- Values ---------------------------------------------------------------------------------------


def test_the_derivative_by_a_value_is_a_value_that_goes_backward() -> None:
    for differentiated in (
        grad,
        by_dual,
        by_pullback,
        jacobian,
        of_the_forward_jacobian,
        derivative,
    ):
        x = Value(2.0)
        slope = differentiated(cube)(x)
        assert type(slope) is Value
        assert slope.data == 12.0
        assert x.grad == 0.0
        slope.backward()
        assert x.grad == 12.0


def test_the_value_of_value_and_grad_goes_backward_too() -> None:
    x = Value(2.0)
    value, slope = value_and_grad(cube)(x)
    value.backward()
    assert (value.data, slope.data, x.grad) == (8.0, 12.0, 12.0)
    (slope * value).backward()
    assert x.grad == 12.0 + 12.0 * 8.0 + 12.0 * 12.0


def test_values_in_structures_and_beside_numbers_give_values() -> None:
    a, b = Value(2.0), Value(3.0)
    found = grad(lambda p: p["a"][0] ** 2 * p["b"] * p["a"][1])({"a": np.array([a, 5.0]), "b": b})
    (found["a"][0] + 10 * found["b"]).backward()
    assert [x.data for x in found["a"]] == [60.0, 12.0]
    assert a.grad == 2 * 3 * 5 + 10 * 2 * 2 * 5
    assert b.grad == 2 * 2 * 5


def test_one_value_given_twice_is_two_arguments() -> None:
    x = Value(3.0)
    by_first, by_second = grad(lambda a, b: a * a * b, (0, 1))(x, x)
    assert (by_first.data, by_second.data) == (18.0, 9.0)
    by_first.backward()
    assert x.grad == 12.0


def test_a_number_beside_a_captured_value_gives_a_result_that_depends_on_it() -> None:
    for differentiated in (
        grad,
        by_dual,
        by_pullback,
        jacobian,
        of_the_forward_jacobian,
        derivative,
    ):
        w = Value(3.0)
        slope = differentiated(lambda x, w=w: w**2 * x**2)(2.0)
        assert type(slope) is Value
        assert w.grad == 0.0
        slope.backward()
        assert (slope.data, w.grad) == (36.0, 24.0)


def test_a_result_that_depends_on_no_value_is_plain_also_when_the_function_has_found_one() -> None:
    w = Value(3.0)
    assert identical(by_forward(lambda x: w + x * x, 2.0), 4.0)
    assert identical(by_reverse(lambda x: w + x * x, 2.0), 4.0)


def test_a_captured_value_that_is_the_result_itself_comes_out() -> None:
    w = Value(3.0)
    assert value_and_grad(lambda x: w)(2.0)[0] is w
    assert vjp(lambda x: [w, x], 2.0)[0][0] is w
    assert jvp(lambda x: [w, x], (2.0,), (1.0,))[0][0] is w
    assert (grad(lambda x: w)(2.0), w.grad) == (0.0, 0.0)


def test_differentiating_leaves_every_grad_alone() -> None:
    w, x = Value(3.0), Value(2.0)
    (w * x).backward()
    before = w.grad, x.grad

    def f(x: Any) -> Any:
        return w * x * x + exp(w)

    for at in (x, 2.0):
        grad(f)(at), grad(grad(f))(at), hessian(f)(at), value_and_grad(f)(at)
        vjp(f, at)[1](2.0), jvp(f, (at,), (1.0,)), hvp(f, (at,), (1.0,)), taylor(f, at, 3)
        jacobian(lambda x: [f(x), x])(at), jacobian(f, mode="forward")(at), derivative(f, 2)(at)
        with no_grad():
            grad(f)(at), jacobian(f)(at), hvp(f, (at,), (1.0,)), grad(grad(f))(at)
    assert (w.grad, x.grad) == before


def model_and_point() -> tuple[Any, Any]:
    return MLP(2, [3, 1], activation=lambda x: tanh(x), rng=1), np.array([0.4, -0.9])


def test_a_gradient_penalty_goes_backward_into_the_parameters_of_a_model() -> None:
    critic, x = model_and_point()

    def penalty() -> Any:
        return (grad(critic)(x) ** 2).sum()

    loss = penalty()
    assert type(loss) is Value
    assert all(p.grad == 0.0 for p in critic.parameters())
    loss.backward()
    step = 1e-5
    for p in critic.parameters():
        at = p.data
        p.data = at + step
        above = penalty().data
        p.data = at - step
        below = penalty().data
        p.data = at
        assert p.grad == pytest.approx((above - below) / (2 * step), rel=1e-6, abs=1e-9)


def test_every_way_to_a_gradient_penalty_gives_the_same_parameters_gradients() -> None:
    critic, x = model_and_point()
    found = []
    penalties: list[Function] = [
        lambda: (grad(critic)(x) ** 2).sum(),
        lambda: (value_and_grad(critic)(x)[1] ** 2).sum(),
        lambda: (vjp(critic, x)[1](1.0)[0] ** 2).sum(),
        lambda: (jacobian(critic, mode="forward")(x) ** 2).sum(),
        lambda: (jacobian(critic, mode="reverse")(x) ** 2).sum(),
        lambda: sum(jvp(critic, (x,), (e,))[1] ** 2 for e in np.eye(2)),
    ]
    for penalty in penalties:
        for p in critic.parameters():
            p.zero_grad()
        penalty().backward()
        found.append([p.grad for p in critic.parameters()])
    for grads in found[1:]:
        assert grads == pytest.approx(found[0], rel=1e-10, abs=1e-14)


def test_a_critic_of_one_weight_has_the_penalty_of_the_formula() -> None:
    w = Value(3.0)
    (grad(lambda x: w * x**2)(2.0) ** 2).backward()  # (2 w x)**2, by w: 8 w x**2
    assert w.grad == 8 * 3.0 * 4.0


def test_the_gradient_by_the_parameters_as_an_argument_is_that_of_backward() -> None:
    model, x = model_and_point()
    numbers = [p.data for p in model.parameters()]

    def loss(parameters: list[Any]) -> Any:
        first, (w, b) = (
            [parameters[i : i + 3] for i in (0, 3, 6)],
            (parameters[9:12], parameters[12]),
        )
        hidden = [tanh(ae.dot(neuron[:2], x) + neuron[2]) for neuron in first]
        return ae.dot(w, hidden) + b

    output = model(x)
    output.backward()
    assert loss(numbers) == pytest.approx(output.data, rel=1e-14)
    expected = [p.grad for p in model.parameters()]
    assert grad(loss)(numbers) == pytest.approx(expected, rel=1e-13)
    of_values = grad(loss)(model.parameters())
    assert [g.data if isinstance(g, Value) else g for g in of_values] == pytest.approx(expected)
    assert [p.grad for p in model.parameters()] == expected


def test_values_that_the_function_makes_are_constants() -> None:
    functions: list[Function] = [
        lambda x: x * x * Value(3.0),
        lambda x: Value(3.0) * x**2 + Value(1.0),
        lambda x: ae.dot([x, Value(3.0)], [3.0 * x, Value(5.0)]),
    ]
    for f in functions:
        assert identical(grad(f)(2.0), 12.0)
        assert identical(vjp(f, 2.0)[1](1.0), (12.0,))
        assert identical(jacobian(f)(2.0), 12.0)
        assert identical(value_and_grad(f)(2.0)[0], f(2.0).data)


@EVERY_WAY
def test_what_the_function_computes_from_values_that_it_makes_is_constant_too(
    way: Function,
) -> None:
    assert identical(way(lambda x: x * Value(3.0))(2.0), 3.0)
    assert identical(way(lambda x: x * (Value(2.0) * Value(3.0)))(2.0), 6.0)


def test_results_that_are_values_made_inside_come_out_as_numbers() -> None:
    assert identical(value_and_grad(lambda x: Value(3.0))(2.0), (3.0, 0.0))
    assert identical(vjp(lambda x: [Value(3.0)], 2.0)[0], [3.0])
    assert identical(jvp(lambda x: Value(3.0), (2.0,), (1.0,)), (3.0, 0.0))


def test_a_derivative_taken_inside_another_leaves_the_grad_of_the_values_around_it_alone() -> None:
    seen = []

    def f(x: Any) -> Any:
        p = Value(3.0)
        slope = grad(lambda z: p * z)(1.0)
        seen.append((p.grad, slope if isinstance(slope, float) else slope.data))
        return x * p

    assert identical(grad(f)(1.0), 3.0)
    assert seen == [(0.0, 3.0)]


def test_under_no_grad_results_are_plain_and_right() -> None:
    w, x = Value(3.0), Value(2.0)

    def f(x: Any) -> Any:
        return w * x**3 + Value(1.0)

    with no_grad():
        for at in (x, 2.0):
            assert identical(grad(f)(at), 36.0)
            assert identical(value_and_grad(f)(at), (25.0, 36.0))
            assert identical(grad(grad(f))(at), 36.0)
            assert identical(hessian(f)(at), 36.0)
            assert identical(jvp(f, (at,), (1.0,)), (25.0, 36.0))
            assert identical(jvp(f, (at,), (x,)), (25.0, 72.0))
            assert identical(hvp(f, (at,), (x,)), 72.0)
            assert identical(derivative(f, 2)(at), 36.0)
            assert identical(taylor(f, at, 3), [25.0, 36.0, 18.0, 3.0])
            output, pullback = vjp(f, at)
            assert identical((output, pullback(2.0)), (25.0, (72.0,)))
            for mode in (None, "forward", "reverse"):
                assert identical(jacobian(f, mode=mode)(at), 36.0)
            (value, extra), _ = value_and_grad(lambda x: (f(x), [x, w * x]), has_aux=True)(at)
            assert identical((value, extra), (25.0, [2.0, 6.0]))
    assert (w.grad, x.grad) == (0.0, 0.0)


def test_a_function_decorated_with_no_grad_has_no_derivative() -> None:
    frozen = no_grad(cube)
    for way in WAYS.values():
        assert identical(way(frozen)(2.0), 0.0)


CUTS: list[tuple[str, Function, float, float]] = [
    ("detach", lambda x: x * x.detach(), 2.0, 0.0),
    ("detached result", lambda x: (x * x).detach() * x, 4.0, 0.0),
    ("all detached", lambda x: (x * x).detach(), 0.0, 0.0),
    ("detached and squared", lambda x: x.detach() ** 2 * x**2, 16.0, 8.0),
]


@EVERY_WAY
@pytest.mark.parametrize(("name", "f", "first", "second"), CUTS, ids=[c[0] for c in CUTS])
def test_detach_cuts_the_derivative(
    way: Function, name: str, f: Function, first: float, second: float
) -> None:
    assert identical(way(f)(2.0), first)
    for other in (grad, by_dual):
        assert identical(way(other(f))(2.0), second)
        assert identical(other(way(f))(2.0), second)


def partly_without_grad(x: Any) -> Any:
    with no_grad():
        constant = x * x + 1
    return constant * x


@EVERY_WAY
def test_a_no_grad_block_cuts_the_derivative(way: Function) -> None:
    assert identical(way(partly_without_grad)(2.0), 5.0)
    for other in (grad, by_dual):
        assert identical(way(other(partly_without_grad))(2.0), 0.0)
    assert identical(way(lambda x: partly_without_grad(2 * x))(1.0), 10.0)


@EVERY_WAY
@EVERY_OTHER_WAY
def test_a_derivative_taken_in_a_no_grad_block_is_a_constant(
    way: Function, other: Function
) -> None:
    def f(x: Any) -> Any:
        with no_grad():
            slope = other(cube)(x)
        return slope * x

    assert identical(way(f)(2.0), 12.0)


def test_what_is_recorded_after_a_no_grad_block_in_the_function_counts_again() -> None:
    def f(x: Any) -> Any:
        with no_grad():
            y = x * 3
        z = x * y
        with no_grad():
            w = z * 3
        return z * w

    expected = 6.0 * 36.0
    assert identical((by_reverse(f, 2.0), by_forward(f, 2.0)), (expected, expected))


def test_a_function_that_looks_at_a_derivative_of_its_own_may_be_called_under_no_grad() -> None:
    def newton(x: Any) -> Any:
        value, slope = value_and_grad(lambda y: y * y - 2.0)(x)
        return x - value / slope

    with no_grad():
        x: Any = Value(1.0)
        for _ in range(6):
            x = newton(x)
    assert float(x) == pytest.approx(math.sqrt(2.0), rel=1e-15)


def test_a_fixed_number_of_newton_steps_has_a_derivative() -> None:
    def root(a: Any) -> Any:
        x: Any = 1.0
        for _ in range(7):
            value, slope = value_and_grad(lambda y: y * y - a)(x)
            x = x - value / slope
        return x

    assert root(2.0) == pytest.approx(math.sqrt(2.0), rel=1e-15)
    for way in WAYS.values():
        found = way(root)(2.0)
        assert (found.data if isinstance(found, Value) else found) == pytest.approx(
            0.5 / math.sqrt(2.0), rel=1e-12
        )


@EVERY_WAY
@EVERY_OTHER_WAY
def test_nothing_of_an_inner_derivative_by_a_number_is_left_in_the_result(
    way: Function, other: Function
) -> None:
    assert identical(way(lambda a: other(lambda y: y * y + a)(3.0) * a)(2.0), 6.0)
    assert identical(way(lambda a: other(lambda y: y * y * a)(3.0))(2.0), 6.0)


def test_a_weight_that_a_function_makes_on_its_first_call_is_one_of_outside_later() -> None:
    weights: list[Value] = []

    def lazy(x: Any) -> Any:
        if not weights:
            weights.append(Value(3.0))
        return weights[0] * x * x

    grad(lazy)(1.0)
    (w,) = weights
    w.zero_grad()
    slope = grad(lazy)(2.0)
    assert w.grad == 0.0
    assert type(slope) is Value
    slope.backward()
    assert (slope.data, w.grad) == (12.0, 4.0)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "linear"])
def test_a_model_works_on_dual_numbers(activation: str) -> None:
    model, x = MLP(2, [3, 1], activation=activation, rng=1), np.array([0.4, -0.9])
    v = np.array([1.0, 2.0])
    with no_grad():
        assert close(jvp(model, (x,), (v,))[1], float(grad(model)(x) @ v))
        assert close(jacobian(model, mode="forward")(x), grad(model)(x))
        assert close(hvp(model, (x,), (v,)), hessian(model)(x) @ v)
        assert close(hessian(model)(x), jacobian(jacobian(model, mode="forward"))(x))
    tangent = jvp(model, (x,), (v,))[1]
    tangent.backward()
    assert any(p.grad for p in model.parameters())


def test_a_gradient_step_has_a_derivative_by_its_learning_rate() -> None:
    def after(rate: Any) -> Any:
        w: Any = 3.0
        for _ in range(2):
            w = w - rate * grad(lambda v: v * v)(w)
        return w * w

    # w = 3 (1 - 2 r)**2, so the loss is 9 (1 - 2 r)**4
    for way in WAYS.values():
        assert close(way(after)(0.25), 9 * 4 * 0.5**3 * -2.0)


def test_data_changed_between_the_passes_is_found_out() -> None:
    w = Value(3.0)

    def f(x: Any) -> Any:
        return sin(w * x)

    _, pullback = vjp(f, 2.0)
    w.data = 4.0
    with pytest.raises(RuntimeError, match="was changed after this was computed"):
        pullback(1.0)
    w.data = 3.0
    assert pullback(1.0)[0].data == pytest.approx(3.0 * math.cos(6.0))


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "output",
    [
        lambda x: [x],
        lambda x: (x, x),
        lambda x: {"a": x},
        lambda x: np.array([x, x]),
        lambda x: np.array([x]),
        lambda x: [],
        lambda x: np.ones(3),
        lambda x: (y for y in [x]),
    ],
)
def test_a_gradient_of_several_numbers_is_refused_and_jacobian_named(output: Function) -> None:
    for name, call in (
        ("grad", grad(output)),
        ("value_and_grad", value_and_grad(output)),
        ("value_and_grad", value_and_grad(lambda x: (output(x), None), has_aux=True)),
    ):
        with pytest.raises(TypeError, match=rf"^{name}: .*must return one number, got .*jacobian"):
            call(2.0)
    for call in (hessian(output), lambda x: hvp(output, (x,), (1.0,))):
        with pytest.raises(TypeError, match=r"must return one number, got .*jacobian"):
            call(2.0)


def test_a_function_that_returns_nothing_is_told_to() -> None:
    for call in (grad(print), value_and_grad(print), hessian(print)):
        with pytest.raises(TypeError, match=r"must return one number, got NoneType.*return"):
            call(2.0)
    calls: list[tuple[str, Function]] = [
        ("jacobian", jacobian(lambda x: None)),
        ("jacobian", jacobian(lambda x: None, mode="forward")),
        ("jvp", lambda x: jvp(lambda x: None, (x,), (1.0,))),
        ("vjp", lambda x: vjp(lambda x: None, x)),
        ("derivative", derivative(lambda x: None)),
        ("taylor", lambda x: taylor(lambda x: None, x, 2)),
    ]
    for name, call in calls:
        with pytest.raises(TypeError, match=rf"^{name}: the function returned.* NoneType None"):
            call(2.0)


@pytest.mark.parametrize("bad", ["text", None, 1j, b"1", object()], ids=str)
def test_what_is_no_number_in_the_output_is_named_with_its_place(bad: Any) -> None:
    def f(x: Any) -> Any:
        return {"a": [x, bad]}

    calls: list[Function] = [
        jacobian(f),
        jacobian(f, mode="forward"),
        lambda x: vjp(f, x),
        lambda x: jvp(f, (x,), (1.0,)),
        derivative(f),
        lambda x: taylor(f, x, 1),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=rf"returned\['a'\]\[1\]: .*got {type(bad).__name__}"):
            call(2.0)


BAD: list[tuple[Any, str]] = [
    ("2", "text"),
    (None, "NoneType None"),
    (2j, "real or imaginary"),
    ({1.0, 2.0}, "set"),
    (range(2), "range"),
    (b"2", "text"),
    (object(), "object"),
    (math, "module"),
]


@pytest.mark.parametrize(("bad", "told"), BAD, ids=str)
def test_what_is_no_number_in_the_arguments_is_named_with_its_place(bad: Any, told: str) -> None:
    f = weighted
    for call in (grad(f, 1), jacobian(f, 1), jacobian(f, 1, mode="forward"), value_and_grad(f, 1)):
        with pytest.raises(TypeError, match=rf"^\w+: argument 1: .*{told}"):
            call(1.0, bad)
        with pytest.raises(TypeError, match=rf"^\w+: argument 1\[0\]\['w'\]\[1\]: .*{told}"):
            call(1.0, [{"w": (1.0, bad)}])
        with pytest.raises(TypeError, match=rf"^\w+: argument 1\[1, 0\]: .*{told}"):
            array = np.array([[1.0], [None]], object)
            array[1, 0] = bad
            call(1.0, array)
    with pytest.raises(TypeError, match=rf"^vjp: argument 1: .*{told}"):
        vjp(f, 1.0, bad)
    with pytest.raises(TypeError, match=rf"^jvp: argument 1: .*{told}"):
        jvp(f, (1.0, bad), (1.0, 1.0))
    with pytest.raises(TypeError, match=rf"^jvp: the tangents\[1\]: .*{told}"):
        jvp(f, (1.0, 1.0), (1.0, bad))
    with pytest.raises(TypeError, match=rf"argument 1: .*{told}"):
        hvp(f, (1.0, bad), (1.0, 1.0))
    with pytest.raises(TypeError, match=r"^derivative: x must be one number, got"):
        derivative(f)(bad, 1.0)
    with pytest.raises(TypeError, match=r"^taylor: x must be one number, got"):
        taylor(cube, bad, 2)
    with pytest.raises(TypeError, match=rf"^vjp: the cotangent: .*{told}"):
        vjp(cube, 2.0)[1](bad)


@pytest.mark.parametrize("array", [["a", "b"], [1j, 2], [b"x"]], ids=str)
def test_arrays_of_other_things_than_numbers_are_refused(array: list[Any]) -> None:
    for call in (grad(ae.sum), jacobian(ae.sum), jacobian(ae.sum, mode="forward")):
        with pytest.raises(TypeError, match=r"argument 0\[0\]: expected a real number"):
            call(np.array(array))


def test_a_number_too_large_for_a_float_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^grad: argument 0: int too large"):
        grad(cube)(10**400)


@pytest.mark.parametrize("differentiate", [grad, value_and_grad, jacobian, hessian])
def test_wrong_argnums_are_refused(differentiate: Function) -> None:
    argnums: Any
    for argnums in (2, -3, (0, 2), [5]):
        with pytest.raises(ValueError, match=r"argnums=.*called with 2 positional arguments"):
            differentiate(weighted, argnums)(1.0, 2.0)
    for argnums in ((0, 0), (0, -2)):
        with pytest.raises(ValueError, match=r"argnums=.*names an argument twice"):
            differentiate(weighted, argnums)(1.0, 2.0)
    for argnums in (None, 1.0, "x", ("y",), (0.0,)):
        with pytest.raises(TypeError, match=r"argnums must be an int or several, got"):
            differentiate(weighted, argnums)(1.0, 2.0)
    with pytest.raises(ValueError, match=r"argnums=0, .*called with 0 positional arguments"):
        differentiate(weighted)(x=1.0, y=2.0)


MISMATCHED: list[tuple[Any, Any]] = [
    (1.0, [1.0]),
    ([1.0], 1.0),
    ([1.0], [1.0, 2.0]),
    (np.ones(2), np.ones(3)),
    (np.ones(2), 1.0),
    (np.ones((2, 2)), np.ones(4)),
    (np.ones((2, 3)), np.ones((3, 2))),
    ({"a": 1.0}, {"b": 1.0}),
    ({"a": 1.0}, [1.0]),
    ([1.0, [2.0]], [1.0, 2.0]),
    (np.ones((1, 1)), [[1.0]]),
]


@pytest.mark.parametrize(("primal", "tangent"), MISMATCHED, ids=str)
def test_tangents_and_cotangents_of_another_shape_are_refused(primal: Any, tangent: Any) -> None:
    def total(x: Any) -> Any:
        return 1.0

    with pytest.raises(ValueError, match=r"^jvp: the tangents .*differ in structure: .*first at"):
        jvp(total, (primal,), (tangent,))
    with pytest.raises(ValueError, match=r": the tangents .*differ in structure: .*first at"):
        hvp(total, (primal,), (tangent,))
    with pytest.raises(ValueError, match=r"^vjp: the cotangent .*differ in structure: .*first at"):
        vjp(lambda x: x, primal)[1](tangent)


def test_as_many_tangents_as_primals_are_wanted() -> None:
    for tangents in ((), (1.0,), (1.0, 2.0, 3.0)):
        with pytest.raises(ValueError, match=r"^jvp: the tangents .*differ in structure"):
            jvp(weighted, (1.0, 2.0), tangents)


@pytest.mark.parametrize("lone", [2.0, np.ones(1), Value(1.0), {"x": 1.0}, None, "x"], ids=str)
def test_primals_and_tangents_must_be_tuples(lone: Any) -> None:
    with pytest.raises(TypeError, match=r"^jvp: expected a tuple of arguments, as in \(x,\), got"):
        jvp(cube, lone, (1.0,))
    with pytest.raises(TypeError, match=r"^jvp: expected a tuple of arguments, as in \(x,\), got"):
        jvp(cube, (1.0,), lone)
    with pytest.raises(TypeError, match=r"expected a tuple of arguments, as in \(x,\), got"):
        hvp(cube, (1.0,), lone)
    with pytest.raises(TypeError, match=r"expected a tuple of arguments, as in \(x,\), got"):
        hvp(cube, lone, (1.0,))


@pytest.mark.parametrize("thing", [3, "sin", None, Value(2.0), [sin]], ids=str)
def test_what_is_no_function_is_refused(thing: Any) -> None:
    for differentiate in (grad, value_and_grad, jacobian, hessian, derivative):
        with pytest.raises(TypeError, match=r"^\w+: expected a function, got"):
            differentiate(thing)
    calls: list[Function] = [
        lambda: hvp(thing, (1.0,), (1.0,)),
        lambda: jvp(thing, (1.0,), (1.0,)),
        lambda: vjp(thing, 1.0),
        lambda: taylor(thing, 1.0, 2),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"^\w+: expected a function"):
            call()


def test_has_aux_wants_a_pair() -> None:
    for f in (cube, lambda x: [x, x], lambda x: (x,), lambda x: (x, x, x), lambda x: None):
        with pytest.raises(
            TypeError, match=r"^value_and_grad: .*must return \(number, auxiliary\)"
        ):
            value_and_grad(f, has_aux=True)(2.0)


@pytest.mark.parametrize("mode", ["fwd", "rev", "", 1, True, "FORWARD"])
def test_another_mode_of_a_jacobian_is_refused(mode: Any) -> None:
    with pytest.raises(ValueError, match=r"^jacobian: mode must be 'forward', 'reverse' or None"):
        jacobian(cube, mode=mode)


def test_another_order_is_refused() -> None:
    order: Any
    for order in (1.0, "2", None, True, 1j, [1]):
        with pytest.raises(TypeError, match=r"^derivative: the order must be a whole number, got"):
            derivative(cube, order)
        with pytest.raises(TypeError, match=r"^taylor: the order must be a whole number, got"):
            taylor(cube, 1.0, order)
    for order in (-1, np.int64(-5)):
        with pytest.raises(ValueError, match=r"^derivative: the order must be 0 or more, got -"):
            derivative(cube, order)
        with pytest.raises(ValueError, match=r"^taylor: the order must be 0 or more, got -"):
            taylor(cube, 1.0, order)
    order = np.int64(2)
    assert identical(derivative(cube, order)(2.0), 12.0)


@pytest.mark.parametrize("x", [[1.0, 2.0], (), np.ones(2), np.ones(0), {}, [[], []]], ids=str)
def test_a_series_by_several_numbers_is_refused(x: Any) -> None:
    with pytest.raises(TypeError, match=r"^derivative: x must be one number, .*grad or jacobian"):
        derivative(lambda x: x[0])(x)
    with pytest.raises(TypeError, match=r"^taylor: x must be one number, .*grad or jacobian"):
        taylor(lambda x: x[0], x, 2)


def test_an_exception_of_the_function_comes_through_unchanged() -> None:
    class MyError(Exception):
        pass

    error = MyError("mine")

    def f(x: Any) -> Any:
        raise error

    for way in WAYS.values():
        with pytest.raises(MyError) as caught:
            way(f)(1.0)
        assert caught.value is error


# --- what would lose the derivative ---------------------------------------------------------------

LOSING: dict[str, Function] = {
    "float": float,
    "int": int,
    "round": round,
    "round to digits": lambda x: round(x, 2),
    "exp": math.exp,
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "isnan": math.isnan,
    "complex": complex,
    "fsum": lambda x: math.fsum([x]),
    "percent": lambda x: "%f" % x,  # noqa: UP031
    "float64": np.float64,
    "np.array": lambda x: np.array([x], dtype=float),
    "asarray": lambda x: np.asarray(x, float),
    "astype": lambda x: np.array([x], dtype=object).astype(float),
    "into floats": lambda x: np.zeros(2).__setitem__(0, x),
}
EVERY_LOSS = pytest.mark.parametrize("convert", LOSING.values(), ids=LOSING.keys())


def constant_result(x: Any, convert: Function) -> Any:
    convert(x)
    return 1.0


@BOTH
@EVERY_LOSS
def test_a_node_that_depends_on_the_argument_becomes_no_plain_number(
    differentiated: Function, convert: Function
) -> None:
    for node in (
        lambda x: x,
        lambda x: x * 2,
        lambda x: exp(x) + 1,
        lambda x: Value(3.0) * x,
        lambda x: ae.sum([1.0, x]),
        lambda x: x.detach() + 0 * x,
    ):
        with pytest.raises(TypeError, match="depends on the argument of a derivative"):
            differentiated(lambda x, node=node: constant_result(node(x), convert), 2.0)


@BOTH
@EVERY_LOSS
def test_a_node_that_does_not_depend_on_the_argument_becomes_one(
    differentiated: Function, convert: Function
) -> None:
    w = Value(3.0)
    interior = w * 2.0 + 1.0
    for node in (lambda x: w, lambda x: interior, lambda x: Value(2.5) * 2):
        assert differentiated(lambda x, node=node: constant_result(node(x), convert), 2.0) == 0.0


@BOTH
@EVERY_LOSS
def test_a_node_cut_off_from_the_argument_becomes_one(
    differentiated: Function, convert: Function
) -> None:
    def without(x: Any) -> Any:
        with no_grad():
            return x * 2

    for node in (lambda x: x.detach(), lambda x: (x * 3).detach() + 1, without):
        assert differentiated(lambda x, node=node: constant_result(node(x), convert), 2.0) == 0.0


@BOTH
def test_looking_at_a_node_stays_allowed(differentiated: Function) -> None:
    looks: list[Function] = [
        bool, repr, str, hash, lambda x: x.data, lambda x: f"{x:.3f}", "{}".format,
        "{:8.2e}".format, lambda x: x < 3, lambda x: 3 >= x, lambda x: x == 2.0,
        lambda x: x != x * 2, lambda x: x in [x], lambda x: Fraction(1, 2) < x,
        lambda x: max(x, 1.0), lambda x: sorted([x, 1.0, x * 0.1]), lambda x: [1.0, x].index(x),
        lambda x: np.isfinite(x), lambda x: np.floor(x), lambda x: np.array([x, 1]) < 2,
        lambda x: x > np.float64(1), lambda x: np.float64(1) < x, lambda x: np.int64(1) <= x,
        lambda x: np.sort(np.array([x, 1.0])), lambda x: np.max([x, 1.0]),
    ]  # fmt: skip
    for look in looks:
        for node in (lambda x: x, lambda x: x * 1.5):
            found = differentiated(lambda x, look=look, node=node: (look(node(x)), x)[1], 2.0)
            assert found == 1.0


@BOTH
def test_a_branch_by_data_takes_the_derivative_of_its_side(differentiated: Function) -> None:
    def f(x: Any) -> Any:
        return x * x if x > 1 else 5 * x

    assert (differentiated(f, 2.0), differentiated(f, 0.5)) == (4.0, 5.0)


def test_nodes_that_leaked_out_convert_when_the_derivative_is_done() -> None:
    leaked: list[Any] = []

    def f(x: Any) -> Any:
        leaked.extend([x, x * 2])
        return x * x

    grad(f)(3.0)
    assert [float(x) for x in leaked] == [3.0, 6.0]
    assert math.exp(leaked[0]) == math.exp(3.0)
    assert (int(leaked[1]), round(leaked[1])) == (6, 6)
    del leaked[:]
    jvp(f, (3.0,), (1.0,))
    assert [float(x) for x in leaked] == [3.0, 6.0]


def test_nodes_of_an_inner_derivative_convert_in_the_outer_one_when_it_is_done() -> None:
    def f(x: Any) -> Any:
        leaked: list[Any] = []
        grad(lambda y: leaked.append(y * 2) or y)(3.0)  # type: ignore[func-returns-value]
        assert float(leaked[0]) == 6.0
        grad(lambda y: leaked.append(y * x) or y)(3.0)  # type: ignore[func-returns-value]
        with pytest.raises(TypeError, match="depends on the argument"):
            float(leaked[1])
        return x

    assert identical(grad(f)(1.0), 1.0)


def test_the_argument_of_the_outer_derivative_does_not_convert_in_the_inner_one() -> None:
    for way in WAYS.values():
        for other in WAYS.values():
            with pytest.raises(TypeError, match="depends on the argument of a derivative"):
                way(lambda x, other=other: other(lambda y: y * float(x))(1.0))(2.0)


@EVERY_WAY
def test_the_derivative_inside_is_no_plain_number_where_it_depends(way: Function) -> None:
    for other in WAYS.values():
        with pytest.raises(TypeError, match="depends on the argument of a derivative"):
            way(lambda x, other=other: x * float(other(cube)(x)))(2.0)
        assert identical(way(lambda x, other=other: x * float(other(cube)(2.0)))(2.0), 12.0)


def state() -> tuple[bool, ...]:
    mode = current_mode()
    return mode.records, mode.detects, mode.info is None


@contextmanager
def nothing() -> Iterator[None]:
    yield


def test_the_mode_is_restored_also_after_an_exception() -> None:
    calls: list[Function] = [
        grad(float), jacobian(float), hessian(float), derivative(float),
        jacobian(float, mode="forward"), value_and_grad(float, has_aux=True),
        lambda x: vjp(float, x), lambda x: jvp(float, (x,), (1.0,)), lambda x: taylor(float, x, 3),
        lambda x: hvp(float, (x,), (1.0,)), grad(lambda x: grad(float)(x)), grad(lambda x: [x]),
        lambda x: vjp(cube, x)[1]([1.0]), lambda x: grad(lambda y: jvp(float, (y,), (1.0,)))(x),
    ]  # fmt: skip
    for around in (nothing, no_grad, detect_anomaly, lambda: named_scope("here")):
        with around():
            before = state()
            for call in calls:
                with pytest.raises((TypeError, ValueError)):
                    call(2.0)
                assert state() == before
                assert float(Value(3.0) * 2) == 6.0
            grad(cube)(2.0)
            assert state() == before
    x = Value(3.0)
    assert (x * x)._prev == (x, x)


def test_a_generator_that_takes_derivatives_does_not_disturb_who_runs_it() -> None:
    def slopes() -> Iterator[Any]:
        for x in (1.0, 2.0):
            yield grad(cube)(x)

    def f(x: Any) -> Any:
        return x * sum(slopes())

    assert identical((grad(f)(1.0), list(slopes())), (15.0, [3.0, 12.0]))


# --- pullbacks and tangents -----------------------------------------------------------------------


def test_a_pullback_may_be_called_again_and_again() -> None:
    output, pullback = vjp(
        lambda x, p: [x * p["a"], p["a"].sum()], 2.0, {"a": np.array([3.0, 4.0])}
    )
    assert identical(output, [np.array([6.0, 8.0]), 7.0])
    first = (7.0, {"a": np.array([3.0, 3.0])})
    for _ in range(3):
        assert identical(pullback([np.array([1.0, 1.0]), 1.0]), first)
        assert identical(pullback([[1, 1], True]), first)
        assert identical(pullback([np.zeros(2), 0]), (0.0, {"a": np.zeros(2)}))
        assert identical(pullback([[1.0, 0.0], np.array(0.0)]), (3.0, {"a": np.array([2.0, 0.0])}))
    assert identical(output, [np.array([6.0, 8.0]), 7.0])


def test_a_pullback_of_values_takes_part_in_a_graph() -> None:
    u = Value(5.0)
    _, pullback = vjp(cube, 2.0)
    (pulled,) = pullback(u)
    assert type(pulled) is Value
    pulled.backward()
    assert (pulled.data, u.grad) == (60.0, 12.0)
    x = Value(2.0)
    _, pullback = vjp(cube, x)
    pullback(u)[0].backward()
    assert (x.grad, u.grad) == (60.0, 24.0)
    assert identical(vjp(cube, 2.0)[1](3.0), (36.0,))


def test_a_pullback_may_be_called_in_another_derivative_and_under_no_grad() -> None:
    _, pullback = vjp(cube, 2.0)
    for way in WAYS.values():
        found = way(lambda u: pullback(u * u)[0])(3.0)
        assert (found.data if isinstance(found, Value) else found) == 72.0
    with no_grad():
        assert identical(pullback(1.0), (12.0,))
        assert identical(pullback(Value(1.0)), (12.0,))
    assert identical(pullback(1.0), (12.0,))


def test_a_pullback_made_under_no_grad_works_later() -> None:
    w = Value(3.0)
    with no_grad():
        output, pullback = vjp(lambda x: w * x * x, 2.0)
    assert identical(output, 12.0)
    (pulled,) = pullback(1.0)
    assert (pulled.data if isinstance(pulled, Value) else pulled) == 12.0
    assert w.grad == 0.0


def test_a_pullback_by_no_arguments_gives_none() -> None:
    output, pullback = vjp(lambda: [1.0, 2.0])
    assert identical((output, pullback([1.0, 1.0])), ([1.0, 2.0], ()))
    assert identical(jvp(lambda: 1.0, (), ()), (1.0, 0.0))


def random_function(rng: random.Random) -> Function:
    """R**3 -> R**2, of a few random operations."""
    unary: list[Any] = [
        sin,
        cos,
        tanh,
        sigmoid,
        ae.softplus,
        ae.atan,
        ae.square,
        ae.erf,
        ae.gelu,
        ae.asinh,
    ]
    binary: list[Any] = [operator.add, operator.sub, operator.mul, ae.hypot, ae.logaddexp, ae.atan2]
    plan = [
        (rng.choice(unary), rng.random(), rng.choice(binary), rng.random(), rng.uniform(-2, 2))
        for _ in range(12)
    ]

    def f(x: Any) -> Any:
        known = list(x)
        for one, i, two, j, scale in plan:
            known.append(one(known[int(i * len(known))] * scale))
            known.append(two(known[-1], known[int(j * len(known))]))
        return known[-2:]

    return f


@given(st.integers(0, 10_000))
def test_vjp_and_jvp_are_adjoint_and_linear(seed: int) -> None:
    rng = random.Random(seed)
    f = random_function(rng)
    x, v, w = (np.array([rng.uniform(-1, 1) for _ in range(3)]) for _ in range(3))
    u, t = ([rng.uniform(-1, 1) for _ in range(2)] for _ in range(2))
    a, b = rng.uniform(-3, 3), rng.uniform(-3, 3)
    output, pullback = vjp(f, x)
    value, tangent = jvp(f, (x,), (v,))
    assert value == pytest.approx(output, rel=1e-14)
    (pulled,) = pullback(u)
    assert np.dot(u, tangent) == pytest.approx(np.dot(pulled, v), rel=1e-9, abs=1e-11)
    both = jvp(f, (x,), (a * v + b * w,))[1]
    parts = a * np.array(tangent) + b * np.array(jvp(f, (x,), (w,))[1])
    assert both == pytest.approx(parts, rel=1e-9, abs=1e-10)
    (sum_pulled,) = pullback([a * p + b * q for p, q in zip(u, t, strict=True)])
    assert sum_pulled == pytest.approx(a * pulled + b * pullback(t)[0], rel=1e-9, abs=1e-10)
    J = np.array(jacobian(f, mode="reverse")(x))
    assert np.allclose(J, np.array(jacobian(f, mode="forward")(x)), rtol=1e-9, atol=1e-11)
    assert np.allclose(J @ v, tangent, rtol=1e-9, atol=1e-10)


@given(st.integers(0, 10_000))
def test_hessians_are_symmetric_and_the_same_in_all_mixes(seed: int) -> None:
    rng = random.Random(seed)
    f = random_function(rng)
    x = np.array([rng.uniform(-1, 1) for _ in range(3)])

    def total(x: Any) -> Any:
        return sum(f(x))

    H = hessian(total)(x)
    scale = 1e-8 * max(1.0, float(abs(H).max()))
    assert np.allclose(H, H.T, rtol=1e-8, atol=scale)
    forward = jacobian(jacobian(total, mode="forward"), mode="forward")(x)
    assert np.allclose(forward, H, rtol=1e-8, atol=scale)
    v = np.array([rng.uniform(-1, 1) for _ in range(3)])
    assert np.allclose(hvp(total, (x,), (v,)), H @ v, rtol=1e-8, atol=scale)


def test_a_tangent_may_be_a_value() -> None:
    v = Value(3.0)
    output, tangent = jvp(cube, (2.0,), (v,))
    assert identical(output, 8.0)
    tangent.backward()
    assert (tangent.data, v.grad) == (36.0, 12.0)


def test_zero_tangents_give_zero() -> None:
    assert identical(jvp(cube, (2.0,), (0.0,)), (8.0, 0.0))
    assert identical(jvp(weighted, (2.0, 3.0), (0, 1)), (18.0, 12.0))
    assert identical(jvp(lambda x: x * x, (np.ones(2),), (np.zeros(2),))[1], np.zeros(2))


# --- NumPy inside the function --------------------------------------------------------------------

A = np.array([[1.0, 2.0], [3.0, -4.0], [0.5, 0.25]])
NUMPY: dict[str, tuple[Function, Function]] = {
    "A @ x": (lambda x: A @ x, lambda x: A),
    "np.dot(A, x)": (lambda x: np.dot(A, x), lambda x: A),
    "einsum": (lambda x: np.einsum("ij,j->i", A.astype(object), x), lambda x: A),
    "np.exp": (lambda x: np.exp(x), lambda x: np.diag(np.exp(x))),
    "np.tanh": (lambda x: np.tanh(x), lambda x: np.diag(1 - np.tanh(x) ** 2)),
    "np.arctan": (lambda x: np.arctan(x), lambda x: np.diag(1 / (1 + x * x))),
    "np.sum": (lambda x: np.sum(x * x), lambda x: 2 * x),
    "np.mean": (lambda x: np.mean(x), lambda x: np.full(2, 0.5)),
    "np.var": (lambda x: np.var(x), lambda x: x - x.mean()),
    "np.prod": (lambda x: np.prod(x), lambda x: x[::-1]),
    "np.cumsum": (lambda x: np.cumsum(x), lambda x: np.array([[1.0, 0.0], [1.0, 1.0]])),
    "norm": (lambda x: np.linalg.norm(x), lambda x: x / np.linalg.norm(x)),
    "slices": (lambda x: x[1:] * x[:-1], lambda x: x[::-1].reshape(1, 2)),
    "reshape": (lambda x: x.reshape(2, 1), lambda x: np.eye(2).reshape(2, 1, 2)),
    "outer": (
        lambda x: np.outer(x, [1.0, 2.0]),
        lambda x: np.einsum("ik,j->ijk", np.eye(2), [1.0, 2.0]),
    ),
    "np.where": (lambda x: np.where(x > 1, x * x, 0.0), lambda x: np.diag(2 * x * (x > 1))),
    "np.stack": (lambda x: np.stack([x, 2 * x]), lambda x: np.stack([np.eye(2), 2 * np.eye(2)])),
    "scalar ufunc": (lambda x: np.exp(x[0]), lambda x: np.array([math.exp(x[0]), 0.0])),
    "float64 *": (lambda x: np.float64(3) * x[1], lambda x: np.array([0.0, 3.0])),
    "float32 -": (lambda x: np.float32(3) - x[1], lambda x: np.array([0.0, -1.0])),
    "int64 /": (lambda x: np.int64(3) / x[1], lambda x: np.array([0.0, -3.0 / x[1] ** 2])),
    "float64 **": (
        lambda x: np.float64(2) ** x[1], lambda x: np.array([0, 2 ** x[1] * math.log(2)])
    ),
    "array * element": (lambda x: A[:, 0] * x[1], lambda x: np.outer(A[:, 0], [0.0, 1.0])),
    "element + array": (lambda x: x[1] + A[:, 0], lambda x: np.array([[0.0, 1.0]] * 3)),
    "array **": (
        lambda x: np.array([2.0, 3.0]) ** x, lambda x: np.diag([2, 3] ** x * np.log([2, 3]))
    ),
    "methods": (
        lambda x: x[0].exp() + x[1].tanh(),
        lambda x: np.array([math.exp(x[0]), 1 - math.tanh(x[1]) ** 2]),
    ),
    "arctan2": (lambda x: x[0].arctan2(x[1]), lambda x: np.array([x[1], -x[0]]) / (x @ x)),
    "np.arctan2": (lambda x: np.arctan2(x[0], x[1]), lambda x: np.array([x[1], -x[0]]) / (x @ x)),
    "np.hypot": (lambda x: np.hypot(x[0], x[1]), lambda x: x / np.linalg.norm(x)),
    "power": (lambda x: np.power(x, 3), lambda x: np.diag(3 * x**2)),
    "primitive of an array": (lambda x: ae.softplus(x), lambda x: np.diag(1 / (1 + np.exp(-x)))),
    "abs": (lambda x: abs(-x) + np.abs(x), lambda x: 2 * np.eye(2)),
    "trace": (lambda x: np.trace(np.outer(x, x)), lambda x: 2 * x),
    "loop": (lambda x: sum(v * i for i, v in enumerate(x)), lambda x: np.array([0.0, 1.0])),
}  # fmt: skip


@pytest.mark.parametrize(("f", "by_hand"), NUMPY.values(), ids=NUMPY.keys())
def test_numpy_works_on_the_arguments(f: Function, by_hand: Function) -> None:
    x = np.array([0.7, 1.9])
    expected = by_hand(x)
    for mode in (None, "forward", "reverse"):
        assert close(jacobian(f, mode=mode)(x), expected, 1e-13)
    output, tangent = jvp(f, (x,), (np.array([1.0, -2.0]),))
    assert np.allclose(np.array(tangent, float), expected @ [1.0, -2.0], rtol=1e-12)
    assert np.allclose(np.array(output, float), np.array(vjp(f, x)[0], float), rtol=1e-15)


@pytest.mark.parametrize("f", [f for f, _ in NUMPY.values()], ids=NUMPY.keys())
def test_numpy_works_on_the_arguments_to_second_order(f: Function) -> None:
    x, step = np.array([0.7, 1.9]), 1e-5

    def total(x: Any) -> Any:
        y = f(x)
        return (np.sum(y * y) if isinstance(y, np.ndarray) else y * y) + 0.0 * x[0]

    found = hessian(total)(x)
    assert close(jacobian(jacobian(total, mode="forward"), mode="forward")(x), found, 1e-11)
    columns = [
        (grad(total)(x + step * e) - grad(total)(x - step * e)) / (2 * step) for e in np.eye(2)
    ]
    assert np.allclose(found, np.array(columns).T, rtol=1e-6, atol=1e-7)


def test_an_in_place_operation_on_an_array_of_nodes_works() -> None:
    def f(x: Any) -> Any:
        x *= 2
        x[0] += x[1]
        x[1:] = x[1:] ** 2
        return x

    x = np.array([1.0, 3.0])
    for mode in ("forward", "reverse"):
        assert identical(jacobian(f, mode=mode)(x), np.array([[2.0, 2.0], [0.0, 24.0]]))
    assert identical(x, np.array([1.0, 3.0]))


def a_users_primitives() -> tuple[Any, Any, Any]:
    @primitive(lambda z, x: 3.0 * x * x)
    def third_power(x: Any) -> Any:
        """x**3. Source: a test."""
        return x * x * x

    @primitive(lambda z, x, y: y * z / x, lambda z, x, y: z * log(x))
    def my_power(x: Any, y: Any) -> Any:
        """x**y. Source: a test."""
        return exp(y * log(x))

    @primitive(lambda z, xs: [2.0 * x for x in xs], nary=True)
    def my_squares(xs: Any) -> Any:
        """x0**2 + x1**2 + ... Source: a test."""
        return functools.reduce(operator.add, [x * x for x in xs], 0.0)

    return third_power, my_power, my_squares


def test_primitives_of_the_user_are_differentiated_in_all_modes_and_orders() -> None:
    third_power, my_power, my_squares = a_users_primitives()
    for f in (third_power, lambda x: x.third_power()):
        for way in WAYS.values():
            assert close(way(f)(2.0), 12.0)
            for other in WAYS.values():
                assert close(way(other(f))(2.0), 12.0)
        assert close(taylor(f, 2.0, 5), [8.0, 12.0, 6.0, 1.0, 0.0, 0.0])
    at = (1.3, 2.5)
    for f in (my_power, lambda x, y: x.my_power(y)):
        expected = jacobian(grad(ae.pow, (0, 1)), (0, 1))(*at)
        for mode in ("forward", "reverse"):
            assert close(jacobian(grad(f, (0, 1)), (0, 1), mode=mode)(*at), expected, 1e-12)
    x = np.array([1.0, 2.0, 3.0])
    assert close(hessian(my_squares)(x), 2 * np.eye(3))
    for mode in ("forward", "reverse"):
        assert close(jacobian(my_squares, mode=mode)(x), 2 * x)
    assert close(hvp(my_squares, (x,), (x,)), 2 * x)


# --- dual numbers ---------------------------------------------------------------------------------

OPERATORS: list[tuple[str, Function, Function]] = [
    ("+", operator.add, lambda a, b: (1.0, 1.0)),
    ("-", operator.sub, lambda a, b: (1.0, -1.0)),
    ("*", operator.mul, lambda a, b: (b, a)),
    ("/", operator.truediv, lambda a, b: (1 / b, -a / b**2)),
    ("**", operator.pow, lambda a, b: (b * a ** (b - 1), a**b * math.log(a))),
]
NUMBERS: list[Any] = [
    3, 3.0, np.float64(3), np.float32(3), np.int64(3), np.array(3.0), Fraction(3), True + 2,
]  # fmt: skip


@pytest.mark.parametrize(("sign", "operate", "slopes"), OPERATORS, ids=[o[0] for o in OPERATORS])
def test_dual_numbers_take_every_number_on_both_sides(
    sign: str, operate: Function, slopes: Function
) -> None:
    for c in NUMBERS:
        found = jvp(lambda x, c=c: operate(x, c), (2.0,), (1.0,))
        assert close(found, (float(operate(2.0, 3.0)), float(slopes(2.0, 3.0)[0]))), type(c)
        found = jvp(lambda x, c=c: operate(c, x), (2.0,), (1.0,))
        assert close(found, (float(operate(3.0, 2.0)), float(slopes(3.0, 2.0)[1]))), type(c)
    a, b = slopes(2.0, 2.0)
    assert close(jvp(lambda x: operate(x, x), (2.0,), (1.0,)), (float(operate(2.0, 2.0)), a + b))


@pytest.mark.parametrize(("sign", "operate", "slopes"), OPERATORS, ids=[o[0] for o in OPERATORS])
def test_dual_numbers_take_values_on_both_sides(
    sign: str, operate: Function, slopes: Function
) -> None:
    for f, place in ((operate, 0), (lambda x, w: operate(w, x), 1)):
        w = Value(3.0)
        output, tangent = jvp(lambda x, f=f, w=w: f(x, w), (2.0,), (1.0,))
        at = (2.0, 3.0) if place == 0 else (3.0, 2.0)
        assert (output.data, type(output)) == (operate(*at), Value)
        slope = tangent.data if isinstance(tangent, Value) else tangent
        assert slope == pytest.approx(slopes(*at)[place], rel=1e-14)
        output.backward()
        assert w.grad == pytest.approx(slopes(*at)[1 - place], rel=1e-14)


def test_dual_numbers_have_signs_and_sums() -> None:
    assert identical(jvp(lambda x: -x, (2.0,), (1.0,)), (-2.0, -1.0))
    assert identical(jvp(lambda x: +x, (2.0,), (1.0,)), (2.0, 1.0))
    assert identical(jvp(abs, (-2.0,), (1.0,)), (2.0, -1.0))
    assert identical(jvp(lambda x: sum([x, x, 1]), (2.0,), (1.0,)), (5.0, 2.0))
    assert identical(jvp(lambda x: ae.sum([x, 1]) * ae.mean([x, 2]), (2.0,), (1.0,)), (6.0, 3.5))
    assert identical(jvp(math.prod, ([2.0, 3.0],), ([1.0, 0.0],)), (6.0, 3.0))


def test_dual_numbers_compare_by_data_with_everything_that_has_data() -> None:
    seen: list[bool] = []

    def f(x: Any, y: Any) -> Any:
        w = Value(2.0)
        for other in (2, 2.0, np.float64(2), w, Fraction(2), True + 1, x * 1.0):
            seen.extend([x == other, x <= other, x >= other, other == x, other <= x, other >= x])
            seen.extend([not x != other, not x < other, not x > other, not other != x])
            seen.extend([x < other + 1, other - 1 < x, y > other, other < y])
        seen.extend([x != "2", not x == None, x != [2.0], bool(x), not bool(x - 2)])  # noqa: E711
        bad: Any
        for bad in ("2", None, [1]):
            with pytest.raises(TypeError, match="not supported between instances"):
                operator.lt(x, bad)
        return x

    jvp(f, (2.0, 5.0), (1.0, 1.0))
    assert all(map(bool, seen))


@BOTH
def test_text_and_the_like_are_refused_by_name(differentiated: Function) -> None:
    bad: Any
    for bad in ("2", b"2", None, 1j, [1.0], {}):
        for operate, sign in ((operator.add, r"\+|add"), (operator.pow, r"\*\*|pow")):
            with pytest.raises(TypeError, match=rf"^({sign}): expected a real number, got"):
                differentiated(lambda x, o=operate, bad=bad: o(x, bad), 2.0)
            with pytest.raises(TypeError):  # by name, or as Python words it: "can only concatenate"
                differentiated(lambda x, o=operate, bad=bad: o(bad, x), 2.0)
        with pytest.raises(TypeError, match=r"^maximum: expected a real number, got"):
            differentiated(lambda x, bad=bad: maximum(x, bad), 2.0)


@BOTH
def test_an_attribute_that_is_no_primitive_is_missing(differentiated: Function) -> None:
    for name in ("shape", "no_such_thing", "__array__", "where", "logsumexp"):
        with pytest.raises(AttributeError, match=name):
            differentiated(lambda x, name=name: getattr(x, name), 2.0)


SINGULAR: list[tuple[str, Function, float, float, float]] = [
    ("1 / x", lambda x: 1 / x, 0.0, INF, -INF),
    ("1 / -x", lambda x: 1 / x, -0.0, -INF, -INF),
    ("x / 0", lambda x: x / 0.0, 2.0, INF, INF),
    ("x / 0 at 0", lambda x: x / 0.0, 0.0, NAN, INF),
    ("x / int 0", lambda x: x / 0, -2.0, -INF, INF),
    ("log", log, 0.0, -INF, INF),
    ("log of -1", log, -1.0, NAN, -1.0),
    ("sqrt", sqrt, 0.0, 0.0, INF),
    ("sqrt of -1", sqrt, -1.0, NAN, NAN),
    ("x ** 0", lambda x: x**0, 0.0, 1.0, 0.0),
    ("x ** 0.5", lambda x: x**0.5, 0.0, 0.0, INF),
    ("x ** -1", lambda x: x**-1, 0.0, INF, -INF),
    ("x ** 0.5 of -1", lambda x: x**0.5, -1.0, NAN, NAN),
    ("0 ** x", lambda x: 0.0**x, 2.0, 0.0, 0.0),
    ("exp", exp, 1000.0, INF, INF),
    ("x * x", lambda x: x * x, 1e200, INF, 2e200),
    ("inf - inf", lambda x: x - x, INF, NAN, 0.0),
    ("nan", cube, NAN, NAN, NAN),
    ("relu", relu, 0.0, 0.0, 0.0),
    ("abs", abs, 0.0, 0.0, 0.0),
    ("maximum", lambda x: maximum(x, 0), 0.0, 0.0, 0.5),
    ("acosh", ae.acosh, 1.0, 0.0, INF),
    ("atanh", ae.atanh, 1.0, INF, INF),
    ("log1p", log1p, -1.0, -INF, INF),
    ("hypot", lambda x: ae.hypot(x, 0.0), 0.0, 0.0, 0.0),
]


@pytest.mark.parametrize(
    ("name", "f", "x", "value", "slope"), SINGULAR, ids=[s[0] for s in SINGULAR]
)
def test_singular_points_follow_ieee_in_every_mode(
    name: str, f: Function, x: float, value: float, slope: float
) -> None:
    assert identical(value_and_grad(f)(x), (value, slope))
    assert identical(jvp(f, (x,), (1.0,)), (value, slope))
    assert identical(tuple(taylor(f, x, 1)), (value, slope))
    at = Value(x)
    f(at).backward()
    assert identical(at.grad, slope)
    for way in WAYS.values():
        for other in WAYS.values():
            assert type(way(other(f))(x)) is float
    for order in range(5):
        assert type(derivative(f, order)(x)) is float
    assert len(taylor(f, x, 6)) == 7


def test_constants_that_are_singular_do_not_raise() -> None:
    for way in WAYS.values():
        for other in WAYS.values():
            assert identical(way(other(lambda x: x / 0.0))(2.0), 0.0) or math.isnan(
                way(other(lambda x: x / 0.0))(2.0)
            )
            assert type(way(other(lambda x: x / 0.0 * x))(2.0)) is float
            assert type(way(other(lambda x: x * (1.0 / Value(0.0))))(2.0)) in (float, Value)
            assert type(way(other(lambda x: x ** Value(0.0) / 0.0))(2.0)) in (float, Value)
            assert type(way(other(lambda x: log(Value(0.0)) * x))(2.0)) in (float, Value)


ROWS_AND_POINTS = [0.0, -0.0, 1.0, -1.0, 2.0, INF, -INF, NAN, 1e200, 1e-310]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_primitive_raises_at_any_point_at_first_or_second_order(row: Primitive) -> None:
    points = ROWS_AND_POINTS if row.arity < 3 else [0.0, 1.0, NAN]
    for at in np.array(np.meshgrid(*[points] * row.arity)).reshape(row.arity, -1).T.tolist():
        values = [Value(x) for x in at]
        row(*values).backward()
        expected = tuple([x.grad for x in values])
        assert close(grad(row, range(row.arity))(*at), expected), at
        forward = jacobian(row, range(row.arity), mode="forward")(*at)
        assert close(forward, expected), at
        second = jacobian(grad(row, range(row.arity)), range(row.arity))(*at)
        assert {type(x) for line in second for x in line} == {float}
        jvp(grad(row, range(row.arity)), at, [1.0] * row.arity)


# --- series ---------------------------------------------------------------------------------------


def series_of_tanh(order: int) -> list[float]:
    """From y' = 1 - y * y, with y(0) = 0, in whole fractions."""
    c = [Fraction(0)]
    for k in range(order):
        square = sum((c[i] * c[k - i] for i in range(k + 1)), Fraction(0))
        c.append((Fraction(int(k == 0)) - square) / (k + 1))
    return [float(x) for x in c]


def binomials(a: float, order: int) -> list[float]:
    c = [1.0]
    for k in range(order):
        c.append(c[-1] * (a - k) / (k + 1))
    return c


SERIES: list[tuple[str, Function, float, Callable[[int], list[float]]]] = [
    ("exp", exp, 0.0, lambda n: [1 / math.factorial(k) for k in range(n + 1)]),
    ("exp at 1", exp, 1.0, lambda n: [math.e / math.factorial(k) for k in range(n + 1)]),
    ("sin", sin, 0.0, lambda n: [[0, 1, 0, -1][k % 4] / math.factorial(k) for k in range(n + 1)]),
    ("cos", cos, 0.0, lambda n: [[1, 0, -1, 0][k % 4] / math.factorial(k) for k in range(n + 1)]),
    ("1 / (1 - x)", lambda x: 1 / (1 - x), 0.0, lambda n: [1.0] * (n + 1)),
    ("1 / x at 2", lambda x: 1 / x, 2.0, lambda n: [-((-0.5) ** (k + 1)) for k in range(n + 1)]),
    ("tanh", tanh, 0.0, series_of_tanh),
    ("log1p", log1p, 0.0, lambda n: [0.0] + [-((-1) ** k) / k for k in range(1, n + 1)]),
    ("log at 1", log, 1.0, lambda n: [0.0] + [-((-1) ** k) / k for k in range(1, n + 1)]),
    ("x ** 2.5 at 1", lambda x: x**2.5, 1.0, lambda n: binomials(2.5, n)),
    ("x ** -3 at 1", lambda x: x**-3, 1.0, lambda n: binomials(-3, n)),
    ("sqrt at 1", sqrt, 1.0, lambda n: binomials(0.5, n)),
    ("2 ** x", lambda x: 2**x, 0.0,
     lambda n: [math.log(2) ** k / math.factorial(k) for k in range(n + 1)]),
    ("x ** 3 at 2", lambda x: x**3, 2.0, lambda n: [8.0, 12.0, 6.0, 1.0] + [0.0] * (n - 3)),
    ("x ** 3 at 0", lambda x: x**3, 0.0, lambda n: [0.0, 0.0, 0.0, 1.0] + [0.0] * (n - 3)),
    ("expm1", ae.expm1, 0.0, lambda n: [0.0] + [1 / math.factorial(k) for k in range(1, n + 1)]),
    ("exp(sin(x) ** 2 + cos(x) ** 2)", lambda x: exp(sin(x) ** 2 + cos(x) ** 2), 0.3,
     lambda n: [math.e] + [0.0] * n),
]  # fmt: skip


@pytest.mark.parametrize("order", [0, 1, 2, 5, 20, 30])
@pytest.mark.parametrize(("name", "f", "x", "known"), SERIES, ids=[s[0] for s in SERIES])
def test_series_have_their_known_coefficients(
    name: str, f: Function, x: float, known: Callable[[int], list[float]], order: int
) -> None:
    expected = known(max(order, 3))[: order + 1]
    found = taylor(f, x, order)
    assert [type(c) for c in found] == [float] * (order + 1)
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-13)


def test_the_series_of_the_arctangent_is_that_of_its_derivative() -> None:
    found = taylor(ae.atan, 0.0, 21)
    expected = [0.0 if k % 2 == 0 else (-1) ** (k // 2) / k for k in range(22)]
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_the_error_function_has_its_series() -> None:
    found = taylor(ae.erf, 0.0, 21)
    expected = [
        0.0
        if k % 2 == 0
        else 2 / math.sqrt(math.pi) * (-1) ** (k // 2) / (math.factorial(k // 2) * k)
        for k in range(22)
    ]
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_series_of_every_primitive_is_that_of_nested_derivatives(row: Primitive) -> None:
    at, order = {"acosh": 1.7}.get(row.name, 0.37), 5

    def f(x: Any) -> Any:
        return row(*[x * (i + 1) for i in range(row.arity)])

    nested, expected = f, []
    for k in range(order + 1):
        expected.append(float(nested(at)) / math.factorial(k))
        nested = grad(nested) if k < 3 else by_dual(nested)
    assert taylor(f, at, order) == pytest.approx(expected, rel=1e-9, abs=1e-11)


def test_a_series_takes_time_that_grows_with_a_small_power_of_its_order() -> None:
    operations = []

    def counted(order: int) -> int:
        calls = 0
        original = Dual.bind

        def counting(row: Any, operands: Any) -> Any:
            nonlocal calls
            calls += 1
            return original(row, operands)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Dual, "bind", staticmethod(counting))
            taylor(lambda x: x**x, 1.3, order)
        return calls

    for order in (4, 8):
        operations.append(counted(order))
    assert operations[1] < 2**4 * operations[0]


def test_a_series_of_a_small_number_does_not_overflow_between() -> None:
    assert identical(taylor(lambda x: x**2, 1e-60, 8), [1e-120, 2e-60, 1.0] + [0.0] * 6)


def test_orders_of_hundreds_need_a_higher_limit_of_recursion() -> None:
    with pytest.raises(RecursionError, match=r"^taylor: order 600 is too deep.*setrecursionlimit"):
        taylor(exp, 0.0, 600)
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(20_000)
        found = taylor(exp, 0.0, 600)[100]
    finally:
        sys.setrecursionlimit(limit)
    assert found == pytest.approx(1 / math.factorial(100), rel=1e-12)


def test_a_derivative_whose_factorial_is_too_large_for_a_float_is_no_error() -> None:
    assert identical(derivative(lambda x: x * x, 171)(1.0), 0.0)


def test_a_series_of_a_structure_has_that_structure() -> None:
    found = taylor(lambda x: {"a": [x * x, 1], "b": np.array([exp(x), 2.0])}, 0.0, 2)
    assert identical(
        found,
        [
            {"a": [0.0, 1.0], "b": np.array([1.0, 2.0])},
            {"a": [0.0, 0.0], "b": np.array([1.0, 0.0])},
            {"a": [1.0, 0.0], "b": np.array([0.5, 0.0])},
        ],
    )
    assert identical(derivative(lambda x: (x**3, [x]), 2)(2.0), (12.0, [0.0]))
    assert identical(taylor(lambda x: [], 1.0, 1), [[], []])


def test_order_0_is_the_function() -> None:
    assert identical(derivative(cube, 0)(2), 8.0)
    assert identical(derivative(cube, order=0)(2.0), 8.0)
    assert identical(taylor(cube, 2, 0), [8.0])
    assert identical(taylor(lambda x: [x, 1], 2, 0), [[2.0, 1.0]])
    for way in WAYS.values():
        assert identical(way(derivative(cube, 0))(2.0), 12.0)


def test_a_series_sums_up_to_the_function() -> None:
    def f(x: Any) -> Any:
        return exp(sin(x)) / (2 + x * x)

    coefficients = taylor(f, 0.5, 25)
    for h in (-0.3, 0.1, 0.4):
        total = sum(c * h**k for k, c in enumerate(coefficients))
        assert total == pytest.approx(f(0.5 + h), rel=1e-10)


def test_series_nest_with_each_other_and_with_everything() -> None:
    assert close(derivative(derivative(sin, 3), 2)(0.5), math.cos(0.5))
    assert close(
        taylor(lambda x: taylor(lambda y: x**2 * y**3, 2.0, 3)[1], 3.0, 2), [108.0, 72.0, 12.0]
    )
    assert close(taylor(lambda x: taylor(exp, x, 2)[2], 0.0, 3), [0.5, 0.5, 0.25, 0.5 / 6])
    assert close(grad(lambda x: taylor(sin, x, 3)[3])(0.5), math.sin(0.5) / 6)
    assert close(taylor(grad(sin), 0.0, 4), [1.0, 0.0, -0.5, 0.0, 1 / 24])
    assert close(jacobian(lambda x: taylor(exp, x, 2))(0.0), [1.0, 1.0, 0.5])
    assert close(taylor(lambda x: x * derivative(lambda y: x + y)(1.0), 1.0, 2), [1.0, 1.0, 0.0])


def test_a_series_at_a_value_is_of_values() -> None:
    x = Value(2.0)
    coefficients = taylor(cube, x, 2)
    assert [c.data for c in coefficients] == [8.0, 12.0, 6.0]
    coefficients[2].backward()
    assert x.grad == 3.0


# --- other modes, threads and depth ---------------------------------------------------------------


def test_derivatives_under_detect_anomaly_are_the_same_or_name_the_place() -> None:
    w = Value(3.0)
    with detect_anomaly():
        assert identical(grad(cube)(2.0), 12.0)
        assert identical(grad(grad(cube))(2.0), 12.0)
        assert identical(jvp(cube, (2.0,), (1.0,)), (8.0, 12.0))
        assert grad(lambda x: w * x * x)(2.0).data == 12.0
        with pytest.raises(AnomalyError, match="sqrt"):
            grad(sqrt)(0.0)
        with pytest.raises(AnomalyError, match="log"):
            grad(log)(-1.0)
        with pytest.raises(AnomalyError, match="log"):
            grad(lambda x: w * log(x))(-1.0)
        assert float(Value(2.0)) == 2.0
    assert identical(grad(sqrt)(0.0), INF)


def test_an_anomaly_in_a_sweep_on_operands_is_found() -> None:
    w = Value(3.0)
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"sqrt|div|/"):
        grad(lambda x: w * sqrt(x))(0.0)


def test_derivatives_inside_a_named_scope_are_the_same_and_keep_it() -> None:
    x, w = Value(2.0), Value(3.0)
    with named_scope("outer"):
        slope = grad(lambda x: w * cube(x))(x)
        assert identical(grad(cube)(2.0), 12.0)
        assert identical(grad(lambda x: Value(3.0) * cube(x))(2.0), 36.0)
    assert Graph(slope).output.scope == ("outer",)

    def f(x: Any) -> Any:
        with named_scope("inner"):
            return x * x * Value(2.0)

    assert identical(grad(f)(3.0), 12.0)
    assert identical(grad(named_scope("decorated")(cube))(2.0), 12.0)


def test_the_graph_of_a_gradient_may_be_drawn() -> None:
    x = Value(2.0, label="x")
    slope = grad(cube)(x)
    assert "x" in ae.draw_dot(slope).source
    assert len(Graph(slope).nodes) > 3


def test_threads_take_derivatives_independently() -> None:
    wrong: list[Any] = []
    start = threading.Barrier(8)

    def work(k: int) -> None:
        start.wait()
        w = Value(float(k))
        for _ in range(50):
            found = (
                grad(lambda x: x**3 * k)(2.0),
                jvp(lambda x: x * jvp(lambda y: x * y, (2.0,), (1.0,))[1], (float(k),), (1.0,))[1],
                grad(grad(lambda x: w * x**3))(1.0).data,
                float(Value(3.0)),
            )
            if found != (12.0 * k, 2.0 * k, 6.0 * k, 3.0):
                wrong.append((k, found))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_thread_started_in_the_function_converts_freely_only_what_does_not_depend() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        thread = threading.Thread(target=lambda: seen.append(float(Value(2.0) * 3)))
        thread.start()
        thread.join()
        return x * x

    assert identical(grad(f)(2.0), 4.0)
    assert seen == [6.0]


def chain(n: int) -> Function:
    def f(x: Any) -> Any:
        y = x
        for _ in range(n // 2):
            y = y * 0.5 + x
        return y

    return f


def test_chains_of_100_000_operations_are_differentiated_without_recursion() -> None:
    f = chain(100_000)
    assert identical(value_and_grad(f)(3.0), (6.0, 2.0))
    assert identical(jvp(f, (3.0,), (1.0,)), (6.0, 2.0))
    w = Value(3.0)
    slope = grad(lambda x: f(x) * w)(3.0)
    assert slope.data == pytest.approx(6.0, rel=1e-14)
    slope.backward()
    assert w.grad == pytest.approx(2.0, rel=1e-14)


def test_a_second_derivative_goes_through_a_chain_of_10_000_operations() -> None:
    def f(x: Any) -> Any:
        y = x
        for _ in range(5_000):
            y = sin(y) * 1.0001
        return y

    found = hessian(f)(0.5)
    step = 1e-6
    expected = (grad(f)(0.5 + step) - grad(f)(0.5 - step)) / (2 * step)
    assert found == pytest.approx(expected, rel=1e-6)
    assert hvp(f, (0.5,), (1.0,)) == pytest.approx(found, rel=1e-12)
    assert by_forward(lambda x: by_forward(f, x), 0.5) == pytest.approx(found, rel=1e-12)


def test_a_value_at_the_end_of_a_long_chain_may_be_an_argument() -> None:
    x = Value(3.0)
    y = chain(100_000)(x)
    slope = grad(cube)(y)
    slope.backward()
    assert (slope.data, x.grad) == (108.0, 72.0)


def test_conversion_in_a_long_chain_is_refused_without_recursion() -> None:
    with pytest.raises(TypeError, match="depends on the argument"):
        grad(lambda x: float(chain(20_000)(x)))(1.0)


def test_scipy_minimizes_with_value_and_grad() -> None:
    optimize = pytest.importorskip("scipy.optimize")

    def rosenbrock(x: Any) -> Any:
        return ((1 - x[:-1]) ** 2).sum() + (100 * (x[1:] - x[:-1] ** 2) ** 2).sum()

    found = optimize.minimize(
        value_and_grad(rosenbrock), np.zeros(3), jac=True, method="BFGS", options={"gtol": 1e-9}
    )
    assert found.x == pytest.approx(np.ones(3), rel=1e-6)
    found = optimize.minimize(
        rosenbrock, np.zeros(3), jac=grad(rosenbrock), hess=hessian(rosenbrock), method="Newton-CG"
    )
    assert found.x == pytest.approx(np.ones(3), rel=1e-4)
    root = optimize.root(lambda x: x**3 - [1.0, 8.0], [2.0, 3.0], jac=jacobian(lambda x: x**3))
    assert root.x == pytest.approx([1.0, 2.0])


def test_tangents_and_cotangents_of_dicts_go_by_key_not_by_order() -> None:
    def f(p: Any) -> Any:
        return {"x": p["a"] * 2.0, "y": p["b"] * 3.0}

    point, direction = {"a": 1.0, "b": 2.0}, {"b": 10.0, "a": 1.0}
    assert jvp(f, (point,), (direction,))[1] == {"x": 2.0, "y": 30.0}
    _, pullback = vjp(f, point)
    assert pullback({"y": 1.0, "x": 10.0}) == ({"a": 20.0, "b": 3.0},)


def test_a_number_that_depends_on_nothing_converts_however_its_graph_is_shaped() -> None:
    w = Value(2.0)
    shared = w * w
    diamond = shared + shared
    assert grad(lambda x: x * float(diamond))(1.0) == 8.0


def test_formulas_may_ask_what_the_result_is_at_any_order() -> None:
    @primitive(lambda z, x: 2.0 * x * (z if not hasattr(z, "shape") else z[()]))
    def bell(x: Any) -> Any:
        """exp(x * x)."""
        return exp(x * x)

    expected = derivative(lambda x: exp(x * x), 3)(0.5)
    assert derivative(bell, 3)(0.5) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(AttributeError, match="Dual has no attribute 'nonsense'"):
        jvp(lambda x: x.nonsense, (1.0,), (1.0,))


def test_detect_anomaly_stops_a_forward_derivative() -> None:
    for f, x in ((sqrt, 0.0), (log, 0.0)):
        with detect_anomaly(), pytest.raises(AnomalyError, match=rf"{f.name}: .*\n  operand 0: "):
            jvp(f, (x,), (1.0,))
    with detect_anomaly():
        assert jvp(sqrt, (4.0,), (1.0,)) == (2.0, 0.25)
        assert jvp(sqrt, (Value(4.0),), (1.0,))[1].data == 0.25


def test_reverse_mode_refuses_other_kinds_of_number() -> None:
    with pytest.raises(TypeError, match="reverse mode takes numbers, Values and dual numbers, got"):
        grad(lambda x: x)(Precise(mpmath.mpf(1)))


def test_time_goes_on_with_another_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    later = following.now() + 1000
    monkeypatch.setattr(following, "_clock", following._clock)  # so that it is restored
    following.take_clock(lambda: later)
    assert following.now() == later


@pytest.mark.parametrize("seed", range(200))
def test_paths_are_those_of_the_engine_that_is_for_reading(seed: int) -> None:
    """Random graphs, of which parts were made before, inside and around a derivative."""
    rng = random.Random(seed)
    nodes: list[Value] = [Value(rng.uniform(1.0, 2.0)) for _ in range(3)]

    def grow(count: int) -> None:
        for _ in range(count):
            x, y = rng.choice(nodes[-8:]), rng.choice(nodes)
            made = [Value(1.5), x * y, x + 2.0, dot([x, y, x], [y, 1.0, x]), -y, x * x]
            nodes.append(rng.choice(made))

    grow(rng.randrange(6))
    with following.following(()):
        grow(rng.randrange(6))
        since = following.now()
        inputs = [rng.choice(nodes) * 1.0 if rng.random() < 0.5 else Value(1.0) for _ in range(2)]
        nodes.extend(inputs)
        with following.following(inputs[:1]):
            grow(rng.randrange(1, 15))
        outputs = [rng.choice(nodes[-6:]) for _ in range(rng.randrange(1, 4))]
        running = {x for x in nodes[:4] if rng.random() < 0.3}
        for whole in (False, True):
            found = path_between(inputs, outputs, since, running, whole)
            expected = paths.path_between(inputs, outputs, since, running, whole)
            assert (found[0] is None) == (expected[0] is None)
            assert same_nodes(found[0] or (), expected[0] or ())
            assert same_nodes(found[1], expected[1])
        assert varying(outputs, since, running) == paths.varying(outputs, since, running)


def same_nodes(found: Sequence[Value], expected: Sequence[Value]) -> bool:
    return [id(x) for x in found] == [id(x) for x in expected]


@pytest.mark.skipif(backend == "python", reason="of the native engine")
def test_paths_of_other_things_than_values_are_refused() -> None:
    for inputs, outputs in (([1.0], [Value(1.0)]), ([], [None])):
        with pytest.raises(TypeError, match="expected Values of the native engine"):
            path_between(inputs, outputs, 1, set())  # type: ignore[arg-type]
