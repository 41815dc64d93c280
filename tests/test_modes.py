"""no_grad, named_scope, and the choice of the engine."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import autograd_engine as ae
from autograd_engine import Graph, Value, detect_anomaly, named_scope, no_grad, registry
from autograd_engine.modes import current_mode, users_line


def is_recording() -> bool:
    return (Value(1.0) * 2)._prev != ()


def scope() -> tuple[str, ...]:
    return Graph(Value(1.0) * 2).output.scope


def in_thread(function: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join(timeout=30)
    (result,) = results
    return result


# --- no_grad --------------------------------------------------------------------------------------


def test_no_grad_records_nothing_and_computes_the_same() -> None:
    x = Value(3.0)
    with no_grad():
        results = [x * x, x + 1, 1 / x, -x, x.tanh(), x**x, ae.sum([x, 2.0]), ae.softmax([x, x])[0]]
    recorded = [x * x, x + 1, 1 / x, -x, x.tanh(), x**x, ae.sum([x, 2.0]), ae.softmax([x, x])[0]]
    assert [z.data for z in results] == [z.data for z in recorded]
    assert [(z._prev, z._op, z._operands) for z in results] == [((), "", ())] * len(results)
    assert all(z._prev for z in recorded)


def test_result_of_no_grad_is_a_leaf_of_later_graphs() -> None:
    x = Value(3.0)
    with no_grad():
        y = x * x
    (y * x).backward()
    assert (x.grad, y.grad) == (9.0, 3.0)


def test_no_grad_ends_with_its_block() -> None:
    assert is_recording()
    with no_grad():
        assert not is_recording()
    assert is_recording()


def test_no_grad_nests() -> None:
    with no_grad():
        with no_grad():
            assert not is_recording()
        assert not is_recording()
    assert is_recording()


def test_one_no_grad_may_be_entered_again() -> None:
    mode = no_grad()
    with mode:
        with mode:
            assert not is_recording()
        assert not is_recording()
    assert is_recording()
    with mode:
        assert not is_recording()
    assert is_recording()


def test_no_grad_ends_with_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert is_recording()


@pytest.mark.parametrize("decorate", [no_grad, no_grad()], ids=["@no_grad", "@no_grad()"])
def test_no_grad_decorates(decorate: Callable[..., Any]) -> None:
    @decorate
    def evaluate(x: Value, *, factor: float = 2.0) -> tuple[bool, float]:
        """The docstring stays."""
        return (x * factor)._prev == (), (x * factor).data

    assert evaluate(Value(3.0), factor=3.0) == (True, 9.0)
    assert evaluate(Value(3.0)) == (True, 6.0)
    assert is_recording()
    assert (evaluate.__name__, evaluate.__doc__) == ("evaluate", "The docstring stays.")


@pytest.mark.parametrize("decorate", [no_grad, no_grad()], ids=["@no_grad", "@no_grad()"])
def test_decorated_function_may_recurse_and_raise(decorate: Callable[..., Any]) -> None:
    @decorate
    def count_down(n: int) -> list[bool]:
        if n == 0:
            raise ValueError("bottom")
        try:
            count_down(n - 1)
        except ValueError:
            return [is_recording()]
        return [*count_down(n - 1), is_recording()]

    assert count_down(4) == [False] * 4
    assert is_recording()
    with pytest.raises(ValueError, match="bottom"):
        count_down(0)
    assert is_recording()


def a_generator() -> Any:
    yield Value(1.0) * 2


async def a_coroutine() -> Any:
    return Value(1.0) * 2


async def an_async_generator() -> Any:
    yield Value(1.0) * 2


@pytest.mark.parametrize("decorate", [no_grad, no_grad()], ids=["@no_grad", "@no_grad()"])
@pytest.mark.parametrize("function", [a_generator, a_coroutine, an_async_generator])
def test_no_grad_refuses_functions_whose_body_runs_later(
    decorate: Callable[..., Any], function: Callable[[], Any]
) -> None:
    with pytest.raises(TypeError, match=rf"^no_grad: {function.__name__} runs after .* inside it"):
        decorate(function)


@pytest.mark.parametrize("bad", [3, "f", Value(1.0)], ids=["int", "str", "Value"])
def test_no_grad_decorates_only_functions(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"^no_grad: expected a function to decorate"):
        no_grad(bad)


def test_no_grad_holds_in_its_thread_only() -> None:
    with no_grad():
        assert in_thread(is_recording)
        assert not is_recording()

    inside, checked = threading.Event(), threading.Event()

    def stay_inside() -> bool:
        with no_grad():
            inside.set()
            checked.wait(timeout=30)
            return is_recording()

    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(stay_inside()))
    thread.start()
    assert inside.wait(timeout=30)
    assert is_recording()
    checked.set()
    thread.join(timeout=30)
    assert results == [False]


def test_a_decorated_function_may_run_in_several_threads_at_once() -> None:
    barrier = threading.Barrier(4)

    @no_grad()
    def evaluate() -> bool:
        barrier.wait(timeout=30)
        recording = is_recording()
        barrier.wait(timeout=30)
        return recording

    results: list[tuple[bool, bool]] = []
    threads = [
        threading.Thread(target=lambda: results.append((evaluate(), is_recording())))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert results == [(False, True)] * 4
    assert is_recording()


def test_no_grad_holds_in_its_task_only() -> None:
    async def evaluate(entered: asyncio.Event) -> bool:
        with no_grad():
            entered.set()
            await asyncio.sleep(0)
            return is_recording()

    async def main() -> tuple[bool, bool]:
        entered = asyncio.Event()
        task = asyncio.create_task(evaluate(entered))
        await entered.wait()
        return is_recording(), await task

    assert asyncio.run(main()) == (True, False)


# --- named_scope ----------------------------------------------------------------------------------


def test_scopes_nest_from_the_outermost() -> None:
    assert scope() == ()
    with named_scope("a"):
        assert scope() == ("a",)
        with named_scope("b"):
            assert scope() == ("a", "b")
        assert scope() == ("a",)
    assert scope() == ()


def test_leaves_and_labels_keep_their_scope() -> None:
    with named_scope("a"):
        x = Value(1.0, label="x")
        y = x * 2
    y.label = "y"
    nodes = Graph(y).nodes
    assert [(node.label, node.scope) for node in nodes] == [("x", ("a",)), ("y", ("a",))]
    assert Graph(x + 1).output.scope == ()


def test_scope_ends_with_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), named_scope("a"), named_scope("b"):
        raise ZeroDivisionError
    assert scope() == ()


def test_scope_decorates_and_recurses() -> None:
    @named_scope("f")
    def f(depth: int) -> tuple[str, ...]:
        return f(depth - 1) if depth else scope()

    assert f(0) == ("f",)
    assert f(2) == ("f", "f", "f")
    assert scope() == ()


def test_one_scope_may_be_entered_again() -> None:
    layer = named_scope("layer")
    for _ in range(2):
        with layer:
            assert scope() == ("layer",)
        assert scope() == ()


def test_one_scope_may_be_entered_inside_itself() -> None:
    layer = named_scope("layer")
    try:
        with layer:
            with layer:
                assert scope() == ("layer", "layer")
            assert scope() == ("layer",)
        assert scope() == ()
    finally:
        restore_recording_outside_every_scope()


def restore_recording_outside_every_scope() -> None:
    from autograd_engine import modes

    modes.MODE.set(modes.Mode())


@pytest.mark.parametrize("bad", [3, None, ("a",), b"a"], ids=repr)
def test_scope_name_must_be_a_string(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"^named_scope: the name must be a string, got "):
        named_scope(bad)


def test_scope_name_must_not_be_empty() -> None:
    with pytest.raises(ValueError, match=r"^named_scope: the name is empty"):
        named_scope("")


def test_scope_holds_in_its_thread_only() -> None:
    with named_scope("a"):
        assert in_thread(scope) == ()
        assert scope() == ("a",)


def test_scope_and_no_grad_mix_in_any_order() -> None:
    with named_scope("a"), no_grad(), named_scope("b"):
        assert not is_recording()
        assert Graph(Value(1.0)).output.scope == ("a", "b")
    with no_grad(), named_scope("a"):
        assert not is_recording()
    assert is_recording()
    assert scope() == ()


# --- the engine in use ----------------------------------------------------------------------------


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


@pytest.mark.parametrize("name", sorted({"python", ae.backend}))
def test_an_engine_can_be_asked_for(name: str) -> None:
    program = "import autograd_engine as ae; x = ae.Value(3.0); (x * x).backward()"
    result = run(f"{program}; print(ae.backend, x.grad)", AUTOGRAD_ENGINE_BACKEND=name)
    assert (result.stdout, result.stderr) == (f"{name} 6.0\n", "")


@pytest.mark.parametrize("name", ["fortran", "Python"])
def test_another_engine_is_an_import_error_with_the_remedy(name: str) -> None:
    result = run("import autograd_engine", AUTOGRAD_ENGINE_BACKEND=name)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: AUTOGRAD_ENGINE_BACKEND={name}: ")
    assert "unset the variable" in last


MISSING = "import sys; sys.modules['autograd_engine._native'] = None; "
BROKEN = """
import sys
from importlib.abc import MetaPathFinder

