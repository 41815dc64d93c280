"""What `compile` promises: the numbers of the eager engine, for every structure and every batch."""

from __future__ import annotations

import array
import collections
import copy
import functools
import gc
import itertools
import math
import os
import pickle
import random
import struct
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from test_conventions import SPECIAL
from test_primitives import NARY, ROWS, by_name, call, points

import autograd_engine as ae
from autograd_engine import (
    Graph,
    Value,
    backend,
    compile,
    derivative,
    dot,
    draw,
    exp,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    log,
    no_grad,
    primitive,
    sin,
    tanh,
    taylor,
    value_and_grad,
    vjp,
    where,
)
from autograd_engine.compiled import Compiled
from autograd_engine.modes import current_mode
from autograd_engine.rows import NaryPrimitive, Primitive
from autograd_engine.structures import flat
from nn import MLP, SGD

SIZES = [1, 7, 8, 9, 64, 100, 1000, 5000]
REDUCE = ["mean", "sum", None]
# Rows made of + - * / and comparisons alone: their bits are those of the eager engine.
EXACT = {"add", "sub", "mul", "div", "neg", "square", "sqrt", "where", "sign", "heaviside", "abs"}
EXACT |= {"maximum", "minimum", "relu", "leaky_relu", "sum", "mean"}
# Functions of libm, which Python and the native executor share; NumPy has some of its own.
OF_LIBM = {"sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"}
OF_LIBM |= {"pow", "cbrt", "erf"}

on_native, on_numpy = backend == "native", backend == "python"
every_reduce = pytest.mark.parametrize("reduce", REDUCE)
every_row = pytest.mark.parametrize("row", ROWS, ids=by_name)


def bits(numbers: Any) -> list[bytes]:
    """Of each number in a structure; of every nan the same."""
    return [struct.pack("d", math.nan if x != x else x) for x in map(float, flat(numbers))]


def close(x: float, expected: float) -> bool:
    """Equal but for a relative error of 1e-12; nan is equal to nan."""
    if math.isnan(x) or math.isnan(expected):
        return math.isnan(x) and math.isnan(expected)
    return x == expected or abs(x - expected) <= 1e-12 * abs(expected) + 1e-300 < math.inf


def assert_near(got: Any, expected: Any, tolerance: float = 1e-12) -> None:
    """Equal in structure, and in the numbers but for an error relative to the largest."""
    assert shape_of(got) == shape_of(expected)
    x, y = np.array(flat(got), float), np.array(flat(expected), float)
    size = max(1.0, float(np.max(np.abs(y), initial=0.0)))
    assert (np.abs(x - y) <= tolerance * size).all(), (got, expected)


def shape_of(tree: Any) -> Any:
    """The structure without the numbers."""
    if isinstance(tree, dict):
        return {key: shape_of(x) for key, x in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree), [shape_of(x) for x in tree]
    return ("array", tree.shape) if getattr(tree, "ndim", 0) else "number"


# --- every row -----------------------------------------------------------------------------------


def operands_of(row: Primitive) -> list[list[tuple[float, ...]]]:
    """Points in the domain and singular ones; for n-ary rows one list for each length."""
    if not isinstance(row, NaryPrimitive):
        return [points(row) + list(itertools.product(SPECIAL, repeat=row.arity))]
    rng = random.Random(row.name)
    return [
        points(row, n) + [tuple(rng.choices(SPECIAL, k=n * row.arity)) for _ in range(40)]
        for n in (1, 2, 7)
    ]


def flatly(row: Primitive) -> Callable[..., Any]:
    """The row as a function of all its operands, one after the other."""
    return lambda *xs: call(row, xs)


def assert_is_linearized(
    row: Primitive, at: Sequence[float], z: Any, slopes: Iterable[Any]
) -> None:
    """The result and the derivatives of a row, as the eager engine has them."""
    value, derivatives = row.linearize(at)
    if row.name in EXACT:
        assert bits([z, *slopes]) == bits([value, *derivatives]), at
    assert all(map(close, [z, *slopes], [value, *derivatives])), (at, z, slopes)
    if backend == "native" and row.name in OF_LIBM:
        assert bits(z) == bits(value), at


@every_row
def test_a_row_of_single_numbers_is_that_of_the_eager_engine(row: Primitive) -> None:
    for ats in operands_of(row):
        every = tuple(range(len(ats[0])))
        value = compile(flatly(row))
        both = compile(value_and_grad(flatly(row), argnums=every))
        for at in ats:
            z, slopes = both(*at)
            assert type(z) is float
            assert bits(value(*at)) == bits(z)
            assert_is_linearized(row, at, z, slopes)


@every_row
def test_a_row_over_a_batch_is_that_of_the_eager_engine(row: Primitive) -> None:
    for ats in operands_of(row):
        every = tuple(range(len(ats[0])))
        both = compile(value_and_grad(flatly(row), argnums=every), batched=every)
        zs, slopes = both(*np.array(ats).T)
        for i, at in enumerate(ats):
            assert_is_linearized(row, at, zs[i], [column[i] for column in slopes])


@every_row
def test_a_row_with_one_operand_in_the_batch_is_that_of_the_eager_engine(row: Primitive) -> None:
    for ats in operands_of(row):
        every = tuple(range(len(ats[0])))
        for k in every[:3]:
            both = compile(value_and_grad(flatly(row), argnums=every), batched=k)
            for at in ats[:: max(1, len(ats) // 12)]:
                column = np.array([at[k], 0.5, at[k]])
                zs, slopes = both(*at[:k], column, *at[k + 1 :])
                for i in (0, 2):
                    assert_is_linearized(row, at, zs[i], [slope[i] for slope in slopes])


@every_row
def test_a_row_of_values_is_one_node_with_the_derivatives_of_the_row(row: Primitive) -> None:
    for ats in operands_of(row):
        c = compile(flatly(row))
        for at in ats[:: max(1, len(ats) // 12)]:
            values = list(map(Value, at))
            z = c(*values)
            assert isinstance(z, Value)
            assert z._prev == tuple(values)
            assert_is_linearized(row, at, z.data, z._derivatives)
            z.backward()
            assert bits([v.grad for v in values]) == bits([0.0 + d for d in z._derivatives])


@every_row
def test_a_row_is_itself_a_function_to_compile(row: Primitive) -> None:
    at = points(row, 3)[0] if row in NARY else points(row)[0]
    n = len(at) // row.arity
    args = [list(at[k * n : (k + 1) * n]) if row in NARY else x for k, x in enumerate(at)]
    args = args[: row.arity]
    assert close(compile(row)(*args), row(*args))


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">=", "==", "!="])
def test_comparisons_choose_as_those_of_floats_do(sign: str) -> None:
    source = f"lambda x, y: where(x {sign} y, x + 10.0, y - 10.0)"
    f = eval(source, {"where": where})
    pairs = list(itertools.product(SPECIAL, SPECIAL))
    expected = [f(x, y) for x, y in pairs]
    assert bits([compile(f)(x, y) for x, y in pairs]) == bits(expected)
    x, y = np.array(pairs).T
    assert bits(compile(f, batched=(0, 1))(x, y)) == bits(expected)
    assert bits(compile(f, batched=0)(x, 1.0)) == bits([f(a, 1.0) for a, _ in pairs])
    assert bits(compile(f, batched=1)(0.0, y)) == bits([f(0.0, b) for _, b in pairs])


def to_the_power(exponent: float) -> Callable[[Any], Any]:
    return lambda x: x**exponent


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, -1, -2, 0.5, -0.5, 2.5, 10])
def test_powers_with_constant_exponents_are_those_of_the_eager_engine(exponent: float) -> None:
    c = compile(value_and_grad(to_the_power(exponent)), batched=0)
    x = np.array([*SPECIAL, 0.3, 1.7, -2.5])
    zs, slopes = c(x)
    for a, z, slope in zip(x.tolist(), zs, slopes, strict=True):
        if exponent == 0.5 and a == -math.inf:
            continue
        v = Value(a)
        expected = v**exponent
        expected.backward()
        assert close(z, expected.data), a
        assert close(slope, v.grad), a


def test_a_root_of_minus_infinity_as_a_power_is_that_of_the_eager_engine() -> None:
    f = to_the_power(0.5)
    assert f(Value(-math.inf)).data == math.inf
    assert compile(f)(-math.inf) == math.inf
    assert compile(f, batched=0)([-math.inf]).tolist() == [math.inf]


def test_constants_on_either_side_are_those_of_the_eager_engine() -> None:
    def f(x: Any) -> list[Any]:
        return [x + 2, 2 + x, x - 2, 2 - x, x * 3, 3 * x, x / 4, 4 / x, 2**x, -x, abs(x), +x]

    for x in (*SPECIAL, 0.3, -7.5):
        expected = [z.data if isinstance(z, Value) else z for z in f(Value(x))]
        assert all(map(close, compile(f)(x), expected)), x
        assert all(map(close, [z[0] for z in compile(f, batched=0)([x])], expected)), x


# --- structures ----------------------------------------------------------------------------------


class Point(NamedTuple):
    x: Any
    y: Any


class Swapped(NamedTuple):
    y: Any
    x: Any


def weighted(a: Any) -> Any:
    """Of a sequence of two."""
    return a[0] * 2.0 + a[1] * 3.0


