"""Misuse of `compile`: errors name operand, value and remedy, and nothing is left half-done."""

from __future__ import annotations

import array
import collections
import copy
import datetime
import decimal
import fractions
import functools
import gc
import heapq
import math
import pickle
import re
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import autograd_engine as ae
import nn
from autograd_engine import (
    AnomalyError,
    Graph,
    Value,
    backend,
    compile,
    detect_anomaly,
    grad,
    gradcheck,
    jvp,
    named_scope,
    no_grad,
    value_and_grad,
    where,
)
from autograd_engine.following import RUNNING
from autograd_engine.modes import MODE, Mode

W, U = Value(2.0, label="w"), Value(3.0)  # what the functions below capture
X = np.arange(1.0, 6.0)
NATIVE = backend == "native"
NUMPY_THRESHOLD = np.float64(1.0)
NEURON = nn.Neuron(3, rng=0)

Function = Callable[..., Any]


def state(mode: Mode) -> tuple[Any, ...]:
    return mode.records, mode.detects, mode.info, mode.recorder


@pytest.fixture(autouse=True)
def _nothing_half_done() -> Iterator[None]:
    """The mode is restored, nothing runs, captured Values are as before, and compile works."""
    before = state(MODE.get())
    captured = [(x, x.data, x.grad, x.label) for x in (W, U)]
    try:
        yield
        assert state(MODE.get()) == before
        assert not RUNNING
        assert [(x, x.data, x.grad, x.label) for x, *_ in captured] == captured
        loss = compile(lambda x: W * x * x, batched=0, reduce="sum")([1.0, 2.0])
        loss.backward()
        assert (loss.data, W.grad) == (10.0, 5.0)
    finally:
        MODE.set(Mode())
        RUNNING.clear()
        for x, data, gradient, _ in captured:
            x.data, x.grad = data, gradient


def says(error: type[BaseException], call: Callable[[], Any], *words: str) -> str:
    """The message of the error that a call raises, which contains all words."""
    with pytest.raises(error) as caught:
        call()
    text = str(caught.value)
    missing = [word for word in words if word not in text]
    assert not missing, f"{missing} not in: {text}"
    return text


def line_in(f: Function, offset: int = 0) -> str:
    """file:line of a function, as messages give it."""
    return f"{f.__code__.co_filename}:{f.__code__.co_firstlineno + offset}"


def total(x: Any) -> Any:
    """The sum of all numbers in a structure."""
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, list | tuple) or getattr(x, "ndim", 0):
        result = 0.0
        for y in x:
            result = result + total(y)
        return result
    return x * 2.0


def square(x: Any) -> Any:
    return x * x


def product(a: Any, x: Any) -> Any:
    return a * x


# --- inside the function: choices -----------------------------------------------------------------

CHOICES: dict[str, Function] = {
    "conditional expression": lambda x: 1.0 if x else 2.0,
    "comparison in a conditional": lambda x: 1.0 if x > 1.5 else 2.0,
    "and": lambda x: x and 2.0,
    "or": lambda x: x or 2.0,
    "not": lambda x: not x,
    "not of a comparison": lambda x: where(not (x > 0), 1.0, x),
    "chained comparison": lambda x: 0.0 < x < 1.0,
    "bool": lambda x: bool(x) * 1.0,
    "builtin max": lambda x: max(x, 0.0),
    "builtin min": lambda x: min([x, 2.0]),
    "sorted": lambda x: sorted([x, 1.0]),
    "any": lambda x: any([x, 1.0]) * x,
    "all": lambda x: all([x, 1.0]) * x,
    "in a list": lambda x: x in [1.0, 2.0] and x,
    "list.index": lambda x: [1.0, 2.0].index(x) * x,
    "list.count": lambda x: [1.0, 2.0].count(x) * x,
    "filter": lambda x: list(filter(None, [x])),
    "numpy.where": lambda x: np.where(x > 0.0, x, 0.0),
    "numpy.max": lambda x: np.max([x, x + 1.0]),
    "numpy.clip": lambda x: np.clip(x, 0.0, 1.0),
    "numpy.sort": lambda x: np.sort(np.array([x, x + 1.0]))[0],
    "numpy.argmax": lambda x: np.argmax([x, 1.0]) * x,
    "captured": lambda x: (1.0 if W else 2.0) * x,
    "captured compared": lambda x: (1.0 if W > 1.0 else 2.0) * x,
    "captured with captured": lambda x: max(W, U) * x,
    "captured in a list": lambda x: (W in [1.0, 2.0]) * x,
    "captured and argument": lambda x: x if W > x else W,
    "derived from captured": lambda x: x if W * 2.0 > 1.0 else W,
}


@pytest.mark.parametrize("f", CHOICES.values(), ids=CHOICES)
def test_a_choice_by_a_recorded_number_names_the_line_and_what_to_write(f: Function) -> None:
    text = says(TypeError, lambda: compile(f)(2.0), line_in(f), "where(")
    assert re.search(r"\bw\b" if "W" in f.__code__.co_names else r"\bx\b", text)


def statement_if(x: Any) -> Any:
    y = x * 3.0
    if y > 1.0:
        return x
    return y


def statement_while(x: Any) -> Any:
    y = x
    while y > 1.0:
        y = y / 2.0
    return y


def statement_assert(x: Any) -> Any:
    y = x + 1.0
    assert y > 0.0, "x must be positive"
    return y


def statement_match(x: Any) -> Any:
    y = x
    match y:
        case 1.0:
            return x
    return y


@pytest.mark.parametrize(
    ("f", "offset", "text"),
    [
        (statement_if, 2, "(x * 3.0) > 1.0"),
        (statement_while, 2, "x > 1.0"),
        (statement_assert, 2, "(x + 1.0) > 0.0"),
        (statement_match, 3, "x == 1.0"),
    ],
)
def test_a_statement_that_chooses_names_its_own_line_and_condition(
    f: Function, offset: int, text: str
) -> None:
    says(TypeError, lambda: compile(f)(2.0), line_in(f, offset), text, "where(")
    says(TypeError, lambda: compile(f, batched=0)([2.0]), line_in(f, offset), text)
    says(TypeError, lambda: compile(grad(f))(2.0), line_in(f, offset), text)
    says(TypeError, lambda: compile(f)(Value(2.0)), line_in(f, offset), text)


def test_a_choice_names_the_path_of_the_argument() -> None:
    def f(model: Any) -> Any:
        return max(model["layers"][1][0], 0.0)

    says(TypeError, lambda: compile(f)({"layers": [1.0, [2.0]]}), "model['layers'][1][0]")


@pytest.mark.parametrize(
    "f", [lambda x: heapq.nlargest(1, [x, 1.0])[0], lambda x: copy.deepcopy(W) * x]
)
def test_the_line_is_the_users_also_under_the_standard_library(f: Function) -> None:
    says(TypeError, lambda: compile(f)(2.0), line_in(f))


def test_is_none_and_isinstance_are_allowed() -> None:
    def f(x: Any, y: Any = None) -> Any:
        return x * 2.0 if y is None and x is not None and not isinstance(x, str) else y

    assert compile(f)(2.0) == 4.0


@pytest.mark.parametrize(
    "f",
    [
        pytest.param(lambda x: x if x == None else 2.0 * x),  # noqa: E711
        pytest.param(lambda x: 2.0 * x if x != None else x),  # noqa: E711
        pytest.param(lambda x: x if W == None else 2.0 * x),  # noqa: E711
    ],
)
def test_equality_with_what_is_no_number_is_known_as_in_the_eager_engine(f: Function) -> None:
    assert compile(f)(2.0) == 4.0


# --- inside the function: numbers -----------------------------------------------------------------

