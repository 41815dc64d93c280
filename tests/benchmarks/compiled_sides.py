"""What the benchmarks of `compile` share: one core, a side of a comparison, rows with a bar."""

from __future__ import annotations

import functools
import itertools
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from tests.benchmarks.measuring import (
    Row,
    Settings,
    alternate,
    check_agreement,
    compared,
    imported,
    progress,
    ratio,
)

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",  # PyTorch
    "OPENBLAS_NUM_THREADS": "1",  # NumPy
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}
LOOP = (0.02, 0.002)  # seconds that a timed run takes at least: in full, quick

Array = np.ndarray[Any, np.dtype[np.float64]]


def on_one_core() -> None:
    """Give the processes that this one starts one core, and one thread to each library.

    To be called before they import anything: BLAS, PyTorch and XLA read the environment once, and
    make as many threads as they then see cores. XLA has no setting that all its thread pools obey,
    but none of them can use a second core.
    """
    os.environ.update(ONE_THREAD)
    if hasattr(os, "sched_setaffinity"):  # Linux
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


class Side(NamedTuple):
    """One side of a comparison.

    Attributes
    ----------
    run : callable
        The work that is timed.
    numbers : callable
        What all sides must agree about, after a run: the value and the gradient, in one list.
    step : callable or None
        The work together with an update of the parameters.
    """

    run: Callable[[], object]
    numbers: Callable[[], Sequence[float]]
    step: Callable[[], object] | None = None


Sides = Mapping[str, Side | None]


def flat(value: Any, gradients: Sequence[Any]) -> list[float]:
    """The value and all entries of the gradients."""
    return [float(value), *(float(x) for gradient in gradients for x in np.ravel(gradient))]


def views(vector: Any, arrays: Sequence[Array]) -> list[Any]:
    """The parts of a vector in the shapes of some arrays, one after the other."""
    ends = list(itertools.accumulate(array.size for array in arrays))
    starts = [0, *ends[:-1]]
    return [
        vector[start:end].reshape(array.shape)
        for start, end, array in zip(starts, ends, arrays, strict=True)
    ]


def joined(arrays: Sequence[Array]) -> Array:
    """The entries of all arrays in one new vector."""
    return np.concatenate([array.ravel() for array in arrays])


# Peers.


def torch_alone() -> ModuleType | None:
    """PyTorch with one thread; None when it is not installed."""
    if torch := imported("torch"):
        torch.set_num_threads(1)
    return torch


def jax_alone() -> ModuleType | None:
    """JAX with float64 and without a thread that dispatches, which takes 8 us less for each call.

    None when it is not installed.
    """
    if jax := imported("jax"):
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_cpu_enable_async_dispatch", False)  # heeded before the first call
    return jax


def jax_side(loss: Callable[..., Any], parameters: Any, data: Sequence[Any], rate: float) -> Side:
    """`jax.jit` of the value and the gradient of loss(parameters, *data); it must be installed."""
    jax = jax_alone()
    assert jax
    current = jax.tree.map(jax.numpy.asarray, parameters)
    constants = [jax.numpy.asarray(array) for array in data]
    both = jax.jit(jax.value_and_grad(loss))

    def run() -> Any:
        return jax.block_until_ready(both(current, *constants))

    @jax.jit
    def updated(parameters: Any, *data: Any) -> Any:
        value, gradient = jax.value_and_grad(loss)(parameters, *data)
        return value, jax.tree.map(lambda p, g: p - rate * g, parameters, gradient)

    def step() -> Any:
        nonlocal current
        value, current = jax.block_until_ready(updated(current, *constants))
        return value

    def numbers() -> list[float]:
        value, gradient = run()
        return flat(value, jax.tree.leaves(gradient))

    return Side(run, numbers, step)


def casadi_side(function: Any, inputs: Sequence[Array]) -> Side:
    """A CasADi function of arrays that gives a value and a gradient by the first of them.

    It reads and writes the memory of arrays: passing them as arguments takes longer than the work.
    """
    value, gradient = np.zeros(1), np.zeros(inputs[0].size)
    inputs = [np.ascontiguousarray(array, dtype=float) for array in inputs]
    buffer, run = function.buffer()
    for i, array in enumerate(inputs):
        buffer.set_arg(i, memoryview(array))
    for i, array in enumerate((value, gradient)):
        buffer.set_res(i, memoryview(array))

    def numbers(_alive: object = (buffer, inputs, function)) -> list[float]:
        run()
        return flat(value[0], [gradient])

    return Side(run, numbers)


# Times.


def repeated(work: Callable[[], object], times: int) -> object:
    """Do it so often; the result of the last time."""
    result: object = None
    for _ in itertools.repeat(None, times):
        result = work()
    return result


def once(work: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def seconds(works: Mapping[str, Callable[[], object]], settings: Settings) -> dict[str, float]:
    """The median time of one call of each side, the sides in turn, each in a loop long enough."""
    least = LOOP[settings.quick]
    for work in works.values():
        repeated(work, 2)
    fastest = {name: min(once(work) for _ in range(5)) for name, work in works.items()}
    counts = {name: math.ceil(least / max(time, 1e-7)) for name, time in fastest.items()}
    loops = {name: functools.partial(repeated, works[name], n) for name, n in counts.items()}
    times = alternate(loops, settings.runs)
    return {name: times[name].work / counts[name] for name in works}


# Rows.


def microseconds(duration: float) -> str:
    """Seconds, printed as microseconds."""
    return f"{duration * 1e6:,.{1 if duration < 1e-3 else 0}f} us"


def judged(row: Row, measured: float, bar: float | None, shown: str = "") -> Row:
    """The row with the bar that a figure has to stay under; None: there is none."""
    if bar is None:
        return row
    missed = ", missed" if measured > bar else ""
    return row._replace(ratio=f"{row.ratio} (bar {shown or ratio(bar, 1.0)}{missed})".strip())


def against(
    question: str, ours: float, peer: str, theirs: float | None, bar: float | None = None
) -> Row:
    """The row for two times in seconds; the bar is for ours divided by theirs."""
    row = compared(question, ours, peer, theirs, microseconds)
    return row if theirs is None else judged(row, ours / theirs, bar)


def comparison(
    question: str, sides: Sides, settings: Settings, bars: Mapping[str, float] | None = None
) -> Iterator[Row]:
    """Times of all sides that are installed, when they agree; the first one is ours."""
    progress(f"compiled: {question}")
    present = {name: side for name, side in sides.items() if side}
    check_agreement(question, {name: side.numbers() for name, side in present.items()})
    times = seconds({name: side.run for name, side in present.items()}, settings)
    ours, *peers = sides
    for peer in peers:
        if not peer.startswith("ours, one vector"):
            _, comma, kind = peer.partition(", ")  # ours with the same kind of arguments
            alike = f"{ours}{comma}{kind}"
            mine = times[alike if alike in times and alike != peer else ours]
            yield against(question, mine, peer, times.get(peer), (bars or {}).get(peer))
