"""Recording: no operation on a Value makes a node, a Value is read later, and nothing is frozen."""

from __future__ import annotations

import copy
import gc
import math
import operator
import pickle
import re
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from test_expression import COMPARE, OPERATORS, is_line
from test_primitives import ROWS, by_name, call, points

import autograd_engine as ae
from autograd_engine import (
    Value,
    derivative,
    dot,
    exp,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    primitive,
    primitives,
    sin,
    tanh,
    taylor,
    value_and_grad,
    vjp,
    where,
)  # fmt: skip
from autograd_engine.expression import Expression, recorded
from autograd_engine.following import RUNNING
from autograd_engine.modes import MODE, Mode, current_mode
from autograd_engine.program import Program
from autograd_engine.recording import Recorder, recording
from autograd_engine.rows import NaryPrimitive, Primitive
from autograd_engine.structures import flat, rebuilt
from autograd_engine.transform import compacted

Function = Callable[..., Any]


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    yield
    assert not RUNNING
    assert current_mode().recorder is None


def evaluated(recorder: Recorder, result: Any, *inputs: float) -> Any:
    """What was recorded, with numbers for its own inputs and what the captured Values hold now."""
    captured = {line: value.data for value, line in recorder.captured.items()}
    own = iter(inputs)
    point = [captured[i] if i in captured else next(own) for i in recorder.tape.names]
    lines = [x.index for x in flat(result) if isinstance(x, Expression)]
    rest = iter(Program(*compacted(recorder.tape, lines))(*point))
    numbers = [next(rest) if isinstance(x, Expression) else x for x in flat(result)]
    return plain(rebuilt(result, iter(numbers)))


def plain(x: Any) -> Any:
    """A structure with the numbers of its Values."""
    return rebuilt(x, iter([y.data if isinstance(y, Value) else y for y in flat(x)]))


def values(*data: float) -> list[Value]:
    return [Value(x, label=f"v{i}") for i, x in enumerate(data)]


def leaf(x: Value, data: float) -> None:
    """It is the leaf that it was."""
    assert x._prev == ()
    assert x.data == data
    assert x.grad == 0.0
    assert x._op == ""


# --- operations -----------------------------------------------------------------------------------

ROW_OF = {operator.truediv: primitives.div}


def row_of(function: Any) -> Any:
    return ROW_OF.get(function) or getattr(primitives, function.__name__)


@pytest.mark.parametrize("function", OPERATORS)
def test_operators_on_values_are_recorded(function: Function) -> None:
    v, w = values(2.0, 3.0)
    numbers = [5, 5.0, np.float64(5.0), np.float32(5.0), np.array(5.0), np.int64(5)]
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        pairs = [(v, w), (v, v), (v, x), (x, v)]
        pairs += [pair for n in numbers for pair in ((v, n), (n, v))]
        for left, right in pairs:
            found = function(left, right)
            assert type(found) is Expression
            assert found.tape is recorder.tape
            assert found.operation is row_of(function)
            for operand, given in zip(found.operands, (left, right), strict=True):
                if isinstance(given, Value | Expression):
                    assert is_line(operand, recorder.expression(given))
                else:
                    assert (type(operand), operand) == (float, 5.0)
    leaf(v, 2.0)
    leaf(w, 3.0)


def test_signs_of_values_are_recorded() -> None:
    (v,) = values(2.0)
    with recording() as recorder:
        for found, row in ((-v, primitives.neg), (abs(v), primitives.abs)):
            assert type(found) is Expression
            assert found.operation is row
            assert is_line(found.operands[0], recorder.expression(v))
        assert +v is v
        assert sum([v]) is v
        assert repr(sum([v, v])) == "v0 + v0"


def test_assignments_in_place_are_recorded_and_leave_the_value_alone() -> None:
    (v,) = values(2.0)
    u: Any = v
    with recording():
        u += 3
        u *= v
        u **= 3
        u /= 7
        u -= v
    assert repr(u) == "((((v0 + 3.0) * v0) ** 3.0) / 7.0) - v0"
    leaf(v, 2.0)


@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_rows_on_values_are_recorded(row: Primitive) -> None:
    for point in points(row, 3)[:2]:
        vs = values(*point)
        with recording() as recorder:
            found = call(row, vs)
            assert type(found) is Expression
            assert found.operation is row
            lines = [recorder.expression(v) for v in vs]
            assert list(map(is_line, found.operands, lines)) == [True] * len(vs)
        assert evaluated(recorder, found) == row.evaluate(point)
        for v, x in zip(vs, point, strict=True):
            leaf(v, x)