NUMBERS: dict[str, Function] = {
    "float": lambda x: float(x),
    "int": lambda x: int(x) * x,
    "round": lambda x: round(x) * x,
    "round to digits": lambda x: round(x, 2) * x,
    "complex": lambda x: complex(x),
    "range": lambda x: sum(range(x)) * x,
    "index of a list": lambda x: [1.0, 2.0, 3.0][x],
    "slice": lambda x: [1.0, 2.0, 3.0][:x],
    "math.exp": lambda x: math.exp(x),
    "math.sqrt": lambda x: math.sqrt(x),
    "math.floor": lambda x: math.floor(x) * x,
    "math.ceil": lambda x: math.ceil(x) * x,
    "math.trunc": lambda x: math.trunc(x) * x,
    "math.isnan": lambda x: math.isnan(x) * x,
    "math.hypot": lambda x: math.hypot(x, 1.0),
    "math.fsum": lambda x: math.fsum([x, x]),
    "percent": lambda x: "%f" % x and x,  # noqa: UP031
    "numpy.float64": lambda x: np.float64(x) * x,
    "array of floats": lambda x: np.array([x], dtype=float)[0] * x,
    "into an array of floats": lambda x: np.zeros(3).fill(x),
    "captured float": lambda x: float(W) * x,
    "captured int": lambda x: int(W) * x,
    "captured round": lambda x: round(W) * x,
    "captured math.log": lambda x: math.log(W) * x,
    "captured numpy.float64": lambda x: np.float64(W) * x,
    "captured array of floats": lambda x: np.array([W], dtype=float)[0] * x,
    "derived": lambda x: math.exp(x * W + 1.0),
}


@pytest.mark.parametrize("f", NUMBERS.values(), ids=NUMBERS)
def test_a_recorded_number_taken_as_a_number_names_the_line_and_the_remedy(f: Function) -> None:
    text = says(TypeError, lambda: compile(f)(2.0), line_in(f), "primitives of autograd_engine")
    assert re.search(r"\bw\b" if "W" in f.__code__.co_names else r"\bx\b", text)


def test_formatting_a_recorded_number_is_allowed() -> None:
    seen = []

    def f(x: Any) -> Any:
        seen.append(f"{x:.3f} {x} {W:.3f} {x!r}")
        return x * W

    assert compile(f)(2.0).data == 4.0
    assert "x" in seen[0]


ELEMENTWISE_QUESTIONS = [
    np.floor, np.ceil, np.trunc, np.rint, np.isnan, np.isfinite, np.isinf, np.signbit,
]  # fmt: skip


@pytest.mark.parametrize("ufunc", ELEMENTWISE_QUESTIONS, ids=lambda f: f.__name__)
def test_numpys_questions_about_an_argument_raise_with_the_line(ufunc: Any) -> None:
    def f(x: Any) -> Any:
        return ufunc(x) * x

    says(TypeError, lambda: compile(f)(2.0), line_in(f, 1))


@pytest.mark.parametrize("ufunc", ELEMENTWISE_QUESTIONS, ids=lambda f: f.__name__)
def test_numpys_questions_about_a_captured_value_are_never_baked(ufunc: Any) -> None:
    def f(x: Any) -> Any:
        return ufunc(W) * x

    says(TypeError, lambda: compile(f)(2.0), line_in(f, 1))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x if NUMPY_THRESHOLD < W else -x,
        lambda x: x if NUMPY_THRESHOLD == W else -x,
        lambda x: x * (NUMPY_THRESHOLD < W),
        lambda x: x if np.greater(W, 1.0) else -x,
        lambda x: np.sum(np.array([2.0, 3.0]) > W) * x,
        lambda x: x if W in np.array([2.0]) else -x,
    ],
    ids=["if", "if equal", "product", "numpy.greater", "array", "in"],
)
def test_a_numpy_number_compared_with_a_captured_value_is_never_baked(f: Function) -> None:
    w = W.data
    c = compile(f)
    try:
        c(2.0)
        W.data = 1.0
        assert c(2.0) == f(2.0)
    except TypeError as error:
        assert line_in(f) in str(error)
    finally:
        W.data = w


@pytest.mark.parametrize(
    "f",
    [
        lambda x: where(NUMPY_THRESHOLD < x, x, 0.0),
        lambda x: where(np.array(1.0) < x, x, 0.0),
        lambda x: (NUMPY_THRESHOLD < x) * x,
    ],
    ids=["where", "0-d array", "product"],
)
def test_a_numpy_number_compares_with_an_argument_as_a_float_does(f: Function) -> None:
    assert compile(f)(2.0) == 2.0
    assert compile(f)(0.5) == 0.0


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: x + 1j, ("add", "complex", "1j")),
        (lambda x: x + None, ("add", "None")),
        (lambda x: x + "a", ("add", "'a'", "float(text)")),
        (lambda x: x * [1.0], ("mul", "[1.0]")),
        (lambda x: ae.exp("a") * x, ("exp", "'a'")),
        (lambda x: ae.where(x, x), ("where", "3", "2")),
        (lambda x: ae.sum(x), ("sum", "sequence")),
        (lambda x: np.fmod(x, 2.0), ("fmod", "primitive")),
        (lambda x: np.degrees(W) * x, ("degrees", "primitive")),
    ],
)
def test_operands_that_are_no_numbers_name_operation_value_and_remedy(
    f: Function, words: tuple[str, ...]
) -> None:
    says(TypeError, lambda: compile(f)(2.0), *words)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: ae.dot([x], [x, x]), ("dot", "1 and 2")),
        (lambda x: ae.mean([]) + x, ("mean", "none")),
        (lambda x: NEURON([x, x]), ("Neuron", "expected 3", "got 2")),
    ],
)
def test_sequences_of_the_wrong_length_name_operation_and_lengths(
    f: Function, words: tuple[str, ...]
) -> None:
    says(ValueError, lambda: compile(f)(2.0), *words)


def test_a_model_built_inside_works_or_says_that_it_belongs_outside() -> None:
    try:
        assert compile(lambda x: nn.Neuron(1, activation="relu", rng=0)([x]))(2.0).data >= 0.0
    except (TypeError, ValueError) as error:
        assert "unknown activation" not in str(error)


@pytest.mark.parametrize("use", [lambda x: (W * x).backward(), lambda x: x.grad * x])
def test_backward_inside_names_value_and_grad(use: Function) -> None:
    says((TypeError, AttributeError), lambda: compile(use)(2.0), "grad(")  # type: ignore[arg-type]


def with_update(x: Any) -> Any:
    W.data = W.data - 0.1
    return W * x


def with_gradient_set(x: Any) -> Any:
    W.grad = 1.0
    return W * x


def with_zero_grad(x: Any) -> Any:
    W.zero_grad()
    return W * x


def with_backward_of_a_leaf(x: Any) -> Any:
    W.backward()
    return W * x


@pytest.mark.parametrize(
    "f", [with_update, with_gradient_set, with_zero_grad, with_backward_of_a_leaf]
)
def test_changing_a_value_inside_raises_with_the_line(f: Function) -> None:
    W.grad = 0.0
    says(TypeError, lambda: compile(f)(2.0), line_in(f, 1))


def test_changing_an_argument_inside_raises() -> None:
    def f(x: Any) -> Any:
        x.data = 1.0
        return x

    with pytest.raises((TypeError, AttributeError), match="data"):
        compile(f)(2.0)


