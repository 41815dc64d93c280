"""Two engines of one meaning: the Value in C computes, records, prints and refuses as in Python.

Rows called as functions go by the class of their operands, so one program runs on each class, also
on the one that is not in use. `copying`, `numpy_bridge` and `drawing` serve the class in use only;
what they add is tried in processes of their own.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import math
import operator
import os
import pydoc
import random
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_codegen import EXACT, SPECIAL, assert_same
from test_primitives import ROWS, by_name, call

import autograd_engine as ae
from autograd_engine import (
    AnomalyError,
    detect_anomaly,
    elementary,
    gradcheck,
    named_scope,
    no_grad,
    primitive,
)
from autograd_engine import value as python
from autograd_engine.expression import Expression
from autograd_engine.registry import TABLE
from autograd_engine.rows import NaryPrimitive, Primitive
from autograd_engine.value import Value as PythonValue


def the_native_engine() -> Any:
    """The extension; where it is asked for by name it must be there."""
    try:
        return importlib.import_module("autograd_engine._native")
    except ImportError as error:
        if os.environ.get("AUTOGRAD_ENGINE_BACKEND") == "native":
            raise
        pytest.skip(f"the native engine is not built: {error}", allow_module_level=True)


native = the_native_engine()
NativeValue = native.Value
ENGINES = [PythonValue, NativeValue]
ORDER: dict[Any, Callable[[Any], list[Any]]] = {
    PythonValue: python.topological_order,
    NativeValue: native.topological_order,
}
NARY = [row for row in ROWS if isinstance(row, NaryPrimitive)]
ELEMENTWISE = [row for row in ROWS if row not in NARY]
METHODS = [row for row in ELEMENTWISE if row.arity <= 2]
OPERATORS: dict[Callable[..., Any], str] = {
    operator.add: "add", operator.sub: "sub", operator.mul: "mul", operator.truediv: "div",
    operator.pow: "pow",
}  # fmt: skip
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]

every_engine = pytest.mark.parametrize("engine", ENGINES, ids=["python", "native"])
every_row = pytest.mark.parametrize("row", ROWS, ids=by_name)


@pytest.fixture(autouse=True)
def _same_methods() -> Iterator[None]:
    """Methods that a test's rows add to the class not in use do not outlive it either."""
    before = dict(vars(NativeValue))
    yield
    for name in set(vars(NativeValue)) - set(before):
        delattr(NativeValue, name)


def bits(x: float) -> bytes:
    """Equal for equal floats with equal signs, and for any two nans."""
    assert type(x) is float
    return b"nan" if math.isnan(x) else struct.pack("d", x)


def all_bits(xs: Iterable[float]) -> list[bytes]:
    return list(map(bits, xs))


def test_the_engines_are_two() -> None:
    assert PythonValue is not NativeValue
    assert ae.Value is (NativeValue if ae.backend == "native" else PythonValue)


# --- random programs on both ----------------------------------------------------------------------


class At(NamedTuple):
    """An operand: the result number `index`, leaves first."""

    index: int


class Step(NamedTuple):
    """One operation of a program: how it is written, what it is, and on which operands."""

    how: str
    operation: Any
    operands: Any


class Program(NamedTuple):
    leaves: list[float]
    steps: list[Step]

    @property
    def exact(self) -> bool:
        """Whether IEEE 754 says every bit of it."""
        names = {OPERATORS.get(step.operation, _name(step.operation)) for step in self.steps}
        return names <= EXACT | {"pos"}


def _name(operation: Any) -> str:
    return str(getattr(operation, "name", getattr(operation, "__name__", "")))


CONSTANTS: list[Any] = [
    0, 1, -1, 2, 3, True, False, 0.0, -0.0, 0.5, -1.5, 2.0, math.inf, -math.inf, math.nan, 1e308,
    5e-324, 2**60 + 1, 2**70, Fraction(1, 3),
]  # fmt: skip
NUMPY_CONSTANTS: list[Any] = [
    np.float64(-2.5),
    np.float32(0.1),
    np.int64(3),
    np.bool_(True),
    np.array(0.75),
    np.uint8(7),
]
ONE_OPERAND = [operator.neg, operator.abs, operator.pos]


@st.composite
def programs(draw: st.DrawFn, rows: Sequence[Primitive] = ROWS, exact: bool = False) -> Program:
    numbers = st.sampled_from(SPECIAL) | st.floats(-3.0, 3.0) | st.floats()
    leaves = draw(st.lists(numbers, min_size=1, max_size=4))
    steps: list[Step] = []
    count = len(leaves)
    hows = ["call", "method", "infix", "infix", "nary", "sign"] + ["softmax"] * (not exact)
    for _ in range(draw(st.integers(1, 12))):
        earlier = st.builds(At, st.integers(0, count - 1))
        plain = st.sampled_from(CONSTANTS)
        any_plain = st.sampled_from(CONSTANTS + NUMPY_CONSTANTS)
        how = draw(st.sampled_from(hows))
        operation: Any
        operands: Any
        if how == "infix":
            operation = draw(
                st.sampled_from([f for f, row in OPERATORS.items() if TABLE[row] in rows])
            )
            operands = draw(
                st.tuples(earlier, earlier)
                | st.tuples(earlier, any_plain)
                | st.tuples(plain, earlier)  # NumPy's own operators serve the class in use only
            )
        elif how == "sign":
            operation, operands = draw(st.sampled_from(ONE_OPERAND)), (draw(earlier),)
        elif how == "method":
            operation = draw(st.sampled_from([row for row in METHODS if row in rows]))
            others = [draw(earlier | any_plain) for _ in range(operation.arity - 1)]
            operands = (draw(earlier), *others)
        elif how == "call":
            operation = draw(st.sampled_from([row for row in ELEMENTWISE if row in rows]))
            given_ = [draw(earlier | any_plain) for _ in range(operation.arity)]
            given_[draw(st.integers(0, operation.arity - 1))] = draw(earlier)
            operands = tuple(given_)
        else:
            nary = [row for row in NARY if row in rows]
            operation = draw(
                st.sampled_from(nary if how == "nary" else [ae.softmax, ae.log_softmax])
            )
            arity, n = getattr(operation, "arity", 1), draw(st.integers(1, 6))
            element = earlier | any_plain if draw(st.booleans()) else earlier
            flat = [draw(element) for _ in range(arity * n)]
            flat[draw(st.integers(0, arity * n - 1))] = draw(earlier)
            kind = draw(st.sampled_from([list, tuple, iter]))
            operands = (kind, [flat[i * n : (i + 1) * n] for i in range(arity)])
        steps.append(Step(how, operation, operands))
        count += len(operands[1][0]) if how == "softmax" else 1
    return Program(leaves, steps)


def run(program: Program, engine: Any) -> list[Any]:
    """All results, leaves first."""
    results = [engine(x) for x in program.leaves]

    def meant(operand: Any) -> Any:
        return results[operand.index] if isinstance(operand, At) else operand

    for how, operation, operands in program.steps:
        if how in ("nary", "softmax"):
            kind, sequences = operands
            z = operation(*[kind(list(map(meant, xs))) for xs in sequences])
            results += z if how == "softmax" else [z]
            continue
        known = list(map(meant, operands))
        if how == "method":
            results.append(getattr(known[0], operation.name)(*known[1:]))
        else:
            results.append(operation(*known))
    assert all(type(x) is engine for x in results)
    return results


def every_node(results: Sequence[Any], engine: Any) -> list[Any]:
    """The results and all below them (softmax makes a node that it does not return)."""
    known: dict[int, Any] = {}
    for x in results:
        for node in ORDER[engine](x):
            known.setdefault(id(node), node)
    return list(known.values())


