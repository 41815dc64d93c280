"""detect_anomaly: the first inf or nan raises and is traced to its operation and line."""

from __future__ import annotations

import gc
import math
import random
import re
import struct
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

import autograd_engine as ae
from autograd_engine import AnomalyError, Graph, Value, detect_anomaly, named_scope, no_grad
from autograd_engine.modes import current_mode
from nn import MLP, squared_error

HERE = __file__


@pytest.fixture(autouse=True)
def _mode_is_off_afterwards() -> Iterator[None]:
    assert is_off()
    yield
    assert is_off()


def is_off() -> bool:
    mode = current_mode()
    return (mode.records, mode.detects, mode.info, mode.outer) == (True, False, None, None)


def message_of(act: Callable[[], Any]) -> str:
    """What the anomaly raised by `act` inside the block says."""
    with pytest.raises(AnomalyError) as error, detect_anomaly():
        act()
    return str(error.value)


def line_of(text: str) -> int:
    """The line of this file that ends in a comment with this text."""
    with open(HERE, encoding="utf-8") as file:
        (number,) = [i for i, line in enumerate(file, 1) if line.rstrip().endswith(f"# {text}")]
    return number


# --- forward --------------------------------------------------------------------------------------

FORWARD: dict[str, tuple[Callable[[Value], Any], str]] = {
    "log(0)": (lambda x: ae.log(x), "log: the result is -inf"),
    "method": (lambda x: x.log(), "log: the result is -inf"),
    "1/0": (lambda x: 1 / x, "div: the result is inf"),
    "0/0": (lambda x: x / x, "div: the result is nan"),
    "0**-1": (lambda x: x**-1, "pow: the result is inf"),
    "overflow": (lambda x: ae.exp(x + 1000), "exp: the result is inf"),
    "overflow of a product": (lambda x: (x + 1e200) * 1e200, "mul: the result is inf"),
    "overflow of a sum": (lambda x: (x + 1e308) + 1e308, "add: the result is inf"),
    "root": (lambda x: (x - 1) ** 0.5, "pow: the result is nan"),
    "nan operand": (lambda x: x + math.nan, "add: the result is nan"),
    "inf operand": (lambda x: math.inf - x, "sub: the result is inf"),
    "nan leaf": (lambda x: -Value(math.nan), "neg: the result is nan"),
    "sum": (lambda x: ae.sum([x, 1.0, math.inf]), "sum: the result is inf"),
    "mean": (lambda x: ae.mean([x, math.nan]), "mean: the result is nan"),
    "dot": (lambda x: ae.dot([x, 1.0], [math.inf, 2.0]), "dot: the result is nan"),
    "logsumexp": (lambda x: ae.logsumexp([x, math.inf]), "logsumexp: the result is inf"),
    "softmax": (lambda x: ae.softmax([x, math.nan]), "logsumexp: the result is nan"),
    "three operands": (lambda x: ae.where(x > 0, x, math.inf), "where: the result is inf"),
    "NumPy": (lambda x: np.log(x), "log: the result is -inf"),
    "array": (lambda x: np.array([1.0, 2.0]) / x, "div: the result is inf"),
    "power": (lambda x: 0 ** (x - 1), "pow: the result is inf"),
}


@pytest.mark.parametrize(("act", "says"), FORWARD.values(), ids=FORWARD.keys())
def test_the_first_result_that_is_not_finite_raises(act: Callable[[Value], Any], says: str) -> None:
    x = Value(0.0)
    act(x)  # nothing is said outside the block
    message = message_of(lambda: act(x))
    assert message.splitlines()[0] == says
    assert message.count("made at") == 1
    assert f"made at {HERE}:" in message


def test_the_error_is_a_floating_point_error() -> None:
    assert issubclass(AnomalyError, FloatingPointError)
    assert ae.AnomalyError is AnomalyError


