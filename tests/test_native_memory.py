# ruff: noqa: B023  the lambdas run in the round of the loop that makes them
"""The engine in C under stress: no leak, no crash, whatever is done to it and wherever it stops.

Each test runs in a process of its own (`alone`), so that a crash is a failure with a traceback of
the interpreter, and so that memory and reference counts are those of the test.
"""

from __future__ import annotations

import _thread
import contextlib
import copy
import functools
import gc
import importlib.util
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import autograd_engine as ae
from autograd_engine import AnomalyError, Value, detect_anomaly, named_scope, no_grad, primitive
from autograd_engine import value as reference
from autograd_engine.backend import assemble, topological_order
from autograd_engine.copying import restore
from autograd_engine.modes import Info
from autograd_engine.registry import TABLE
from autograd_engine.rows import NaryPrimitive, Primitive

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("autograd_engine._native") is None
    and os.environ.get("AUTOGRAD_ENGINE_BACKEND") != "native",
    reason="the native engine is not built here",
)

CHILD = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("test_native_memory", sys.argv[1])
module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
getattr(module, sys.argv[2]).__wrapped__()
print("reached the end")
"""


def alone(*options: str, **environment: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Decorator: the test runs in a fresh interpreter with these options, on the native engine."""

    def decorate(function: Callable[[], None]) -> Callable[[], None]:
        @functools.wraps(function)
        def test() -> None:
            program = ["-c", CHILD, os.path.abspath(__file__), function.__name__]
            result = subprocess.run(
                [sys.executable, "-W", "error", "-X", "faulthandler", *options, *program],
                capture_output=True,
                text=True,
                env={**os.environ, "AUTOGRAD_ENGINE_BACKEND": "native", **environment},
                timeout=300,
            )
            report = f"exit code {result.returncode}\n{result.stdout}\n{result.stderr}"
            assert result.returncode == 0 and "reached the end" in result.stdout, report
            assert "ignored" not in result.stderr, report  # an exception nobody could catch

        return test

    return decorate