PAIRS: dict[str, Callable[[], Any]] = {
    "list": lambda: [1.5, 2.5],
    "tuple": lambda: (1.5, 2.5),
    "ints": lambda: [1, 2],
    "bools": lambda: [True, False],
    "mixed": lambda: [1, 2.5],
    "fractions": lambda: [Fraction(1, 2), 2.0],
    "NumPy scalars": lambda: [np.float64(1.5), np.float32(2.5)],
    "NumPy ints": lambda: [np.int8(1), np.uint64(2)],
    "NumPy bools": lambda: [np.True_, np.False_],
    "0-d arrays": lambda: [np.array(1.5), np.array(2)],
    "array": lambda: np.array([1.5, 2.5]),
    "array of ints": lambda: np.array([1, 2]),
    "array of bools": lambda: np.array([True, False]),
    "array of int8": lambda: np.array([1, -2], np.int8),
    "array of float32": lambda: np.array([1.5, 2.5], np.float32),
    "array of float16": lambda: np.array([1.5, 2.5], np.float16),
    "array of longdouble": lambda: np.array([1.5, 2.5], np.longdouble),
    "array of the other byte order": lambda: np.array([1.5, 2.5], ">f8"),
    "strided": lambda: np.array([1.5, 9.0, 2.5, 9.0])[::2],
    "backwards": lambda: np.array([2.5, 1.5])[::-1],
    "read-only": lambda: frozen(np.array([1.5, 2.5])),
    "unaligned": lambda: np.frombuffer(b"." + np.array([1.5, 2.5]).tobytes(), float, offset=1),
    "broadcast": lambda: np.broadcast_to(np.array(1.5), 2),
    "objects": lambda: np.array([1.5, 2.5], object),
    "subclass": lambda: np.array([1.5, 2.5]).view(np.recarray),
}


def frozen(x: Any) -> Any:
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("make", PAIRS.values(), ids=PAIRS)
def test_a_pair_of_numbers_comes_in_every_form(make: Callable[[], Any]) -> None:
    c = compile(weighted)
    expected = weighted([float(x) for x in make()])
    for _ in range(3):
        got = c(make())
        assert type(got) is float
        assert got == expected
    assert bits(compile(grad(weighted))(make())) == bits([2.0, 3.0])


@pytest.mark.parametrize("make", PAIRS.values(), ids=PAIRS)
def test_a_batch_of_two_comes_in_every_form(make: Callable[[], Any]) -> None:
    if make is PAIRS["fractions"] or make is PAIRS["objects"]:
        pytest.skip("a batch is an array of a numeric type, or a list that makes one")
    c = compile(lambda x: x * 2.0 + 1.0, batched=0)
    expected = [float(x) * 2.0 + 1.0 for x in make()]
    for _ in range(3):
        got = c(make())
        assert type(got) is np.ndarray
        assert got.dtype == float
        assert got.tolist() == expected


def matrices() -> list[Any]:
    """Of four rows and three columns, in every order, stride and type."""
    rng = np.random.default_rng(0)
    big = rng.integers(-9, 9, size=(8, 12)).astype(float)
    return [
        big[:4, :3], big[:4, :3].copy(), np.asfortranarray(big[:4, :3]), big[:3, :4].T,
        big[::2, ::4], big[::-2, 2::-1], big[4:0:-1, 5:2:-1], frozen(big[:4, :3].copy()),
        big[:4, :3].astype(np.int16), big[:4, :3].astype(np.float32), big[:4, :3].astype(">f8"),
        np.broadcast_to(big[0, :3], (4, 3)), np.broadcast_to(big[:4, :1], (4, 3)),
        big.reshape(4, 2, 12)[:, 1, 3:6],
    ]  # fmt: skip


def test_matrices_come_in_every_order_stride_and_type() -> None:
    def f(a: Any) -> Any:
        return sum(a[i, j] * (3.0 * i + j + 0.5) for i in range(4) for j in range(3))

    c = compile(f)
    for form in matrices():
        assert c(form) == f(form.astype(float))
        assert bits(compile(grad(f))(form)) == bits(grad(f)(form.astype(float)))


def test_batches_come_in_every_order_stride_and_type() -> None:
    def f(x: Any) -> Any:
        return x[0] - x[1] * 2.0 + x[2] * 7.0

    batch, means = compile(f, batched=0), compile(f, batched=0, reduce="mean")
    for form in matrices():
        samples = [f(x) for x in form.astype(float)]
        assert batch(form).tolist() == samples
        assert means(form) == pytest.approx(sum(samples) / 4, rel=1e-14, abs=1e-14)