@pytest.mark.parametrize("f", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_recorded_number_is_not_copied_behind_the_back_of_the_recording(f: Function) -> None:
    says(TypeError, lambda: compile(lambda x: (f(x), x)[1])(2.0), "x", "recorded")


# --- inside the function: modes -------------------------------------------------------------------


def test_no_grad_inside_says_what_to_do_and_no_grad_outside_works() -> None:
    def f(x: Any) -> Any:
        with no_grad():
            return W * x

    for g in (f, no_grad(lambda x: W * x)):
        says(TypeError, lambda g=g: compile(g)(2.0), "no_grad", "detach()", "under no_grad")
    with no_grad():
        plain = compile(lambda x: W * x)(2.0)
    assert (plain.data, plain._prev) == (4.0, ())


def test_compiled_under_no_grad_and_called_outside_has_gradients() -> None:
    with no_grad():
        c = compile(lambda x: W * x)
        c(2.0)
    c(3.0).backward()
    assert W.grad == 3.0
    W.grad = 0.0


def test_scopes_inside_and_around_are_allowed() -> None:
    def f(x: Any) -> Any:
        with named_scope("layer 0"):
            return W * x

    with named_scope("outer"):
        assert compile(f)(2.0).data == 4.0


def test_a_scope_left_open_inside_does_not_outlive_the_recording() -> None:
    def f(x: Any) -> Any:
        named_scope("left open").__enter__()
        return W * x

    assert compile(f)(2.0).data == 4.0  # the fixture looks at the mode


def test_detect_anomaly_inside_works_or_says_that_it_belongs_outside() -> None:
    def f(x: Any) -> Any:
        with detect_anomaly():
            return ae.log(W - 2.0) * x

    with pytest.raises((TypeError, AnomalyError), match=r"detect_anomaly|log"):
        compile(f)(2.0)


def test_detect_anomaly_around_a_call_names_the_operation_and_the_line() -> None:
    def f(x: Any) -> Any:
        return 1.0 / (ae.log(W - 2.0) * x)

    for options, x in (({}, 1.0), ({"batched": 0, "reduce": "mean"}, [1.0, 2.0])):
        c = compile(f, **options)
        assert c(x).data == 0.0
        with detect_anomaly():
            says(AnomalyError, lambda c=c, x=x: c(x), "log", "-inf", line_in(f, 1))


def test_detect_anomaly_around_backward_names_the_function_and_the_value() -> None:
    v = Value(0.0, label="v")
    c = compile(lambda x: ae.sqrt(v) * x, batched=0, reduce="mean")
    with detect_anomaly():
        text = says(AnomalyError, lambda: c([1.0, 2.0]).backward(), "v", "inf")
        assert "outside detect_anomaly" not in text
    assert v.grad == 0.0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((2.0,), ("x", "not given")),
        ((2.0, []), ("x", "empty")),
        ((2.0, 1.0), ("compile: x", "batch")),
        ((2.0, ["a"]), ("compile: x", "number")),
    ],
)
def test_detect_anomaly_around_a_call_leaves_other_errors_as_they_are(
    args: tuple[Any, ...], words: tuple[str, ...]
) -> None:
    c = compile(product, batched=1)
    with detect_anomaly(), pytest.raises((TypeError, ValueError)) as caught:
        c(*args)
    assert all(word in str(caught.value) for word in words)


def test_detect_anomaly_lets_finite_results_pass() -> None:
    with detect_anomaly():
        compile(lambda x: W * x, batched=0, reduce="mean")([1.0, 3.0]).backward()
    assert W.grad == 2.0
    W.grad = 0.0


# --- inside the function: what is kept, what is raised --------------------------------------------


def test_a_recorded_number_kept_for_the_next_recording_raises() -> None:
    kept: list[Any] = []

    def f(x: Any) -> Any:
        y = ae.sum(x) if getattr(x, "ndim", 0) else x
        if kept:
            return y + kept[0]
        kept.append(y * 2.0)
        return y

    c = compile(f)
    assert c(2.0) == c(2.0) == 2.0
    says(TypeError, lambda: c(X), "x * 2.0", "another function", "argument")
    assert c(3.0) == 3.0


@pytest.mark.parametrize(
    "use",
    [
        lambda kept: kept * 2.0,
        lambda kept: kept + 1.0 > 1.0,
        lambda kept: ae.exp(kept),
        lambda kept: float(kept),
        lambda kept: compile(square)(kept),
        lambda kept: W * kept,
        lambda kept: grad(lambda z: z * kept)(2.0),
    ],
)  # fmt: skip
def test_a_recorded_number_used_after_the_call_says_what_it_is(use: Function) -> None:
    kept = []
    compile(lambda x: (kept.append(x * 2.0), x)[1])(2.0)
    with pytest.raises((TypeError, RuntimeError), match="recorded"):
        use(kept[0])


@pytest.mark.parametrize(
    "error",
    [KeyError("own"), ZeroDivisionError(), KeyboardInterrupt(), SystemExit(3), StopIteration()],
)  # fmt: skip
def test_what_the_function_raises_comes_through_unchanged(error: BaseException) -> None:
    def f(x: Any) -> Any:
        if fail:
            raise error
        return x * W

    for c, x in ((compile(f), 2.0), (compile(f, batched=0), X)):
        fail = True
        with pytest.raises(type(error)) as caught:
            c(x)
        assert caught.value is error
        assert error.__cause__ is None
        assert error.__context__ is None
        assert caught.traceback[-1].name == "f"
        fail = False
        c(x)


def test_a_failed_recording_is_not_kept() -> None:
    calls = []

    def f(x: Any) -> Any:
        calls.append(x)
        return float(x)

    c = compile(f)
    for count in (1, 2):
        with pytest.raises(TypeError):
            c(2.0)
        assert len(calls) == count
    with pytest.raises(RuntimeError, match="nothing is recorded"):
        c.program  # noqa: B018


def test_recursion_without_end_is_a_recursion_error_and_with_an_end_is_recorded() -> None:
    def endless(x: Any) -> Any:
        return endless(x) * x

    def power(x: Any, n: int = 5) -> Any:
        return x if n == 1 else x * power(x, n - 1)

    def itself(x: Any) -> Any:
        return x * compiled_itself(x)

    compiled_itself = compile(itself)
    for f in (compile(endless), compiled_itself):
        with pytest.raises(RecursionError):
            f(2.0)
    assert compile(power)(2.0) == 32.0


def test_errors_after_a_good_call_leave_the_good_one() -> None:
    c = compile(product, batched=1)
    want = [2.0, 4.0]
    assert c(2.0, [1.0, 2.0]).tolist() == want
    wrong: list[tuple[Any, ...]] = [
        ("a", [1.0]), (2.0, "ab"), (2.0,), (2.0, [1.0], 3.0), (2.0, None), (2.0, []),
        (2.0, [1j]), (1j, [1.0]), (2.0, [[1.0], [1.0, 2.0]]), (W, ["a"]), (None, None),
    ]  # fmt: skip
    for args in wrong:
        with pytest.raises((TypeError, ValueError)):
            c(*args)
        assert c(2.0, [1.0, 2.0]).tolist() == want


# --- results --------------------------------------------------------------------------------------


def generates(x: Any) -> Any:
    yield x * 2.0


async def later(x: Any) -> Any:
    return x * 2.0


@pytest.mark.parametrize("f", [generates, later])
def test_functions_that_run_after_their_call_are_refused_at_once(f: Function) -> None:
    says(TypeError, lambda: compile(f), f.__name__)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: None, ("None",)),
        (lambda x: "a", ("str", "'a'")),
        (lambda x: b"a", ("bytes",)),
        (lambda x: 1j, ("complex",)),
        (lambda x: (x * i for i in range(3)), ("generator",)),
        (lambda x: map(square, [x]), ("map",)),
        (lambda x: {x, x + 1.0}, ("set",)),
        (lambda x: range(3), ("range",)),
        (lambda x: collections.deque([x]), ("deque",)),
        (lambda x: square, ("function",)),
        (lambda x: {"a": [x, None]}, ("['a'][1]", "None")),
        (lambda x: [x, ("b", x)], ("[1][0]", "'b'")),
        (lambda x: np.array([x, "a"], dtype=object), ("[1]", "'a'")),
        (lambda x: np.array([1j]), ("complex",)),
        (fractions.Fraction, ("Fraction",)),
        pytest.param(type, ("compile",), id="class"),
        pytest.param(lambda x: (x, decimal.Decimal(2)), ("compile", "[1]"), id="Decimal"),
    ],
)  # fmt: skip
def test_results_that_are_no_numbers_name_the_function_the_place_and_the_remedy(
    f: Function, words: tuple[str, ...]
) -> None:
    if f is not fractions.Fraction:
        words = (*words, f"compile: {f.__name__} returned", "return numbers")
    else:
        words = ()  # it converts its argument itself
    says(TypeError, lambda: compile(f)(2.0), *words)