@pytest.mark.parametrize("row", [row for row in ROWS if row.arity > 1], ids=by_name)
def test_rows_on_values_beside_numbers_and_expressions_are_recorded(row: Primitive) -> None:
    point = points(row, 2)[0]
    for k in range(len(point)):
        for others in ("numbers", "Expressions", "both"):
            (v,) = values(point[k])
            with recording() as recorder:
                operands: list[Any] = []
                for i, x in enumerate(point):
                    number = others == "numbers" or (others == "both" and (i + k) % 2)
                    plain_number = number or i == k
                    operands.append(x if plain_number else recorded(f"x{i}", recorder.tape))
                operands[k] = v
                found = call(row, operands)
                assert type(found) is Expression
            inputs = [point[i] for i, x in enumerate(operands) if isinstance(x, Expression)]
            assert evaluated(recorder, found, *inputs) == row.evaluate(point)
            leaf(v, point[k])


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.arity < 3 and not isinstance(r, NaryPrimitive)], ids=by_name
)
def test_methods_of_values_are_recorded_under_each_of_their_names(row: Primitive) -> None:
    v, w = values(*points(row)[0], *([1.0] if row.arity == 1 else []))
    others = [w] * (row.arity - 1)
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        for name in (row.name, *row.aliases):
            found = getattr(v, name)(*others)
            assert type(found) is Expression
            assert is_line(found, row(v, *others))
            if others:
                assert is_line(getattr(v, name)(x), row(v, x))
                assert is_line(getattr(x, name)(v), row(x, v))
                assert is_line(getattr(v, name)(3), row(v, 3.0))


def test_rows_of_a_user_on_values_are_recorded() -> None:
    @primitive(lambda z, x, y: 2.0 * x * y, lambda z, x, y: x * x)
    def area(x: Any, y: Any) -> Any:
        """x * x * y. Source: a test."""
        return x * x * y

    @primitive(lambda z, xs: [2.0 * x for x in xs], nary=True)
    def squares(xs: Any) -> Any:
        """x0 * x0 + x1 * x1 + ... Source: a test."""
        return ae.sum([x * x for x in xs])

    v, w = values(2.0, 3.0)
    with recording() as recorder:
        found = [area(v, w), v.area(5), squares([v, 1.0, w]), grad(lambda x: area(x, w))(v)]
        assert [x.operation for x in found[:3]] == [area, area, squares]
    assert evaluated(recorder, found) == [12.0, 20.0, 14.0, 12.0]


def test_long_sequences_of_values_are_recorded() -> None:
    vs = values(*map(float, range(500)))
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        found = [ae.sum(vs), dot(vs, vs), ae.mean([*vs, x]), dot([x] * 500, iter(vs))]
        assert all(type(z) is Expression for z in found)
    assert len(recorder.captured) == 500
    data = [float(i) for i in range(500)]
    expected = [sum(data), sum(i * i for i in data), (sum(data) + 1.0) / 501, sum(data)]
    assert evaluated(recorder, found, 1.0) == pytest.approx(expected, rel=1e-13)


def test_arrays_with_values_are_arrays_of_expressions() -> None:
    v, w = values(2.0, 3.0)
    array = np.array([5.0, 7.0])
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        vs = np.array([v, w])
        made = {
            "array * v": (array * v, [10.0, 14.0]),
            "v - array": (v - array, [-3.0, -5.0]),
            "array * vs": (array * vs, [10.0, 21.0]),
            "vs * vs": (vs * vs, [4.0, 9.0]),
            "vs / x": (vs / x, [2.0 / 11.0, 3.0 / 11.0]),
            "x - vs": (x - vs, [9.0, 8.0]),
            "vs ** 2": (vs**2, [4.0, 9.0]),
            "matrix @ vs": (np.array([[1.0, 2.0], [3.0, 4.0]]) @ vs, [8.0, 18.0]),
            "exp(vs)": (exp(vs), [math.exp(2.0), math.exp(3.0)]),
            "np.exp(vs)": (np.exp(vs), [math.exp(2.0), math.exp(3.0)]),
            "maximum(v, array)": (ae.maximum(v, array), [5.0, 7.0]),
            "dot(array, vs)": (np.array([dot(array, vs)]), [31.0]),
            "np.dot": (np.array([np.dot(array, vs)]), [31.0]),
            "np.sum": (np.array([np.sum(vs)]), [5.0]),
        }
        for name, (found, _) in made.items():
            assert all(type(z) is Expression for z in found), name
    for name, (found, expected) in made.items():
        assert evaluated(recorder, list(found), 11.0) == pytest.approx(expected, rel=1e-15), name


@pytest.mark.parametrize("n", [np.float64(5.0), np.float32(5.0), np.array(5.0)])
def test_numpy_s_functions_on_one_value_are_recorded(n: Any) -> None:
    v, w = values(2.0, 3.0)
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        for found, text in (
            (np.exp(v), "exp(v0)"),
            (np.arctan2(v, w), "atan2(v0, v1)"),
            (np.maximum(n, v), "maximum(5.0, v0)"),
            (np.multiply(n, v), "5.0 * v0"),
            (np.add(x, v), "x + v0"),
            (np.hypot(v, x), "hypot(v0, x)"),
            (np.negative(v), "-v0"),
        ):
            assert type(found) is Expression
            assert repr(found) == text


