"""What it costs to compile, by the length of the program too, and to call what was compiled."""

from __future__ import annotations

import functools
import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

import autograd_engine
from autograd_engine import compile, sin, value_and_grad
from tests.benchmarks import compiled_models, compiled_networks
from tests.benchmarks.compiled_sides import (
    Side,
    against,
    jax_alone,
    judged,
    microseconds,
    seconds,
)
from tests.benchmarks.measuring import (
    PROCESS,
    Row,
    Settings,
    check_agreement,
    compared,
    imported,
    in_fresh_process,
    milliseconds,
    peak_bytes,
    progress,
    ratio,
    resident_bytes,
)

READY = 25e-3  # seconds until the moons loss and its gradient are compiled
RECORDING = 15e-6  # seconds for each recorded operation, until the gradient is compiled
CALL = 3e-6  # seconds that a call of a short function takes
WIDTH = 5  # of the recorded chain: numbers side by side
LONGEST = 6  # 10 ** 6 recorded operations
WEIGHED = 4  # shorter programs are lost among the pages of memory


def first_call(make: Callable[[], Side | None]) -> float | None:
    """Seconds until a side has its first result, less those of a later call; None: no such side."""
    start = time.perf_counter()
    if not (side := make()):
        return None
    side.run()
    first = time.perf_counter() - start
    start = time.perf_counter()
    side.run()
    return first - (time.perf_counter() - start)


def compiling(settings: Settings) -> Iterator[Row]:
    """How long it takes until the first result is there, all sides in turn."""
    network = compiled_networks.of_moons(100, "tanh")
    problem = compiled_models.a_fit(settings.size(100, 10))
    forms = compiled_networks
    networks = {"ours": forms.ours, "jax.jit": forms.jit, "CasADi": forms.casadi}
    fits = {name: compiled_models.FIT[name] for name in networks}
    yield from until_ready("moons: until compiled", networks, network, settings, READY)
    steps = len(problem.observed)
    yield from until_ready(f"fit of an ODE, {steps} steps: until compiled", fits, problem, settings)


def until_ready(
    question: str,
    factories: Mapping[str, Callable[[Any], Side | None]],
    problem: Any,
    settings: Settings,
    bar: float | None = None,
) -> Iterator[Row]:
    """A row for each peer; whatever the first side ever has to load is there before."""
    progress(f"compiled: {question}")
    times: dict[str, list[float]] = {name: [] for name in factories}
    for run in range(settings.runs + 1):
        for name, make in factories.items():
            gc.collect()
            duration = first_call(functools.partial(make, problem))
            if run and duration is not None:
                times[name].append(duration)
    medians = {name: float(np.median(t)) if t else None for name, t in times.items()}
    ours = medians.pop("ours") or math.nan
    yield judged(Row(question, milliseconds(ours)), ours, bar, milliseconds(bar or 0.0))
    for peer, theirs in medians.items():
        yield compared(question, ours, peer, theirs, milliseconds)


class Growth(NamedTuple):
    """For one recorded operation: seconds, bytes; and how many instructions there are then."""

    seconds: float
    bytes: float
    instructions: int


def chain(length: int) -> Callable[..., Any]:
    """A function of `length` operations: numbers side by side, each step mixes neighbours."""

    def function(x: Any, a: Any, b: Any) -> Any:
        numbers = list(x)
        for _ in range(length // (4 * WIDTH)):
            neighbours = [*numbers[1:], numbers[0]]
            numbers = [sin(p) * a + b * q for p, q in zip(numbers, neighbours, strict=True)]
        return autograd_engine.sum(numbers)

    return function


def grown(length: int, runs: int) -> Growth:
    """Record a chain, differentiate and compile it, in the process of the caller."""
    x = np.linspace(0.1, 0.9, WIDTH)
    compile(value_and_grad(chain(100), argnums=(0, 1, 2)))(x, 0.7, 0.3)  # what is loaded once
    gc.collect()
    before = resident_bytes() if PROCESS.exists() else 0
    durations = []
    for run in range(runs):
        compiled = compile(value_and_grad(chain(length), argnums=(0, 1, 2)))
        durations.append(first_call(lambda c=compiled: Side(lambda: c(x, 0.7, 0.3), list)))
        if run == 0:
            size = (peak_bytes() - before) / length if PROCESS.exists() else math.nan
    return Growth(float(np.median(durations)) / length, size, len(compiled.program))


def growth(settings: Settings) -> Iterator[Row]:
    """Time and memory for each recorded operation, for longer and longer programs."""
    shortest = None
    for exponent in range(2, min(settings.max_exponent, LONGEST) + 1):
        length = 10**exponent
        progress(f"compiled: program of 10^{exponent} operations")
        runs = settings.runs if exponent < LONGEST - 1 else 1
        mine = in_fresh_process(grown, length, runs)
        shortest = shortest or mine
        question = f"program of 10^{exponent} recorded operations"
        row = Row(
            f"{question}: recording + gradient + passes, each",
            microseconds(mine.seconds),
            f"10^2: {microseconds(shortest.seconds)}",
            ratio(mine.seconds, shortest.seconds),
        )
        yield judged(row, mine.seconds, RECORDING, microseconds(RECORDING))
        if exponent < WEIGHED:
            continue
        of_program = mine.bytes * length / mine.instructions
        yield Row(
            f"{question}: peak memory for each",
            f"{mine.bytes:,.0f} B",
            f"{of_program:,.0f} B for each of {mine.instructions:,} instructions",
        )


# Calling.


def ten(library: Any, x: Any, y: Any) -> Any:
    """Ten operations on two numbers, with the functions of a library."""
    a, b = library.sin(x), library.cos(y)
    c, d = library.exp(a * b), library.tanh(a - b)
    return c / d + c * x - y


def calling(settings: Settings) -> Iterator[Row]:
    """What a call costs beside the work."""
    progress("compiled: call of a short function")
    compiled = compile(functools.partial(ten, autograd_engine))
    works: dict[str, Callable[[], Any]] = {"ours": lambda: compiled(1.2, 0.7)}
    works["Python's math"] = lambda: ten(math, 1.2, 0.7)
    if jax := jax_alone():
        jitted = jax.jit(functools.partial(ten, jax.numpy))
        works["jax.jit"] = lambda: jitted(1.2, 0.7).block_until_ready()
    if ca := imported("casadi"):
        x, y = ca.SX.sym("x"), ca.SX.sym("y")
        function = ca.Function("ten", [x, y], [ten(ca, x, y)])
        works["CasADi"] = lambda: function(1.2, 0.7)
    check_agreement("ten operations", {name: [float(work())] for name, work in works.items()})
    times = seconds(works, settings)
    question = f"call of a function of {len(compiled.program)} instructions"
    ours = times["ours"]
    yield judged(Row(question, microseconds(ours)), ours, CALL, microseconds(CALL))
    for peer in ("Python's math", "jax.jit", "CasADi"):
        yield against(question, ours, peer, times.get(peer))


QUESTIONS = (compiling, growth, calling)