def structure(nodes: Sequence[Any]) -> list[Any]:
    """What each node is made of; operands by their place in the list."""
    places = {id(x): i for i, x in enumerate(nodes)}

    def shown(x: Any) -> Any:
        return bits(x) if type(x) is float else places[id(x)]

    for x in nodes:
        assert type(x._operands) is type(x._prev) is tuple
        assert len(x._derivatives) == len(x._prev)
    return [
        (x._op, x._primitive, list(map(shown, x._operands)), list(map(shown, x._prev)))
        for x in nodes
    ]


def orders(results: Sequence[Any], engine: Any) -> list[list[int]]:
    """The topological order below each result."""
    places = {id(x): i for i, x in enumerate(every_node(results, engine))}
    return [[places[id(x)] for x in ORDER[engine](result)] for result in results]


def assert_same_step(ours: Any, theirs: Any) -> None:
    """A node of each class on equal operands: result and local derivatives."""
    row = theirs._primitive
    if row is None:
        assert bits(ours.data) == bits(theirs.data)
        return
    assert_same(row, ours.data, theirs.data, ours._operands)
    for slope, expected in zip(ours._derivatives, theirs._derivatives, strict=True):
        assert_same(row, slope, expected, ours._operands)


def in_python(node: Any) -> Any:
    """The node that the class in Python makes of the very operands that this one has."""
    if node._primitive is None:
        return PythonValue(node.data)
    operands = [x if type(x) is float else PythonValue(x.data) for x in node._operands]
    return call(node._primitive, operands)


def after_backward(losses: Sequence[Any], nodes: Sequence[Any]) -> list[list[float]]:
    """Every gradient, after `backward` of each of the losses in turn."""
    found = []
    for loss in losses:
        loss.backward()
        found.append([x.grad for x in nodes])
    return found


def by_the_book(losses: Sequence[Any], nodes: Sequence[Any], engine: Any) -> list[list[float]]:
    """The same, from the local derivatives alone."""
    grad, found = {id(x): 0.0 for x in nodes}, []
    for loss in losses:
        order = ORDER[engine](loss)
        grad |= {id(x): 0.0 for x in order if x._prev}
        grad[id(loss)] += 1.0
        for x in reversed(order):
            for operand, slope in zip(x._prev, x._derivatives, strict=True):
                grad[id(operand)] += slope * grad[id(x)]
        found.append([grad[id(x)] for x in nodes])
    return found


@settings(max_examples=1500)
@given(programs(), st.data())
def test_random_programs_are_the_same_step_by_step(program: Program, data: st.DataObject) -> None:
    results = {engine: run(program, engine) for engine in ENGINES}
    nodes = {engine: every_node(results[engine], engine) for engine in ENGINES}
    assert structure(nodes[NativeValue]) == structure(nodes[PythonValue])
    assert orders(results[NativeValue], NativeValue) == orders(results[PythonValue], PythonValue)
    for ours, theirs in zip(nodes[NativeValue], nodes[PythonValue], strict=True):
        assert_same_step(ours, in_python(ours))
        if all_bits(map(float, ours._operands)) == all_bits(map(float, theirs._operands)):
            assert_same_step(ours, theirs)
    places = st.integers(0, len(results[NativeValue]) - 1)
    first, second = data.draw(places), data.draw(places)
    for engine in ENGINES:
        losses = [results[engine][i] for i in (-1, -1, first, second)]
        expected = by_the_book(losses, nodes[engine], engine)
        found = after_backward(losses, nodes[engine])
        assert list(map(all_bits, found)) == list(map(all_bits, expected))


@settings(max_examples=1000)
@given(programs([row for row in ROWS if row.name in EXACT], exact=True), st.data())
def test_random_programs_of_exact_operations_have_the_same_bits(
    program: Program, data: st.DataObject
) -> None:
    assert program.exact
    places = st.integers(-1, len(program.steps) - 1)
    which = [-1, -1, data.draw(places), data.draw(places)]
    found = {}
    for engine in ENGINES:
        results = run(program, engine)
        nodes = every_node(results, engine)
        gradients = after_backward([results[i] for i in which], nodes)
        found[engine] = [
            structure(nodes),
            orders(results, engine),
            all_bits(x.data for x in nodes),
            [all_bits(x._derivatives) for x in nodes],
            list(map(all_bits, gradients)),
        ]
    assert found[NativeValue] == found[PythonValue]


def test_programs_that_differ_are_told_apart() -> None:
    """The comparison itself: it sees another sign of zero, another order, another operand."""
    a, b = NativeValue(1.0), NativeValue(1.0)
    same, other = NativeValue(0.0) * 1.0, NativeValue(-0.0) * 1.0
    assert structure([a, b, a - b]) != structure([a, b, b - a])
    assert structure([a, a - 1.0]) != structure([a, a - 2.0])
    assert structure([a, a - 0.0]) != structure([a, a - -0.0])
    assert structure([a, a + a]) != structure([a, a * a])
    assert orders([a, b, a - b], NativeValue) != orders([a, b, b - a], NativeValue)
    with pytest.raises(AssertionError):
        assert_same_step(same, in_python(other))
    with pytest.raises(AssertionError):
        assert_same_step(a.tanh(), in_python((b * 1.0001).tanh()))


SMOOTH = [TABLE[name] for name in (
    "tanh", "sin", "cos", "atan", "sigmoid", "softplus", "silu", "mish", "gelu", "erf", "asinh",
    "logaddexp", "mul", "add", "sub", "mean", "dot", "logsumexp", "sum",
)]  # fmt: skip


@pytest.mark.skipif(ae.Value is not NativeValue, reason="gradcheck serves the engine in use")
@settings(max_examples=60)
@given(st.randoms(use_true_random=False))
def test_gradients_of_random_smooth_graphs_pass_gradcheck(rng: random.Random) -> None:
    steps = [
        (row := rng.choice(SMOOTH), [rng.random() for _ in range(row.arity * 3)])
        for _ in range(rng.randint(2, 8))
    ]

    def f(*leaves: Any) -> Any:
        values = list(leaves)
        for row, choices in steps:
            operands = [values[int(c * len(values))] for c in choices]
            if row not in NARY:
                operands = operands[: row.arity]
            values.append(ae.tanh(call(row, operands)))  # so that nothing grows
        return ae.sum(values[len(leaves) :])

    report = gradcheck(f, [rng.uniform(-2.0, 2.0) for _ in range(3)])
    assert report.passed
    assert {check.operation for check in report.of_operations} & {row.name for row, _ in steps}


# --- every row at special points ------------------------------------------------------------------


def special_points(row: Primitive) -> list[tuple[float, ...]]:
    rng = random.Random(row.name)
    if row in NARY:
        few = [0.0, -0.0, 1.0, -2.0, 1e308, math.inf, -math.inf, math.nan]
        points = [p for n in (1, 2) for p in itertools.product(few, repeat=n * row.arity)]
        return [*rng.sample(points, min(300, len(points))), *((0.1,) * 12, (1e-300,) * 6)]
    points = list(itertools.product(SPECIAL, repeat=row.arity))
    return rng.sample(points, min(500, len(points)))


@every_row
def test_a_row_at_special_points_is_the_same(row: Primitive) -> None:
    for operands in special_points(row):
        nodes = [call(row, [engine(x) for x in operands]) for engine in ENGINES]
        assert [x._primitive for x in nodes] == [row, row]
        assert_same_step(nodes[1], nodes[0])