def test_what_is_no_number_is_refused_as_ever() -> None:
    (v,) = values(2.0)
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        for bad in ("2.0", None, [1.0], 2j, object()):
            for use in (
                lambda bad: v + bad,
                lambda bad: bad * v,
                lambda bad: v < bad,
                lambda bad: v.maximum(bad),
                lambda bad: dot([v, x], [bad, x]),
            ):
                with pytest.raises(TypeError):
                    use(bad)
        for bad in (v, x):
            with pytest.raises(TypeError, match=r"^Value: expected a real number"):
                Value(bad)
        with pytest.raises(TypeError, match=r"is being recorded|^Value\.data: expected a real"):
            v.data = x
    leaf(v, 2.0)


# --- comparisons ----------------------------------------------------------------------------------


@pytest.mark.parametrize("compare", COMPARE)
def test_comparisons_of_values_are_recorded(compare: Function) -> None:
    v, w = values(2.0, 3.0)
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        found = [compare(v, w), compare(v, v), compare(v, x), compare(x, v)]
        found += [compare(v, 2), compare(v, 2.5), compare(v, np.float64(2.0)), compare(v, True)]
        found += [compare(2, v), compare(2.5, v)]
        assert all(type(z) is Expression for z in found)
    pairs = [(2, 3), (2, 2), (2, 5), (5, 2), (2, 2), (2, 2.5), (2, 2), (2, 1), (2, 2), (2.5, 2)]
    expected = [float(compare(*pair)) for pair in pairs]
    assert evaluated(recorder, found, 5.0) == expected
    assert compare(v, 2.0) is compare(2.0, 2.0)


def test_a_comparison_reads_the_value_that_is_there_later() -> None:
    v, w = values(2.0, 3.0)
    with recording() as recorder:
        found = where(v < w, v * 10.0, w)
    assert evaluated(recorder, found) == 20.0
    v.data = 4.0
    assert evaluated(recorder, found) == 3.0


@pytest.mark.parametrize(
    "use",
    [
        lambda v: np.float64(1.0) < v,
        lambda v: np.array([1.0, 3.0]) < v,
        lambda v: v >= np.array([1.0, 3.0]),
        lambda v: np.isfinite(v),
        lambda v: np.floor(v),
        lambda v: np.signbit(v),
    ],
)
def test_numpy_s_comparisons_of_values_freeze_nothing(use: Function) -> None:
    (v,) = values(2.0)
    with recording():
        try:
            found = use(v)
        except TypeError as error:
            assert "where" in str(error) or "primitives" in str(error)
        else:
            assert type(np.asarray(found).flat[0]) is Expression


def test_arrays_of_values_cannot_be_compared() -> None:
    (v,) = values(2.0)
    with recording():
        for use in (lambda: np.array([v, v]) == 2.0, lambda: np.array([v, v]) < np.array([v, v])):
            with pytest.raises(TypeError, match="where"):
                use()


# --- what is captured -----------------------------------------------------------------------------


def test_a_value_is_one_input_however_often_it_is_read() -> None:
    v, w = values(2.0, 3.0)
    with recording() as recorder:
        found = [v * w, v + v, dot([v, w], [w, v]), v < w, (v * w).tanh(), v.detach()]
        assert is_line(v * w, found[0])
    assert recorder.captured == {v: 0, w: 1}
    assert recorder.tape.names == {0: "v0", 1: "v1"}


def test_two_values_of_one_number_are_two_inputs() -> None:
    v, w = Value(2.0), Value(2.0)
    with recording() as recorder:
        z = v * w
    assert len(recorder.captured) == 2
    assert len(set(recorder.tape.operands[z.index])) == 2


def test_captured_values_are_called_by_their_label_or_number() -> None:
    v, w, u = Value(2.0), Value(3.0, label="weight"), Value(5.0)
    with recording() as recorder:
        _ = v * w * u
    assert list(recorder.tape.names.values()) == ["captured[0]", "weight", "captured[2]"]


def test_captured_values_are_read_again_at_each_call() -> None:
    v, w = values(2.0, 3.0)
    with recording() as recorder:
        z = v * w + v.tanh()
    for data in (0.5, -1.0):
        v.data = data
        assert evaluated(recorder, z) == data * 3.0 + math.tanh(data)


def test_a_node_of_a_graph_is_an_input_too() -> None:
    (v,) = values(2.0)
    node = v * v
    with recording() as recorder:
        z = node + v
    assert set(recorder.captured) == {node, v}
    assert evaluated(recorder, z) == 6.0
    assert node._prev == (v, v)


def test_a_value_made_while_recording_is_an_input_too() -> None:
    with recording() as recorder:
        v = Value(2.0, label="inside")
        z = v * 3.0
    assert list(recorder.captured) == [v]
    assert evaluated(recorder, z) == 6.0