def test_the_message_shows_operands_with_labels_and_constants() -> None:
    x, w = Value(0.0, label="x"), Value(-2.5)
    assert message_of(lambda: 1 / x).splitlines()[1:3] == [
        "  operand 0: the constant 1.0",
        "  operand 1: x = 0.0",
    ]
    assert message_of(lambda: w / x).splitlines()[1:3] == [
        "  operand 0: a Value of -2.5",
        "  operand 1: x = 0.0",
    ]


def test_the_message_shows_the_scope() -> None:
    def act() -> None:
        with named_scope("encoder"), named_scope("neuron 3"):
            Value(0.0).log()

    assert "\n  in encoder, neuron 3\n" in message_of(act)
    assert is_off()


def test_the_message_without_a_scope_names_none() -> None:
    assert "\n  in " not in message_of(lambda: Value(0.0).log())


def test_the_message_shows_file_line_and_source_of_the_user() -> None:
    def act() -> None:
        x = Value(1.0)
        x.log()
        (x - 1).log()  # the guilty line

    expected = f"  made at {HERE}:{line_of('the guilty line')}: (x - 1).log()  # the guilty line"
    assert message_of(act).splitlines()[-1] == expected


def test_an_operation_inside_a_model_shows_the_line_that_called_the_model() -> None:
    model = MLP(2, [2, 1], rng=0)
    for parameter in model.parameters():
        parameter.data = 1e308

    def act() -> None:
        model([10.0, 10.0])  # where the model is called

    message = message_of(act)
    assert message.splitlines()[0] == "dot: the result is inf"
    assert "\n  operand 0: w0 = 1e+308" in message
    assert "\n  in layer 0, neuron 0\n" in message
    line = line_of("where the model is called")
    assert f"made at {HERE}:{line}: model([10.0, 10.0])" in message


def test_an_operation_inside_a_loss_shows_the_line_that_called_the_loss() -> None:
    def act() -> None:
        squared_error([Value(1e200)], [0.0])  # where the loss is called

    assert f"made at {HERE}:{line_of('where the loss is called')}: squared_error" in message_of(act)


def test_an_operation_on_an_array_shows_the_line_of_the_operation() -> None:
    values = np.array([Value(1.0), Value(0.0)])

    def act() -> None:
        np.log(values * np.array([1.0, 1.0]))  # where NumPy is called

    with np.errstate(all="ignore"):
        message = message_of(act)
    assert f"made at {HERE}:{line_of('where NumPy is called')}: np.log" in message


def test_an_operation_in_text_without_a_file_shows_the_line_number() -> None:
    program = "from autograd_engine import Value\nx = Value(0.0)\nx.log()\n"
    message = message_of(lambda: exec(compile(program, "<typed>", "exec"), {}))
    assert message.splitlines()[-1] == "  made at <typed>:3"


def test_anomalies_are_found_without_recording() -> None:
    def act() -> None:
        with no_grad():
            Value(0.0, label="x").log()

    message = message_of(act)
    assert message.startswith("log: the result is -inf\n  operand 0: x = 0.0\n")
    assert f"made at {HERE}:" in message


def test_predictions_are_inspected_too() -> None:
    model = MLP(1, [1], rng=0)
    model.parameters()[0].data = 1e308
    assert message_of(lambda: model.predict([[1e10]])).startswith("dot: the result is inf")


def test_the_message_of_a_wide_operation_stays_short() -> None:
    w = [Value(1e308, label=f"w{i}") for i in range(1000)]
    message = message_of(lambda: ae.dot(w, [1.0] * 1000))
    assert len(message.splitlines()) < 12
    assert len(message) < 1000
    assert "operand 0: w0 = 1e+308" in message
    assert "... and 1994 more operands" in message


def test_results_are_finite_inside_so_nothing_is_raised() -> None:
    with detect_anomaly():
        assert ae.relu(Value(-math.inf)).data == 0.0
        assert (1 / Value(math.inf)).data == 0.0
        assert ae.where(True, Value(1.0), math.nan).data == 1.0
        assert ae.minimum(Value(1.0), math.inf).data == 1.0
        assert Value(math.nan).detach().label == ""
        assert ae.log(0.0) == -math.inf  # plain numbers are no operation on Values