@contextlib.contextmanager
def refused(*kinds: type[Exception]) -> Iterator[None]:
    """As `pytest.raises`, but it keeps neither the error nor the frames it came through."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, kinds or Exception):
            raise
        return
    raise AssertionError("nothing was raised")


def chain(x: Any, c: Any, length: int) -> Any:
    y = x
    for _ in range(length):
        y = y * c
    return y


# --- rows of a user, which have no kernel ---


@primitive(lambda z, x: 3.0 * x * x)
def user_cube(x: Any) -> Any:
    return x * x * x


@primitive(lambda z, x, y: y, lambda z, x, y: x)
def user_product(x: Any, y: Any) -> Any:
    return x * y


@primitive(lambda z, xs: [2.0 * x for x in xs], nary=True)
def user_squares(xs: Any) -> Any:
    return sum([x * x for x in xs], 0.0)


# --- soak ---

# From Python 3.12 on, a frame may hold what its last comprehension or error had for a while longer.
SLACK = 0 if sys.version_info < (3, 12) else 3


def resident() -> int:
    """Bytes of memory the process holds now; where that is not known, the most it ever held."""
    with contextlib.suppress(OSError), open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    if resource is None:
        return 0
    peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


def counts_of(watched: tuple[Any, ...]) -> list[int]:
    if sys.version_info >= (3, 12):  # where an error in a frame with lambdas makes a cycle
        gc.collect()
    return [sys.getrefcount(x) for x in watched]


def soak(work: Callable[[], None], *watched: Any, rounds: int = 50) -> None:
    """Memory, blocks and reference counts do not grow from the tenth round on."""
    gc.disable()  # nothing but reference counting frees memory here
    work()  # fills the caches that keep rows and scopes
    counts = counts_of(watched)
    for i in range(1, rounds + 1):
        work()
        assert counts_of(watched) == counts
        if i == 10:
            gc.collect()
            memory, blocks = resident(), sys.getallocatedblocks()
    gc.collect()
    grown = sys.getallocatedblocks() - blocks  # the interpreter's free lists may gain a few
    assert grown < 10 * (rounds - 10), f"{grown} blocks in {rounds - 10} rounds"
    assert resident() - memory < max(4_000_000, 0.01 * memory), (memory, resident())


@alone()
def test_a_million_nodes_fifty_times() -> None:
    x, c = Value(1.0), Value(1.000001)

    def work() -> None:
        y = chain(x, c, 1_000_000)
        x.zero_grad()
        y.backward()
        assert x.grad == y.data

    soak(work, x, c)


@alone()
def test_nodes_with_many_operands_leave_nothing() -> None:
    x, y, half = Value(0.5), Value(-1.5), 0.123456789
    many = [x, 1.0, y, 2.5, x, half] * 20

    def work() -> None:
        z = x
        for _ in range(300):
            z = ae.dot(many, many) - ae.where(z, y, half) + ae.sum([z, *many])
            z = ae.logsumexp([z, x, 1.0]) + ae.mean(many) + ae.softmax([x, z])[0]
            z = user_product(z, half) + user_product(x, y) + user_cube(z) * 1e-3
            z = (z + user_squares([z, x, 2.0, half])).tanh() + ae.dot((v for v in many), many)
            z = ae.dot([1, True, z], [x, 2, 3])
        z.backward()
        x.zero_grad()

    soak(work, x, y, half, user_cube, user_product, ae.dot)


@primitive(lambda z, x: z)
def user_refusal(x: Any) -> Any:
    raise KeyError(x)


@primitive(lambda z, xs: [1.0], nary=True)
def user_too_few(xs: Any) -> Any:
    return xs[0]


class Refuses(float):
    """A number that is none when it is asked."""

    def __float__(self) -> float:
        raise LookupError


@alone()
def test_graphs_that_end_in_an_exception_leave_nothing() -> None:
    x, c = Value(1.5), Value(0.5)

    def one_after_another(z: Value) -> Iterator[Value]:
        yield from (z, z * 2, z + x)
        raise OSError

    def work() -> None:
        for _ in range(20):
            z = chain(x, c, 50)
            for wrong in (
                lambda z=z: z * "3",
                lambda z=z: z + Refuses(),
                lambda z=z: ae.dot([z, z * 2, None], [x, z, c]),
                lambda z=z: ae.dot([z, z * 2], [x]),
                lambda z=z: ae.sum([z * 2, z, Refuses()]),
                lambda z=z: ae.sum(one_after_another(z)),
                lambda z=z: user_refusal(z * 2),
                lambda z=z: user_too_few([z, z * 2, 1.0]),
                lambda z=z: ae.where(z, z * 2, Refuses()),
                lambda z=z: z.backward("1"),
                lambda z=z: (z * 2).tanh(1),
                lambda z=z: z.maximum("x"),
                lambda z=z: Value([z]),
                lambda z=z: Value(1.0, label=3),
                lambda z=z: setattr(z, "data", None),
                lambda z=z: setattr(z, "_info", "no Info"),
                lambda z=z: restore((), 1.0, 0.0, ae.dot, (z, x), (1.0,), None),
                lambda z=z: assemble(1.0, 0.0, ae.mul, (z, "x"), (1.0, 1.0), Info("a")),
                lambda z=z: assemble(1.0, 0.0, user_cube, (z,), ("x",), None),
            ):
                with refused():
                    wrong()
            with detect_anomaly():
                for fails in (
                    lambda z=z: z / 0.0,
                    lambda z=z: ae.sum([z, x, 1e308, 1e308]),
                    lambda z=z: (z * math.inf).backward(),
                    lambda z=z: (z * 2).backward(math.nan),
                    lambda z=z: ((z - z) ** 0.5).backward(),
                ):
                    with refused(AnomalyError):
                        fails()
            x.zero_grad()

    soak(work, x, c)


@alone()
def test_modes_labels_and_scopes_leave_nothing() -> None:
    x, c = Value(1.5, label="x"), Value(0.5)

    def work() -> None:
        with no_grad():
            chain(x, c, 2_000)
            ae.dot([x, c] * 20, [c, 1.0] * 20)
            user_cube(x), user_squares([x, c])
        for i in range(300):
            with named_scope("encoder"), named_scope(f"neuron {i}"):
                z = chain(x, c, 3)
                z.label = f"z{i}"
                z.label = z.label + "!"
                z = ae.where(z, x, c) + ae.sum([z, x]) + z.detach()
                assert z._info.scope == ("encoder", f"neuron {i}")
        with detect_anomaly(), named_scope("a"):
            z = chain(x, c, 20) + ae.dot([x, c], [c, 1.0])
            z.backward()
        x.zero_grad()

    soak(work, x, c)


@alone()
def test_copies_and_pickles_leave_nothing() -> None:
    x, c = Value(1.5, label="x"), Value(0.5)

    def work() -> None:
        for _ in range(20):
            z = chain(x, c, 100) + ae.dot([x, c, 1.0], [c, 2.0, x])
            z = user_product(z, x) + user_cube(c) + ae.where(z, x, 1.0)
            z.label = "z"
            for other in (copy.copy(z), copy.deepcopy(z), pickle.loads(pickle.dumps(z))):
                other.backward()
                assert other.data == z.data and other.label == "z"
            with refused(TypeError, AttributeError, pickle.PicklingError):
                pickle.dumps([z, lambda: 0])
        x.zero_grad(), c.zero_grad()

    soak(work, x, c)


@alone()
def test_making_a_node_a_leaf_again_leaves_nothing() -> None:
    x, c = Value(1.5), Value(0.5)

    def work() -> None:
        for _ in range(50):
            for make in (
                lambda: chain(x, c, 50),
                lambda: ae.sum([x * 2, c, 1.0]),
                lambda: user_product(x * 3, c),
                lambda: Value(1.0, label="before"),
            ):
                z = make()
                up = z * x
                z.__init__(2.0)
                z.__init__(3.0, label="again")
                with refused(TypeError):
                    z.__init__(None)
                assert z._prev == z._operands == () and z._op == "" and z.label == "again"
                up.backward()
                assert z.grad == x.data

    soak(work, x, c)


# --- release ---


def ladder(x: Value) -> Value:
    a, b = x, x * 1.0
    for _ in range(700_000):
        a, b = a + b, b - a
        if abs(a.data) > 1e100:
            a, b = a * 1e-100, b * 1e-100
    return a + b


def tree(x: Value) -> Value:
    level = [x * 1.0 for _ in range(2**19)]
    while len(level) > 1:
        level = [a + b for a, b in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def blocks(x: Value) -> Value:
    z = x
    for _ in range(100_000):
        z = ae.where(z, ae.sum([z, x, 0.0]), ae.dot([z, z], [z, 1.0]))
        z.label = "z"
    return z


def rows_of_a_user(x: Value) -> Value:
    z = x
    for _ in range(100_000):
        z = user_product(z, 1.0) * x
    return z


SHAPES: dict[str, Callable[[Value], Any]] = {
    "chain": lambda x: chain(x, 1.0, 3_000_000),
    "fan": lambda x: ae.sum([x * 2 for _ in range(1_000_000)]),
    "fan of users": lambda x: [x * 1.0, [(x * 1.0).tanh() for _ in range(300_000)]],
    "powers": lambda x: functools.reduce(lambda z, _: z * z, range(1_000_000), x * 1.0),
    "ladder": ladder,
    "tree": tree,
    "blocks": blocks,
    "rows of a user": rows_of_a_user,
}


@alone()
def test_large_graphs_go_away_on_a_small_stack() -> None:
    x = Value(1.0)
    held: list[Any] = []
    for stack in (64 * 1024, 256 * 1024):
        threading.stack_size(stack)
        for make in SHAPES.values():
            count = sys.getrefcount(x)
            held.append(make(x))
            assert sys.getrefcount(x) > count
            thread = threading.Thread(target=held.clear)
            thread.start()
            thread.join()
            assert sys.getrefcount(x) == count


@alone()
def test_large_graphs_go_backward_on_a_small_stack() -> None:
    threading.stack_size(64 * 1024)
    for name in ("chain", "fan", "ladder", "tree", "blocks", "rows of a user"):
        x = Value(1.0)
        z = SHAPES[name](x)
        thread = threading.Thread(target=z.backward)
        thread.start()
        thread.join()
        assert x.grad != 0.0


@alone()
def test_release_keeps_the_exception_that_is_on_its_way() -> None:
    x = Value(1.0)
    count = sys.getrefcount(x)
    try:
        raise ValueError("kept")
    except ValueError as error:
        z = chain(x, 1.0, 100_000)
        del z
        assert sys.exc_info()[1] is error
    try:
        [chain(x, 1.0, 100_000), ae.sum([x, x * 2]), 1 / 0]  # the stack is cleared meanwhile
    except ZeroDivisionError as error:
        assert sys.exc_info()[1] is error

    def fail() -> None:
        z = chain(x, 1.0, 100_000)  # goes with the frame
        try:
            raise KeyError(z.data)
        finally:
            del z

    for _ in range(3):
        with refused(KeyError):
            fail()
    assert sys.getrefcount(x) == count


class Drops(float):
    """A number that lets go of whatever `held` has, when it is asked for its value."""

    held: list[Any]

    def __float__(self) -> float:
        self.held.clear()
        return 2.0


@alone()
def test_a_graph_may_go_while_another_is_made() -> None:
    x = Value(3.0)
    count = sys.getrefcount(x)
    drops = Drops(2.0)
    for make in (
        lambda: x * drops,
        lambda: drops - x,
        lambda: x.maximum(drops),
        lambda: ae.where(drops, x, drops),
        lambda: ae.dot([x, drops, x], [drops, drops, 1.0]),
        lambda: ae.dot((v for v in (x, drops)), [x, x]),
        lambda: user_product(x, drops),
        lambda: user_squares([drops, x]),
        lambda: Value(drops) * x,
    ):
        drops.held = [chain(x, 1.0, 10_000), ae.sum([x * 2] * 100), user_cube(x)]
        z = make()
        assert not drops.held
        z.backward()
        assert math.isfinite(x.grad) and math.isfinite(z.data)
        del z
        x.zero_grad()
    assert sys.getrefcount(x) == count


# --- a bit of everything ---


def sample(row: Primitive) -> list[float]:
    """A point inside the domain."""
    return [
        0.5 * (low + high) if math.isfinite(high - low) else max(low, 0.0) + 0.75 + 0.5 * i
        for i, (low, high) in enumerate(row.domain)
    ]


def everything(engine: Any) -> list[float]:
    """Results and gradients of all rows, in all kinds of nodes."""
    numbers: list[float] = []
    rows = [row for row in TABLE.values() if not row.name.startswith("user_")]
    for row in [*rows, user_cube, user_product, user_squares]:
        point = sample(row)
        for constant in (None, *range(row.arity)):
            if isinstance(row, NaryPrimitive):
                leaves = [engine(0.25 * i + 0.5) for i in range(3 * row.arity)]
                lists = [leaves[3 * i : 3 * i + 3] for i in range(row.arity)]
                if constant is not None:
                    lists[constant] = [lists[constant][0], 1.5, lists[constant][2]]
                z = row(*lists)
            elif constant is not None and row.arity == 1:
                continue
            else:
                leaves = [engine(x) for x in point]
                given: list[Any] = list(leaves)
                if constant is not None:
                    given[constant] = point[constant]
                z = row(*given)
            z = (z * z + z) / 2 - leaves[0]
            z.backward()
            z.backward(0.5)
            numbers += [z.data, *(leaf.grad for leaf in leaves)]
    x, y = engine(0.5), engine(-1.5)
    z = x
    for _ in range(200):
        z = ((z * y + 3).tanh() - 2 / y) ** 2 + ae.relu(x) + ae.softmax([x, y, z])[1]
        z = abs(z - 1) + 2**x - (-z) * 0.1 + ae.dot([x, z, 1.0], [y, 0.1, x])
    z.backward()
    return [*numbers, z.data, x.grad, y.grad]


def mixed_workload() -> None:
    expected = everything(reference.Value)

    def check() -> None:
        for a, b in zip(everything(Value), expected, strict=True):
            assert a == b or math.isclose(a, b, rel_tol=1e-9), (a, b)

    check()
    threads = [threading.Thread(target=check) for _ in range(3)]
    for thread in threads:
        thread.start()
    check()
    for thread in threads:
        thread.join()
    test_graphs_that_end_in_an_exception_leave_nothing.__globals__["soak"] = lambda f, *_: f()
    for test in (
        test_nodes_with_many_operands_leave_nothing,
        test_graphs_that_end_in_an_exception_leave_nothing,
        test_modes_labels_and_scopes_leave_nothing,
        test_copies_and_pickles_leave_nothing,
        test_making_a_node_a_leaf_again_leaves_nothing,
    ):
        test.__wrapped__()  # type: ignore[attr-defined]


@alone(PYTHONMALLOC="debug")
def test_everything_under_the_allocator_that_checks() -> None:
    mixed_workload()


@alone(PYTHONMALLOC="malloc")
def test_everything_under_the_allocator_of_c() -> None:
    mixed_workload()


@alone("-X", "dev")
def test_everything_in_development_mode() -> None:
    mixed_workload()


# --- threads ---


def in_threads(*works: Callable[[], None]) -> None:
    """All at once, taking turns as often as can be; errors of any of them."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        try:
            start.wait()
            work()
        except BaseException as error:
            errors.append(error)

    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@alone()