ARGUMENTS: dict[str, Any] = {
    "number": 0.5,
    "int": 3,
    "nested list": [[1.0, 2.0], [3.0]],
    "tuple in list": [(1.0, 2.0), 3.0],
    "dict": {"w": 1.5, "b": [2.0, 3.0]},
    "keys of any kind": {1: 2.0, (2, 3): 4.0, None: 5.0},
    "namedtuple": Point(1.0, [2.0, 3.0]),
    "array in a dict": {"w": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": np.array([1.0, 2.0])},
    "one of all": [1.0, (2.0, np.array([3.0, 4.0])), {"a": Point(5.0, 6)}, True],
    "empty parts": [[], (), {}, 1.0, np.zeros(0), np.zeros((2, 0))],
}


def total(tree: Any) -> Any:
    """Of all numbers, each with another factor."""
    return sum(math.sqrt(k + 1.0) * x for k, x in enumerate(flat(tree)))


@pytest.mark.parametrize("tree", ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_of_every_structure(tree: Any) -> None:
    assert compile(total)(tree) == total(tree)
    gradient = compile(grad(total))(tree)
    expected = grad(total)(tree)
    assert shape_of(gradient) == shape_of(expected)
    assert bits(gradient) == bits(expected)


@pytest.mark.parametrize("tree", ARGUMENTS.values(), ids=ARGUMENTS)
def test_the_function_gets_the_structure_that_was_given(tree: Any) -> None:
    seen = []

    def f(x: Any) -> Any:
        seen.append(x)
        return total(x)

    compile(f)(tree)
    assert shape_of(seen[0]) == shape_of(tree)


@pytest.mark.parametrize("tree", ARGUMENTS.values(), ids=ARGUMENTS)
def test_results_of_every_structure(tree: Any) -> None:
    def f(a: Any, x: Any) -> Any:
        return ae.structures.rebuilt(x, iter([a * y + 1.0 for y in flat(x)]))

    got, expected = compile(f)(1.5, tree), f(1.5, tree)
    assert shape_of(got) == shape_of(expected)
    assert bits(got) == bits(expected)
    assert all(type(x) is float for x in flat(got) if not isinstance(x, np.floating))


def test_results_may_be_arguments_constants_and_the_same_twice() -> None:
    def f(x: Any, y: Any) -> Any:
        z = x * y
        return [x, z, z, 3.0, 2, np.array([x, 1.0]), {"y": y}]

    def listed(tree: Any) -> Any:
        return [np.asarray(x).tolist() for x in flat(tree)]

    assert listed(compile(f)(2.0, 5.0)) == [2.0, 10.0, 10.0, 3.0, 2.0, 2.0, 1.0, 5.0]
    x, z, twice, constant, integer, array_, by_name_ = compile(f, batched=0)([2.0, 4.0], 5.0)
    assert (x == [2.0, 4.0]).all()
    assert (z == [10.0, 20.0]).all()
    assert (twice == z).all()
    assert (constant == [3.0, 3.0]).all()
    assert (integer == [2.0, 2.0]).all()
    assert (array_ == [[2.0, 1.0], [4.0, 1.0]]).all()
    assert (by_name_["y"] == [5.0, 5.0]).all()
    by_all = compile(f, batched=(0, 1), reduce="sum")([2.0, 4.0], [1.0, 2.0])
    assert listed(by_all) == [6.0, 10.0, 10.0, 6.0, 4.0, 6.0, 2.0, 3.0]
    by_one = compile(f, batched=0, reduce="mean")([2.0, 4.0], 5.0)
    assert listed(by_one) == [3.0, 15.0, 15.0, 3.0, 2.0, 3.0, 1.0, 5.0]


def test_results_do_not_share_memory_with_each_other_or_with_a_later_call() -> None:
    c = compile(lambda x: [x * 2.0, x * 2.0], batched=0)
    first, second = c([1.0, 2.0])
    first[0] = 99.0
    assert second[0] == 2.0
    again = c([3.0, 4.0])
    assert (second == [2.0, 4.0]).all()
    assert (again[0] == [6.0, 8.0]).all()


def test_arguments_are_not_changed() -> None:
    x = np.arange(6.0).reshape(3, 2)
    before = x.copy()
    compile(lambda a: [a[0] + 1.0, a[1]], batched=0)(x)[0][...] = 77.0
    assert (x == before).all()


DIFFERENT: list[Any] = [
    1.5,
    [1.5, 2.0],
    (1.5, 2.0),
    [1.5, 2.0, 3.0],
    [[1.5, 2.0], [3.0, 5.0]],
    [[1.5], [2.0]],
    {"a": 1.5, "b": 2.0},
    {"b": 1.5, "a": 2.0},
    {"a": 1.5, "c": 2.0},
    np.array([1.5, 2.0]),
    np.array([[1.5, 2.0]]),
    np.array([[1.5], [2.0]]),
    np.array([1, 2]),
    np.array([1.5, 2.0], object),
    [np.array([1.5, 2.0]), np.array([3.0, 5.0])],
    Point(1.5, 2.0),
    np.float64(1.5),
    np.array(1.5),
    True,
]


def signature(tree: Any) -> Any:
    """A number that tells structures apart, and the numbers in them."""
    name = type(tree).__name__ if isinstance(tree, dict | list | tuple) else ""
    salt = sum(ord(x) for x in name + str(getattr(tree, "_fields", ""))) * 0.001
    if isinstance(tree, dict):
        parts = [signature(x) * (2.0 + ord(key)) for key, x in tree.items()]
    elif isinstance(tree, list | tuple):
        parts = [signature(x) for x in tree]
    elif getattr(tree, "ndim", 0):
        salt += 0.01 * tree.ndim
        parts = [signature(x) for x in tree]
    else:
        return tree * 1.0
    return sum((part * (k + 1.7) for k, part in enumerate(parts)), salt)


def test_a_call_does_not_depend_on_the_structure_of_the_calls_before() -> None:
    fresh = [compile(signature)(x) for x in DIFFERENT]
    c = compile(signature)
    for i, j in itertools.product(range(len(DIFFERENT)), repeat=2):
        c(DIFFERENT[i])
        assert c(DIFFERENT[j]) == fresh[j], (DIFFERENT[i], DIFFERENT[j])


def test_namedtuples_with_the_same_names_in_another_order_are_told_apart() -> None:
    c = compile(lambda p: p.x - p.y)
    assert c(Point(1.0, 2.0)) == -1.0
    assert c(Swapped(1.0, 2.0)) == 1.0
    assert c(Point(1.0, 2.0)) == -1.0
    d = compile(lambda p: p[0] - (p.y if hasattr(p, "y") else p[1] * 10.0))
    assert d(Point(1.0, 2.0)) == -1.0
    assert d((1.0, 2.0)) == -19.0


def test_a_list_of_arrays_is_several_batches_whatever_was_called_before() -> None:
    c = compile(lambda x: x[0] * 10.0 + x[1], batched=0)
    several = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    assert c(several).tolist() == [13.0, 24.0]
    assert c([[1.0, 2.0], [3.0, 4.0]]).tolist() == [12.0, 34.0]
    assert c(several).tolist() == [13.0, 24.0]
    assert c(tuple(several)).tolist() == [13.0, 24.0]
    assert c(np.array(several)).tolist() == [12.0, 34.0]


@pytest.mark.parametrize(
    "make",
    [
        lambda: range(3),
        lambda: array.array("d", [0.0, 1.0, 2.0]),
        lambda: collections.UserList([0.0, 1.0, 2.0]),
    ],
    ids=["range", "array.array", "UserList"],
)
def test_other_sequences_of_numbers_are_batches_too(make: Callable[[], Any]) -> None:
    c = compile(lambda x: x * 2.0, batched=0)
    assert c(make()).tolist() == [0.0, 2.0, 4.0]
    assert c(make()).tolist() == [0.0, 2.0, 4.0]


# --- Values as arguments -------------------------------------------------------------------------


def assert_backward_as_eager(f: Callable[..., Any], *numbers: Any) -> None:
    """Value and gradients of `f`, compiled, on Values in place of these numbers."""
    found = []
    for g in (compile(f), f):
        args = [ae.structures.rebuilt(x, iter(map(Value, flat(x)))) for x in numbers]
        z = g(*args)
        z.backward()
        found.append([z.data, *[v.grad for v in flat(args)]])
    assert_near(*found)


VALUES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "one": (lambda x: x * x, (3.0,)),
    "two": (lambda x, y: x * y + x, (3.0, 4.0)),
    "list": (lambda xs: dot(xs, [1.0, 2.0, 3.0]) * xs[0], ([1.0, 2.0, 3.0],)),
    "dict": (lambda p: p["w"] * p["w"] - p["b"], ({"w": 2.0, "b": 5.0},)),
    "nested": (lambda a, b: a[0][1] * b["x"][0], ([[1.0, 2.0], [3.0]], {"x": (4.0, 5.0)})),
    "namedtuple": (lambda p: p.x * exp(p.y), (Point(1.0, 0.5),)),
    "array of Values": (lambda a: (a * a).sum(), (np.array([1.0, 2.0]),)),
    "matrix of Values": (lambda a: a[0, 1] * a[1, 0] - a[0, 0], (np.array([[1.0, 2.0], [3, 4]]),)),
}


@pytest.mark.parametrize(("f", "numbers"), VALUES.values(), ids=VALUES)
def test_values_as_arguments_get_gradients(f: Any, numbers: tuple[Any, ...]) -> None:
    objects = [x.astype(object) if isinstance(x, np.ndarray) else x for x in numbers]
    assert_backward_as_eager(f, *objects)


def test_numbers_and_values_may_be_mixed_and_change_places() -> None:
    c = compile(lambda x, y: x * x * y)
    v = Value(3.0)
    z = c(v, 2.0)
    assert z._prev == (v,)
    z.backward()
    assert (z.data, v.grad) == (18.0, 12.0)
    v.zero_grad()
    z = c(2.0, v)
    z.backward()
    assert (z.data, v.grad) == (12.0, 4.0)
    assert c(2.0, 3.0) == 12.0
    assert type(c(2.0, 3.0)) is float
    a = np.array([v, 2.0], object)
    assert compile(lambda a: a[0] * a[1])(a).data == 6.0


def test_the_same_value_twice_gets_both_parts() -> None:
    v = Value(3.0)
    z = compile(lambda x, y: x * x * y)(v, v)
    z.backward()
    assert (z.data, v.grad) == (27.0, 27.0)


def test_gradients_by_values_are_plain_numbers() -> None:
    w = Value(2.0)
    c = compile(value_and_grad(lambda x: w * x * x))
    assert c(3.0) == (18.0, 12.0)
    assert [type(x) for x in c(3.0)] == [float, float]
    assert c(Value(3.0)) == (18.0, 12.0)
    w.data = 4.0
    assert c(3.0) == (36.0, 24.0)


# --- batches -------------------------------------------------------------------------------------


def exact(w: Any, x: Any, y: Any) -> Any:
    """Of arithmetic alone, without a dot."""
    z = w[0] * x[0] - x[1] / (w[1] * w[1] + 1.0)
    return ae.relu(1.0 - y * z) + ae.maximum(z, w[2]) * abs(x[1]) + ae.sqrt(z * z + 1.0)


def smooth(w: Any, x: Any, y: Any) -> Any:
    """Of all kinds of rows."""
    hidden = [tanh(dot(w, [x[0], x[1], 1.0])), exp(0.3 * x[0] * w[1]), sin(w[2] * x[1])]
    return log(1.0 + ae.square(dot(hidden, w) - y)) + 0.1 * dot(w, w)


W = [0.7, -0.4, 0.2]


@functools.cache
def data() -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(5000, 2)), rng.normal(size=5000)


@functools.cache
def eagerly(f: Callable[..., Any], n: int) -> tuple[Any, Any, Any]:
    """(values, gradients by w, gradients by x) of the first samples, one after the other."""
    if n < 5000:
        return tuple(part[:n] for part in eagerly(f, 5000))  # type: ignore[return-value]
    X, Y = data()
    values, by_w, by_x = [], [], []
    for x, y in zip(X.tolist(), Y.tolist(), strict=True):
        w, own = list(map(Value, W)), list(map(Value, x))
        z = f(w, own, y)
        z.backward()
        values.append(z.data)
        by_w.append([v.grad for v in w])
        by_x.append([v.grad for v in own])
    return np.array(values), np.array(by_w), np.array(by_x)


def reduced(columns: Any, reduce: str | None) -> Any:
    if reduce is None:
        return columns
    whole = np.sum(columns, axis=0)
    return whole / len(columns) if reduce == "mean" else whole


@every_reduce
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("f", [exact, smooth])
def test_a_batch_is_the_loop_over_its_samples(f: Any, n: int, reduce: str | None) -> None:
    X, Y = (a[:n] for a in data())
    values, by_w, by_x = eagerly(f, n)
    got = compile(f, batched=(1, 2), reduce=reduce)(W, X, Y)
    assert_near(got, reduced(values, reduce))
    if f is exact and reduce is None:
        assert bits(got) == bits(values)

    both = compile(value_and_grad(f), batched=("x", "y"), reduce=reduce)
    value, gradient = both(W, X, Y)
    assert type(gradient) is list
    assert_near(value, reduced(values, reduce))
    assert_near(np.array(gradient).T, reduced(by_w, reduce))

    own = compile(grad(f, argnums=1), batched=(1, 2), reduce=reduce)(W, X, Y)
    assert own.shape == (n, 2)
    assert_near(own, by_x / n if reduce == "mean" else by_x)


@every_reduce
@pytest.mark.parametrize("n", [1, 9, 100])
def test_nested_lists_are_the_same_batch_as_arrays(n: int, reduce: str | None) -> None:
    X, Y = (a[:n] for a in data())
    seen = []

    def f(w: Any, x: Any, y: Any) -> Any:
        seen.append(type(x))
        a, b = x  # it unpacks, and iterates
        return smooth(w, [a, b], y) + sum(x[i] for i in range(len(x)))

    c = compile(f, batched=(1, 2), reduce=reduce)
    expected = c(W, X, Y)
    for form in (X.tolist(), list(map(tuple, X.tolist())), tuple(X.tolist())):
        assert bits(c(W, form, Y.tolist())) == bits(expected)
    assert issubclass(seen[0], np.ndarray)
    assert seen[1:] == [list]