class Broken(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "autograd_engine._native":
            raise ImportError("undefined symbol: PyOldName")

sys.meta_path.insert(0, Broken())
"""


def test_where_no_native_engine_was_built_python_does_the_work() -> None:
    program = MISSING + "import autograd_engine as ae; print(ae.backend, ae.exp(ae.Value(0.0)))"
    result = run(program, AUTOGRAD_ENGINE_BACKEND="")
    assert (result.stdout, result.stderr) == ("python Value(data=1.0, grad=0.0)\n", "")


def test_the_native_engine_asked_for_but_missing_is_an_error_with_the_remedy() -> None:
    result = run(MISSING + "import autograd_engine", AUTOGRAD_ENGINE_BACKEND="native")
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ImportError: AUTOGRAD_ENGINE_BACKEND=native: the native engine was not")
    assert "C compiler" in last
    assert "pip" in last


def test_a_native_engine_that_does_not_load_is_a_warning() -> None:
    program = BROKEN + "import autograd_engine as ae; print(ae.backend)"
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "AUTOGRAD_ENGINE_BACKEND": ""},
    )
    assert result.stdout == "python\n"
    assert "RuntimeWarning: using the Python engine: undefined symbol: PyOldName" in result.stderr


def test_kernels_that_are_out_of_date_are_not_used(tmp_path: Path) -> None:
    package = Path(ae.__file__).parent
    shutil.copytree(package, tmp_path / "autograd_engine")
    with open(tmp_path / "autograd_engine" / "primitives.py", "a") as table:
        table.write("# one more line\n")
    program = "import autograd_engine as ae; print(ae.backend)"
    for wanted, printed in (("", "python\n"), ("native", "")):
        result = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "AUTOGRAD_ENGINE_BACKEND": wanted, "PYTHONPATH": str(tmp_path)},
        )
        assert result.stdout == printed
        if ae.backend == "native":
            assert "python -m autograd_engine.codegen" in result.stderr


def test_without_the_text_of_the_table_nobody_knows_its_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(registry.table_hash()) == 8
    monkeypatch.setattr(registry, "__file__", str(tmp_path / "registry.pyc"))
    assert registry.table_hash() == ""


HEAVY = ("numpy", "graphviz", "matplotlib", "tqdm", "nn")


@pytest.mark.parametrize(
    "program",
    [
        "import autograd_engine",
        "from autograd_engine import Value, gradcheck, draw, Graph, softmax, no_grad",
        "import autograd_engine as ae\n"
        "x = ae.Value(0.5)\n"
        "y = ae.softmax([x.tanh(), ae.maximum(x, 0), 2 ** x])[0]\n"
        "y.backward()\n"
        "assert x.grad and len(ae.Graph(y).nodes) > 3 and repr(y)",
    ],
    ids=["import", "names", "use"],
)
def test_heavy_packages_are_loaded_only_when_needed(program: str) -> None:
    result = run(f"import sys\n{program}\nprint([m for m in {HEAVY} if m in sys.modules])")
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_numpy_is_loaded_at_a_singular_point() -> None:
    program = (
        "import sys; from autograd_engine import Value; before = 'numpy' in sys.modules; "
        "print((1 / Value(0.0)).data, before, 'numpy' in sys.modules)"
    )
    assert run(program, AUTOGRAD_ENGINE_BACKEND="python").stdout == "inf False True\n"


def test_one_manager_shared_by_threads_keeps_their_modes_apart() -> None:
    shared, a_is_in, b_is_in, a_is_out = no_grad(), *(threading.Event() for _ in range(3))
    seen: dict[str, object] = {}

    def first() -> None:
        with shared:
            a_is_in.set()
            b_is_in.wait(5)
        seen["a"] = (current_mode().records, current_mode().info)
        a_is_out.set()

    def second() -> None:
        a_is_in.wait(5)
        with named_scope("B"):
            with shared:
                b_is_in.set()
                a_is_out.wait(5)
            mode = current_mode()
            seen["b"] = (mode.records, mode.info.scope if mode.info else ())

    threads = [threading.Thread(target=run) for run in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"a": (True, None), "b": (True, ("B",))}


def test_a_yield_inside_a_block_that_is_left_out_of_order_is_an_error() -> None:
    def numbers() -> Iterator[int]:
        with no_grad():
            yield 1
            yield 2

    def interleaved() -> None:
        iterator = numbers()
        next(iterator)
        with named_scope("a"):
            list(iterator)

    with pytest.raises(RuntimeError, match="out of order"):
        interleaved()
    mode = current_mode()
    assert (mode.records, mode.info, mode.outer) == (True, None, None)


def test_blocks_that_are_entered_again_make_nothing_new() -> None:
    infos = set()
    for _ in range(3):
        with no_grad(), named_scope("layer"):
            infos.add(id(current_mode()))
        with detect_anomaly(), named_scope("layer"):
            infos.add(id(current_mode()))
    assert len(infos) == 2


def test_plus_gives_the_value_itself() -> None:
    x = Value(2.0)
    assert +x is x


def test_the_users_line_is_found_before_numpy_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    file, line = users_line()
    assert (file, type(line)) == (__file__, int)