# --- backward -------------------------------------------------------------------------------------


def test_an_infinite_local_derivative_raises_with_the_line_of_the_forward_pass() -> None:
    x = Value(0.0, label="x")

    def act() -> None:
        y = x.sqrt()  # where the root was taken
        (y * 2).backward()

    message = message_of(act)
    assert message.splitlines() == [
        "backward through sqrt: local derivative inf * adjoint 2 makes the gradient of x inf",
        "  operand 0: x = 0.0",
        f"  made at {HERE}:{line_of('where the root was taken')}: "
        "y = x.sqrt()  # where the root was taken",
    ]


def test_infinity_times_zero_raises() -> None:
    x = Value(0.0)
    message = message_of(lambda: (x.sqrt() * 0.0).backward())
    assert "backward through sqrt: local derivative inf * adjoint 0 makes" in message
    assert message.splitlines()[0].endswith("nan")


def test_a_local_derivative_that_is_nan_raises() -> None:
    x, y = Value(-2.0, label="base"), Value(2.0, label="exponent")
    message = message_of(lambda: (x**y).backward())
    assert message.startswith("backward through pow: local derivative nan * adjoint 1 makes")
    assert "gradient of exponent nan" in message


def test_a_sum_of_finite_contributions_that_overflows_raises() -> None:
    x = Value(1.0, label="x")

    def act() -> None:
        a = x * 1e308
        b = x * 1.5e308
        (a * 1e-10 + b * 1e-10).backward(1e10)

    assert "backward through mul: " in message_of(act)
    assert "makes the gradient of x inf" in message_of(act)


def test_an_interior_adjoint_that_overflows_raises_at_the_operation_that_sent_it() -> None:
    x = Value(1e-200, label="x")

    def act() -> None:
        h = x * 1.0
        h.label = "h"
        (h * 1e200).backward(1e200)

    message = message_of(act)
    assert message.splitlines()[0] == (
        "backward through mul: local derivative 1e+200 * adjoint 1e+200 makes the gradient of h inf"
    )


@pytest.mark.parametrize("gradient", [math.inf, -math.inf, math.nan])
def test_a_gradient_that_is_not_finite_raises_at_the_output(gradient: float) -> None:
    x = Value(2.0)
    message = message_of(lambda: (x * 3).backward(gradient))
    assert message == f"backward: the gradient to start from is {gradient}"
    assert x.grad == 0.0
    message = message_of(lambda: Value(2.0).backward(gradient))
    assert message == f"backward: the gradient to start from is {gradient}"


def test_an_adjoint_that_was_set_by_hand_is_watched() -> None:
    y = Value(2.0) * 3
    y.grad = math.nan
    message = message_of(y._backward)
    assert message.splitlines()[0] == "backward through mul: its adjoint is nan"
    leaf = Value(2.0)
    leaf.grad = math.nan
    assert message_of(leaf._backward) == "backward through a leaf: its adjoint is nan"


def test_a_leaf_whose_gradient_was_infinite_before_is_to_blame_itself() -> None:
    x = Value(2.0, label="x")
    x.grad = math.inf
    message = message_of((x * 3).backward)
    assert message == "backward: the gradient of x = 2.0 was inf before; call zero_grad() first"
    assert x.grad == math.inf


def test_the_operands_that_are_not_finite_are_shown_first() -> None:
    message = message_of(lambda: ae.sum([*[Value(float(i)) for i in range(90)], math.inf]))
    assert message.splitlines()[1] == "  operand 90: the constant inf"


def test_a_line_that_calls_numpy_is_the_users_own() -> None:
    values = np.array([Value(1e308), Value(1e308)])
    message = message_of(lambda: np.sum(values))
    assert f"made at {__file__}:" in message


def test_backward_by_hand_is_watched() -> None:
    x = Value(0.0, label="x")
    y = x.sqrt()
    y.grad = 1.0
    message = message_of(y._backward)
    assert message.startswith("backward through sqrt: local derivative inf * adjoint 1 makes")
    assert x.grad == 0.0
    y.grad = math.nan
    assert message_of(y._backward).startswith("backward through sqrt: its adjoint is nan")