def test_threads_keep_their_modes_apart() -> None:
    expected = (Value(2.0) * 3 + 1).tanh().data

    def plain() -> None:
        for _ in range(1_000):
            x = Value(2.0)
            z = ae.sum([(x * 3 + 1).tanh(), user_product(x, 0.0)])
            z.backward()
            assert z.data == expected and x.grad == 3 * (1 - expected * expected)
            assert z._info is None and (x / 0).data == math.inf
            assert len(z._prev) == 2

    def unrecorded() -> None:
        for _ in range(1_000):
            with no_grad():
                x = Value(2.0)
                for z in ((x * 3 + 1).tanh(), ae.sum([x, x]), user_product(x, x), x.exp()):
                    assert z._prev == () and z._op == "" and z._info is None
            assert (x * 2)._prev == (x,)

    def scoped(name: str) -> None:
        for i in range(1_000):
            with named_scope(name), named_scope(str(i)):
                x = Value(2.0)
                for z in ((x * 3 + 1).tanh(), ae.sum([x, x]), user_product(x, x), x, x.exp()):
                    assert z._info.scope == (name, str(i))
                assert (x / 0).data == math.inf and x.exp()._prev == (x,)
            assert Value(1.0)._info is None

    def suspicious() -> None:
        for _ in range(150):
            with detect_anomaly():
                x = Value(2.0)
                z = ae.sum([(x * 3 + 1).tanh(), x])
                z.backward()
                assert x.grad == 1 + 3 * (1 - expected * expected)
                for bad in (lambda: z / 0, lambda: ae.dot([z, 1e308], [1e308, z])):
                    with refused(AnomalyError):
                        bad()
                assert z._info.origin is not None and len(z._prev) == 2

    in_threads(
        plain, unrecorded, lambda: scoped("a"), suspicious, lambda: scoped("b"), plain, unrecorded
    )