@pytest.mark.parametrize("row", [row for row in ROWS if row.arity > 1], ids=by_name)
def test_a_row_with_constants_at_special_points_is_the_same(row: Primitive) -> None:
    for operands in special_points(row):
        for position in range(len(operands)):
            nodes = []
            for engine in ENGINES:
                mixed = [engine(x) if i == position else x for i, x in enumerate(operands)]
                nodes.append(call(row, mixed))
                assert [type(x) for x in nodes[-1]._operands] == [type(x) for x in mixed]
            assert_same_step(nodes[1], nodes[0])


@pytest.mark.parametrize("function", OPERATORS, ids=OPERATORS.get)
def test_an_operator_at_special_points_is_the_same(function: Callable[[Any, Any], Any]) -> None:
    for x, y in itertools.product(SPECIAL, SPECIAL):
        for left, right in ((True, True), (True, False), (False, True)):
            ours, theirs = (
                function(engine(x) if left else x, engine(y) if right else y)
                for engine in (NativeValue, PythonValue)
            )
            assert_same_step(ours, theirs)


@pytest.mark.parametrize("row", METHODS, ids=by_name)
def test_a_method_is_the_row_under_each_of_its_names(row: Primitive) -> None:
    x, y = NativeValue(0.5), NativeValue(0.25)
    others = [y] * (row.arity - 1)
    for name in (row.name, *row.aliases):
        node = getattr(x, name)(*others)
        assert node._primitive is row
        assert [id(v) for v in node._prev] == [id(v) for v in (x, *others)]
        for number in (0.25, 1, True, np.float32(0.5), Fraction(1, 4)):
            if others:
                node = getattr(x, name)(number)
                assert node._prev[0] is x
                assert node._operands[1] == float(number)


# --- two engines do not mix -----------------------------------------------------------------------

MIXED = "a Value of this engine and one of another"
pairs = pytest.mark.parametrize(
    ("first", "second"), [ENGINES, ENGINES[::-1]], ids=["python-native", "native-python"]
)


@pairs
def test_operators_refuse_a_value_of_the_other_engine(first: Any, second: Any) -> None:
    for function, name in OPERATORS.items():
        with pytest.raises(TypeError, match=f"^{re.escape(TABLE[name].symbol)}: {MIXED}"):
            function(first(1.0), second(2.0))


@pairs
@pytest.mark.parametrize("row", [row for row in ROWS if row in NARY or row.arity > 1], ids=by_name)
def test_rows_refuse_a_value_of_the_other_engine(row: Primitive, first: Any, second: Any) -> None:
    count = max(row.arity, 2)
    for position, other in itertools.permutations(range(count), 2):
        operands: list[Any] = [1.0] * count
        operands[position], operands[other] = first(1.0), second(2.0)
        with pytest.raises(TypeError, match=MIXED):
            call(row, operands)
    if row in METHODS:
        for name in (row.name, *row.aliases):
            with pytest.raises(TypeError, match=f"^{row.name}: {MIXED}"):
                getattr(first(1.0), name)(second(2.0))


@pairs
def test_softmax_refuses_a_value_of_the_other_engine(first: Any, second: Any) -> None:
    for function in (ae.softmax, ae.log_softmax):
        with pytest.raises(TypeError, match=MIXED):
            function([first(1.0), second(2.0), 3.0])


@pairs
def test_a_value_is_no_number_for_the_other_engine(first: Any, second: Any) -> None:
    x = first(1.0)
    for use in (
        lambda: first(second(2.0)),
        lambda: setattr(x, "data", second(2.0)),
        lambda: setattr(x, "grad", second(2.0)),
        lambda: x.backward(second(2.0)),
    ):
        with pytest.raises(TypeError, match=r"take its \.data"):
            use()
    assert (x.data, x.grad) == (1.0, 0.0)
    for compare in COMPARISONS[:4]:
        with pytest.raises(TypeError, match="not supported between instances"):
            compare(x, second(1.0))
    assert (x == second(1.0)) is False
    assert (x != second(1.0)) is True


# --- the same class to look at --------------------------------------------------------------------

OF_THE_CLASS_IN_USE = {"__array_ufunc__", "__copy__", "__deepcopy__", "conjugate",
                       "_repr_mimebundle_"}  # fmt: skip
ONLY_IN_PYTHON = {
    "__slots__",  # the fields, which C has in a struct
    "__final__",  # `typing.final`
    "_number_add",  # one half of `__radd__`
    *({"__firstlineno__", "__static_attributes__"} & vars(PythonValue).keys()),  # Python 3.13
}


def attributes(engine: Any) -> set[str]:
    return set(dir(engine)) - OF_THE_CLASS_IN_USE


SHARED = sorted(attributes(PythonValue) & attributes(NativeValue))
PUBLIC = [name for name in SHARED if not name.startswith("_")]


def test_both_classes_have_the_same_attributes() -> None:
    assert attributes(PythonValue) - attributes(NativeValue) == ONLY_IN_PYTHON
    assert attributes(NativeValue) - attributes(PythonValue) == set()
    assert set(dir(ae.Value)) >= OF_THE_CLASS_IN_USE
    assert {"data", "grad", "label", "backward", "zero_grad", "detach", "tanh"} <= set(PUBLIC)
    assert {"_prev", "_op", "_backward", "_operands", "_derivatives", "_info"} <= set(SHARED)


def test_every_slot_of_the_class_in_python_can_be_read_in_c() -> None:
    for engine in ENGINES:
        node = engine(2.0) * 3.0
        assert (node._number, node._grad, node._info) == (6.0, 0.0, None)
        assert node._operands == (node._prev[0], 3.0)
        assert tuple(node._derivatives) == (3.0,)
        assert node._primitive is TABLE["mul"]


@pytest.mark.parametrize("name", PUBLIC)
def test_both_classes_explain_an_attribute_alike(name: str) -> None:
    doc = inspect.getdoc(getattr(PythonValue, name))
    assert doc
    assert inspect.getdoc(getattr(NativeValue, name)) == doc


def test_both_classes_explain_themselves_alike() -> None:
    assert NativeValue.__doc__ == PythonValue.__doc__
    assert (NativeValue.__name__, NativeValue.__qualname__) == ("Value", "Value")
    for name in PUBLIC:
        if callable(getattr(PythonValue, name)):
            for attribute in ("__name__", "__qualname__"):
                ours = getattr(getattr(NativeValue, name), attribute)
                if name != "bind":  # a function of the module in Python
                    assert ours == getattr(getattr(PythonValue, name), attribute)


def parameters(thing: Any) -> list[tuple[str, Any, Any]]:
    """Name, kind and default of each parameter."""
    found = inspect.signature(thing).parameters.values()
    return [(x.name, x.kind, x.default) for x in found]


CALLABLE = [*(name for name in PUBLIC if callable(getattr(PythonValue, name))), "_backward"]


@pytest.mark.parametrize("name", CALLABLE)
def test_both_classes_take_the_same_arguments(name: str) -> None:
    theirs, ours = (parameters(getattr(engine, name)) for engine in ENGINES)
    assert [(x, default) for x, _, default in ours] == [(x, default) for x, _, default in theirs]


def test_both_classes_take_arguments_by_name_alike() -> None:
    theirs, ours = (
        {name: parameters(getattr(engine, name)) for name in CALLABLE} for engine in ENGINES
    )
    assert [name for name in CALLABLE if ours[name][1:] != theirs[name][1:]] == []  # without self


def test_both_classes_are_made_with_the_same_arguments() -> None:
    assert parameters(NativeValue) == parameters(PythonValue)