def test_a_graph_recorded_outside_the_block_says_so() -> None:
    y = Value(0.0, label="x").sqrt()
    assert message_of(y.backward).splitlines()[1:] == [
        "  operand 0: x = 0.0",
        "  made outside detect_anomaly; put the forward pass into it to see its line",
    ]


def test_a_graph_recorded_inside_is_not_watched_outside() -> None:
    x = Value(0.0)
    with detect_anomaly():
        y = x.sqrt()
    y.backward()
    assert x.grad == math.inf


def test_leaves_get_back_the_gradients_they_had() -> None:
    x, w, unused = Value(0.0, label="x"), Value(3.0), Value(1.0)
    x.grad, w.grad, unused.grad = 0.25, -0.5, 4.0
    with detect_anomaly():
        y = w * 2 + (x * w).sqrt() + w
        for _ in range(2):
            with pytest.raises(AnomalyError):
                y.backward()
    assert (x.grad, w.grad, unused.grad) == (0.25, -0.5, 4.0)
    (w * 2).backward()
    assert w.grad == 1.5


def test_a_leaf_that_is_the_output_gets_back_the_gradient_it_had() -> None:
    x = Value(1.0)
    x.grad = 0.5
    message_of(lambda: x.backward(math.inf))
    assert x.grad == 0.5


def test_the_data_and_the_graph_survive_an_anomaly() -> None:
    x = Value(0.0)
    y = x.sqrt() + x
    message_of(y.backward)
    assert (x.data, y.data, len(Graph(y).nodes)) == (0.0, 0.0, 3)
    x.data = 4.0
    z = x.sqrt()
    with detect_anomaly():
        z.backward()
    assert x.grad == 0.25


# --- healthy graphs -------------------------------------------------------------------------------


def a_training_step(model: MLP) -> list[bytes]:
    rng = random.Random(1)
    model.zero_grad()
    for _ in range(5):
        x = [rng.uniform(-1.0, 1.0) for _ in range(3)]
        outputs = model(x)
        loss = squared_error(outputs, [1.0, -1.0]) + ae.logsumexp(outputs) / 3
        loss.backward()
    return [struct.pack("d", number) for p in model.parameters() for number in (p.data, p.grad)]


def test_a_healthy_graph_gives_the_same_bits() -> None:
    model = MLP(3, [4, 2], activation="gelu", rng=0)
    outside = a_training_step(model)
    with detect_anomaly():
        inside = a_training_step(model)
    assert inside == outside
    assert len(set(inside)) > 20


def test_a_healthy_node_notes_its_line_and_keeps_label_and_scope() -> None:
    x = Value(2.0)
    with detect_anomaly(), named_scope("a"):
        y = x * 3  # a healthy line
        y.label = "y"
    assert y._info is not None
    assert tuple(y._info) == ("y", ("a",), (HERE, line_of("a healthy line")), False)
    assert (x * 3)._info is None


# --- the mode -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "decorate", [detect_anomaly, detect_anomaly()], ids=["@detect_anomaly", "@detect_anomaly()"]
)
def test_it_decorates(decorate: Callable[..., Any]) -> None:
    @decorate
    def invert(x: Value, *, by: float = 1.0) -> Value:
        """The docstring stays."""
        return by / x

    assert invert(Value(2.0), by=3.0).data == 1.5
    with pytest.raises(AnomalyError, match=r"return by / x"):
        invert(Value(0.0))
    assert is_off()
    assert (invert.__name__, invert.__doc__) == ("invert", "The docstring stays.")


def test_it_decorates_no_generator() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match=r"^detect_anomaly: .* runs after its call returns"):
        detect_anomaly(numbers)
    with pytest.raises(TypeError, match=r"^detect_anomaly: expected a function"):
        detect_anomaly(3)  # type: ignore[call-overload]