@alone()
def test_threads_with_graphs_of_their_own_get_the_same_numbers() -> None:
    expected = everything(Value)

    def work() -> None:
        for _ in range(2):
            assert everything(Value) == expected

    in_threads(work, work, work, work)


@alone()
def test_threads_may_share_leaves() -> None:
    x, w = Value(1.0), Value(3.0)
    uses, passes, threads = 200, 500, 4

    def work() -> None:
        for _ in range(passes):
            z = ae.sum([x * w for _ in range(uses - 1)] + [x])  # whole numbers: sums are exact
            z.backward()

    count = sys.getrefcount(x)
    in_threads(*[work] * threads)
    assert x.grad == threads * passes * (3 * (uses - 1) + 1)
    assert w.grad == threads * passes * (uses - 1)
    assert sys.getrefcount(x) == count


@alone()
def test_threads_may_go_backward_through_one_graph() -> None:
    x = Value(1.0)
    z = ae.sum([chain(x, 1.0, 100), user_product(x, 2.0), x])

    def work() -> None:
        for _ in range(500):
            z.backward()

    in_threads(*[work] * 4)
    assert x.grad == 4 * 500 * 4


# --- signals ---


def interrupted(work: Callable[[], Any], after: float) -> bool:
    """Repeat `work` until Ctrl-C comes."""
    timer = threading.Timer(after, _thread.interrupt_main)
    try:
        timer.start()
        while True:
            work()
    except KeyboardInterrupt:
        return True
    finally:
        timer.join()


@alone()
def test_ctrl_c_leaves_a_state_that_can_be_used() -> None:
    x, w = Value(1.0), Value(1.0)
    held: list[Value] = []
    z = chain(x, w, 300_000) + ae.sum([x * 2 for _ in range(10_000)]) + user_cube(x)

    def forward() -> None:
        held.append(ae.sum([chain(x, w, 1_000), user_squares([x, w]), x]))

    def release() -> None:
        held.append(chain(x, w, 200_000))
        held.clear()

    count = sys.getrefcount(x)
    for delay in (0.0, 0.003, 0.01, 0.03):
        for work in (forward, z.backward, release):
            assert interrupted(work, delay)
            held.clear()
            assert sys.getrefcount(x) == count
            x.zero_grad(), w.zero_grad()
            z.backward()
            assert x.grad == 1 + 20_000 + 3 and w.grad == 300_000