def test_data_of_a_value_is_the_number_that_it_is_now() -> None:
    (v,) = values(2.0)
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        z = x * v.data
        assert (type(v.data), v.data) == (float, 2.0)
    assert repr(z) == "x * 2.0"
    assert recorder.captured == {}


def test_formatting_and_showing_stay_allowed() -> None:
    (v,) = values(2.0)
    with recording():
        assert f"{v:.2f}" == "2.00"
        assert repr(v) == "Value(data=2.0, grad=0.0, label='v0')"
        assert hash(v) == object.__hash__(v)
        assert (v.label, v._op, v._prev, v.grad) == ("v0", "", (), 0.0)


def test_detach_of_a_value_is_read_at_each_call_and_has_no_derivative() -> None:
    v, w = values(2.0, 3.0)
    with recording() as recorder:
        z = v.detach() * w
        assert type(z) is Expression
        found = [z, *grad(lambda p: p[0].detach() * p[1])([v, w])]
    assert evaluated(recorder, found) == [6.0, 0.0, 2.0]
    v.data = 5.0
    assert evaluated(recorder, found) == [15.0, 0.0, 5.0]


def test_a_recorder_makes_lines_of_numbers_values_and_expressions() -> None:
    (v,) = values(2.0)
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        assert recorder.expression(x).index == x.index
        assert recorder.expression(v).index == recorder.captured[v]
        for n in (3, 3.0, np.float64(3.0)):
            assert recorder.expression(n).constant == 3.0
        first, second = recorder.renewed(v), recorder.renewed(v)
        assert not is_line(first, second)
        assert repr(first) == "v0"
        assert repr(recorder.renewed(4.0) * x) == "4.0 * x"


# --- what is refused ------------------------------------------------------------------------------


def place_of(use: Function) -> str:
    """File and line, as they stand in messages, of a function of one line."""
    return f"^{re.escape(f'{__file__}:{use.__code__.co_firstlineno}')}: "


CHOICES: list[Function] = [
    lambda v, w, x: bool(v),
    lambda v, w, x: bool(v < w),
    lambda v, w, x: 1.0 if v else 0.0,
    lambda v, w, x: 1.0 if v > 1.0 else 0.0,
    lambda v, w, x: 1.0 if x < v else 0.0,
    lambda v, w, x: v and w,
    lambda v, w, x: v or w,
    lambda v, w, x: not v,
    lambda v, w, x: max(v, w),
    lambda v, w, x: min(v, 1.0),
    lambda v, w, x: max(1.0, x, v),
    lambda v, w, x: sorted([v, w]),
    lambda v, w, x: v in [w, x],
    lambda v, w, x: [w].index(v),
    lambda v, w, x: [w, x].count(v),
    lambda v, w, x: 0.0 < v < 1.0,
    lambda v, w, x: any([v]),
    lambda v, w, x: all([w < v]),
    lambda v, w, x: [y for y in (v, w) if y > 1.0],
    lambda v, w, x: next(y for y in (v, w) if y),
    lambda v, w, x: np.argmax([v, w]),
    lambda v, w, x: np.maximum(np.array([v, w]), 1.0),
    lambda v, w, x: np.sort(np.array([v, w])),
]

NUMBERS: list[Function] = [
    lambda v, w, x: float(v),
    lambda v, w, x: int(v),
    lambda v, w, x: complex(v),
    lambda v, w, x: round(v),
    lambda v, w, x: round(v, 2),
    lambda v, w, x: math.exp(v),
    lambda v, w, x: math.floor(v),
    lambda v, w, x: math.ceil(v),
    lambda v, w, x: math.trunc(v),
    lambda v, w, x: math.isnan(v),
    lambda v, w, x: math.hypot(1.0, w),
    lambda v, w, x: math.pow(2.0, v),
    lambda v, w, x: math.fsum([v, w]),
    lambda v, w, x: float(v * w),
    lambda v, w, x: float(v + x),
    lambda v, w, x: math.sin(v < w),
    lambda v, w, x: int(tanh(v)),
    lambda v, w, x: np.array([v, w], dtype=float),
    lambda v, w, x: np.zeros(2).__setitem__(0, v),
]


@pytest.mark.parametrize("use", CHOICES)
def test_a_choice_by_a_value_is_refused_with_line_and_remedy(use: Function) -> None:
    v, w = values(2.0, 3.0)
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        with pytest.raises(TypeError, match=place_of(use)) as error:
            use(v, w, x)
    message = str(error.value)
    assert "is recorded, and not known to be true or false" in message
    assert "where(condition, x, y), maximum or minimum" in message


@pytest.mark.parametrize("use", NUMBERS)
def test_taking_the_number_of_a_value_is_refused_with_line_and_remedy(use: Function) -> None:
    v, w = values(2.0, 3.0)
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        with pytest.raises(TypeError, match=place_of(use)) as error:
            use(v, w, x)
    message = str(error.value)
    assert "is recorded, and has no number yet" in message
    assert "use the primitives of autograd_engine" in message