def test_it_ends_with_its_block() -> None:
    x = Value(0.0)
    with detect_anomaly():
        pass
    assert x.log().data == -math.inf
    with pytest.raises(KeyError), detect_anomaly():
        raise KeyError
    assert is_off()
    with pytest.raises(AnomalyError), detect_anomaly():
        x.log()
    assert is_off()
    assert x.log().data == -math.inf


def test_it_nests_and_may_be_entered_again() -> None:
    mode, x = detect_anomaly(), Value(0.0)
    with mode:
        with mode:
            pass
        with pytest.raises(AnomalyError):
            x.log()
    with mode, pytest.raises(AnomalyError):
        x.log()


MANAGERS: dict[str, Callable[[], Any]] = {
    "detect_anomaly": detect_anomaly,
    "no_grad": no_grad,
    "named_scope": lambda: named_scope("s"),
}


@pytest.mark.parametrize("order", ["dns", "dsn", "nds", "nsd", "sdn", "snd", "dnsdns", "dd", "sds"])
def test_it_mixes_with_the_other_modes_in_any_order(order: str) -> None:
    by_letter = {"d": "detect_anomaly", "n": "no_grad", "s": "named_scope"}
    with ExitStack() as stack:
        for letter in order:
            stack.enter_context(MANAGERS[by_letter[letter]]())
        y = Value(2.0) * 3
        assert y._info is not None
        assert y._info.scope == ("s",) * order.count("s")
        assert y._info.origin is not None
        assert bool(y._prev) is ("n" not in order)
        with pytest.raises(AnomalyError):
            Value(0.0).log()
        assert current_mode().detects
    assert is_off()


def test_it_holds_in_its_thread_only() -> None:
    results: list[Any] = []

    def act() -> None:
        results.append(Value(0.0).log().data)
        with detect_anomaly():
            try:
                Value(0.0).log()
            except AnomalyError as error:
                results.append(str(error).splitlines()[0])

    with detect_anomaly():
        thread = threading.Thread(target=act)
        thread.start()
        thread.join(timeout=30)
    assert results == [-math.inf, "log: the result is -inf"]


def test_threads_keep_their_leaves_apart() -> None:
    failures: list[str] = []

    def act(healthy: bool) -> None:
        x = Value(1.0 if healthy else 0.0)
        for _ in range(200):
            with detect_anomaly():
                y = x.sqrt() * 2
                try:
                    y.backward()
                except AnomalyError:
                    if healthy:
                        failures.append("raised")
        if x.grad != (200.0 if healthy else 0.0):
            failures.append(f"{x.grad}")

    threads = [threading.Thread(target=act, args=(i % 2 == 0,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []


# --- nothing of the user's is kept alive ----------------------------------------------------------


class Big:
    """Something that a frame of the user's holds."""


def test_a_node_keeps_no_frame_or_object_of_the_user_alive() -> None:
    def build() -> tuple[Value, weakref.ref[Big]]:
        big = Big()
        with detect_anomaly():
            node = Value(2.0) * 3
        return node, weakref.ref(big)

    gc.collect()
    gc.disable()
    try:
        node, big = build()
        assert big() is None
    finally:
        gc.enable()
    info = node._info
    assert info is not None
    assert info.origin is not None
    assert [type(part) for part in (*info, *info.origin)] == [str, tuple, tuple, int, str, int]


def test_an_anomaly_that_was_handled_keeps_nothing_alive() -> None:
    gc.collect()
    gc.disable()
    try:
        x = Value(0.0)
        before = sum(type(thing) is Value for thing in gc.get_objects())
        for act in (lambda: x.log(), lambda: (x.sqrt() * 2).backward()):
            try:
                with detect_anomaly():
                    act()
            except AnomalyError:
                pass
        assert sum(type(thing) is Value for thing in gc.get_objects()) == before
    finally:
        gc.enable()


def test_messages_are_plain_text() -> None:
    message = message_of(lambda: Value(0.0, label="<x>|{y}").log())
    assert re.search(r"operand 0: <x>\|\{y\} = 0\.0", message)
