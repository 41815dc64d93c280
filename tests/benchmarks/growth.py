"""Does the time per node stay the same, however long the chain?

Chains of 10^3 nodes and longer, y = y * 0.999: nanoseconds per node to make them, to go backward,
and to release them. A chain of the same length is made and dropped before, so that the memory is
warm; medians of several runs, the lengths in turn. The last column divides the total per node by
that of the shortest chain. The peak of the resident memory is that of a process of its own.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator
from typing import NamedTuple

from autograd_engine import Value
from tests.benchmarks.measuring import (
    PROCESS,
    SHORTEST_CHAIN,
    Row,
    Settings,
    in_fresh_process,
    nanoseconds,
    peak_bytes,
    progress,
    ratio,
    script,
)


class Phases(NamedTuple):
    """Seconds per node."""

    forward: float
    backward: float
    release: float

    def __str__(self) -> str:
        return " + ".join(nanoseconds(seconds).removesuffix(" ns") for seconds in self) + " ns"


def chain(length: int) -> Value:
    """A chain of multiplications by a constant, one node each."""
    y = Value(1.0)
    for _ in range(length):
        y = y * 0.999
    return y


def phases(length: int) -> Phases:
    """The times of one chain, the memory warm."""
    gc.collect()  # before the memory is warmed, for a full collection gives some of it back
    y = chain(length)
    y.backward()
    del y
    start = time.perf_counter()
    y = chain(length)
    made = time.perf_counter()
    y.backward()
    passed = time.perf_counter()
    del y
    released = time.perf_counter()
    return Phases((made - start) / length, (passed - made) / length, (released - passed) / length)


def medians(runs: list[Phases]) -> Phases:
    """The median of each phase."""
    return Phases(*map(statistics.median, zip(*runs, strict=True)))


def peak_of_chain(length: int) -> int:
    """The peak memory of the caller's process after one chain and its backward pass."""
    chain(length).backward()
    return peak_bytes()


def peak(length: int) -> str:
    """The peak memory of a process of its own, in words."""
    if not PROCESS.exists():
        return f"not measured: there is no {PROCESS}"
    return f"{in_fresh_process(peak_of_chain, length) / 1e6:,.0f} MB"


def growth(exponents: range, runs: int) -> dict[int, Phases]:
    """The median times of each length, the lengths in turn."""
    times: dict[int, list[Phases]] = {exponent: [] for exponent in exponents}
    for run in range(runs):
        progress(f"growth: chains up to 10^{exponents[-1]}, run {run + 1} of {runs}")
        for exponent in exponents:
            times[exponent].append(phases(10**exponent))
    return {exponent: medians(measured) for exponent, measured in times.items()}


def rows(settings: Settings) -> Iterator[Row]:
    """The time per node for each length, then the peak of the longest chain."""
    exponents = range(SHORTEST_CHAIN, settings.max_exponent + 1)
    times = growth(exponents, settings.runs)
    shortest = times[SHORTEST_CHAIN]
    for exponent, mine in times.items():
        yield Row(
            f"chain of 10^{exponent} nodes, per node: forward + backward + release",
            str(mine),
            f"10^{SHORTEST_CHAIN} nodes: {shortest}",
            ratio(sum(mine), sum(shortest)),
        )
    longest = exponents[-1]
    yield Row(f"chain of 10^{longest} nodes: peak memory of the process", peak(10**longest))


if __name__ == "__main__":
    script(__doc__, rows)