def test_a_result_too_large_for_a_float_names_the_function_and_the_place() -> None:
    says(TypeError, lambda: compile(lambda x: (x, 10**400))(2.0), "compile", "[1]", "too large")


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 3.0,
        lambda x: True,
        lambda x: [],
        lambda x: {},
        lambda x: np.zeros(3),
        lambda x: W.data,
        lambda x: where(x, 1.0, 1.0),
        lambda: 3.0,
    ],
)
def test_a_result_that_depends_on_nothing_says_so(f: Function) -> None:
    arguments = [2.0] * f.__code__.co_argcount
    says(TypeError, lambda: compile(f)(*arguments), f.__name__, "depends on none", "every call")


def test_one_number_that_depends_on_an_argument_is_enough() -> None:
    assert compile(lambda x: [3.0, x])(2.0) == [3.0, 2.0]
    assert compile(lambda x: x * 0.0)(2.0) == 0.0
    assert compile(lambda: W * W)().data == 4.0
    assert compile(lambda x: W.detach() * x)(2.0) == 4.0


def test_a_masked_result_is_refused() -> None:
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    with pytest.raises((TypeError, ValueError), match="mask"):
        compile(lambda x: masked * x)(2.0)


# --- what is compiled -----------------------------------------------------------------------------


@pytest.mark.parametrize("f", [3, "square", 4.0, W, math, [square], property(square)])
def test_what_is_no_function_is_refused_at_once(f: Any) -> None:
    says(TypeError, lambda: compile(f), "compile", "expected a function", type(f).__name__)
    says(TypeError, lambda: compile(batched=0)(f), "expected a function")


def test_calling_in_place_of_naming_the_function_is_refused() -> None:
    says(TypeError, lambda: compile(square(3.0)), "compile", "expected a function", "9.0")


def test_a_builtin_function_says_what_to_use_instead() -> None:
    for f in (math.sin, math.exp, float, int):
        says(TypeError, lambda f=f: compile(f)(2.0), "primitives of autograd_engine", "math")


def test_functions_of_many_kinds_compile() -> None:
    line = type("Line", (), {"slope": W, "at": lambda self, x: self.slope * x})
    line.__call__ = line.at  # type: ignore[attr-defined]
    assert compile(line().at)(3.0).data == 6.0
    assert compile(line())(3.0).data == 6.0
    assert compile(lambda x: x * x)(3.0) == 9.0
    assert compile(functools.partial(product, 2.0))(3.0) == 6.0
    assert compile(functools.cache(square))(3.0) == 9.0
    assert compile(staticmethod(square))(3.0) == 9.0
    assert compile(ae.tanh)(3.0) == pytest.approx(math.tanh(3.0), abs=1e-15)
    assert compile(compile(square))(3.0) == 9.0
    assert compile(compile(product, batched=1, reduce="sum"))(2.0, X) == 30.0
    assert compile(grad(compile(square)))(3.0) == 6.0
    assert compile(compile(grad(square)))(3.0) == 6.0
    model = nn.MLP(2, [3, 1], rng=0)
    assert compile(model)([1.0, 2.0]).data == pytest.approx(model([1.0, 2.0]).data, rel=1e-14)


def test_a_decorator_works_with_and_without_parentheses() -> None:
    assert compile(square)(3.0) == compile()(square)(3.0) == 9.0
    assert compile(batched="x", reduce="sum")(square)([1.0, 2.0]) == 5.0
    assert compile(square).__name__ == "square"


def test_a_decorated_method_is_a_method() -> None:
    line = type("Line", (), {"slope": W, "at": compile(lambda self, x: self.slope * x)})
    assert line().at(3.0).data == 6.0  # or, at least, a message that names the bound method


@pytest.mark.parametrize(
    "f",
    [
        functools.partial(lambda x, n: sum(x for _ in range(n)), n=3),
        functools.partial(lambda x, kind="cube": x * 3.0 if kind == "triple" else x, kind="triple"),
    ],
)
def test_what_a_partial_binds_by_name_is_bound(f: Function) -> None:
    assert compile(f)(2.0) == 6.0


def test_keyword_only_arguments_keep_their_default_or_are_refused_at_once() -> None:
    def only(x: Any, *, k: Any) -> Any:
        return x * k

    def default(x: Any, *, k: Any = 2.0) -> Any:
        return x * k

    assert compile(default)(3.0) == 6.0
    says(TypeError, lambda: compile(default)(3.0, k=1.0), "'k'")

    def keywords(x: Any, **rest: Any) -> Any:
        return x

    says(TypeError, lambda: compile(only), "k", "by name", "positional")
    says(TypeError, lambda: compile(keywords), "rest", "by name")


def test_an_argument_called_out_is_refused_at_once() -> None:
    says(TypeError, lambda: compile(lambda x, out: x), "out", "another name")


# --- batched=, reduce=, threads= ------------------------------------------------------------------


@pytest.mark.parametrize(
    "batched",
    [
        "z", 2, -1, -2, True, False, "ax", "", (None,), ((1,),), 10**30,
        pytest.param(1.0), pytest.param(0.0),
        pytest.param(None), pytest.param(W),
    ],
)  # fmt: skip
def test_a_batched_that_is_no_argument_is_refused_at_once(batched: Any) -> None:
    value = batched[0] if isinstance(batched, tuple) else batched
    says(TypeError, lambda: compile(product, batched=batched), f"batched={value!r}", "a, x")


@pytest.mark.parametrize("batched", [(1, 1), ("x", "x"), (1, "x"), [1], {"x"}, iter([1])])
def test_an_argument_named_twice_is_batched_once(batched: Any) -> None:
    assert compile(product, batched=batched)(2.0, X).tolist() == (2.0 * X).tolist()


@pytest.mark.parametrize("batched", [np.int64(1), np.array([1])])
def test_numpys_whole_numbers_are_positions_too(batched: Any) -> None:
    assert compile(product, batched=batched)(2.0, X).tolist() == (2.0 * X).tolist()


@pytest.mark.parametrize(
    "reduce", ["max", "Mean", "", "sum ", 0, 1, True, np.mean, ["mean"], ae.sum]
)
def test_another_reduce_is_refused_at_once(reduce: Any) -> None:
    says(ValueError, lambda: compile(square, batched=0, reduce=reduce),
         "reduce", "'mean', 'sum' or None", repr(reduce))  # fmt: skip


def test_reduce_without_a_batch_is_refused_at_once() -> None:
    says(TypeError, lambda: compile(square, reduce="mean"), "reduce='mean'", "batched=")
    says(TypeError, lambda: compile(square, batched=[], reduce="sum"), "reduce='sum'", "batched=")


@pytest.mark.parametrize("threads", [0, -1, "2", 1.5, True, None])
def test_threads_that_are_no_number_of_threads_are_refused_at_once(threads: Any) -> None:
    says(ValueError, lambda: compile(square, batched=0, threads=threads),
         "threads", "whole number", repr(threads))  # fmt: skip


@pytest.mark.parametrize("threads", [10**10, pytest.param(2**70)])
def test_more_threads_than_there_are_cost_nothing(threads: Any) -> None:
    assert compile(square, batched=0, threads=threads)(X).tolist() == (X * X).tolist()


def test_options_that_do_not_exist_are_named() -> None:
    says(TypeError, lambda: compile(square, batch=0), "batch")  # type: ignore[call-overload]
    says(TypeError, lambda: compile(square, 0), "positional")  # type: ignore[call-overload]


# --- arguments by number and name -----------------------------------------------------------------