@alone()
def test_a_signal_handler_may_use_the_same_graph() -> None:
    x = Value(1.0)
    z = chain(x, 1.0, 2_000) + ae.sum([x * 2 for _ in range(100)]) + user_cube(x)
    calls = 0

    def backward(*_: Any) -> None:
        nonlocal calls
        calls += 1
        z.backward()

    signal.signal(signal.SIGINT, backward)
    done = threading.Event()

    def disturb() -> None:
        while not done.wait(0.0001):
            _thread.interrupt_main()

    thread = threading.Thread(target=disturb)
    thread.start()
    for _ in range(300):
        y = ae.dot([chain(x, 1.0, 500), user_product(x, 2.0)], [x, x])
        assert len(topological_order(y)) == 503 and len(y._operands) == 4
        calls += 1
        z.backward()
        if hasattr(signal, "raise_signal"):
            signal.raise_signal(signal.SIGINT)
    done.set()
    thread.join()
    assert calls >= 600 and x.grad == calls * (1 + 200 + 3)


# --- what a Value is ---


@alone()
def test_a_node_takes_eighty_bytes_and_the_collector_does_not_see_it() -> None:
    assert ae.backend == "native"
    x = Value(1.0, label="x")
    if sys.maxsize > 2**32:
        assert sys.getsizeof(Value(1.0)) == 80
    for z in (x, x * 2, x.tanh(), ae.sum([x, x]), user_cube(x), copy.copy(x)):
        assert not gc.is_tracked(z) and gc.get_referents(z) == []


@alone()
def test_a_value_has_no_place_for_more() -> None:
    for x in (Value(1.0), Value(1.0) * 2, ae.sum([Value(1.0), 2.0])):
        with refused(AttributeError):
            x.note = 1
        with refused(AttributeError, TypeError):
            x.__dict__  # noqa: B018
        with refused(TypeError):
            weakref.ref(x)
        with refused(TypeError):
            x.__class__ = reference.Value
        with refused(TypeError):
            x.__class__ = type("Other", (), {"__slots__": ()})
        for name in ("data", "grad", "label"):
            with refused(AttributeError):
                delattr(x, name)
        assert x.data and not x.grad