@every_reduce
def test_samples_of_any_shape(reduce: str | None) -> None:
    rng = np.random.default_rng(2)
    for shape in ((), (3,), (2, 3), (2, 3, 2), (1, 1)):
        x = rng.normal(size=(11, *shape))
        weights = rng.normal(size=shape)

        def f(a: Any, weights: Any = weights) -> Any:
            assert np.shape(a) == weights.shape
            return sum(np.ravel(weights * a), 0.5)

        expected = reduced(np.array([float(f(sample)) for sample in x]), reduce)
        assert_near(compile(lambda a, f=f: f(a), batched=0, reduce=reduce)(x), expected)
        gradient = compile(grad(lambda a, f=f: f(a)), batched=0, reduce=reduce)(x)
        assert gradient.shape == x.shape
        assert_near(gradient, np.broadcast_to(weights / (11 if reduce == "mean" else 1), x.shape))


def test_a_batch_may_be_a_dict_or_a_list_of_arrays() -> None:
    x, y = np.arange(5.0), np.arange(10.0).reshape(5, 2)

    def f(batch: Any) -> Any:
        return batch["x"] * batch["rest"][0][1] + batch["rest"][1]

    c = compile(f, batched=0)
    assert c({"x": x, "rest": [y, x]}).tolist() == (x * y[:, 1] + x).tolist()
    assert c({"x": x[:2], "rest": [y[:2], x[:2]]}).tolist() == (x * y[:, 1] + x)[:2].tolist()
    g = compile(lambda p: p.x - p.y[0] * p.y[1], batched="p")
    assert g(Point(x, y)).tolist() == (x - y[:, 0] * y[:, 1]).tolist()
    gradient = compile(grad(f), batched=0)({"x": x, "rest": [y, x]})
    assert (gradient["x"] == y[:, 1]).all()
    assert (gradient["rest"][0] == np.stack([0 * x, x], axis=1)).all()
    assert (gradient["rest"][1] == np.ones(5)).all()


def test_batched_arguments_by_position_and_by_name() -> None:
    def f(a: Any, b: Any, c: Any) -> Any:
        return a * 100.0 + b * 10.0 + c

    one, two = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    for batched in (0, (0,), "a", ["a"], {0}, iter([0])):
        assert compile(f, batched=batched)(one, 5.0, 6.0).tolist() == [156.0, 256.0]
    for batched in ((0, 2), ("a", "c"), (2, "a"), [0, 2, 0]):
        assert compile(f, batched=batched)(one, 5.0, two).tolist() == [153.0, 254.0]
    assert compile(f, batched=())(1.0, 2.0, 3.0) == 123.0
    assert compile(f, batched=range(3))(one, one, two).tolist() == [113.0, 224.0]


def test_results_over_a_batch_have_it_as_their_first_axis() -> None:
    def f(a: Any, x: Any) -> Any:
        return {"z": a * x[0], "list": [x[1], [a * x[1]]], "array": np.array([[x[0], a], [a, a]])}

    X, _ = data()
    got = compile(f, batched=1)(2.0, X[:9])
    assert (got["z"] == 2.0 * X[:9, 0]).all()
    assert (got["list"][0] == X[:9, 1]).all()
    assert (got["list"][1][0] == 2.0 * X[:9, 1]).all()
    assert got["array"].shape == (9, 2, 2)
    assert (got["array"][:, 0, 0] == X[:9, 0]).all()
    assert (got["array"][:, 1] == 2.0).all()
    means = compile(f, batched=1, reduce="mean")(2.0, X[:9])
    assert_near(means["z"], 2.0 * X[:9, 0].mean())
    assert means["array"].shape == (2, 2)


def test_what_does_not_depend_on_the_sample_is_reduced_too() -> None:
    x = np.arange(4.0)
    f = compile(lambda w, x: [w * 3.0, x * 0.0 + w], batched=1, reduce="sum")
    assert f(2.0, x) == [24.0, 8.0]
    f = compile(lambda w, x: [w * 3.0, x * 0.0 + w], batched=1, reduce="mean")
    assert f(2.0, x) == [6.0, 2.0]
    f = compile(lambda w, x: w * 3.0, batched=1)
    assert f(2.0, x).tolist() == [6.0] * 4
    f = compile(lambda w, x: w * 3.0, batched=1, reduce="sum")
    assert f(2.0, x) == 24.0
    assert compile(grad(lambda w, x: w * w), batched=1, reduce="sum")(2.0, x) == 16.0
    assert compile(grad(lambda w, x: w * w, 1), batched=1)(2.0, x).tolist() == [0.0] * 4


def test_totals_of_products_are_those_of_the_loop() -> None:
    """Where a total of a product becomes a product of a total, and where it must not."""
    X, Y = (a[:37] for a in data())
    cases: list[Callable[..., Any]] = [
        lambda w, x, y: w[0] * y,
        lambda w, x, y: x[0] * y,
        lambda w, x, y: dot([w[0], x[0], w[1], x[1]], [y, w[1], w[2], y]),
        lambda w, x, y: dot([w[0], w[1]], [w[1], w[2]]) * y,
        lambda w, x, y: dot(w, w) + 0.0 * y,
        lambda w, x, y: dot(x, x) * dot(x, [w[0], w[1]]),
        lambda w, x, y: y,
        lambda w, x, y: (w[0] + w[1] + w[2]) * y + (w[0] + w[1]) * x[0],
        lambda w, x, y: [
            dot([w[0], w[1]], x) * x[0],
            tanh(dot([w[0], w[1]], x) + w[2]),
        ][0] * y,
    ]  # fmt: skip
    for f in cases:
        expected = np.array(
            [float(f(W, x, y)) for x, y in zip(X.tolist(), Y.tolist(), strict=True)]
        )
        for reduce in REDUCE:
            got = compile(f, batched=(1, 2), reduce=reduce)(W, X, Y)
            assert_near(got, reduced(expected, reduce))


@pytest.mark.parametrize(
    ("u", "x"), [(math.inf, [0.0, 1.0]), (0.25, [1e308, 1e308]), (1e-300, [1e308] * 3)]
)
def test_totals_of_products_are_those_of_the_loop_at_infinity(u: float, x: list[float]) -> None:
    got = compile(lambda u, x: u * x, batched=1, reduce="sum")(u, x)
    assert close(got, float(np.add.reduce([u * a for a in x])))


def test_a_uniform_sum_may_be_part_of_a_longer_one_and_used_for_samples() -> None:
    c = compile(lambda w, v, u, x: x * (w + v) + tanh(w + v + u) * x, batched=3)
    expected = [x * 3.0 + math.tanh(6.0) * x for x in (1.0, 2.0)]
    assert_near(c(1.0, 2.0, 3.0, [1.0, 2.0]), np.array(expected))


def test_a_dot_may_get_a_bias_and_be_part_of_a_total() -> None:
    def f(w: Any, b: Any, x: Any) -> Any:
        z = dot(w, x)
        return [z * x[0], tanh(z + b)]

    X, _ = data()
    expected = [f(W[:2], 0.5, x) for x in X[:9].tolist()]
    got = compile(f, batched=2, reduce="mean")(W[:2], 0.5, X[:9])
    assert_near(got, [float(np.mean(column)) for column in zip(*expected, strict=True)])


@pytest.mark.parametrize("f", [exact, smooth])
def test_a_sample_does_not_depend_on_its_place_or_on_the_size_of_the_batch(f: Any) -> None:
    X, Y = data()
    c = compile(lambda w, x, y: [f(w, x, y), *grad(f)(w, x, y)], batched=(1, 2))
    alone = [[column[0] for column in c(W, X[i : i + 1], Y[i : i + 1])] for i in range(150)]
    for n in [*range(1, 20), 31, 33, 64, 65, 127, 128, 129, 150]:
        together = np.array(c(W, X[:n], Y[:n])).T
        assert bits(together) == bits(alone[:n]), n
    order = np.random.default_rng(3).permutation(150)
    shuffled = np.array(c(W, X[order], Y[order])).T
    assert bits(shuffled) == bits([alone[i] for i in order])
    for form in (np.asfortranarray(X[:150]), np.repeat(X[:150], 2, axis=0)[::2]):
        assert bits(np.array(c(W, form, Y[:150])).T) == bits(alone)


def test_every_row_gives_the_same_bits_wherever_a_sample_stands() -> None:
    X = np.random.default_rng(5).uniform(0.05, 0.95, size=(45, 3))
    for row in ROWS:
        if row.name == "acosh":
            continue
        n = 3 if row in NARY else 1
        c = compile(lambda x, row=row, n=n: call(row, [*x, *x][: n * row.arity]), batched=0)
        whole = c(X)
        for size in (1, 2, 7, 8, 9):
            assert bits(c(X[:size])) == bits(whole[:size]), row
            assert bits(c(X[size:])) == bits(whole[size:]), row


# --- derivatives ---------------------------------------------------------------------------------