def test_copies_and_pickles_of_values_are_refused() -> None:
    (v,) = values(2.0)
    with recording():
        for use in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="is recorded"):
                use(v)
    assert copy.deepcopy(v).data == 2.0


def test_what_was_refused_may_be_done_again_after_the_block() -> None:
    v, w = values(2.0, 3.0)
    with recording():
        with pytest.raises(TypeError):
            float(v)
        with pytest.raises(TypeError):
            bool(v)
    assert (float(v), int(v), round(v, 1), bool(v), math.exp(v)) == (
        2.0, 2, 2.0, True, math.exp(2.0),
    )  # fmt: skip
    assert max(v, w) is w
    assert (v < w) is True


@pytest.mark.parametrize("data", [0.0, 2.0])
def test_no_grad_is_refused_inside(data: float) -> None:
    (v,) = values(data)
    decorated = ae.no_grad(lambda: v * v)
    with recording():
        with pytest.raises(TypeError, match=r"^no_grad: not inside .* take \.detach\(\)"):
            with ae.no_grad():
                pass
        with pytest.raises(TypeError, match=r"^no_grad: not inside a function"):
            decorated()
        assert type(v * v) is Expression
    with ae.no_grad():
        assert (v * v)._prev == ()


def test_it_records_under_no_grad_and_anomaly_detection_too() -> None:
    (v,) = values(2.0)
    for mode in (ae.no_grad(), ae.detect_anomaly(), ae.named_scope("model")):
        before = current_mode()
        with mode:
            inside = current_mode()
            with recording() as recorder:
                x = recorded("x", recorder.tape)
                found = [v * x, grad(lambda a, x=x: a * a * x)(v), 1.0 / (v - v)]
                assert all(type(z) is Expression for z in found)
            assert current_mode() is inside
        assert current_mode() is before
        assert evaluated(recorder, found[:2], 3.0) == [6.0, 12.0]


def test_scopes_may_be_entered_inside() -> None:
    (v,) = values(2.0)
    with recording() as recorder:
        with ae.named_scope("model"):
            found = [v * 3.0, 1.0 / (v - v), grad(lambda a: a * v)(v)]
            assert all(type(z) is Expression for z in found)
        assert current_mode().recorder is recorder


def test_anomaly_detection_inside_says_where_it_belongs() -> None:
    with recording(), pytest.raises(TypeError, match="put it around the call"):
        with ae.detect_anomaly():
            pass


# --- the end of the block -------------------------------------------------------------------------


def test_after_the_block_values_make_nodes_again() -> None:
    v, w = values(2.0, 3.0)
    before = MODE.get()
    with recording() as recorder:
        assert RUNNING == {recorder}
        assert MODE.get().recorder is recorder
        _ = v * w
    assert MODE.get() is before
    assert not RUNNING
    z = v * w + 1.0
    assert type(z) is Value
    z.backward()
    assert (v.grad, w.grad) == (3.0, 2.0)
    assert (v == w, v < w) == (False, True)
    assert type(v.detach()) is Value


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit, RecursionError])
def test_after_an_exception_values_make_nodes_again(error: type[BaseException]) -> None:
    v, w = values(2.0, 3.0)
    with pytest.raises(error), recording() as recorder:
        _ = v * w
        raise error
    assert not RUNNING
    assert recorder.tape.closed
    assert type(v * w) is Value
    assert bool(v < w) is True


def test_after_an_exception_in_a_nested_derivative_values_make_nodes_again() -> None:
    (v,) = values(2.0)

    def failing(x: Any) -> Any:
        raise ZeroDivisionError

    for nested in (
        lambda: grad(failing)(v),
        lambda: jvp(failing, (v,), (1.0,)),
        lambda: grad(grad(failing))(v),
        lambda: derivative(failing, order=2)(v),
        lambda: grad(lambda x: float(x))(v),
    ):
        with pytest.raises((ZeroDivisionError, TypeError)), recording():
            nested()
        assert not RUNNING
        assert type(v * v) is Value


def test_what_was_recorded_is_closed_after_the_block() -> None:
    (v,) = values(2.0)
    with recording():
        z = v * 3.0
    for use in (lambda: z + 1.0, lambda: z < 2.0, lambda: z.tanh(), lambda: z.detach()):
        with pytest.raises(RuntimeError, match="after its function had been recorded; return what"):
            use()
    for use in (lambda: z * v, lambda: v + z, lambda: v.maximum(z)):
        with pytest.raises(TypeError):
            use()


def test_blocks_inside_each_other_have_tapes_of_their_own() -> None:
    (v,) = values(2.0)
    with recording() as outer:
        first = v * 3.0
        with recording() as inner:
            second = v * 3.0
            assert RUNNING == {outer, inner}
            with pytest.raises(TypeError, match="was recorded by another function"):
                _ = first + second
        assert current_mode().recorder is outer
        assert RUNNING == {outer}
        third = v * 3.0
    assert first.tape is third.tape is outer.tape
    assert second.tape is inner.tape
    assert is_line(first, third)