class Lets:
    """In front of Value, it answers `__init_subclass__`."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        pass


def by_class_statement(body: dict[str, Any]) -> type:
    class Sub(Value):  # type: ignore[misc]
        locals().update(body)

    return Sub


def by_metaclass(body: dict[str, Any]) -> type:
    class Meta(type):
        def mro(cls) -> list[type]:  # type: ignore[override]
            return [cls, Lets, Value, object]

    return Meta("Sub", (Value,), body)


def by_new_class(body: dict[str, Any]) -> type:
    return types.new_class("Sub", (Lets, Value), exec_body=lambda space: space.update(body))


def by_set_name(body: dict[str, Any]) -> type:
    made: list[type] = []

    class Descriptor:
        def __set_name__(self, owner: type, name: str) -> None:
            made.append(owner)

    with contextlib.suppress(TypeError):
        type("Sub", (Value,), {"x": Descriptor(), **body})
    if not made:
        raise TypeError("not even half-made")
    return made[0]  # half-made: `__init_subclass__` comes later


@alone()
def test_there_is_no_way_to_a_subclass_that_leaks_or_crashes() -> None:
    resurrected = []
    makes = (by_class_statement, by_metaclass, by_new_class, by_set_name)
    bodies: list[dict[str, Any]] = [
        {},
        {"__slots__": ()},
        {"__slots__": ("me", "__weakref__")},
        {"__del__": lambda self: resurrected.append(self)},
        {"__init__": lambda self, data: None},
    ]
    for make in makes:
        for body in bodies:
            values: list[Any] = []
            with contextlib.suppress(TypeError):  # the best answer, here or below
                sub = make(dict(body))
                for ways in (
                    lambda: sub(2.0),
                    lambda: sub.__new__(sub),
                    lambda: Value.__new__(sub),
                ):
                    with contextlib.suppress(TypeError):
                        values.append(ways())
                with refused(TypeError):
                    object.__new__(sub)
            for s in values:
                n: Any = None
                with contextlib.suppress(TypeError):
                    n = (s.tanh() * 2).exp()
                    n = n + s
                    ae.sum([s, n]).backward()
                with contextlib.suppress(TypeError):
                    s.__class__ = Value
                with contextlib.suppress(AttributeError):
                    s.me = n  # a cycle
            watched = []
            with contextlib.suppress(TypeError):
                watched = [weakref.ref(s) for s in values]
            n = s = sub = None
            values.clear()
            gc.collect()
            resurrected.clear()
            gc.collect()
            assert not any(ref() for ref in watched), f"{make.__name__} {body}: leaks"
    x = Value(1.0)
    (x * 2).backward()
    assert x.grad == 2.0


@alone()
def test_a_label_that_is_more_than_a_string_leaks_and_crashes_nothing() -> None:
    class Text(str):
        hook: Callable[[], Any]

        def __del__(self) -> None:
            hook = getattr(self, "hook", None)
            if hook is not None:
                hook()

    v = Value(1.0)
    text = Text("in a circle")
    text.hook = lambda v=v: v.data  # type: ignore[misc]
    with contextlib.suppress(TypeError):
        v.label = text
    watched = weakref.ref(text)
    del v, text
    gc.collect()
    assert watched() is None

    for make in (lambda x: x * 5, lambda x: ae.sum([x, x * 2]), lambda x: user_cube(x)):
        for act in (
            lambda n: n.label,
            lambda n: n._info,
            lambda n: n._operands,
            lambda n: n.__init__(7.0),
            lambda n: setattr(n, "label", "other"),
            lambda n: n.backward(),
            lambda n: topological_order(n),
        ):
            x = Value(2.0) * 3
            n = make(x)
            for node in (x, n):
                text = Text("a")
                text.hook = lambda act=act, n=n: act(n)  # type: ignore[misc]
                with contextlib.suppress(TypeError):
                    node.label = text
            del x, text, node
            n.label = "b"
            n.__init__(1.0)
            others = [Value(float(i)) * 2 for i in range(100)]
            assert [z.data for z in others] == [2.0 * i for i in range(100)]
            del n
            gc.collect()


# --- strange use ---


@alone()
def test_a_value_without_init_is_zero() -> None:
    for x in (Value.__new__(Value), Value.__new__(Value, 3, label=4)):
        assert (x.data, x.grad, x.label, x._prev, x._op) == (0.0, 0.0, "", (), "")
        y = x + 2
        y.backward()
        assert x.grad == 1.0
        x.__init__(5.0)
        assert y._prev == (x,) and x.grad == 0.0


class Acts(float):
    """A number that does something when it is asked for its value."""

    act: Callable[[], Any]

    def __float__(self) -> float:
        self.act()
        return 2.0


@alone()
def test_operands_may_do_anything_while_they_are_converted() -> None:
    acts = Acts(2.0)
    for make in (
        lambda: n * acts,
        lambda: acts**n,
        lambda: n.maximum(acts),
        lambda: ae.where(n, acts, n),
        lambda: ae.dot(xs, [*xs[:-1], acts]),
        lambda: ae.dot([acts, *xs[1:]], xs),
        lambda: ae.sum([*xs, acts]),
        lambda: user_product(n, acts),
        lambda: user_squares([acts, n]),
        lambda: n.__init__(acts),
        lambda: n.backward(acts),
        lambda: setattr(n, "data", acts),
        lambda: Value(acts, label="x") * n,
        lambda: restore((), 1.0, 0.0, ae.dot, (n, acts), (acts,), None),
    ):
        for act in (
            lambda: n.__init__(1.0),
            lambda: n.backward(),
            lambda: xs.clear(),
            lambda: xs.extend([Value(1.0)] * 1_000),
            lambda: xs.__setitem__(slice(None), [None] * len(xs)),
            lambda: ae.sum([Value(1.0)] * 5_000),
            lambda: gc.collect(),
            lambda: ae.dot(xs[:3], xs[:3]),
        ):
            x = Value(3.0)
            xs: list[Any] = [x, 2.0, x * 2, acts, x]
            n = ae.sum([x * 2 for _ in range(50)]) * x
            acts.act = lambda: None
            acts.act = act  # type: ignore[method-assign]
            with contextlib.suppress(TypeError, ValueError):
                z = make()
                if z is not None:
                    assert math.isfinite(z.data)
                    z.backward()
            n.backward()
            assert math.isfinite(x.grad)
            n = z = None
            assert sys.getrefcount(x) < 20


class Sequence:
    """Something to iterate over that does something meanwhile."""

    def __init__(self, act: Callable[[], Any], values: list[Any]) -> None:
        self.act, self.values = act, values

    def __iter__(self) -> Iterator[Any]:
        self.act()
        yield from self.values
        self.act()


@alone()
def test_sequences_may_change_while_they_are_read() -> None:
    def fail() -> None:
        raise OSError

    for act in (
        lambda: xs.clear(),
        lambda: xs.extend([Value(2.0)] * 10_000),
        lambda: xs.reverse(),
        lambda: xs.pop(),
        lambda: ae.dot(xs, xs),
        fail,
    ):
        for make in (
            lambda: ae.dot(xs, Sequence(act, [1.0] * 4)),
            lambda: ae.dot(Sequence(act, [1.0] * 4), xs),
            lambda: ae.dot(Sequence(act, xs), Sequence(act, xs)),
            lambda: ae.sum(Sequence(act, xs)),
            lambda: ae.logsumexp(x for x in Sequence(act, xs)),
            lambda: user_squares(Sequence(act, xs)),
        ):
            xs = [Value(1.0), 2.0, Value(3.0), Value(4.0)]
            with contextlib.suppress(ValueError, OSError, IndexError):
                z = make()
                xs.clear()
                if isinstance(z, Value):
                    z.backward()
                    assert math.isfinite(z.data) and len(z._operands) >= 1
                else:
                    assert z == 0.0  # the sum of what is left, which is nothing


@alone()
def test_methods_refuse_what_is_no_value() -> None:
    untouched = 1  # a method that takes the int 1 for a Value writes into it
    for wrong in (
        lambda: Value.tanh(3.0),
        lambda: Value.tanh(),
        lambda: Value.tanh(Value(1.0), Value(2.0)),
        lambda: Value.maximum(3.0, Value(1.0)),
        lambda: Value.maximum(Value(1.0)),
        lambda: Value.__neg__(1),
        lambda: Value.__float__(1),
        lambda: Value.__init__(object(), 1.0),
        lambda: Value.__lt__(1, 2),
        lambda: Value.__hash__([]) and None,
        lambda: Value.backward("x"),
        lambda: Value.backward(reference.Value(1.0)),
        lambda: Value._backward(None),
        lambda: Value.zero_grad(1),
        lambda: Value.data.__get__(3.0),
        lambda: Value.data.__set__(3.0, 1.0),
        lambda: Value._operands.__get__("x"),
        lambda: Value.label.__get__(3.0),
        lambda: Value.__new__(int),
        lambda: Value.__new__(reference.Value),
        lambda: Value.__new__(3),
        lambda: object.__new__(Value).tanh(1),
        lambda: Value(1.0).tanh(x=1),
        lambda: Value(),
        lambda: Value(1.0, "x"),
        lambda: Value(1.0, lable="x"),
        lambda: pow(Value(2.0), 2, 3),
        lambda: Value(1.0).__reduce_cython__(),
        lambda: Value(1.0).__setstate_cython__({}),
        lambda: Value(1.0).__setstate__({}),
    ):
        with refused(TypeError, AttributeError):
            wrong()
        assert untouched + untouched == 2
    for operator in (Value.__add__, Value.__rsub__, Value.__mul__, Value.__pow__):
        with refused(TypeError):
            operator(1, 2)
    with refused(TypeError):
        Value(1.0) + reference.Value(1.0)


@alone()
def test_bind_refuses_operands_that_do_not_fit_the_row() -> None:
    x = Value(1.5)
    count = sys.getrefcount(x)
    ours = [row for row in TABLE.values() if not row.name.startswith("user_")]
    for row in (*ours, user_cube, user_product, user_squares):
        for n in range(5):
            given = (x,) * n
            fits = n == row.arity or (
                isinstance(row, NaryPrimitive) and n > 0 and n % row.arity == 0
            )
            if fits:
                z = Value.bind(row, given)
                assert len(z._prev) == n == len(z._derivatives)
                z.backward()
                del z
            else:
                with refused(TypeError, ValueError, IndexError):
                    Value.bind(row, given)
    for row in (None, 3, "tanh", [], Value, x, object()):
        with refused():
            Value.bind(row, (x, x))
    for operands in (None, [x], x, "x"):
        with refused():
            Value.bind(ae.tanh, operands)
    del given, operands, row
    assert sys.getrefcount(x) <= count + SLACK


class Liar:
    """It says that it is a float."""

    __class__ = float  # type: ignore[assignment]

    def __float__(self) -> float:
        return 2.5


@alone()
def test_numbers_that_are_strange() -> None:
    x = Value(1.5)
    for big in (10**400, -(10**400)):
        for wrong in (
            lambda big=big: x * big,
            lambda big=big: big - x,
            lambda big=big: ae.where(x, big, 1.0),
            lambda big=big: ae.sum([x, big]),
            lambda big=big: user_product(x, big),
            lambda big=big: Value(big),
            lambda big=big: x.backward(big),
        ):
            with refused(ValueError):
                wrong()
    for whole in (2**63, 2**63 - 1, -(2**63), 2**64 + 1, 2**53 + 1, -(2**100), True):
        for z in (x * whole, ae.sum([x, whole]), ae.where(x, whole, 1.0)):
            assert z._operands[1] == float(whole)
        assert (x * whole)._derivatives == (float(whole),)
    for make in (
        lambda: x * Liar(),
        lambda: Liar() / x,
        lambda: x.maximum(Liar()),
        lambda: ae.where(Liar(), x, 1.0),
        lambda: ae.dot([Liar()], [x]),
        lambda: user_product(x, Liar()),
        lambda: restore((), 1.0, 0.0, ae.mul, (x, Liar()), (2.5,), None),
        lambda: Value(Liar()) * x,
    ):
        with contextlib.suppress(TypeError):
            z = make()
            assert all(type(v) in (Value, float) for v in z._operands)
            z.backward()
            assert math.isfinite(z.data) and math.isfinite(x.grad)


@alone()
def test_restore_refuses_or_makes_a_sound_node() -> None:
    x, y = Value(1.5), Value(2.0)
    counts = sys.getrefcount(x), sys.getrefcount(y)

    class Fake:
        __class__ = Primitive  # type: ignore[assignment]

    rows = (None, ae.tanh, ae.mul, ae.where, ae.sum, ae.dot, user_cube, user_product, user_squares)
    wrong_rows = ("tanh", 3, Value, x, object(), Fake(), Primitive)
    cases: list[tuple[Any, ...]] = [(x,) * n + (2.0,) * m for n in range(5) for m in range(3)]
    strange: list[Any] = [(None,), ("x", x), ([], x), (x, reference.Value(1.0)), None, [x], "xy", x]
    slopes: list[Any] = [(), (1.0,), (1.0,) * 9, ("a",) * 4, None, 3, [Value(1.0)] * 4, iter([2.0])]
    infos: list[Any] = [None, Info("a"), ("a", ("b",)), (), "abc", ([],), (1, 2, 3, 4), 7, x]
    made = 0
    for row in (*rows, *wrong_rows):
        for operands in (*cases, *strange):
            for slope in slopes:
                info = infos[made % len(infos)]
                made += 1
                for make in (restore, lambda below, *fields: assemble(*fields)):
                    try:
                        z = make((), 1.0, 0.5, row, operands, slope, info)
                    except Exception:  # any will do, but no crash
                        continue
                    assert len(z._prev) == len(z._derivatives) <= len(z._operands)
                    assert z._info is None or type(z._info) is Info
                    z.backward()
                    assert len(topological_order(z)) <= 3
                    with contextlib.suppress(ValueError):  # `assemble` leaves it to `restore`
                        copy.copy(z)
                    repr(z), hash(z)
                    del z
    for fields in (("x", 0.0), (None, 0.0), (1.0, "x"), (1.0, [])):
        with refused(TypeError, ValueError):
            restore((), *fields, ae.mul, (x, y), (1.0, 1.0), None)
    assert pickle.loads(pickle.dumps(x * y)).data == 3.0
    del row, rows, wrong_rows, operands, cases, strange, slope, slopes, info, infos, fields
    assert sys.getrefcount(x) <= counts[0] + 4 + SLACK
    gc.collect()
    assert abs(sys.getrefcount(y) - counts[1]) <= SLACK, (sys.getrefcount(y), counts)


@alone()
def test_huge_fans_and_deep_graphs_of_strange_nodes() -> None:
    x = Value(1.0)
    z = ae.dot([x] * 1_000_000, [1.0] * 1_000_000) + ae.sum([x] * 1_000_000)
    z.backward()
    assert x.grad == 2_000_000 and len(z._prev[0]._operands) == 2_000_000
    z = x = Value(1.0)
    for _ in range(30_000):
        z = user_product(user_squares([z, 0.0]), 1.0)
        z = ae.where(1.0, z, ae.sum([z, x]))
        z = (2.0 - z) ** 0.5
    z.backward()
    assert z.data == 1.0 and abs(x.grad) <= 1.0
    with no_grad():
        assert ae.sum([x] * 1_000_000)._prev == ()


class Circle:
    """Garbage that acts when the collector finds it."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act, self.me = act, self

    def __del__(self) -> None:
        self.act()