def test_help_shows_the_docstring_and_every_method() -> None:
    text = pydoc.render_doc(NativeValue, renderer=pydoc.plaintext)
    flat = " ".join(text.replace("|", " ").split())
    assert " ".join(str(NativeValue.__doc__).replace("|", " ").split()) in flat
    for row in METHODS:
        for name in (row.name, *row.aliases):
            assert f" {name}(" in text or f" {name} = " in text, name
        assert " ".join(str(row.__doc__).replace("|", " ").split()) in flat, row.name
    for name in ("backward", "zero_grad", "detach", "data", "grad", "label"):
        assert f" {name}" in text
        assert " ".join(str(inspect.getdoc(getattr(NativeValue, name))).split()) in flat


# --- alike in all a Value can do ------------------------------------------------------------------


def outcome(use: Callable[[Any], Any], engine: Any, messages: bool = True) -> Any:
    """What comes of it, in words that say nothing of the engine."""
    try:
        return described(use(engine))
    except Exception as error:
        text = str(error).replace("autograd_engine._native.Value", "Value")
        return type(error), text if messages else ""


def described(x: Any) -> Any:
    if type(x) in ENGINES:
        return "Value", repr(x), x._op, described(x._operands), described(tuple(x._derivatives))
    if isinstance(x, tuple | list):
        return type(x), *map(described, x)
    if isinstance(x, np.ndarray):
        return x.shape, described(x.tolist())
    return type(x), bits(x) if type(x) is float else x


def changed(x: Any, **attributes: Any) -> Any:
    for name, new in attributes.items():
        setattr(x, name, new)
    return x


def initialised_again(V: Any) -> Any:
    a, b = V(2.0), V(3.0)
    for node in (a * b, ae.sum([a, b, a]), a.tanh(), V(1.0, label="x")):
        node.grad = 5.0
        node.__init__(7, label="again")
        yield node, a.grad
    node = a * b
    loss = node * 2.0
    node.__init__(1.0)
    loss.backward()
    yield node, a.grad, loss


ALIKE: dict[str, Callable[[Any], Any]] = {
    "made of an int": lambda V: V(3),
    "made of a bool": lambda V: V(True),
    "made of NumPy": lambda V: [V(x) for x in NUMPY_CONSTANTS],
    "made of a fraction": lambda V: V(Fraction(1, 3)),
    "made by keyword": lambda V: V(data=2, label="x"),
    "made of a Value": lambda V: V(V(1.0)),
    "made of a large int": lambda V: V(10**400),
    "made with a label": lambda V: V(1.0, label="w"),
    "made with an empty label": lambda V: V(1.0, label="")._info,
    "made with a bad label": lambda V: V(1.0, label=3),
    "made with no label": lambda V: V(1.0, label=None),
    "a label set": lambda V: changed(V(1.0) * 2.0, label="twice"),
    "a label set twice": lambda V: changed(changed(V(1.0), label="a"), label="b")._info,
    "a label emptied": lambda V: changed(V(1.0, label="x"), label=""),
    "a bad label set": lambda V: changed(V(1.0), label=b"x"),
    "data set": lambda V: changed(V(1.0), data=np.float32(0.5)),
    "bad data set": lambda V: changed(V(1.0), data="0.5"),
    "a list set": lambda V: changed(V(1.0), data=[0.5]),
    "grad set": lambda V: changed(V(1.0), grad=2),
    "a bad grad set": lambda V: changed(V(1.0), grad=None),
    "a new attribute": lambda V: changed(V(1.0), name="x"),
    "made again": lambda V: list(initialised_again(V)),
    "made again of text": lambda V: V(1.0).__init__("x"),
    "truth": lambda V: [bool(V(x)) for x in SPECIAL],
    "float": lambda V: [float(V(x)) for x in SPECIAL],
    "int": lambda V: [int(V(x)) for x in (2.5, -2.5, -0.0, 1e308)],
    "int of inf": lambda V: int(V(math.inf)),
    "int of nan": lambda V: int(V(math.nan)),
    "complex": lambda V: complex(V(2.0)),
    "round": lambda V: [round(V(x)) for x in (2.5, -0.5, 1e30)],
    "round to digits": lambda V: [round(V(2.675), n) for n in (0, 1, 2, -1, None)],
    "round inf": lambda V: round(V(math.inf)),
    "round to text": lambda V: round(V(1.0), "2"),
    "floor, ceil, trunc": lambda V: [f(V(-2.5)) for f in (math.floor, math.ceil, math.trunc)],
    "floor of nan": lambda V: math.floor(V(math.nan)),
    "math": lambda V: math.exp(V(1.0)),
    "as an index": lambda V: [1.0, 2.0][V(1.0)],
    "range": lambda V: range(V(1.0)),
    "format": lambda V: [f"{V(2.5)}", f"{V(2.5):.3f}", f"{V(2.5)!r:>30}", f"{V(2.5):>+10.1e}"],
    "a bad format": lambda V: f"{V(2.5):d}",
    "repr": lambda V: [repr(V(x)) + str(V(x, label="a 'b'")) for x in SPECIAL],
    "repr of grad": lambda V: changed(V(1.0), grad=-0.0),
    "detach": lambda V: changed(V(1.0, label="x") * 2.0, label="y").detach(),
    "detach keeps no grad": lambda V: changed(V(1.0, label="x"), grad=3.0).detach(),
    "zero_grad": lambda V: (x := changed(V(1.0), grad=3.0), x.zero_grad(), x.grad),
    "plus": lambda V: (x := V(-2.0), (+x) is x)[1],
    "sum": lambda V: sum([V(1.0), V(2.0), V(3.0)]),
    "sum of one": lambda V: (x := V(1.0), sum([x]) is x, (0 + x) is x, (False + x) is x)[1:],
    "zero from the right": lambda V: [V(1.0) + 0, V(1.0).__add__(0), V(-0.0) + 0],
    "radd": lambda V: [V(1.0).__radd__(x) for x in (0, 1, 0.0, False)],
    "special methods": lambda V: [
        getattr(V(2.0), f"__{r}{name}__")(3.0)
        for name in ("add", "sub", "mul", "truediv", "pow")
        for r in ("", "r")
    ],
    "a stranger in a special method": lambda V: [
        getattr(V(2.0), f"__{name}__")(Stranger())
        for name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "pow", "rpow", "eq")
    ],
    "in place": lambda V: [operator.iadd(V(1.0), 2), operator.imul(V(2.0), V(3.0))],
    "no floor division": lambda V: V(1.0) // 2,
    "no remainder": lambda V: 2 % V(1.0),
    "no matrix product": lambda V: V(1.0) @ V(1.0),
    "no length": lambda V: len(V(1.0)),
    "no iteration": lambda V: list(V(1.0)),
    "no items": lambda V: V(1.0)[0],
    "no calls": lambda V: V(1.0)(2.0),
    "a stranger that knows": lambda V: [
        V(1.0) + Knowing(), Knowing() * V(1.0), V(2.0) ** Knowing(),
    ],
    "a stranger in a method": lambda V: V(1.0).maximum(Knowing()),
    "a stranger in a row": lambda V: ae.maximum(Knowing(), V(1.0)),
    "a stranger in where": lambda V: ae.where(V(1.0), Knowing(), V(2.0)),
    "a stranger in dot": lambda V: ae.dot([V(1.0), Knowing()], [2.0, 3.0]),
    "an expression": lambda V: V(1.0) + Expression("x"),
    "an array on the right": lambda V: V(2.0) * np.array([1.0, 2.0]),
    "an array in a row": lambda V: ae.maximum(np.array([1.0, 3.0]), V(2.0)),
    "an array in where": lambda V: ae.where(np.array([True, False]), V(2.0), 3.0),
    "arrays in dot": lambda V: ae.dot(np.array([V(2.0), V(3.0)]), np.array([1.0, 2.0])),
    "a generator": lambda V: ae.sum(V(i) for i in range(4)),
    "a dict's values": lambda V: ae.mean({"a": V(1.0), "b": V(2.0)}.values()),
    "empty": lambda V: [ae.sum([]), ae.dot([], [])],
    "lengths that differ": lambda V: ae.dot([V(1.0)], [V(1.0), V(2.0)]),
    "no sequence": lambda V: ae.sum(V(1.0)),
    "too many sequences": lambda V: ae.sum([V(1.0)], [V(2.0)]),
    "too few operands": lambda V: ae.maximum(V(1.0)),
    "too many operands": lambda V: ae.exp(V(1.0), V(2.0)),
    "no operands": lambda V: ae.exp(),
    "backward by hand": lambda V: (
        a := V(2.0), z := changed(a * 3.0, grad=2.0), z._backward(), a,
    )[3],
    "backward by hand twice": lambda V: (
        a := V(2.0), z := changed(ae.dot([a, a], [a, 2.0]), grad=2.0), z._backward(),
        z._backward(), a,
    )[4],
    "backward of a leaf": lambda V: (a := V(2.0), a.backward(), a.backward(3), a._backward(), a)[4],
    "backward from another gradient": lambda V: (a := V(2.0), (a * a).backward(True), a)[2],
    "backward from text": lambda V: V(2.0).backward("1"),
    "backward from an array": lambda V: V(2.0).backward(np.ones(2)),
    "backward by keyword": lambda V: (a := V(2.0), a.backward(gradient=np.float32(2)), a)[2],
    "data changed before backward": lambda V: (
        a := V(2.0), z := a * a, changed(a, data=9.0), z.backward(), a,
    )[4],
    "contained": lambda V: (V(1.0) in [V(2.0), V(1.0)], [V(2.0), V(1.0)].index(1.0)),
    "hashed": lambda V: (x := V(1.0), {x: 1}[x], V(1.0) in {x}, hash(x) == object.__hash__(x))[1:],
    "sorted": lambda V: [x.data for x in sorted([V(2.0), V(1.0), V(3.0)])],
    "largest": lambda V: max(V(2.0), 3, V(1.0)),
    "compared with text": lambda V: V(1.0) < "a",
    "equal to text": lambda V: (V(1.0) == "a", V(1.0) != None),  # noqa: E711
    "no dict": lambda V: (hasattr(V(1.0), "__dict__"), hasattr(V(1.0), "__weakref__")),
    "read-only": lambda V: changed(V(1.0), _op="+"),
    "a subclass": lambda V: type("Mine", (V,), {}),
    "a subclass by class": lambda V: a_subclass(V),
    "data deleted": lambda V: delattr(V(1.0), "data"),
    "grad deleted": lambda V: delattr(V(1.0), "grad"),
    "label deleted": lambda V: delattr(V(1.0), "label"),
}  # fmt: skip
ONLY_THE_TYPE = {
    "read-only",
    "data deleted",
    "grad deleted",
    "label deleted",
    "no items",
    "a subclass",
    "a subclass by class",
}