def three(a: Any, b: Any = 2.0, c: Any = 3.0) -> Any:
    return a * b + c


@pytest.mark.parametrize(
    ("args", "named", "want"),
    [
        ((1.0,), {}, 5.0),
        ((1.0, 4.0), {}, 7.0),
        ((), {"a": 1.0}, 5.0),
        ((1.0,), {"c": 5.0, "b": 1.0}, 6.0),
        ((), {"c": 1.0, "a": 2.0, "b": 3.0}, 7.0),
        pytest.param((1.0,), {"c": 5.0}, 7.0),
    ],
)
def test_arguments_are_taken_by_name_and_defaults_hold(
    args: tuple[Any, ...], named: dict[str, Any], want: float
) -> None:
    c = compile(three)
    assert c(*args, **named) == c(*args, **named) == three(*args, **named) == want


@pytest.mark.parametrize(
    ("args", "named", "words"),
    [
        ((), {}, ("three", "missing", "'a'")),
        ((1.0, 2.0, 3.0, 4.0), {}, ("three", "3 positional arguments", "4")),
        ((1.0,), {"z": 3.0}, ("'z'",)),
        ((1.0,), {"a": 3.0}, ("'a'",)),
        ((1.0, 2.0, 3.0), {"c": 1.0}, ("'c'",)),
        pytest.param((), {"b": 1.0}, ("'a'",)),
        pytest.param((1.0, 2.0, 3.0, None), {}, ("3 positional",)),
    ],
)
def test_arguments_that_do_not_fit_are_named(
    args: tuple[Any, ...], named: dict[str, Any], words: tuple[str, ...]
) -> None:
    c = compile(three)
    says(TypeError, lambda: c(*args, **named), *words)
    c(1.0)
    says(TypeError, lambda: c(*args, **named), *words)


def test_an_argument_may_be_called_self() -> None:
    assert compile(lambda self, x: self * x)(self=2.0, x=3.0) == 6.0


def test_batched_arguments_that_are_not_given_are_named() -> None:
    says(TypeError, lambda: compile(product, batched=1)(2.0), "x", "batched", "not given")
    says(TypeError, lambda: compile(three, batched="b")(2.0), "b", "batched", "not given")
    says(TypeError, lambda: compile(three, batched="b")(2.0, c=1.0))


def test_any_number_of_arguments() -> None:
    def f(*xs: Any) -> Any:
        return ae.sum(list(xs))

    assert compile(f)(1.0, 2.0) == 3.0
    assert compile(f, batched=1)(1.0, X).tolist() == (1.0 + X).tolist()
    says(TypeError, lambda: compile(f, batched=5)(1.0, 2.0), "args[5]", "not given")


def test_a_name_for_any_number_of_arguments_is_named() -> None:
    def f(a: Any, *xs: Any) -> Any:
        return a

    says(TypeError, lambda: compile(f, batched="xs"), "batched='xs'", "any number more")
    says(TypeError, lambda: compile(f, batched=-1), "batched=-1")


SETTINGS: list[Any] = [
    pytest.param(lambda x, kind: x if kind == "a" else -x, "a", "kind", id="text"),
    pytest.param(lambda x, bias: x if bias is None else x + bias, None, "bias", id="None"),
    pytest.param(lambda x, n: sum(x for _ in range(n)), 3, "n", id="count"),
    pytest.param(lambda x, flag: x if flag else -x, True, "flag", id="flag"),
    pytest.param(lambda x, f: f(x), square, "f", id="function"),
    pytest.param(lambda x, model: model([x, x, x]), NEURON, "model", id="model"),
]


@pytest.mark.parametrize(("f", "setting", "name"), SETTINGS)
def test_an_argument_that_is_no_number_but_a_setting_is_named(
    f: Function, setting: Any, name: str
) -> None:
    text = says(TypeError, lambda: compile(f)(2.0, setting))
    assert re.search(rf"\b{name}\b", text)


@pytest.mark.parametrize(("f", "setting", "name"), SETTINGS)
def test_an_argument_that_is_no_number_but_a_setting_has_the_remedy(
    f: Function, setting: Any, name: str
) -> None:
    says(TypeError, lambda: compile(f)(2.0, setting), "partial")


# --- data -----------------------------------------------------------------------------------------


def masked() -> Any:
    return np.ma.array([1.0, 2.0], mask=[False, True])


def f_of(x: Any) -> Any:
    return total(x)


NO_NUMBERS: dict[str, Any] = {
    "text": "a", "bytes": b"ab", "None": None, "complex": 1j, "object": object(),
    "set": {1.0, 2.0}, "generator": (i for i in range(3)), "date": datetime.date(2020, 1, 1),
    "Decimal": decimal.Decimal("1.5"), "function": square, "class": float, "Ellipsis": ...,
    "list of text": [1.0, "a"], "list with None": [1.0, None], "nested None": [[1.0, None]],
    "numpy complex": np.complex128(1.0), "0-d text": np.array("a"),
    "text array": np.array(["1.0"]), "complex array": np.array([1j]),
    "object array with None": np.array([1.0, None], dtype=object),
    "dates": np.array(["2020-01-01"], dtype="M8[D]"),
    "structured": np.array([(1.0, 2)], dtype=[("a", float), ("b", int)]),
}  # fmt: skip


@pytest.mark.parametrize("x", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_an_argument_that_is_no_number_is_named(x: Any) -> None:
    c = compile(f_of)
    says(TypeError, lambda: c(x), "compile", "x", "expected a real number")
    c(1.0)
    text = says(TypeError, lambda: c(x), "compile", "expected a real number")
    if NATIVE:
        assert "compile: x" in text


@pytest.mark.parametrize("x", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_a_batch_that_is_no_numbers_is_named(x: Any) -> None:
    for f in (compile(f_of, batched=0), compile(f_of, batched="x", reduce="mean")):
        word = "number" if hasattr(x, "__len__") else "batch"
        says(TypeError, lambda f=f: f(x), "compile: x", word)


@pytest.mark.parametrize(
    "x",
    [
        pytest.param(np.array([1], dtype="m8[s]"), id="durations"),
    ],
)
def test_other_things_that_are_no_numbers_are_named(x: Any) -> None:
    says(TypeError, lambda: compile(f_of)(x), "compile: x")


@pytest.mark.parametrize("x", [range(3), array.array("d", [1.0]), {1.0}, collections.deque([1.0])])
def test_collections_that_are_no_lists_have_the_remedy(x: Any) -> None:
    text = says(TypeError, lambda: compile(f_of)(x), "compile: x")
    assert "list(" in text or "numpy." in text


SAYS = "native: 'the batches differ in size: x has 3'"


@pytest.mark.parametrize(
    "x",
    [
        pytest.param(range(3), id="range"),
        pytest.param(array.array("d", [0.0, 1.0, 2.0]), id="array.array"),
        pytest.param(collections.deque([0.0, 1.0, 2.0]), id="deque"),
    ],
)
def test_any_sequence_of_numbers_is_a_batch(x: Any) -> None:
    assert compile(f_of, batched=0)(x).tolist() == [0.0, 2.0, 4.0]


def test_a_tensor_of_torch_is_named_or_computed() -> None:
    torch = pytest.importorskip("torch")
    assert compile(f_of)(torch.tensor(1.5, dtype=torch.float64)) == 3.0


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="whole"),
        pytest.param({"batched": 0}, id="batch"),
    ],
)
def test_a_tensor_of_torch_is_computed_or_named(options: Any) -> None:
    torch = pytest.importorskip("torch")
    try:
        found = compile(f_of, **options)(torch.tensor([1.0, 2.0], dtype=torch.float64))
        assert np.sum(found) == 6.0
    except TypeError as error:
        assert re.search(r"x.*Tensor.*numpy", str(error))