@alone()
def test_the_collector_may_run_a_finalizer_at_any_allocation() -> None:
    """As CPython 3.11 does; later ones wait for the end of a call."""
    make = [
        lambda: n._operands,
        lambda: n._prev,
        lambda: n._derivatives,
        lambda: topological_order(n),
        lambda: ae.dot(xs, ys),
        lambda: ae.dot(iter(xs), ys),
        lambda: ae.where(xs[0], n, n),
        lambda: user_product(n, n),
        lambda: user_squares(xs),
        lambda: copy.deepcopy(n),
        lambda: n.backward(),
    ]
    acts = [
        lambda: n.__init__(1.0),
        lambda: (xs.clear(), ys.clear()),
        lambda: ae.sum([Value(7.0)] * 500),
        lambda: n.backward(),
    ]
    for work in make:
        for act in acts:
            for threshold in range(1, 7):
                xs: list[Any] = [Value(float(i)) for i in range(100)]
                ys = [1.0] * 100
                n = ae.sum([v * 2 for v in xs])
                gc.collect()  # this also empties the interpreter's stores of free lists
                Circle(act)
                gc.set_threshold(threshold)
                with contextlib.suppress(ValueError, IndexError):
                    z = work()
                    if isinstance(z, tuple):
                        assert all(type(v) in (Value, float) for v in z)
                    elif isinstance(z, Value):
                        assert z.data in (0.0, 1.0, 4950.0, 9900.0**2, 9900.0, 328350.0)
                gc.set_threshold(700)
                rubbish = [Value(-1.0) for _ in range(300)]
                n.backward()
                gc.collect()
                assert all(v.grad == 0.0 for v in rubbish)