class Stranger:
    """Of which nobody knows a thing."""


class Knowing:
    """Knows what to do with a Value; a row asks it through `bind`."""

    def __radd__(self, other: Any) -> Any:
        return "radd", float(other)

    def __mul__(self, other: Any) -> Any:
        return "mul", float(other)

    def __rpow__(self, other: Any) -> Any:
        return "rpow", float(other)

    @staticmethod
    def bind(row: Primitive, operands: tuple[Any, ...]) -> Any:
        return row.name, [0.0 if isinstance(x, Knowing) else float(x) for x in operands]


def a_subclass(V: Any) -> Any:
    class Mine(V):  # type: ignore[misc]
        pass

    return Mine


@pytest.mark.parametrize("name", ALIKE)
def test_both_classes_do_alike(name: str) -> None:
    theirs, ours = (outcome(ALIKE[name], engine, name not in ONLY_THE_TYPE) for engine in ENGINES)
    assert ours == theirs


def test_outcomes_that_differ_are_told_apart() -> None:
    for one, another in (
        (lambda V: V(0.0), lambda V: V(-0.0)),
        (lambda V: V(1.0) * 2, lambda V: V(2.0) * 1),
        (lambda V: V(1.0) + 1, lambda V: 1 + V(1.0)),
        (lambda V: 1, lambda V: 1.0),
        (lambda V: V("1"), lambda V: V("2")),
        (lambda V: V(None), lambda V: V(10**400)),
    ):
        assert outcome(one, NativeValue) != outcome(another, NativeValue)
        assert outcome(one, NativeValue) == outcome(one, NativeValue)


@pytest.mark.parametrize("arguments", [(), (1.0, 2.0), (1.0, 2.0, 3.0)])
def test_the_constructor_takes_one_number(arguments: tuple[float, ...]) -> None:
    for engine in ENGINES:
        with pytest.raises(TypeError, match="argument"):
            engine(*arguments)
        with pytest.raises(TypeError, match="unexpected keyword argument 'lable'"):
            engine(1.0, lable="x")


@every_engine
def test_a_power_with_a_modulus_is_refused(engine: Any) -> None:
    for operands in ((engine(2.0), 3, 5), (engine(2.0), engine(3.0), engine(5.0))):
        with pytest.raises(TypeError):
            pow(*operands)


OTHERS: list[Any] = [0.0, -0.0, 1.0, 2, True, 2**60 + 1, 10**400, math.inf, math.nan,
                     np.float64(1.0), np.int64(2), np.float32(0.1), Fraction(1, 10),
                     0.1]  # fmt: skip


@pytest.mark.parametrize("compare", COMPARISONS)
def test_comparisons_are_alike(compare: Callable[[Any, Any], Any]) -> None:
    for x, other in itertools.product((0.0, -0.0, 1.0, 0.1, math.inf, math.nan, 2.0**60), OTHERS):
        theirs, ours = (compare(engine(x), other) for engine in ENGINES)
        assert type(ours) is type(theirs) is bool
        assert ours is theirs is bool(compare(x, other))
        if not isinstance(other, np.generic):  # NumPy's operators serve the class in use only
            theirs, ours = (compare(other, engine(x)) for engine in ENGINES)
            assert ours is theirs is compare(other, x)
        if type(other) is not int and type(other) is not Fraction:  # which may be no floats
            ours = compare(NativeValue(x), NativeValue(other))
            assert ours is compare(PythonValue(x), PythonValue(other))
            assert ours is compare(x, float(other))


def test_comparing_takes_identity_for_nothing() -> None:
    for engine in ENGINES:
        x = engine(math.nan)
        assert not x == x
        assert x != x


# --- what is refused is refused in the same words -------------------------------------------------

BAD: list[Any] = ["2", "", b"2", None, [1.0], (), {}, {1.0}, 2j, Decimal(1), object(), Stranger(),
                  float, 10**400, -(10**400), range(2), Fraction(10**400)]  # fmt: skip
BAD_NUMPY: list[Any] = [np.complex128(2j), np.str_("2"), np.array("2"), np.array(2j),
                        np.datetime64(1, "s")]  # fmt: skip


def shown(x: Any) -> str:
    text = repr(x)
    return type(x).__name__ + (" " + text if len(text) < 12 else "")