def test_nothing_that_was_recorded_is_kept_alive() -> None:
    def run() -> weakref.ref[Recorder]:
        (v,) = values(2.0)
        with recording() as recorder:
            x = recorded("x", recorder.tape)
            grad(lambda a: a * v + jvp(tanh, (a,), (v,))[1])(x)
        return weakref.ref(recorder)

    found = run()
    gc.collect()
    assert found() is None


def test_a_scope_inside_keeps_nothing_alive_either() -> None:
    def run() -> weakref.ref[Recorder]:
        (v,) = values(2.0)
        with recording() as recorder, ae.named_scope("layer"):
            _ = v * v
        return weakref.ref(recorder)

    found = run()
    gc.collect()
    assert found() is None


# --- threads --------------------------------------------------------------------------------------


def in_a_thread(work: Callable[[], Any]) -> Any:
    """What a function gives in another thread, or raises there."""
    found: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def test_values_of_another_thread_make_nodes_while_this_one_records() -> None:
    v, w = values(2.0, 3.0)

    def elsewhere() -> list[Any]:
        z = v * w + v.tanh() - dot([v, w], [w, 2.0])
        assert type(z) is Value
        assert current_mode().same(Mode())
        chosen = [
            v < w,
            v == 2.0,
            bool(v),
            float(v),
            int(w),
            round(v),
            math.exp(v) > 7.0,
            max(v, w),
        ]
        assert chosen == [True, True, True, 2.0, 3, 2, True, w]
        assert copy.deepcopy(v).data == 2.0
        with ae.no_grad():
            assert (v * w)._prev == ()
        z.backward()
        return [z.data, v.grad, grad(lambda x: x * x * w.data)(5.0)]

    with recording() as recorder:
        first = v * w
        found = in_a_thread(elsewhere)
        second = v * w
        assert is_line(first, second)
        assert type(v < w) is Expression
        with pytest.raises(TypeError, match="is recorded"):
            float(v)
    tangent = 1.0 - math.tanh(2.0) ** 2
    assert found == [pytest.approx(x) for x in (6.0 + math.tanh(2.0) - 12.0, tangent, 30.0)]
    assert len(recorder.captured) == 2


def test_two_threads_record_apart() -> None:
    v, w = values(2.0, 3.0)
    barrier = threading.Barrier(2, timeout=20)

    def work(n: int) -> tuple[str, int]:
        with recording() as recorder:
            z: Any = v
            for _ in range(50):
                barrier.wait()
                z = z * w + float(n)
                assert z.tape is recorder.tape
        return repr(z)[-3:], len(recorder.captured)

    found: dict[int, Any] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.setdefault(n, work(n)))  # type: ignore[misc]
        for n in (5, 7)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {5: ("5.0", 2), 7: ("7.0", 2)}


def test_many_threads_with_values_see_nothing_of_a_recording() -> None:
    vs = values(*[float(i) for i in range(8)])
    stop = threading.Event()
    wrong: list[Any] = []

    def work(v: Value) -> None:
        while not stop.is_set():
            z = v * 2.0 + 1.0
            if type(z) is not Value or (v < 100.0) is not True or float(z) != v.data * 2.0 + 1.0:
                wrong.append(z)

    threads = [threading.Thread(target=work, args=(v,)) for v in vs]
    for thread in threads:
        thread.start()
    for _ in range(200):
        with recording():
            if type(vs[0] * vs[1]) is not Expression or type(vs[0] < vs[1]) is not Expression:
                wrong.append("here")
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- derivatives inside ---------------------------------------------------------------------------


def cubic(x: Any, w: Any) -> Any:
    return x**3 * w + tanh(x * w) / (1.0 + x * x) - exp(-x) * where(x > 0.4, w, x)