@alone()
def test_modes_hold_while_a_finalizer_uses_others() -> None:
    def act() -> None:
        with no_grad(), named_scope("of the finalizer"):
            Value(1.0) * 2

    x = Value(2.0)
    for threshold in range(1, 12):
        for mode in (named_scope("ours"), detect_anomaly()):
            with mode:
                gc.collect()
                Circle(act)
                gc.set_threshold(threshold)
                zs = [x * 2, ae.sum([x, x]), user_cube(x), ae.where(x, x, 1.0), ae.dot([x], [x])]
                gc.set_threshold(700)
                for z in zs:
                    assert z._prev and z._info.scope != ("of the finalizer",)


@alone()
def test_memory_may_run_out_at_any_allocation() -> None:
    try:
        from _testcapi import remove_mem_hooks, set_nomemory
    except ImportError:
        return  # some distributions leave it out
    x = Value(1.0)
    deep = [chain(x, 1.0, n) for n in (3, 1_500, 5_000, 40_000)]
    xs, ys = [x, 1.0] * 3_000, [1.0, x] * 3_000
    z = ae.sum([x, x * 2, 1.0])
    fine = failed = 0
    for work in (
        *(z.backward for z in deep),
        lambda: x * 2.0,
        lambda: x.tanh(),
        lambda: Value(2.0),
        lambda: ae.dot(xs, ys),
        lambda: ae.sum(xs),
        lambda: ae.where(x, x, 1.0),
        lambda: z._operands,
        lambda: z._derivatives,
        lambda: topological_order(z),
        lambda: topological_order(deep[2]),
    ):
        held = [Value(0.0) for _ in range(1000)]
        for k in range(25):
            set_nomemory(k, k + 1)
            try:
                work()
            except MemoryError:
                remove_mem_hooks()
                failed += 1
            else:
                remove_mem_hooks()
                fine += 1
        for y in reversed(deep):
            x.zero_grad()
            y.backward()
            assert x.grad == 1.0
        assert len(topological_order(deep[3])) == 40_001
        assert ae.dot(xs, ys).data == 6_000.0
        del held
    assert fine and failed


# The rows above are for the processes of the tests; in this one they must not be rows of all tests.
if sys.argv[0] != "-c":
    from conftest import engines

    for name in [name for name, row in TABLE.items() if row.function.__module__ == __name__]:
        row = TABLE.pop(name)
        for engine in engines() if not isinstance(row, NaryPrimitive) else ():
            delattr(engine, name)