V = [0.3, -1.0, 0.5]
with_aux = value_and_grad(
    lambda w, x, y: (smooth(w, x, y), {"prediction": dot(w[:2], x), "k": [3.0]}), has_aux=True
)
OPERATORS: dict[str, Callable[..., Any]] = {
    "grad": grad(smooth),
    "value_and_grad": value_and_grad(smooth),
    "jacobian": jacobian(lambda w, x, y: [smooth(w, x, y), x[0] * w[1]]),
    "hessian": hessian(smooth),
    "grad of grad": grad(lambda w, x, y: dot(grad(smooth)(w, x, y), V)),
    "grad of a norm of a gradient": grad(lambda w, x, y: dot(*2 * [grad(smooth, 1)(w, x, y)])),
    "hvp": lambda w, x, y: hvp(lambda w: smooth(w, x, y), (w,), (V,)),
    "jvp": lambda w, x, y: jvp(lambda w: smooth(w, x, y), (w,), (V,)),
    "vjp": lambda w, x, y: vjp(lambda w: [smooth(w, x, y), w[0] * x[1]], w)[1]([1.5, y]),
    "derivative": lambda w, x, y: derivative(lambda t: smooth([t, *w[1:]], x, y), order=3)(w[0]),
    "taylor": lambda w, x, y: taylor(lambda t: smooth([t, *w[1:]], x, y), w[0], 3),
    "mixed": lambda w, x, y: jvp(grad(lambda w: smooth(w, x, y)), (w,), (x[:1] * 3,)),
    "jacobian of a gradient, forward": jacobian(grad(smooth), mode="forward"),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_derivatives_are_those_of_the_eager_engine(name: str) -> None:
    f = OPERATORS[name]
    X, Y = (a[:9] for a in data())
    samples = [f(W, x, y) for x, y in zip(X.tolist(), Y.tolist(), strict=True)]
    alone = compile(f)
    for x, y, expected in zip(X.tolist(), Y.tolist(), samples, strict=True):
        assert_near(alone(W, x, y), expected, 1e-11)
    columns = [np.array(column) for column in zip(*map(flat, samples), strict=True)]
    for reduce in REDUCE:
        got = compile(f, batched=(1, 2), reduce=reduce)(W, X.tolist(), Y.tolist())
        for found, column in zip(ae.structures.blocks(got), columns, strict=True):
            assert_near(found, reduced(column, reduce), 1e-11)


@pytest.mark.parametrize("name", ["grad", "hessian", "jvp"])
def test_derivatives_of_compiled_functions_are_those_of_the_eager_engine(name: str) -> None:
    """Eager operators on a compiled function."""
    x, y = [0.5, -0.25], 0.3
    compiled = compile(smooth)
    if name == "grad":
        assert_near(grad(compiled)(W, x, y), grad(smooth)(W, x, y))
        assert_near(value_and_grad(compiled)(W, x, y), value_and_grad(smooth)(W, x, y))
        assert_near(
            jacobian(compile(lambda w: [w[0] * w[1], w[2]]))(W), [[-0.4, 0.7, 0], [0, 0, 1]]
        )
    elif name == "jvp":
        args = (W, x, y), (V, x, 1.0)
        assert_near(jvp(compiled, *args), jvp(smooth, *args))
        assert_near(derivative(compile(lambda t: sin(t) * t), order=3)(0.4),
                    derivative(lambda t: sin(t) * t, order=3)(0.4))  # fmt: skip
    else:
        with pytest.raises(TypeError, match=r"compile\(grad\(f\)\)"):
            hessian(compiled)(W, x, y)


@every_reduce
def test_the_auxiliary_result_keeps_the_batch(reduce: str | None) -> None:
    X, Y = (a[:9] for a in data())
    (value, aux), gradient = compile(with_aux, batched=(1, 2), reduce=reduce)(W, X, Y)
    values, by_w, _ = eagerly(smooth, 9)
    assert_near(value, reduced(values, reduce))
    assert_near(np.array(gradient).T, reduced(by_w, reduce))
    assert_near(aux["prediction"], X @ np.array(W[:2]))
    assert aux["k"][0].tolist() == [3.0] * 9


def test_value_and_grad_with_an_auxiliary_result_inside_a_compiled_function() -> None:
    def f(w: Any, x: Any, y: Any) -> Any:
        (value, aux), gradient = with_aux(w, x, y)
        return value * gradient[0] + aux["prediction"]

    X, Y = (a[:5] for a in data())
    expected = [float(f(W, x, y)) for x, y in zip(X.tolist(), Y.tolist(), strict=True)]
    assert_near(compile(f, batched=(1, 2))(W, X, Y), np.array(expected))


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_second_derivatives_by_a_batched_argument_keep_the_batch(reduce: str) -> None:
    X, Y = (a[:9] for a in data())
    n = 9 if reduce == "mean" else 1
    expected = np.array([hessian(smooth, 1)(W, x, y) for x, y in zip(X, Y, strict=True)])
    got = compile(hessian(smooth, argnums=1), batched=(1, 2), reduce=reduce)(W, X, Y)
    assert_near(got, expected / n, 1e-11)
    mixed = jacobian(grad(smooth, argnums=1), argnums=0)
    expected = np.array([mixed(W, x, y) for x, y in zip(X, Y, strict=True)])
    got = np.array(compile(mixed, batched=(1, 2), reduce=reduce)(W, X, Y))
    assert_near(np.moveaxis(got, 1, 0), np.moveaxis(expected, 1, 1) / n, 1e-11)


def test_several_argnums_over_a_batch() -> None:
    X, Y = (a[:9] for a in data())
    values, by_w, by_x = eagerly(smooth, 9)
    value, (gradient, own) = compile(
        value_and_grad(smooth, argnums=(0, 1)), batched=(1, 2), reduce="mean"
    )(W, X, Y)
    assert_near(value, values.mean())
    assert_near(gradient, by_w.mean(axis=0).tolist())
    assert_near(own, by_x / 9)


# --- calls ---------------------------------------------------------------------------------------


def test_the_function_runs_once_for_each_structure_whatever_the_size_of_the_batch() -> None:
    calls = []

    def f(w: Any, x: Any) -> Any:
        calls.append(1)
        return w[0] * x

    c = compile(f, batched=1)
    for n in (1, 2, 3, 100, 2, 1):
        c([1.0], np.ones(n))
        c([2], np.ones(2 * n)[::2])
        c((1.0,), np.ones(n))
        c(np.array([1.0]), np.ones(n, int))
        c([1.0], [1] * n)
        with no_grad():
            c([1.0], np.ones(n))
    assert len(calls) == 4
    g = compile(grad(f), batched=1)
    for n in (1, 2, 3):
        g([1.0], np.ones(n))
    assert len(calls) == 5


def test_values_in_arguments_and_no_grad_do_not_record_again_and_again() -> None:
    calls = []

    def f(x: Any, y: Any) -> Any:
        calls.append(1)
        return x * y

    c = compile(f)
    for k in range(4):
        c(1.0 * k, 2.0)
        c(Value(1.0), 2.0)
        c(1.0, Value(2.0))
        with no_grad():
            c(Value(1.0), 2.0)
    assert len(calls) == 3


@every_reduce
def test_out_is_filled_and_returned(reduce: str | None) -> None:
    X, Y = (a[:9] for a in data())
    c = compile(value_and_grad(smooth, argnums=1), batched=(1, 2), reduce=reduce)
    value, gradient = c(W, X, Y)
    outs: list[tuple[Any, Any]] = [
        (np.full(np.shape(value), np.nan), np.full((9, 2), np.nan)),
        (np.full(np.shape(value), np.nan), np.full((2, 9), np.nan).T),
        (np.full(np.shape(value), np.nan), np.full((18, 6), np.nan)[::2, ::3]),
        (np.full(np.shape(value), np.nan), np.full((9, 2), np.nan)[::-1, ::-1]),
        (np.full((*np.shape(value), 3), np.nan)[..., 1], np.full((9, 2), np.nan)),
    ]
    for out in outs:
        found = c(W, X, Y, out=out)
        assert found is out
        assert bits(out) == bits((value, gradient))


def test_out_takes_the_structure_of_the_result() -> None:
    c = compile(lambda a, b: {"x": a[0] * b, "y": [np.array([[a[1], b]])]})
    out = {"x": np.empty(()), "y": [np.zeros((4, 4))[1:2, ::3]]}
    assert c([1.0, 2.0], 3.0, out=out) is out
    assert out["x"] == 3.0
    assert out["y"][0].tolist() == [[2.0, 3.0]]
    x = np.arange(300.0)
    compile(lambda x: x * 2.0, batched=0)(x, out=x)
    assert x.tolist() == [2.0 * k for k in range(300)]


def test_out_may_overlap_the_arguments() -> None:
    c = compile(lambda x: x * 2.0, batched=0)
    for read, write in (
        (np.s_[:-1], np.s_[1:]),
        (np.s_[1:], np.s_[:-1]),
        (np.s_[::-1], np.s_[:]),
    ):
        x = np.arange(1000.0)
        expected = x[read] * 2.0
        c(x[read], out=x[write])
        assert (x[write] == expected).all()


@pytest.mark.parametrize(
    ("out", "error"),
    [
        (np.empty(3), ValueError),
        (np.empty((4, 1)), ValueError),
        (np.empty(4, np.float32), TypeError),
        (np.empty(4, int), TypeError),
        ([0.0] * 4, (TypeError, ValueError)),
        ([np.empty(4), np.empty(4)], (TypeError, ValueError)),
        (frozen(np.empty(4)), ValueError),
        (3.0, TypeError),
    ],
    ids=["short", "shape", "float32", "int", "list", "two", "read-only", "number"],
)
def test_out_that_does_not_fit_is_refused(out: Any, error: Any) -> None:
    c = compile(lambda x: x * 2.0, batched=0)
    with pytest.raises(error, match="out"):
        c(np.ones(4), out=out)
    assert c(np.ones(4)).tolist() == [2.0] * 4


def test_out_is_not_for_values() -> None:
    w = Value(2.0)
    with pytest.raises(TypeError, match="out="):
        compile(lambda x: w * x)(1.0, out=np.empty(()))


def test_arguments_by_name_defaults_and_as_many_as_one_likes() -> None:
    def f(a: Any, b: Any, c: Any = 7.0) -> Any:
        return a * 100.0 + b * 10.0 + c

    c = compile(f)
    assert c(1.0, 2.0) == 127.0
    assert c(1.0, 2.0, 3.0) == 123.0
    assert c(1.0, b=2.0) == 127.0
    assert c(b=2.0, a=1.0) == 127.0
    assert c(c=3.0, a=1.0, b=2.0) == 123.0
    with pytest.raises(TypeError):
        c(1.0)
    with pytest.raises(TypeError, match="d"):
        c(1.0, 2.0, d=3.0)
    with pytest.raises(TypeError):
        c(1.0, 2.0, a=3.0)
    batch = compile(f, batched="b")
    assert batch(1.0, b=[2.0, 3.0]).tolist() == [127.0, 137.0]
    assert batch(b=[2.0, 3.0], a=1.0).tolist() == [127.0, 137.0]

    many = compile(lambda *xs: sum(x * k for k, x in enumerate(xs, 1)))
    assert many(1.0) == 1.0
    assert many(1.0, 2.0, 3.0) == 14.0
    assert many(1.0, 2.0) == 5.0
    rest = compile(lambda a, *xs: a * sum(xs), batched=2)
    assert rest(2.0, 1.0, [3.0, 4.0]).tolist() == [8.0, 10.0]


def test_what_is_bound_by_name_is_no_argument() -> None:
    def f(x: Any, *, k: float) -> Any:
        return x * k

    with pytest.raises(TypeError, match="functools"):
        compile(f)
    c = compile(functools.partial(f, k=3.0), batched=0)
    assert c([1.0, 2.0]).tolist() == [3.0, 6.0]


def test_a_compiled_function_looks_like_the_function() -> None:
    @compile(batched="x", reduce="mean")
    def loss(w: Any, x: Any) -> Any:
        """What it says."""
        return w * x

    assert isinstance(loss, Compiled)
    assert loss.__name__ == "loss"
    assert loss.__doc__ == "What it says."
    assert "loss" in repr(loss)
    assert loss(2.0, [1.0, 2.0]) == 3.0
    assert len(loss.program) == 1
    assert all(type(x) is int for x in loss.statistics.values())
    assert "v1" in str(loss.program)


def test_one_compiled_function_inside_another() -> None:
    inner = compile(lambda w, x: tanh(w * x) + x)
    outer = compile(lambda w, x: inner(w, x) * inner(x, w), batched=1)
    x = np.linspace(-1.0, 1.0, 9)
    expected = (np.tanh(0.5 * x) + x) * (np.tanh(0.5 * x) + 0.5)
    assert_near(outer(0.5, x), expected)
    assert_near(compile(grad(outer.__wrapped__), batched=1)(0.5, x),
                np.array([grad(lambda w, a=a: (tanh(w * a) + a) * (tanh(w * a) + w))(0.5)
                          for a in x.tolist()]))  # fmt: skip


@every_reduce
def test_a_compiled_batch_means_the_same_inside_jvp_and_inside_a_recording(
    reduce: str | None,
) -> None:
    def f(w: Any, x: Any) -> Any:
        return w * x[0] * x[1] + tanh(w)

    X = data()[0][:5]
    c, inside = (compile(f, batched=1, reduce=reduce) for _ in range(2))
    plain = c(2.0, X)
    output, tangent = jvp(lambda w: inside(w, X), (2.0,), (1.0,))
    assert_near(np.array(output), np.array(plain))
    assert_near(np.array(tangent), reduced(X[:, 0] * X[:, 1] + 1 - math.tanh(2.0) ** 2, reduce))
    again = compile(lambda w: c(w, X))(2.0)
    assert_near(np.array(again), np.array(plain))
    assert_near(np.array(jacobian(lambda w: c(w, X))(2.0)), np.array(tangent))


def test_dual_numbers_may_come_after_plain_ones() -> None:
    c = compile(lambda w: w * w)
    assert c(3.0) == 9.0
    assert jvp(c, (3.0,), (1.0,)) == (9.0, 6.0)
    assert compile(lambda x: c(x) + 1.0)(2.0) == 5.0
    assert c(3.0) == 9.0


@every_reduce
def test_gradients_of_a_compiled_batch_mean_the_same_inside_jvp(reduce: str | None) -> None:
    x = np.array([1.0, 2.0, 3.0])
    f = grad(lambda w, x: w * x * x, argnums=1)
    plain = compile(f, batched=1, reduce=reduce)(2.0, x)
    c = compile(f, batched=1, reduce=reduce)
    output, tangent = jvp(lambda w: c(w, x), (2.0,), (1.0,))
    assert_near(np.array(output), plain)
    assert_near(np.array(tangent), plain / 2.0)


def test_arrays_of_results_of_a_compiled_batch_keep_their_shape_inside_a_recording() -> None:
    X = data()[0][:5]
    c, inside = (compile(lambda w, x: w * x, batched=1) for _ in range(2))
    assert c(2.0, X).shape == (5, 2)
    assert_near(np.array(compile(lambda w: c(w, X))(2.0)), 2.0 * X)
    output, tangent = jvp(lambda w: inside(w, X), (2.0,), (1.0,))
    assert_near(np.array(output), 2.0 * X)
    assert_near(np.array(tangent), X)


def test_dicts_of_batches_mean_the_same_inside_jvp() -> None:
    x = np.array([1.0, 2.0, 3.0])
    c = compile(lambda w, d: w * d["a"] + d["b"], batched=1, reduce="mean")
    assert jvp(lambda w: c(w, {"a": x, "b": x}), (2.0,), (1.0,)) == (6.0, 2.0)


@every_reduce
def test_a_batch_may_hold_values(reduce: str | None) -> None:
    x = list(map(Value, [1.0, 2.0, 3.0]))
    c = compile(lambda w, x: w * x * x, batched=1, reduce=reduce)
    zs = c(2.0, x)
    loss = ae.sum(zs) if reduce is None else zs
    loss.backward()
    size = 3.0 if reduce == "mean" else 1.0
    assert_near(loss.data, 28.0 / size)
    assert_near([v.grad for v in x], [4.0 / size, 8.0 / size, 12.0 / size])


@pytest.mark.parametrize("n", [10, 3000, 100_000])
def test_threads_do_not_change_a_bit(n: int) -> None:
    rng = np.random.default_rng(4)
    X, Y = rng.normal(size=(n, 2)), rng.normal(size=n)
    for reduce in REDUCE:
        found = []
        for threads in (1, 2, 3):
            c = compile(value_and_grad(smooth), batched=(1, 2), reduce=reduce, threads=threads)
            value, gradient = c(W, X, Y)
            found.append(np.concatenate([np.ravel(value), *map(np.ravel, gradient)]).tobytes())
        assert found[0] == found[1] == found[2]


PROGRAM = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
from test_compile import W, compile, data, smooth, value_and_grad
X, Y = data()
for reduce in ("mean", "sum"):
    value, gradient = compile(value_and_grad(smooth), batched=(1, 2), reduce=reduce)(W, X, Y)
    print(value.hex(), *[x.hex() for x in gradient])
"""


def test_every_run_gives_the_same_bits() -> None:
    X, Y = data()
    lines = []
    for reduce in ("mean", "sum"):
        for _ in range(3):
            c = compile(value_and_grad(smooth), batched=(1, 2), reduce=reduce)
            value, gradient = c(W, X, Y)
            line = " ".join(x.hex() for x in (value, *gradient))
        lines.append(line)
    tests = Path(__file__).parent
    program = PROGRAM.format(root=str(tests.parent), tests=str(tests))
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines() == lines


def test_calls_from_several_threads_at_once() -> None:
    X, Y = data()
    c = compile(value_and_grad(smooth), batched=(1, 2), reduce="mean")
    w = Value(0.5)
    fused = compile(lambda x: tanh(w * x), batched=0, reduce="sum")
    sizes = [1, 10, 500, 1000, 3000, 5000] * 8
    expected = [compile(value_and_grad(smooth), batched=(1, 2), reduce="mean")(W, X[:n], Y[:n])
                for n in sizes]  # fmt: skip
    losses = [compile(lambda x: tanh(w * x), batched=0, reduce="sum")(Y[:n]).data for n in sizes]

    def task(n: int) -> Any:
        return c(W, X[:n], Y[:n]), fused(Y[:n])

    with ThreadPoolExecutor(4) as pool:
        for (got, loss), both, number in zip(pool.map(task, sizes), expected, losses, strict=True):
            assert bits(got) == bits(both)
            assert loss.data == number


def test_a_function_records_in_several_threads_at_once() -> None:
    def task(k: int) -> Any:
        own = compile(lambda x: tanh(x * k) + shared(x))
        return own(0.5)

    shared = compile(lambda x: x * x)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(task, range(60)))
    assert_near(found, [math.tanh(0.5 * k) + 0.25 for k in range(60)])


def test_a_compiled_function_that_has_run_is_copied() -> None:
    c = compile(lambda x: x * 2.0, batched=0)
    c([1.0])
    assert copy.deepcopy(c)([1.0, 3.0]).tolist() == [2.0, 6.0]
    assert copy.copy(c)([1.0, 3.0]).tolist() == [2.0, 6.0]


def test_long_functions_are_no_problem() -> None:
    def f(x: Any) -> Any:
        z = x
        for _ in range(20_000):
            z = tanh(z * 1.01 + 0.1 * x)
        return z

    assert_near(compile(value_and_grad(f))(0.3), value_and_grad(f)(0.3))


def test_a_compiled_function_is_freed_with_what_it_recorded() -> None:
    w = Value(2.0)

    def make() -> tuple[Any, ...]:
        def f(x: Any) -> Any:
            return w * tanh(x)

        c, g = compile(f, batched=0, reduce="mean"), compile(grad(f), batched=0)
        c([1.0, 2.0]).backward()
        g([1.0, 2.0])
        with no_grad():
            c([1.0])
        return tuple(weakref.ref(x) for x in (c, g, f))

    references = make()
    gc.collect()
    assert [x() for x in references] == [None] * 3
    for _ in range(3):
        make()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(20):
        make()
    gc.collect()
    assert len(gc.get_objects()) - before < 40


def test_calls_leave_nothing_behind() -> None:
    w = Value(2.0)
    c = compile(lambda x: [w * x, x], batched=0, reduce="mean")
    g = compile(value_and_grad(lambda x, y: x["a"] * y), batched=1)

    def calls() -> None:
        c([1.0, 2.0])[0].backward()
        c(np.ones(5))
        g({"a": 1}, np.ones(5))
        for wrong in (None, "a", [], np.ones((0,)), [[1.0], [2.0, 3.0]]):
            with pytest.raises((TypeError, ValueError)):
                c(wrong)

    for _ in range(3):
        calls()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(50):
        calls()
    gc.collect()
    assert len(gc.get_objects()) - before < 40


# --- captured Values -----------------------------------------------------------------------------


def test_captured_values_are_read_at_every_call() -> None:
    w = Value(2.0, label="w")
    c = compile(lambda x: w * x + 1.0)
    assert c(3.0).data == 7.0
    w.data = 5.0
    assert c(3.0).data == 16.0
    with no_grad():
        assert c(3.0).data == 16.0
        w.data = -1.0
        assert c(3.0).data == -2.0
    assert "w" in str(c.program)


def test_captured_numbers_are_constants() -> None:
    k = [2.0]
    c = compile(lambda x: k[0] * x)
    assert c(3.0) == 6.0
    k[0] = 5.0
    assert c(3.0) == 6.0


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_a_loss_is_one_node_over_the_captured_values(reduce: str) -> None:
    w = list(map(Value, W))
    X, Y = (a[:9] for a in data())
    loss = compile(lambda x, y: smooth(w, x, y), batched=(0, 1), reduce=reduce)
    z = loss(X, Y)
    values, by_w, _ = eagerly(smooth, 9)
    assert type(z) is Value
    assert z._prev == tuple(w)
    assert_near(z.data, reduced(values, reduce))
    z.backward()
    assert_near([v.grad for v in w], reduced(by_w, reduce).tolist())
    z.backward()
    assert_near([v.grad for v in w], (2.0 * reduced(by_w, reduce)).tolist())
    loss(X, Y).backward(0.5)
    assert_near([v.grad for v in w], (2.5 * reduced(by_w, reduce)).tolist())
    for v in w:
        v.zero_grad()
    (2.0 * z + w[0]).backward()
    expected = 2.0 * reduced(by_w, reduce)
    assert_near([v.grad for v in w], (expected + np.array([1.0, 0.0, 0.0])).tolist())


def test_values_that_were_computed_outside_pass_gradients_on() -> None:
    w = Value(3.0)
    twice = w * 2.0
    z = compile(lambda x: twice * x + w)(5.0)
    assert z.data == 33.0
    assert z._prev == (twice, w)
    z.backward()
    assert (twice.grad, w.grad) == (5.0, 11.0)


def test_a_function_of_captured_values_alone() -> None:
    w = Value(3.0)
    z = compile(lambda: w * w)()
    z.backward()
    assert (z.data, w.grad) == (9.0, 6.0)


def test_fused_values_are_arguments_of_other_compiled_functions() -> None:
    a, w = Value(2.0), Value(3.0)
    square, line = compile(lambda x: x * x), compile(lambda x: x * w + a)
    z = line(square(a))
    z.backward()
    assert (z.data, a.grad, w.grad) == (14.0, 13.0, 4.0)


def test_a_running_grad_goes_through_a_compiled_batch() -> None:
    c = compile(lambda w, x: w * w * x, batched=1, reduce="mean")
    assert value_and_grad(lambda w: c(w, [1.0, 2.0, 3.0]))(2.0) == (8.0, 8.0)
    each = compile(lambda w, x: w * w * x, batched=1)
    assert grad(lambda w: ae.sum(each(w, [1.0, 2.0, 3.0])))(2.0) == 24.0


def test_the_same_value_captured_and_passed() -> None:
    w = Value(3.0)
    z = compile(lambda x: w * w * x)(w)
    z.backward()
    assert (z.data, w.grad) == (27.0, 27.0)


def test_what_is_detached_or_read_from_data_gets_no_gradient() -> None:
    w, v = Value(3.0), Value(4.0)
    z = compile(lambda x: w.detach() * v * x + v)(2.0)
    z.backward()
    assert (z.data, w.grad, v.grad) == (28.0, 0.0, 7.0)
    w.data = 5.0
    assert compile(lambda x: w.detach() * x)(2.0) == 10.0


def test_several_results_are_values_of_their_own() -> None:
    w, v = Value(3.0), Value(4.0)
    c = compile(lambda x: {"a": w * x, "b": [w * v, x * 2.0], "c": 7.0})
    out = c(5.0)
    assert (out["a"].data, out["b"][0].data, out["b"][1], out["c"]) == (15.0, 12.0, 10.0, 7.0)
    assert type(out["b"][1]) is float
    out["a"].backward()
    assert (w.grad, v.grad) == (5.0, 0.0)
    out["b"][0].backward()
    assert (w.grad, v.grad) == (9.0, 3.0)
    (out["a"] * out["b"][0]).backward()
    assert (w.grad, v.grad) == (9.0 + 12.0 * 5.0 + 15.0 * 4.0, 3.0 + 15.0 * 3.0)


def test_without_reduction_results_are_arrays_of_values() -> None:
    w = list(map(Value, W))
    X, Y = (a[:9] for a in data())
    values, by_w, _ = eagerly(smooth, 9)
    c = compile(lambda x, y: smooth(w, x, y), batched=(0, 1))
    zs = c(X, Y)
    assert zs.shape == (9,)
    assert zs.dtype == object
    assert_near([z.data for z in zs], values.tolist())
    for z, expected in zip(zs, by_w, strict=True):
        for v in w:
            v.zero_grad()
        z.backward()
        assert_near([v.grad for v in w], expected.tolist())
    for v in w:
        v.zero_grad()
    ae.mean(zs).backward()
    assert_near([v.grad for v in w], by_w.mean(axis=0).tolist())

    both = compile(lambda x: [np.array([w[0] * x[0], x[1]]), x[0], w[1]], batched=0)
    array_, plain, uniform = both(X)
    assert array_.shape == (9, 2)
    assert_near([z.data for z in array_[:, 0]], (W[0] * X[:, 0]).tolist())
    assert_near(array_[:, 1].astype(float), X[:, 1])
    assert plain.dtype == float
    assert (plain == X[:, 0]).all()
    assert [z.data for z in uniform] == [W[1]] * 9


def test_values_as_arguments_of_a_batch() -> None:
    X, Y = (a[:9] for a in data())
    values, by_w, _ = eagerly(smooth, 9)
    w = list(map(Value, W))
    z = compile(smooth, batched=(1, 2), reduce="mean")(w, X, Y)
    assert z._prev == tuple(w)
    z.backward()
    assert_near(z.data, values.mean())
    assert_near([v.grad for v in w], by_w.mean(axis=0).tolist())
    zs = compile(smooth, batched=(1, 2))([*w[:2], W[2]], X, Y)
    w[0].zero_grad()
    zs[3].backward()
    assert_near(w[0].grad, by_w[3, 0])


def test_no_grad_gives_values_without_a_graph() -> None:
    w = Value(2.0)
    c = compile(lambda x: w * x, batched=0, reduce="sum")
    each = compile(lambda x: [w * x, x], batched=0)
    with no_grad():
        z = c([1.0, 2.0])
        assert type(z) is Value
        assert (z.data, z._prev) == (6.0, ())
        zs, xs = each([1.0, 2.0])
        assert (zs.dtype, zs.tolist()) == (float, [2.0, 4.0])
        assert xs.tolist() == [1.0, 2.0]
        assert c([1.0]).data == 2.0
        assert compile(lambda x: x * x)(w).data == 4.0
    assert c([1.0, 2.0])._prev == (w,)
    assert w.grad == 0.0


def test_a_second_derivative_through_a_fused_node_is_refused() -> None:
    w = Value(2.0)
    c = compile(lambda x: w * x * x)
    for second in (
        lambda: hessian(c)(3.0),
        lambda: grad(grad(c))(3.0),
        lambda: grad(lambda x: grad(lambda y: c(y))(x) * x)(3.0),
    ):
        with pytest.raises(TypeError, match=r"compile\(grad\(f\)\)"):
            second()
    assert compile(grad(grad(c.__wrapped__)))(3.0) == 4.0


def test_a_fused_value_is_copied_and_pickled() -> None:
    w = Value(2.0, label="w")
    z = compile(lambda x: w * w * x)(3.0) * 2.0
    for twin in (copy.deepcopy(z), pickle.loads(pickle.dumps(z)), copy.deepcopy([z, w])[0]):
        assert twin.data == 24.0
        (fused,) = twin._prev
        (leaf,) = fused._prev
        assert leaf is not w
        assert leaf.label == "w"
        twin.backward()
        assert leaf.grad == 24.0
    assert w.grad == 0.0


def test_a_fused_value_can_be_printed() -> None:
    w = Value(2.0, label="w")

    @compile(batched="x", reduce="mean")
    def my_loss(x: Any) -> Any:
        return w * x

    z = my_loss([1.0, 2.0])
    assert z._op == "my_loss"
    assert repr(z) == "Value(data=3.0, grad=0.0)"
    assert float(z) == 3.0


def test_a_fused_value_can_be_looked_at_and_drawn(tmp_path: Path) -> None:
    w = Value(2.0, label="w")

    @compile(batched="x", reduce="mean")
    def my_loss(x: Any) -> Any:
        return w * x

    z = my_loss([1.0, 2.0]) + 1.0
    assert len(Graph(z).nodes) == 3
    draw(z, tmp_path / "graph.svg")
    assert "my_loss" in (tmp_path / "graph.svg").read_text()


def trained(compiled: bool) -> tuple[list[float], list[float]]:
    """Losses of 50 steps, and the parameters at the end."""
    model = MLP(2, [8, 8, 1], rng=0)
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
    X, Y = (a[:20] for a in data())
    y = np.sign(Y)

    def one(x: Any, y: Any) -> Any:
        p = model.parameters()
        return ae.relu(1.0 - y * model(x)) + 1e-3 * dot(p, p)

    loss = compile(one, batched=("x", "y"), reduce="mean")
    losses = []
    for _ in range(50):
        if compiled:
            z = loss(X, y)
        else:
            z = ae.mean([one(a, b) for a, b in zip(X.tolist(), y.tolist(), strict=True)])
        optimizer.zero_grad()
        z.backward()
        optimizer.step()
        losses.append(z.data)
    return losses, [p.data for p in model.parameters()]


def test_a_model_trains_as_in_the_eager_loop() -> None:
    (losses, parameters), (expected, at_the_end) = trained(True), trained(False)
    assert expected[-1] < 0.7 * expected[0]
    assert_near(losses, expected, 1e-10)
    assert_near(parameters, at_the_end, 1e-8)


# --- what is refused -----------------------------------------------------------------------------


def branch(x: Any) -> Any:
    return x if x > 0 else -x  # here


@pytest.mark.parametrize(
    ("f", "args", "remedy"),
    [
        (branch, (1.0,), "where"),
        (lambda x: max(x, 0.0), (1.0,), "maximum"),
        (lambda x: x and 1.0, (1.0,), "where"),
        (lambda x: x * float(x), (1.0,), "primitives"),
        (lambda x: x * int(x), (1.0,), "primitives"),
        (lambda x: math.exp(x), (1.0,), "primitives"),
        (lambda x: [1.0, 2.0][x], (1.0,), "primitives"),
        (lambda x: round(x), (1.0,), "primitives"),
        (lambda x: 3.0, (1.0,), "depends on none"),
        (lambda x: "a", (1.0,), "return numbers"),
        (lambda x: None, (1.0,), "return numbers"),
        (lambda x: [x, {"a": "b"}], (1.0,), "'a'"),
        (lambda x: x, ("a",), "number"),
        (lambda x: x, (None,), "number"),
        (lambda x: x, (1j,), "number"),
        (lambda x: x[0], (np.array(["a"]),), "number"),
        (lambda x: x[0], ([1.0, "b"],), r"x\[1\]"),
    ],
)
def test_what_cannot_be_recorded_is_refused(f: Any, args: tuple[Any, ...], remedy: str) -> None:
    for g in (f, lambda x: f(Value(0.5) * x)) if "record" in remedy else (f,):
        c = compile(g)
        with pytest.raises(TypeError, match=remedy):
            c(*args)
        assert current_mode().recorder is None


@pytest.mark.parametrize("wrong", ["a", None, 1j, 10**400, {"a": "b"}])
def test_the_message_names_the_argument_also_after_a_call(wrong: Any) -> None:
    c = compile(lambda first, second: first * second)
    for _ in range(2):
        with pytest.raises((TypeError, ValueError), match="compile: second"):
            c(2.0, wrong)
        assert c(2.0, 3.0) == 6.0


def test_the_message_names_the_line() -> None:
    with pytest.raises(TypeError, match=rf"{Path(__file__).name}:\d+"):
        compile(branch)(1.0)
    w = Value(2.0)
    with pytest.raises(TypeError, match=rf"{Path(__file__).name}:\d+"):
        compile(lambda x: x * float(w))(1.0)
    with pytest.raises(TypeError, match="where"):
        compile(lambda x: x * w if w > 0 else x)(1.0)


@pytest.mark.parametrize(
    ("x", "error", "said"),
    [
        (1.0, TypeError, "first axis"),
        (Value(1.0), TypeError, "first axis"),
        (np.array(1.0), TypeError, "first axis"),
        ([], ValueError, "empty"),
        (np.zeros((0, 2)), ValueError, "empty"),
        ([[1.0], [2.0, 3.0]], ValueError, "shape"),
        (["a", "b"], TypeError, r"x\[0\]: expected a real number"),
        (np.array([1j]), TypeError, "numbers"),
        (np.ones(4), ValueError, "y has 3"),
    ],
)
def test_batches_that_do_not_fit_are_refused(x: Any, error: Any, said: str) -> None:
    c = compile(lambda x, y: x * y, batched=(0, 1))
    for _ in range(2):
        with pytest.raises(error, match=said):
            c(x, np.ones(3))
        assert c(np.ones(3), np.ones(3)).tolist() == [1.0] * 3


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: compile(3), TypeError),
        (lambda: compile(lambda x: x, batched="y"), TypeError),
        (lambda: compile(lambda x: x, batched=1), TypeError),
        (lambda: compile(lambda x: x, batched=-1), TypeError),
        (lambda: compile(lambda x: x, batched=True), TypeError),
        (lambda: compile(lambda x: x, batched=0, reduce="max"), ValueError),
        (lambda: compile(lambda x: x, reduce="mean"), TypeError),
        (lambda: compile(lambda x: x, threads=0), ValueError),
        (lambda: compile(lambda x: x, threads=1.5), ValueError),
        (lambda: compile(lambda *, x: x), TypeError),
        (lambda: compile(lambda x, out: x), TypeError),
        (lambda: compile(lambda x: x).program, RuntimeError),
    ],
)
def test_wrong_declarations_are_refused(make: Any, error: Any) -> None:
    with pytest.raises(error, match="compile"):
        make()


def test_a_failed_recording_leaves_no_mode_behind() -> None:
    w = Value(2.0)
    for error in (ZeroDivisionError, KeyboardInterrupt, TypeError):

        def f(x: Any, error: Any = error) -> Any:
            y = w * x
            raise error(y)

        c = compile(f)
        for _ in range(2):
            with pytest.raises(error):
                c(1.0)
        assert current_mode().recorder is None
        z = w * 3.0
        assert (z.data, float(w), w > 1.0) == (6.0, 2.0, True)
        assert z._prev == (w,)


def test_a_recorded_number_that_escapes_is_refused_later() -> None:
    kept = []

    def f(x: Any) -> Any:
        kept.append(x * 2.0)
        return x

    assert compile(f)(1.0) == 1.0
    with pytest.raises(RuntimeError, match="recorded"):
        kept[0] + 1.0
    with pytest.raises(TypeError, match="another function"):
        compile(lambda x: x + kept[0])(1.0)


def test_rows_of_users_run_everywhere() -> None:
    @primitive(lambda z, x, y: 3.0 * x * x * y, lambda z, x, y: x * x * x)
    def my_cubic(x: Any, y: Any) -> Any:
        """x ** 3 * y."""
        return x * x * x * y

    X, Y = (a[:9] for a in data())
    c = compile(value_and_grad(lambda w, x: my_cubic(x, w) + tanh(x)), batched=1, reduce="mean")
    value, gradient = c(2.0, Y)
    assert_near(value, float(np.mean(2.0 * Y**3 + np.tanh(Y))))
    assert_near(gradient, float(np.mean(Y**3)))
    assert_near(compile(my_cubic)(2.0, 3.0), 24.0)
    out = np.empty((9,))
    assert compile(my_cubic, batched=0)(X[:, 0], 2.0, out=out) is out
    assert_near(out, 2.0 * X[:, 0] ** 3)
    w = Value(2.0)
    z = compile(lambda x: my_cubic(w, x), batched=0, reduce="sum")(Y)
    z.backward()
    assert_near((z.data, w.grad), (8.0 * Y.sum(), 12.0 * Y.sum()))