# of a number, and of two Values
NESTED: dict[str, Function] = {
    "grad": lambda x, v, w: grad(lambda a: cubic(a, v))(x),
    "grad by a Value": lambda x, v, w: grad(lambda a: cubic(a, x))(v),
    "grad by both": lambda x, v, w: grad(cubic, (0, 1))(x, v),
    "grad of a structure": lambda x, v, w: grad(lambda p: cubic(p["a"], p["b"][0]))(
        {"a": x, "b": [v, w]}
    ),
    "value_and_grad": lambda x, v, w: value_and_grad(lambda a: cubic(a, w))(x),
    "value_and_grad with more": lambda x, v, w: value_and_grad(
        lambda a: (cubic(a, w), {"a": a * v, "w": w}), has_aux=True
    )(x),
    "grad of grad": lambda x, v, w: grad(grad(lambda a: cubic(a, v)))(x),
    "third by grad": lambda x, v, w: grad(grad(grad(lambda a: cubic(a, v) * w)))(x),
    "grad in grad": lambda x, v, w: grad(lambda a: a * grad(lambda b: cubic(a * b, v))(w))(x),
    "perturbation confusion": lambda x, v, w: grad(
        lambda a: a * grad(lambda b: a + b)(1.0) + v
    )(x),
    "jvp": lambda x, v, w: jvp(lambda a, b: cubic(a, b), (x, w), (1.0, 2.0)),
    "jvp along a Value": lambda x, v, w: jvp(lambda a: cubic(a, w), (x,), (v,)),
    "jvp at a number": lambda x, v, w: jvp(lambda a: sin(a * x) * v, (0.3,), (x,)),
    "jvp of grad": lambda x, v, w: jvp(grad(lambda a: cubic(a, v)), (x,), (w,)),
    "grad of jvp": lambda x, v, w: grad(
        lambda a: jvp(lambda b: cubic(b, v) * a, (a,), (w,))[1]
    )(x),
    "vjp": lambda x, v, w: vjp(lambda a, b: [cubic(a, b), a * b, b], x, v)[1]([1.0, w, x]),
    "vjp's value": lambda x, v, w: vjp(lambda a: [cubic(a, v), a, 2.0], x)[0],
    "jacobian": lambda x, v, w: jacobian(lambda p: [p[0] * p[1], cubic(p[1], w)])([x, v]),
    "jacobian forward": lambda x, v, w: jacobian(
        lambda p: [p[0] * p[1], cubic(p[1], w)], mode="forward"
    )([x, v]),
    "jacobian of an array": lambda x, v, w: jacobian(lambda p: p * p[::-1] * w)(
        np.array([x, v, 2.0])
    ).tolist(),
    "hessian": lambda x, v, w: hessian(lambda p: cubic(p[0], p[1]) * w)([x, v]),
    "hvp": lambda x, v, w: hvp(lambda p: cubic(p[0], p[1]), ([x, v],), ([1.0, w],)),
    "derivative": lambda x, v, w: derivative(lambda a: cubic(a, v))(x),
    "derivative of order 0": lambda x, v, w: derivative(lambda a: cubic(a, v), order=0)(x),
    "derivative of order 2": lambda x, v, w: derivative(lambda a: cubic(a, v), order=2)(x),
    "derivative of order 3": lambda x, v, w: derivative(lambda a: cubic(a, v) / w, order=3)(x),
    "derivative at a Value": lambda x, v, w: derivative(lambda a: sin(a * x), order=3)(v),
    "derivative of a power": lambda x, v, w: derivative(lambda a: a**2.5 + a**w, order=2)(x),
    "taylor": lambda x, v, w: taylor(lambda a: exp(a * v) * w, x, 4),
    "taylor at a Value": lambda x, v, w: taylor(lambda a: sin(a * x), v, 3),
    "grad of derivative": lambda x, v, w: grad(
        lambda a: derivative(lambda b: sin(a * b) * v, order=2)(w)
    )(x),
    "derivative of grad": lambda x, v, w: derivative(
        lambda a: grad(lambda b: sin(a * b) * v)(w), order=2
    )(x),
    "gauss_newton": lambda x, v, w: ae.gauss_newton(lambda p: [p[0] * v - x, p[1] * w])(
        [x, v]
    ).tolist(),
    "softmax": lambda x, v, w: grad(lambda a: ae.softmax([a, v, w])[1])(x),
    "detach": lambda x, v, w: grad(lambda a: a.detach() * a * v.detach())(x),
    "a constant": lambda x, v, w: grad(lambda a: v * w)(x),
    "an operand": lambda x, v, w: [grad(lambda a: a)(x), grad(lambda a: v)(x)],
}  # fmt: skip


# where a dual number of a Value is compared, see FROZEN below
_BAKED: tuple[Any, ...] = ()