@pytest.mark.parametrize("options", [{}, {"batched": 0}, {"batched": 0, "reduce": "mean"}])
@pytest.mark.filterwarnings("ignore:Warning. converting a masked element to nan")
def test_masked_arrays_are_refused_with_the_remedy(options: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"x.*mask.*filled\("):
        compile(f_of, **options)(masked())


@pytest.mark.parametrize("options", [{}, {"batched": 0}])
@pytest.mark.parametrize(
    "kind", ["f2", "f4", ">f8", "g", "i1", "u8", "?", np.int64], ids=lambda x: str(x)
)
def test_numbers_of_every_kind_are_computed_with(kind: Any, options: Any) -> None:
    x = np.array([0, 1, 1]).astype(kind)
    for y in (x, x[::-1], np.broadcast_to(x[1], (3,)), x[:1]):
        assert np.sum(compile(f_of, **options)(y)) == 2.0 * np.sum(y.astype(float))


@pytest.mark.parametrize("x", [True, 3, fractions.Fraction(1, 2), np.float32(1.5), np.array(2.0)])
def test_one_number_of_every_kind_is_computed_with(x: Any) -> None:
    assert compile(f_of)(x) == 2.0 * float(x)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_matrices_and_objects_are_computed_with() -> None:
    matrix = np.asmatrix(np.ones((2, 3)))
    assert compile(f_of)(matrix) == 12.0
    assert compile(f_of, batched=0)(matrix).tolist() == [6.0, 6.0]
    assert compile(f_of)(np.array([1.0, 2], dtype=object)) == 6.0
    mixed = compile(f_of)(np.array([1.0, W], dtype=object))
    assert mixed.data == 6.0
    assert mixed._prev == (W,)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.array([1.0, 2.0], dtype=object), ("astype(float)",)),
        ([1.0, None], ("None", "x[1]")),
        ([[1.0], ["a"]], ("'a'", "x[1][0]")),
        ([1.0, 10**400], ("too large", "x[1]")),
    ],
)
def test_a_batch_of_objects_has_the_place_and_the_remedy(x: Any, words: tuple[str, ...]) -> None:
    says((TypeError, ValueError), lambda: compile(f_of, batched=0)(x), *words)  # type: ignore[arg-type]


@pytest.mark.parametrize("x", [[W, U], [W, 1.0], np.array([W, 1.0], dtype=object), [[W], [1.0]]])
def test_values_in_a_batch_are_computed_as_in_the_eager_engine(x: Any) -> None:
    want = total(list(x)) * 3.0
    found = compile(lambda x: total(x) * 3.0, batched=0, reduce="sum")(x)
    assert found.data == want.data
    found.backward()
    assert W.grad == 6.0
    W.grad = U.grad = 0.0


@pytest.mark.parametrize(
    "x",
    [1.0, 3, np.float64(1.0), np.array(1.0), None, pytest.param(W)],
)
def test_one_number_where_a_batch_is_expected_is_named(x: Any) -> None:
    says(TypeError, lambda: compile(f_of, batched=0)(x), "compile: x", "batch")


def test_not_a_number_and_infinity_compute_as_ieee_754_says() -> None:
    quotients = compile(lambda a, x: a / x, batched=1)(1.0, [0.0, -0.0, math.nan, math.inf])
    np.testing.assert_array_equal(quotients, [math.inf, -math.inf, math.nan, 0.0])
    assert math.isnan(compile(lambda x: x * 0.0)(math.inf))
    assert compile(lambda x: ae.exp(x))(1000.0) == math.inf
    assert compile(lambda x: ae.log(x))(0.0) == -math.inf
    assert math.isnan(compile(lambda x: x**0.5)(-2.0))
    assert math.isnan(compile(lambda x: ae.relu(x))(math.nan))


@pytest.mark.parametrize("x", [10**400, -(10**400), [1.0, 10**400]])
def test_whole_numbers_too_large_for_a_float_are_named(x: Any) -> None:
    c = compile(f_of)
    says(ValueError, lambda: c(x), "compile", "x", "too large")
    c(1.0)
    says(ValueError, lambda: c(x), "compile", "too large")


def test_structures_that_contain_themselves_do_not_hang() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for options in ({}, {"batched": 0}):
        with pytest.raises((RecursionError, ValueError, TypeError)):
            compile(f_of, **options)(loop)


# --- batches --------------------------------------------------------------------------------------

SIZES: dict[str, tuple[Any, Any, str]] = {
    "arrays": (np.ones(3), np.ones(4), "a has 3, x has 4"),
    "lists": ([1.0] * 3, [1.0] * 4, "a has 3, x has 4"),
    "one": (np.ones(3), np.ones(1), "a has 3, x has 1"),
    "rows": (np.ones((2, 5)), [[1.0]] * 3, "a has 2, x has 3"),
}


@pytest.mark.parametrize("after", [False, True], ids=["first call", "later"])
@pytest.mark.parametrize("options", [{}, {"reduce": "mean"}])
@pytest.mark.parametrize(("a", "x", "text"), SIZES.values(), ids=SIZES)
def test_batches_that_differ_in_size_are_named_with_their_sizes(
    a: Any, x: Any, text: str, options: Any, after: bool
) -> None:
    c = compile(lambda a, x: total(a) * total(x), batched=(0, 1), **options)
    if after:
        c(a, a)
    says(ValueError, lambda: c(a, x), "batches differ in size", text)


def test_three_batches_and_gradients_name_all_sizes() -> None:
    c = compile(lambda a, b, c: a * b * c, batched=(0, 1, 2))
    says(ValueError, lambda: c(np.ones(3), np.ones(4), np.ones(3)), "a has 3, b has 4, c has 3")
    g = compile(value_and_grad(product), batched=(0, 1), reduce="mean")
    says(ValueError, lambda: g(np.ones(3), np.ones(4)), "a has 3, x has 4")


@pytest.mark.parametrize(
    ("d", "words"),
    [
        ({"x": np.ones(3), "y": np.ones(4)}, ("d['x'] has 3", "d['y'] has 4")),
        ((np.ones(3), np.ones(4)), ("d[0] has 3", "d[1] has 4")),
    ],
)
def test_batches_in_one_argument_that_differ_in_size_are_named(
    d: Any, words: tuple[str, ...]
) -> None:
    says(ValueError, lambda: compile(lambda d: total(d), batched=0)(d), *words)


@pytest.mark.parametrize("x", [np.ones(0), np.ones((0, 3)), [], (), {"a": np.ones(0)}])
def test_an_empty_batch_is_named(x: Any) -> None:
    for options in ({}, {"reduce": "mean"}, {"reduce": "sum"}):
        c = compile(f_of, batched=0, **options)
        says(ValueError, lambda c=c: c(x), "compile: x", "the batch is empty")


def test_samples_without_numbers_are_refused() -> None:
    c = compile(lambda a, x: a * 2.0, batched=1, reduce="sum")
    says(ValueError, lambda: c(1.0, np.zeros((3, 0))), "x", "(0,)", "nothing to compute")


@pytest.mark.parametrize(
    "x", [[[1.0], [1.0, 2.0]], [[1.0, 2.0], 3.0], [1.0, [2.0]], [[[1.0]], [[1.0, 2.0]]]]
)
def test_a_ragged_batch_is_named(x: Any) -> None:
    says(ValueError, lambda: compile(f_of, batched=0)(x), "compile: x", "differ in shape")


def test_a_ragged_batch_names_the_sample() -> None:
    says(ValueError, lambda: compile(f_of, batched=0)([[1.0], [1.0, 2.0]]), "x[1]", "2")


@pytest.mark.parametrize(
    ("good", "wrong"),
    [
        pytest.param([[1.0, 2.0]], [[1.0, 2.0], [1.0]], id="ragged"),
        pytest.param(np.ones(2), np.ones(0), id="empty"),
        pytest.param(np.ones(2), 1.0, id="one number"),
        pytest.param(np.ones(2), np.array(["a"]), id="text"),
    ],
)
def test_a_batch_that_is_wrong_later_is_named_as_at_the_first_call(good: Any, wrong: Any) -> None:
    c = compile(f_of, batched=0)
    c(good)
    with pytest.raises((TypeError, ValueError), match=r"compile: x\b"):
        c(wrong)