def assert_alike(use: Callable[[Any], Any], *what: Any) -> None:
    theirs, ours = (outcome(use, engine) for engine in ENGINES)
    assert ours == theirs, what


@pytest.mark.parametrize("bad", [*BAD, *BAD_NUMPY], ids=shown)
def test_operators_refuse_alike(bad: Any) -> None:
    of_numpy = isinstance(bad, np.generic | np.ndarray)  # whose operators serve the class in use
    for function in [*OPERATORS, *([] if of_numpy else COMPARISONS)]:
        assert_alike(lambda V, f=function: f(V(1.5), bad), function, "on the right")
        if not of_numpy:
            assert_alike(lambda V, f=function: f(bad, V(1.5)), function, "on the left")


@pytest.mark.parametrize("bad", [*BAD, *BAD_NUMPY], ids=shown)
def test_rows_and_methods_refuse_alike(bad: Any) -> None:
    for row in ROWS:
        n = 2 if row in NARY else 1
        for position in range(row.arity * n):
            if row.arity * n > 1:
                for rest in (lambda V: V(1.5), lambda V: 2):

                    def use(
                        V: Any, row: Any = row, n: int = n, i: int = position, rest: Any = rest
                    ) -> Any:
                        operands = [rest(V) for _ in range(row.arity * n)]
                        operands[i - 1], operands[i] = V(0.5), bad
                        return call(row, operands)

                    assert_alike(use, row, position)
        if row in METHODS and row.arity == 2:
            assert_alike(lambda V, row=row: getattr(V(1.5), row.name)(bad), row)
    assert_alike(lambda V: ae.softmax([V(1.0), bad]), "softmax")
    assert_alike(lambda V: ae.sum(bad), "sum of it")
    assert_alike(lambda V: ae.dot([V(1.0)], bad), "dot with it")


@pytest.mark.parametrize("bad", [*BAD, *BAD_NUMPY], ids=shown)
def test_a_value_refuses_alike(bad: Any) -> None:
    assert_alike(lambda V: V(bad))
    assert_alike(lambda V: changed(V(1.0), data=bad))
    assert_alike(lambda V: changed(V(1.0), grad=bad))
    assert_alike(lambda V: V(1.0).backward(bad))


@every_engine
def test_a_refused_operand_leaves_the_others_alone(engine: Any) -> None:
    x = engine(2.0)
    uses: list[Callable[[], Any]] = [
        lambda: x + "a",
        lambda: ae.dot([x, x], [x, None]),
        lambda: ae.where(x, x, "a"),
        lambda: x.maximum([1.0]),
        lambda: ternary()(x, x, "a"),
        lambda: raising()(x),
        lambda: anomalous(x),
    ]
    before = sys.getrefcount(x)
    for use in uses:
        with pytest.raises((TypeError, KeyError, AnomalyError)):
            use()
    assert sys.getrefcount(x) == before


@detect_anomaly
def anomalous(x: Any) -> Any:
    return ae.sum([x, x, math.inf])


BOUND_WRONGLY = """
import sys
from autograd_engine import add, exp, maximum
from autograd_engine.{module} import Value
for row, operands in ((exp, (2.0,)), (add, (1.0, 2.0)), (maximum, (Value(1.0),))):
    try:
        print(row.name, "gives", Value.bind(row, operands))
    except Exception:
        print(row.name, "raises")
"""


@pytest.mark.parametrize("module", ["value", "_native"])
def test_bind_refuses_operands_that_do_not_fit_the_row(module: str) -> None:
    """In another process, for a float taken for a Value writes where it must not."""
    found = in_a_process(BOUND_WRONGLY.format(module=module), ae.backend)
    assert found.split("\n")[:3] == ["exp raises", "add raises", "maximum raises"]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.__module__)
def test_what_only_calls_itself_a_number_of_numpy_is_none(engine: Any) -> None:
    stranger = type("float64", (), {"__module__": "numpy"})
    for _ in range(2):  # the second time it has been met
        with pytest.raises(TypeError):
            engine(1.0) * stranger()
        with pytest.raises(TypeError):
            ae.dot([engine(1.0)], [stranger()])


# --- modes ----------------------------------------------------------------------------------------


def infos(V: Any) -> Any:
    with named_scope("outer"):
        a = V(1.0, label="a")
        with named_scope("inner"):
            nodes = [a * 2, ae.where(a, a, 1.0), ae.sum([a, a]), V(2.0), a.maximum(3), -a]
        with no_grad():
            nodes.append(a * 3)
    nodes += [a * 4, a.detach()]
    return [(x._info, x.label) for x in [a, *nodes]]


def without_graph(V: Any) -> Any:
    a, b = V(2.0, label="a"), V(3.0)
    with no_grad():
        nodes = [a * b, a + 1, 1 - a, a.tanh(), ae.where(a, a, b), ae.dot([a, b], [b, a]), +a]
        nodes += [*ae.softmax([a, b]), ae.sum([a, b]), abs(a), a**b, 0 + a]
        loss = ae.sum(nodes)
    loss.backward()
    return nodes, loss, a.grad, b.grad


@no_grad
def decorated(x: Any) -> Any:
    return x * x