@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=_BAKED) if x == "jacobian forward" else x for x in NESTED]
)
def test_derivatives_inside_give_the_numbers_of_the_eager_engine(name: str) -> None:
    f = NESTED[name]
    v, w = values(0.7, 1.3)
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        found = f(x, v, w)
        for z in flat(found):
            assert isinstance(z, Expression | float) or z is v or z is w
    leaf(v, 0.7)
    leaf(w, 1.3)
    for a, b, c in ((0.9, 0.7, 1.3), (0.2, -0.4, 0.8), (1.7, 1.1, 2.0)):
        v.data, w.data = b, c  # nothing is frozen
        expected = plain(f(a, Value(b), Value(c)))
        eager, by_tape = flat(expected), flat(evaluated(recorder, found, a))
        assert by_tape == pytest.approx(eager, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize(
    "take",
    [
        lambda f, x: grad(f)(x),
        lambda f, x: value_and_grad(f)(x),
        lambda f, x: jvp(f, (x,), (1.0,)),
        lambda f, x: vjp(f, x),
        lambda f, x: derivative(f, order=3)(x),
        lambda f, x: taylor(f, x, 2),
        lambda f, x: hessian(f)(x),
        lambda f, x: jvp(grad(f), (x,), (1.0,)),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "cut",
    [
        lambda a, v: 1.0 if a > v else 0.0,
        lambda a, v: float(a),
        lambda a, v: float(v) * a,
        lambda a, v: math.exp(a),
        lambda a, v: max(a, v),
        lambda a, v: round(a) * v,
        lambda a, v: a if v else -a,
    ],
)
def test_derivatives_inside_refuse_what_cannot_be_recorded(take: Function, cut: Function) -> None:
    (v,) = values(2.0)
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        with pytest.raises(TypeError):
            take(lambda a: cut(a, v), x)


def check_frozen(f: Function) -> None:
    """Record at one number of a Value, call at another."""
    (v,) = values(2.0)
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        try:
            found = f(x, v)
        except TypeError:
            return  # refused, which is as good
    v.data = -0.5
    expected = flat(plain(f(1.5, Value(-0.5))))
    assert flat(evaluated(recorder, found, 1.5)) == pytest.approx(expected)


FROZEN: dict[str, Function] = {
    "dual < Value": lambda x, v: jvp(lambda a: where(a < v, a, 2.0 * a), (x,), (1.0,)),
    "Value > dual": lambda x, v: jvp(lambda a: where(v > a, a, 2.0 * a), (x,), (1.0,)),
    "dual of a Value < number": lambda x, v: jvp(lambda a: where(a < 1.0, a, -a), (v,), (1.0,)),
    "if by a dual of a Value": lambda x, v: jvp(lambda a: a if a < 1.0 else -a, (v,), (1.0,)),
    "bool of a dual of a Value": lambda x, v: jvp(lambda a: -a if bool(a < 0) else a, (v,), (1.0,)),
    "detach of a dual of a Value": lambda x, v: jvp(lambda a: a.detach() * a, (v,), (1.0,)),
    "taylor at a Value": lambda x, v: taylor(lambda a: where(a > 0.0, a * a, a), v, 2),
}


@pytest.mark.parametrize("name", FROZEN)
def test_forward_derivatives_inside_freeze_no_value(name: str) -> None:
    check_frozen(FROZEN[name])


REVERSE: dict[str, Function] = {
    "hvp at a Value": lambda x, v: hvp(lambda a: where(a > 0.0, a**3, a), (v,), (1.0,)),
    "argument < Value": lambda x, v: grad(lambda a: where(a < v, a, 2.0 * a))(x),
    "Value > argument": lambda x, v: grad(lambda a: where(v > a, a, 2.0 * a))(x),
    "a Value as argument": lambda x, v: grad(lambda a: where(a < 1.0, a, -a))(v),
    "detach of a Value": lambda x, v: grad(lambda a: a.detach() * a)(v),
    "hessian at a Value": lambda x, v: hessian(lambda a: where(a > 0.0, a**3, a))(v),
}


@pytest.mark.parametrize("name", REVERSE)
def test_derivatives_by_the_tape_freeze_no_value(name: str) -> None:
    check_frozen(REVERSE[name])


def test_a_pullback_may_be_called_again_inside() -> None:
    v, w = values(2.0, 3.0)
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        output, pullback = vjp(lambda a: [a * v, a * a], x)
        found = [output, pullback([1.0, 0.0]), pullback([w, x]), pullback([v, 1.0])]
    assert evaluated(recorder, found, 5.0) == [[10.0, 25.0], (2.0,), (56.0,), (14.0,)]


def test_captured_values_keep_their_grad_whatever_is_taken_inside() -> None:
    v, w = values(2.0, 3.0)
    v.grad = 7.0
    with recording() as recorder:
        x = recorded("x", recorder.tape)
        _ = grad(lambda a: a * v * w)(x)
        _ = hessian(lambda p: p[0] * p[1] * w)([v, x])
    assert (v.grad, w.grad) == (7.0, 0.0)


def test_a_small_network_and_its_gradient_are_recorded() -> None:
    weights = values(*[0.1 * (i - 4) for i in range(9)])

    def loss(ws: Any, x: Any, y: Any) -> Any:
        hidden = [tanh(dot(ws[i : i + 2], [x, y]) + ws[i + 2]) for i in (0, 3)]
        return ae.relu(1.0 - dot(ws[6:8], hidden) - ws[8]) + 1e-2 * dot(ws, ws)

    with recording() as recorder:
        x, y = (recorded(name, recorder.tape) for name in ("x", "y"))
        found = value_and_grad(loss)(weights, x, y)
    value, slopes = evaluated(recorder, found, 0.3, -0.8)
    eager = loss(weights, 0.3, -0.8)
    eager.backward()
    assert value == pytest.approx(eager.data, rel=1e-14)
    assert slopes == pytest.approx([w.grad for w in weights], rel=1e-12, abs=1e-12)
    assert len(recorder.captured) == 9