@pytest.mark.parametrize("wrong", ["a", 1j, None, 10**400, np.array("a")])
def test_a_number_that_is_wrong_later_is_named_as_at_the_first_call(wrong: Any) -> None:
    c = compile(f_of)
    c(1.0)
    with pytest.raises((TypeError, ValueError), match=r"compile: x\b"):
        c(wrong)


def test_another_structure_is_recorded_and_checked_anew() -> None:
    c = compile(lambda x: x[0] * x[1], batched=0)
    assert c(np.ones((3, 2))).tolist() == [1.0] * 3
    assert c(np.ones((3, 3))).tolist() == [1.0] * 3
    with pytest.raises(IndexError):
        c(np.ones((3, 1)))
    assert c([[2.0, 3.0]]).tolist() == [6.0]


# --- out= -----------------------------------------------------------------------------------------


def read_only() -> Any:
    x = np.full(5, 7.0)
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("warm", [False, True], ids=["first call", "later"])
@pytest.mark.parametrize(
    ("out", "error", "words"),
    [
        (np.full(4, 7.0), ValueError, ("(4,)", "(5,)")),
        (np.full((5, 1), 7.0), ValueError, ("(5, 1)", "(5,)")),
        (np.full((), 7.0), ValueError, ("()", "(5,)")),
        (np.full(5, 7.0, np.float32), TypeError, ("arrays of floats",)),
        (np.full(5, 7), TypeError, ("arrays of floats",)),
        (np.full(5, 7.0).astype(">f8"), TypeError, ("arrays of floats",)),
        (np.full(5, 7.0).astype(object), TypeError, ("arrays of floats",)),
        (read_only(), ValueError, ("read-only",)),
        ([7.0] * 5, ValueError, ("out", "structure")),
        ((), ValueError, ("out", "structure")),
        ((np.full(5, 7.0), np.full(5, 7.0)), ValueError, ("out", "structure")),
        (7.0, TypeError, ("arrays of floats", "7.0")),
        ("out", TypeError, ("arrays of floats", "'out'")),
        (False, TypeError, ("arrays of floats", "False")),
        (memoryview(np.full(5, 7.0)), TypeError, ("arrays of floats", "memoryview")),
    ],
)
def test_an_out_that_does_not_fit_is_untouched(
    out: Any, error: type[Exception], words: tuple[str, ...], warm: bool
) -> None:
    c = compile(product, batched=1)
    if warm:
        c(2.0, X)
    says(error, lambda: c(2.0, X, out=out), "out", *words)
    if isinstance(out, np.ndarray):
        assert np.all(out == 7)


def test_out_is_untouched_when_one_of_several_does_not_fit_or_arguments_are_wrong() -> None:
    c = compile(lambda a, x: (a * x, {"sum": a + x}), batched=(0, 1))
    first, second = np.full(5, 7.0), np.full(4, 7.0)
    for _ in range(2):
        with pytest.raises(ValueError, match="out"):
            c(X, X, out=(first, {"sum": second}))
        with pytest.raises(ValueError, match="a has 5, x has 4"):
            c(X, X[:4], out=(first, {"sum": np.full(5, 7.0)}))
        with pytest.raises(TypeError, match="x"):
            c(X, ["a"], out=(first, {"sum": np.full(5, 7.0)}))
        assert np.all(first == 7.0)
        assert np.all(second == 7.0)
        c(X, X)


@pytest.mark.parametrize(
    "out",
    [
        (np.empty(5), {"s": np.empty(5), "d": np.empty(5)}),
        pytest.param((np.empty(5), {"d": np.empty(5), "s": np.empty(5)}), id="order"),
    ],
)
def test_out_is_filled_by_key(out: Any) -> None:
    c = compile(lambda x: (x * 2.0, {"s": x + 1.0, "d": x - 1.0}), batched=0)
    assert c(X, out=out) is out
    assert out[1]["s"].tolist() == (X + 1.0).tolist()
    assert out[1]["d"].tolist() == (X - 1.0).tolist()


@pytest.mark.parametrize(
    "out",
    [
        (np.empty(5), {"q": np.empty(5), "z": np.empty(5)}),
        [np.empty(5), np.empty(5), np.empty(5)],
        {"a": np.empty(5), "s": np.empty(5), "d": np.empty(5)},
    ],
)
def test_an_out_of_another_structure_is_refused(out: Any) -> None:
    c = compile(lambda x: (x * 2.0, {"s": x + 1.0, "d": x - 1.0}), batched=0)
    with pytest.raises((TypeError, ValueError), match="out"):
        c(X, out=out)


@pytest.mark.parametrize("shift", [0, 1])
def test_arrays_of_out_that_share_memory_are_refused(shift: int) -> None:
    memory = np.zeros(6)
    with pytest.raises(ValueError, match="out"):
        compile(lambda x: (x * 2.0, x + 1.0), batched=0)(X, out=(memory[:5], memory[shift:][:5]))


def rows() -> Any:
    return np.random.default_rng(0).normal(size=(300, 300))


OVERLAPS: dict[str, tuple[Function, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "the same": (lambda x: x * 2.0 + 1.0, lambda m: m[0], lambda m: m[0]),
    "the same rows": (
        lambda x: np.array([x[1] * x[2], x[0], x[0] + x[1]]),
        lambda m: m[:, :3],
        lambda m: m[:, :3],
    ),
    "one before": (lambda x: x * 2.0 + 1.0, lambda m: m[0, 1:], lambda m: m[0, :-1]),
    "one behind": (lambda x: x * 2.0 + 1.0, lambda m: m[0, :-1], lambda m: m[0, 1:]),
    "reversed": (lambda x: x * 2.0 + 1.0, lambda m: m[0], lambda m: m[0, ::-1]),
    "transposed": (
        lambda x: np.array([y * 1.0 + 0.5 for y in x]), lambda m: m, lambda m: m.T
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [
        *OVERLAPS
    ],
)  # fmt: skip
def test_an_out_that_overlaps_the_input_gives_the_right_numbers(case: str) -> None:
    f, source, target = OVERLAPS[case]
    c = compile(f, batched=0)
    memory = rows()
    want = c(source(memory).copy())
    c(source(memory), out=target(memory))
    np.testing.assert_array_equal(target(memory), want)


def test_an_out_that_is_a_parameter_gives_the_right_numbers() -> None:
    step = compile(value_and_grad(lambda w, x: ae.sum(w * x) ** 2), batched=1, reduce="mean")
    x, w = rows()[:50, :3], np.ones(3)
    value, gradient = step(w, x)
    out = np.empty(()), w
    step(w, x, out=out)
    assert out[0] == value
    np.testing.assert_array_equal(w, gradient)
    matrix = rows()[:3, :3].copy()
    want = compile(lambda m: m @ m)(matrix)
    compile(lambda m: m @ m)(matrix, out=matrix)
    np.testing.assert_array_equal(matrix, want)


def test_out_takes_strided_and_unaligned_arrays() -> None:
    c = compile(product, batched=1)
    unaligned = np.frombuffer(bytearray(41), dtype=np.uint8)[1:].view(float)
    for out in (np.zeros(10)[::2], np.zeros(5)[::-1], unaligned):
        assert c(2.0, X, out=out) is out
        assert out.tolist() == (2.0 * X).tolist()


def test_out_where_results_are_values_is_refused_with_the_remedy() -> None:
    out = np.full((), 7.0)
    c = compile(lambda x: W * x, batched=0, reduce="mean")
    says(TypeError, lambda: c(X, out=out), "out", "Values", "value_and_grad")
    says(TypeError, lambda: compile(product)(W, 2.0, out=out), "out", "Values")
    assert out == 7.0
    with no_grad():
        assert c(X, out=out) is out
    assert out == W.data * X.mean()


def test_out_inside_a_recorded_function_is_refused() -> None:
    inner = compile(product)
    out = np.full((), 7.0)
    says(TypeError, lambda: compile(lambda x: inner(2.0, x, out=out))(3.0), "out")


# --- fused nodes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda c: grad(grad(lambda w: c(w, 2.0)))(3.0),
        lambda c: ae.hessian(lambda w: c(w[0], w[1]))([3.0, 2.0]),
        lambda c: ae.hvp(lambda w: c(w, 2.0), (3.0,), (1.0,)),
        lambda c: ae.derivative(lambda w: c(w, 2.0), order=2)(3.0),
    ],
    ids=["grad of grad", "hessian", "hvp", "derivative"],
)
def test_a_second_derivative_through_a_fused_node_is_right_or_names_the_remedy(
    call: Callable[[Any], Any],
) -> None:
    def cubed(w: Any, x: Any) -> Any:
        return w * w * w * x

    try:
        found = call(compile(cubed))
    except TypeError as error:
        assert "cubed" in str(error)
        assert "compile(grad(f))" in str(error)
    else:
        np.testing.assert_allclose(found, call(cubed))