def anomaly(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def use(V: Any) -> Any:
        a, b = V(0.0, label="a"), V(-1.0)
        a.grad = 0.5
        with named_scope("model"), detect_anomaly():
            try:
                z = make([a, b])
                z.backward()
                return z, z._info, a.grad, b.grad
            except AnomalyError as error:
                return str(error), a.grad, b.grad

    return use


MODES: dict[str, Callable[[Any], Any]] = {
    "scopes": infos,
    "no_grad": without_graph,
    "no_grad as a decorator": lambda V: decorated(V(3.0)),
    "sound": anomaly(lambda x: ae.dot(x, x) + x[1].exp() * 2),
    "1/0": anomaly(lambda x: 1 / x[0]),
    "x/0": anomaly(lambda x: x[1] / x[0]),
    "log(0)": anomaly(lambda x: x[0].log()),
    "log(-1)": anomaly(lambda x: ae.log(x[1])),
    "sum": anomaly(lambda x: ae.sum([*x, math.inf])),
    "dot of many": anomaly(lambda x: ae.dot(x * 10, [math.nan] * 20)),
    "where": anomaly(lambda x: ae.where(x[0], x[1], math.inf)),
    "maximum": anomaly(lambda x: x[0].maximum(math.inf)),
    "negative": anomaly(lambda x: -(x[0] + -math.inf)),
    "backward of sqrt": anomaly(lambda x: x[0].sqrt() + x[1]),
    "backward of a power": anomaly(lambda x: x[0] ** 0.5 * x[1]),
    "backward of a dot": anomaly(lambda x: ae.dot([x[0].sqrt(), x[1]], [x[1], 2.0])),
    "backward from inf": anomaly(lambda x: Backward(x[0] * 2, math.inf)),
    "backward from nan in a leaf": anomaly(lambda x: changed(x[1], grad=math.nan) * x[0]),
    "by hand": anomaly(lambda x: ByHand(x[0].sqrt())),
    "user row": anomaly(lambda x: reciprocal()(x[0])),
}


class Backward:
    """Goes backward from another gradient than 1."""

    def __init__(self, node: Any, gradient: float) -> None:
        self.node, self.gradient = node, gradient

    def backward(self) -> None:
        self.node.backward(self.gradient)


class ByHand:
    """Goes backward one step, as the lecture does."""

    def __init__(self, node: Any) -> None:
        self.node = node

    def backward(self) -> None:
        self.node.grad = 1.0
        self.node._backward()


@pytest.mark.parametrize("name", MODES)
def test_modes_hold_alike(name: str) -> None:
    theirs, ours = (outcome(MODES[name], engine) for engine in ENGINES)
    assert ours == theirs
    assert not isinstance(ours, tuple) or ours[0] not in (AttributeError, NameError)


@every_engine
def test_each_thread_has_its_own_mode(engine: Any) -> None:
    turn, found = threading.Barrier(2), []

    def work(quiet: bool) -> None:
        x = engine(2.0)
        for _ in range(50):
            turn.wait()
            if quiet:
                with no_grad(), named_scope("quiet"):
                    turn.wait()
                    nodes = [x * x, x.exp(), ae.sum([x, x])]
            else:
                turn.wait()
                nodes = [x * x, x.exp(), ae.sum([x, x])]
            found.append((quiet, [len(z._prev) for z in nodes], [z._info for z in nodes]))

    threads = [threading.Thread(target=work, args=(quiet,)) for quiet in (False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 100
    for quiet, operands, info in found:
        assert operands == ([0, 0, 0] if quiet else [2, 1, 2])
        assert [x and x.scope for x in info] == [("quiet",) if quiet else None] * 3


# --- rows of a user -------------------------------------------------------------------------------


def reciprocal() -> Primitive:
    @primitive(lambda z, x: -z * z, domain=((0.0, math.inf),))
    def reciprocal(x: Any) -> Any:
        """1 / x. Source: a test."""
        return 1.0 / x

    return reciprocal


def of_ints() -> Primitive:
    @primitive(lambda z, x: 2)
    def twice_and_one(x: Any) -> Any:
        """An int for each x, and an int for the slope. Source: a test."""
        return 3

    return twice_and_one


def of_bools() -> Primitive:
    @primitive(lambda z, x, y: x < y, lambda z, x, y: True)
    def is_less(x: Any, y: Any) -> Any:
        """1 where x < y. Source: a test."""
        return x < y

    return is_less


def complex_result() -> Primitive:
    @primitive(lambda z, x: 0.5 / z)
    def root(x: Any) -> Any:
        """Complex for a negative float. Source: a test."""
        return x**0.5

    return root


def complex_slope() -> Primitive:
    @primitive(lambda z, x, y: x**0.5, lambda z, x, y: 1.0 / y)
    def odd(x: Any, y: Any) -> Any:
        """With a slope that is complex or singular. Source: a test."""
        return x * 1.0

    return odd


def always_complex() -> Primitive:
    @primitive(1.0)
    def imaginary(x: Any) -> Any:
        """No real number at all. Source: a test."""
        return x * 1j

    return imaginary


def of_text() -> Primitive:
    @primitive(lambda z, x: "slope")
    def worded(x: Any) -> Any:
        """A slope that is no number. Source: a test."""
        return x * 1.0

    return worded


def raising() -> Primitive:
    @primitive(lambda z, x: {}[x])  # type: ignore[misc]
    def careless(x: Any) -> Any:
        """A slope that raises what IEEE 754 does not know. Source: a test."""
        return x * 1.0

    return careless


def ternary() -> Primitive:
    @primitive(lambda z, a, b, c: b, lambda z, a, b, c: a, lambda z, a, b, c: 1.0 / c)
    def fused(a: Any, b: Any, c: Any) -> Any:
        """A * b + log c. Source: a test."""
        return a * b + ae.log(c)

    return fused


def nary() -> Primitive:
    @primitive(lambda z, xs: [2.0 * x for x in xs], nary=True)
    def squares(xs: Any) -> Any:
        """x0 ** 2 + x1 ** 2 + ... Source: a test."""
        total = 0.0
        for x in xs:
            total = total + x * x
        return total

    return squares


def nary_of_two() -> Primitive:
    @primitive(lambda z, w, x: [1.0 / v for v in x], lambda z, w, x: [0 for _ in x], nary=True)
    def ratios(w: Any, x: Any) -> Any:
        """w0 / x0 + ...; the slopes by x are a stand-in. Source: a test."""
        total = 0.0
        for a, b in zip(w, x, strict=True):
            total = total + a / b
        return total

    return ratios


def nary_that_miscounts() -> Primitive:
    @primitive(lambda z, xs: [1.0], nary=True)
    def miscounted(xs: Any) -> Any:
        """One slope, however many operands. Source: a test."""
        return xs[0] * 1.0

    return miscounted


def nary_of_one_only() -> Primitive:
    @primitive(lambda z, xs: [xs[0] / v for v in xs], nary=True)
    def first(xs: Any) -> Any:
        """x0; the slopes are a stand-in. Source: a test."""
        return xs[0] / 1.0

    return first


def from_math() -> Primitive:
    @primitive(lambda z, x: z, analytic=False)
    @elementary(math.gamma)
    def gamma_of(x: Any) -> Any:
        """The gamma function; the slope is a stand-in. Source: a test."""

    return gamma_of


def that_makes_values() -> Primitive:
    def slope(z: Any, x: Any) -> Any:
        NativeValue(1.0) * PythonValue(2.0).data + ae.sum([NativeValue(3.0), 4.0])
        return 2.0 * x

    @primitive(slope)
    def busy(x: Any) -> Any:
        """A formula that makes nodes of its own on the way. Source: a test."""
        return x * x

    return busy


USERS = [reciprocal, of_ints, of_bools, complex_result, complex_slope, always_complex, of_text,
         raising, ternary, nary, nary_of_two, nary_that_miscounts, nary_of_one_only, from_math,
         that_makes_values]  # fmt: skip


@pytest.mark.parametrize("make", USERS)
def test_a_row_of_a_user_is_alike_on_both(make: Callable[[], Primitive]) -> None:
    row = make()
    sizes = (1, 2, 5) if isinstance(row, NaryPrimitive) else (1,)
    few = [2.0, -1.5, 0.0, -0.0, 1e308, math.inf, math.nan]
    for n in sizes:
        count, rng = n * row.arity, random.Random(0)
        points = list(itertools.product(few, repeat=count)) if count < 3 else []
        points += [tuple(rng.choices(few, k=count)) for _ in range(40)]
        for point in points:
            for plain in {(), (0,), (count - 1,)} if count > 1 else {()}:

                def use(V: Any, point: Any = point, plain: Any = plain) -> Any:
                    operands = [x if i in plain else V(x) for i, x in enumerate(point)]
                    z = call(row, operands)
                    z.backward()
                    return z, z._op, [x.grad for x in operands if type(x) is V]

                assert_alike(use, row, point, plain)
    if row.arity <= 2 and not isinstance(row, NaryPrimitive):
        for x in few:
            assert_alike(lambda V, x=x: getattr(V(x), row.name)(*[V(0.0)] * (row.arity - 1)), x)


@every_engine
def test_a_row_of_a_user_becomes_a_method(engine: Any) -> None:
    row = reciprocal()
    method = engine.reciprocal
    assert (method.__name__, method.__qualname__) == ("reciprocal", "Value.reciprocal")
    assert method.__doc__ == row.__doc__
    assert engine(4.0).reciprocal()._primitive is row
    again = reciprocal()
    assert engine(4.0).reciprocal()._primitive is again


@every_engine
def test_a_row_of_a_user_may_not_hide_an_attribute(engine: Any) -> None:
    before = dict(vars(engine))
    for name in ("data", "backward", "bind", "detach", "tanh"):
        scope: dict[str, Any] = {"primitive": primitive}
        with pytest.raises(ValueError, match=f"primitive {name}"):
            exec(f"@primitive(1.0)\ndef {name}(x):\n    return x + 1.0", scope)
    assert dict(vars(engine)) == before


# --- copies and pickles, each engine in a process of its own --------------------------------------


def in_a_process(program: str, backend: str, *, given_: bytes = b"") -> str:
    """What a program prints when this engine is the one in use."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        input=given_,
        env={**os.environ, "AUTOGRAD_ENGINE_BACKEND": backend},
        cwd=Path(ae.__file__).parents[1],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


GRAPH = """
import copy, math, pickle, sys
import autograd_engine as ae
from autograd_engine import Graph, Value, named_scope, no_grad
from autograd_engine.backend import topological_order
assert Value.__module__.removeprefix("autograd_engine.") in ("value", "_native")
assert (ae.backend == "native") == Value.__module__.endswith("_native")

def graph():
    a, b = Value(0.5, label="a"), Value(-0.0)
    with named_scope("layer"):
        s = ae.softmax([a, b, 1, a])
        d = ae.dot(s, [a, 2.0, b, a])
        w = ae.where(a > b, a, d) + ae.where(d, 3, b)
    c = 2 ** (a - 1) / ae.maximum(d, w) * abs(-b)
    for i in range(3000):
        c = c * 1.0 + a
    loss = ae.logsumexp([c, d, w]) + math.inf * b
    loss.label = "loss"
    loss.backward()
    a.data = 7.0
    return [loss, a, d, [c, b]]

def show(tree):
    loss, a, d, (c, b) = tree
    order = topological_order(loss)
    place = {id(x): i for i, x in enumerate(order)}
    for x in order:
        operands = [x.hex() if type(x) is float else place[id(x)] for x in x._operands]
        slopes = [d.hex() for d in x._derivatives]
        print(x.data.hex(), x.grad.hex(), x._op, operands, slopes, x._info)
    print([place[id(x)] for x in (loss, a, d, c, b)])

def go_on(tree):
    show(tree)
    loss, a, d, (c, b) = tree
    (loss * a).backward()
    show(tree)
    print(Graph(loss))
"""
LOAD = GRAPH + "go_on(pickle.loads(bytes.fromhex(sys.stdin.read())))"
BACKENDS = ["python", "native"]


@pytest.fixture(scope="module")
def direct() -> dict[str, str]:
    """What becomes of the graph itself, without a pickle in between."""
    return {backend: in_a_process(GRAPH + "go_on(graph())", backend) for backend in BACKENDS}


def close_lines(one: str, another: str) -> None:
    """Equal but for the last bits of floats in hex."""
    ours, theirs = one.split("\n"), another.split("\n")
    assert len(ours) == len(theirs) > 6000
    for x, y in zip(ours, theirs, strict=True):
        for a, b in zip(x.split(), y.split(), strict=True):
            strip = "[]',"
            if "0x" in a and a != b:
                left, right = float.fromhex(a.strip(strip)), float.fromhex(b.strip(strip))
                assert math.isclose(left, right, rel_tol=1e-12), (x, y)
            else:
                assert a == b or "0x7f" in a, (x, y)


def test_both_engines_make_the_same_graph_in_use(direct: dict[str, str]) -> None:
    close_lines(direct["native"], direct["python"])


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("writer", BACKENDS)
@pytest.mark.parametrize("reader", BACKENDS)
def test_a_pickle_of_either_engine_loads_under_the_other(
    writer: str, reader: str, protocol: int, direct: dict[str, str]
) -> None:
    pickled = in_a_process(dump(protocol), writer)
    loaded = in_a_process(LOAD, reader, given_=pickled.encode())
    assert _without_addresses(loaded) == _without_addresses(direct[writer])


def dump(protocol: int) -> str:
    return GRAPH + f"sys.stdout.write(pickle.dumps(graph(), {protocol}).hex())"


def _without_addresses(text: str) -> list[str]:
    return [line.split(" at 0x7f")[0] for line in text.split("\n")]


COPIES = (
    GRAPH
    + """
import threading
tree = graph()
go_on(copy.deepcopy(tree))
show(tree)
again = copy.copy(tree[0])
assert again is not tree[0] and all(x is y for x, y in zip(again._prev, tree[0]._prev))
print(repr(again), again._info)
assert copy.deepcopy(tree)[1] is not tree[1]
with no_grad():
    show(copy.deepcopy(tree))
for bad in (lambda: pickle.dumps([tree[0], lambda: 0]), lambda: pickle.loads(b"")):
    try:
        bad()
    except Exception as error:
        print(type(error).__name__)
show(pickle.loads(pickle.dumps(tree)))
"""
)


def test_copies_are_alike_on_both(direct: dict[str, str]) -> None:
    theirs, ours = (in_a_process(COPIES, backend) for backend in BACKENDS)
    close_lines(ours, theirs)
    for backend, found in (("python", theirs), ("native", ours)):
        lines = _without_addresses(direct[backend])[:-2]
        assert _without_addresses(found)[: len(lines)] == lines


BRIDGE = """
import numpy as np
import autograd_engine as ae
from autograd_engine import Value
def show(x):
    if isinstance(x, np.ndarray):
        print(x.shape, x.dtype)
        for v in x.flat:
            show(v)
    elif isinstance(x, Value):
        print(repr(x), x._op, [float(v) for v in x._operands], list(x._derivatives))
    else:
        print(type(x).__name__, x)
v, a = Value(3.0, label="v"), np.array([1.0, 2.0])
values = np.array([Value(0.5), Value(2.0)])
for use in (
    lambda: np.float64(2) * v, lambda: np.int64(0) + v, lambda: np.float32(2) - v,
    lambda: np.float64(2) / v, lambda: np.float64(2) ** v, lambda: np.bool_(True) * v,
    lambda: v * a, lambda: a * v, lambda: a - v, lambda: v / a, lambda: a ** v, lambda: v ** a,
    lambda: a @ values, lambda: np.ones((2, 2)) @ values, lambda: values.sum(),
    lambda: values.mean(),
    lambda: np.exp(v), lambda: np.arctan2(v, 2.0), lambda: np.hypot(a, v), lambda: np.tanh(values),
    lambda: np.maximum(values, 1.0), lambda: a < v, lambda: np.float64(3) == v, lambda: v == a,
    lambda: np.isfinite(v), lambda: np.floor(v), lambda: np.var(values), lambda: np.conjugate(v),
    lambda: np.add.reduce(values), lambda: np.logaddexp(v, 1.0), lambda: np.sinc(v),
    lambda: np.add(v, 1.0, out=np.zeros(1)), lambda: np.multiply(v, 2.0, where=True),
    lambda: a.__imul__(v), lambda: np.linalg.norm(values), lambda: np.power(v, 2),
    lambda: np.float64(0) / v * np.inf, lambda: np.exp(values * 1000), lambda: np.log(values * 0),
    lambda: np.where(a > 1, values, v), lambda: np.array(2.0) * v, lambda: np.array([v, 1.0]),
    lambda: np.array([v, v], dtype=float), lambda: ae.exp(values), lambda: ae.where(a > 1, v, a),
    lambda: np.float64(2) < v, lambda: float(np.float64(v)), lambda: np.square(v),
):
    try:
        show(use())
    except Exception as error:
        print(type(error).__name__, str(error).replace("autograd_engine._native.", ""))
"""


def test_numpy_meets_both_alike() -> None:
    theirs, ours = (in_a_process(BRIDGE, backend) for backend in BACKENDS)
    assert ours.split("\n") == theirs.split("\n")
    assert len(ours.split("\n")) > 60