def test_a_second_derivative_by_compiling_the_first_works() -> None:
    assert compile(grad(grad(lambda w: w * w * w)))(3.0) == 18.0
    assert jvp(compile(grad(lambda w: w * w * w)), (3.0,), (1.0,)) == (27.0, 18.0)


@pytest.mark.parametrize("outer", [grad, ae.jacobian, ae.hessian], ids=lambda f: f.__name__)
def test_a_reverse_derivative_of_a_compiled_derivative_is_right_or_raises(outer: Any) -> None:
    first = grad(lambda w: w * w * w * w)
    want = outer(first)(3.0)
    try:
        found = outer(compile(first))(3.0)
    except TypeError as error:
        assert "compile(grad(" in str(error)
    else:
        assert found == want


def test_backward_uses_the_numbers_of_the_call() -> None:
    w = Value(2.0)
    c = compile(lambda x: w * w * x)
    first = c(3.0)
    w.data = 100.0
    first.backward()
    assert w.grad == 12.0
    second = c(3.0)
    w.data = -1.0
    second.backward()
    assert w.grad == 612.0
    first.backward()
    assert w.grad == 624.0


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(repr, id="repr"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda z: pickle.loads(pickle.dumps(z)), id="pickle"),
        pytest.param(Graph, id="Graph"),
        pytest.param(lambda z: ae.draw_dot(z), id="draw_dot"),
    ],
)
def test_a_fused_node_can_be_looked_at(look: Function) -> None:
    look(compile(lambda x: W * x)(2.0))


def test_gradcheck_checks_a_compiled_function() -> None:
    assert gradcheck(compile(lambda w, x: ae.tanh(w * x)), (2.0, 0.5))


# --- a compiled function inside another -----------------------------------------------------------

line = compile(product, batched=1, reduce="sum")


def test_a_compiled_function_with_a_batch_works_inside_another() -> None:
    assert compile(lambda a, xs: line(a, xs))(2.0, X) == 30.0
    assert compile(lambda a, xs: line(a, x=xs))(2.0, X) == 30.0
    assert jvp(lambda a: line(a, X), (2.0,), (1.0,)) == (30.0, 15.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        pytest.param(lambda a, x, y: both(a, x, y), ("x has 3", "y has 4"), id="sizes"),
        pytest.param(lambda a, x, y: line(a), ("x", "not given"), id="missing"),
        pytest.param(lambda a, x, y: line(a, a), ("x", "batch"), id="one number"),
        pytest.param(lambda a, x, y: line(a, None), ("x", "batch"), id="None"),
        pytest.param(lambda a, x, y: line(a, "ab"), ("compile: x",), id="text"),
        pytest.param(lambda a, x, y: line(a, []), ("x", "empty"), id="empty"),
    ],
)  # fmt: skip
def test_errors_of_a_compiled_function_inside_another_are_the_same(
    call: Function, words: tuple[str, ...]
) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        compile(call)(2.0, np.ones(3), np.ones(4))
    assert all(word in str(caught.value) for word in words)


both = compile(lambda a, x, y: a * x * y, batched=("x", "y"), reduce="sum")


def test_a_batch_in_a_dict_works_inside_another() -> None:
    inner = compile(lambda a, d: a * d["x"], batched=1, reduce="sum")
    assert inner(2.0, {"x": X}) == 30.0
    assert compile(lambda a, xs: inner(a, {"x": xs}))(2.0, X) == 30.0


def test_errors_inside_a_compiled_function_inside_another_name_the_line() -> None:
    inner = compile(statement_if)
    says(TypeError, lambda: compile(lambda x: inner(x))(2.0), line_in(statement_if, 2))


# --- threads --------------------------------------------------------------------------------------


def test_other_threads_compute_while_one_records() -> None:
    recording, go = threading.Event(), threading.Event()
    found: list[Any] = []

    def slow(x: Any) -> Any:
        y = x * W
        recording.set()
        go.wait(10.0)
        return y + 1.0

    thread = threading.Thread(target=lambda: found.append(compile(slow)(3.0)))
    thread.start()
    try:
        assert recording.wait(10.0)
        assert float(W) == 2.0
        assert bool(W > 1.0) is True
        assert (W * 2.0).data == 4.0
        assert compile(lambda x: W * x)(2.0).data == 4.0
        assert line(2.0, X) == 30.0
    finally:
        go.set()
        thread.join()
    assert found[0].data == 7.0


def test_an_error_in_one_thread_does_not_disturb_another() -> None:
    c = compile(lambda a, x: ae.tanh(a * x), batched=1, reduce="mean")
    wrong: list[Any] = []
    want = {k: c(float(k), np.full(40, 0.5)) for k in range(6)}

    def work(k: int) -> None:
        for i in range(40):
            try:
                c(float(k), "text" if i % 3 == 0 else np.full(40, 0.5)[: 40 * (i % 3 == 1)])
            except (TypeError, ValueError):
                pass
            if c(float(k), np.full(40, 0.5)) != want[k]:
                wrong.append((k, i))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# --- sizes ----------------------------------------------------------------------------------------


def test_a_batch_too_large_for_memory_is_a_memory_error() -> None:
    c = compile(square, batched=0)
    for _ in range(2):
        with pytest.raises(MemoryError):
            c(np.broadcast_to(1.0, (10**17,)))
        assert c(X).tolist() == (X * X).tolist()


def affine(n: int) -> Function:
    def f(x: Any) -> Any:
        y = x
        for _ in range(n):
            y = y * 0.5 + x
        return y

    return f


def test_a_hundred_thousand_operations_and_a_million_samples() -> None:
    long = compile(affine(50_000), batched=0)
    np.testing.assert_allclose(long([1.0, 3.0]), [2.0, 6.0], rtol=1e-15)
    wide = compile(affine(10), batched=0, reduce="mean")
    assert wide(np.ones(10**6)) == pytest.approx(2.0 - 2.0**-10, rel=1e-15)
    assert long.statistics["recorded"] >= 100_000


def test_the_memory_of_a_call_does_not_grow_with_the_program() -> None:
    c = compile(affine(250), batched=0)
    x = np.ones(20_000)
    c(x)
    gc.collect()
    tracemalloc.start()
    try:
        c(x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * x.nbytes


def test_a_function_refused_leaves_nothing_alive() -> None:
    def f(x: Any) -> Any:
        return float(W * x)

    def attempt() -> None:
        with pytest.raises(TypeError):
            compile(f)(2.0)

    attempt()
    gc.collect()
    before = sys.getrefcount(W)
    for _ in range(5):
        attempt()
    gc.collect()
    assert sys.getrefcount(W) == before
