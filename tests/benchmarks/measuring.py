"""What all benchmarks share: timing in turn, memory, agreement, fresh processes, the table."""

from __future__ import annotations

import argparse
import functools
import gc
import importlib
import math
import mmap
import multiprocessing
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, ParamSpec, TypeVar

from autograd_engine import backend

P = ParamSpec("P")
T = TypeVar("T")

PROCESS = Path("/proc/self")  # Linux; elsewhere memory is not measured
PEERS = ("micrograd", "autograd", "torch")
SHORTEST_CHAIN = 3  # of `growth`: 10 ** 3 nodes
RECURSION_LIMIT = 1_000_000  # micrograd walks its graph by recursion, in Python, not on the C stack


@dataclass(frozen=True)
class Settings:
    """How much to measure.

    Attributes
    ----------
    quick : bool
        Small sizes and one run: does everything still work?
    runs : int
        Timed runs of each side.
    max_exponent : int
        The longest chain of `growth` has 10 ** max_exponent nodes.
    """

    quick: bool
    runs: int
    max_exponent: int

    def size(self, full: int, quick: int) -> int:
        """The one of two sizes that these settings ask for."""
        return quick if self.quick else full


class Row(NamedTuple):
    """A line of the table: a question, our figure, the peer's, and ours divided by the peer's."""

    question: str
    ours: str
    peer: str = ""
    ratio: str = ""


class Timing(NamedTuple):
    """Seconds: of the work, and of the work together with the release of what it made."""

    work: float
    with_release: float


Rows = Callable[[Settings], Iterable[Row]]


# Times.


def timed(work: Callable[[], object]) -> Timing:
    """Time `work`, and the release of its result, which holds the graph.

    It runs once before, untimed, because the side before has left caches and memory to its own
    liking: a first run of the native engine after PyTorch took about five times as long. The cyclic
    collector runs before, so that no side pays for the rubbish of another, and stays switched on:
    what it costs during the run belongs to the side that makes it work.
    """
    work()
    gc.collect()
    start = time.perf_counter()
    result = work()
    done = time.perf_counter()
    del result
    return Timing(done - start, time.perf_counter() - start)


def alternate(sides: Mapping[str, Callable[[], object]], runs: int) -> dict[str, Timing]:
    """The median times of each side, all sides in turn, so that a slow minute slows all of them.

    What is there before, such as the modules of all peers, is kept from the cyclic collector:
    importing PyTorch alone would make each full collection, and so every other side, slower.
    """
    gc.collect()
    gc.freeze()
    rounds = [{name: timed(work) for name, work in sides.items()} for _ in range(runs)]
    gc.unfreeze()
    return {name: median([times[name] for times in rounds]) for name in sides}


def median(timings: Sequence[Timing]) -> Timing:
    """The median of each part by itself."""
    return Timing(*map(statistics.median, zip(*timings, strict=True)))


# Memory.


def resident_bytes() -> int:
    """What this process has in memory now."""
    return int((PROCESS / "statm").read_text().split()[1]) * mmap.PAGESIZE


def peak_bytes() -> int:
    """The most that this process ever had in memory.

    Not `resource.getrusage`: on Linux a new process inherits that number from its parent.
    """
    lines = (PROCESS / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def in_fresh_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a call in a new interpreter, which has neither imports nor memory of ours."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as executor:
        return executor.submit(function, *args, **kwargs).result()


# Peers.


def imported(module: str) -> ModuleType | None:
    """A module of a peer; None when it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def version(package: str) -> str:
    """The name and version of a package."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} not installed"


def check_agreement(question: str, gradients: Mapping[str, Sequence[float]]) -> None:
    """Compare the gradients of all sides with those of the first.

    Raises
    ------
    RuntimeError
        When one differs by more than 1e-9 of itself: a fast wrong answer is no answer.
    """
    (first, reference), *others = gradients.items()
    for name, numbers in others:
        for mine, other in zip(reference, numbers, strict=True):
            if not math.isclose(mine, other, rel_tol=1e-9, abs_tol=1e-12):
                raise RuntimeError(f"{question}: {first} has {mine!r}, {name} {other!r}")


# The table.


def ratio(ours: float, peer: float) -> str:
    """Ours divided by the peer's: "1.31" is slower or larger than the peer, "1/7.3" is better."""
    return f"{ours / peer:.2f}" if ours >= peer else f"1/{peer / ours:.3g}"


def compared(
    question: str, ours: float, peer: str, theirs: float | None, show: Callable[[float], str]
) -> Row:
    """The row for one figure of ours and of a peer; None: the peer is not installed."""
    if theirs is None:
        return Row(question, show(ours), f"{peer}: not installed")
    return Row(question, show(ours), f"{peer} {show(theirs)}", ratio(ours, theirs))


def milliseconds(seconds: float) -> str:
    """Seconds, printed as milliseconds."""
    return f"{seconds * 1e3:.1f} ms"


def nanoseconds(seconds: float) -> str:
    """Seconds, printed as nanoseconds."""
    return f"{seconds * 1e9:.0f} ns"


def heading() -> str:
    """What was measured: our engine, Python, and the peers."""
    parts = [f"autograd_engine backend {backend}", f"Python {platform.python_version()}"]
    return ", ".join([*parts, *map(version, PEERS)])


def table(rows: Iterable[Row]) -> str:
    """Rows as a table in Markdown."""
    titles = ("question", "ours", "peer", "ours / peer")
    lines = [titles, ("---", "---:", "---:", "---:"), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def progress(question: str) -> None:
    """Say on stderr what is measured now."""
    print(f"{question} ...", file=sys.stderr, flush=True)


# The command line.


def at_least(least: int) -> Callable[[str], int]:
    """How to read a whole number that must not be smaller."""

    def read(text: str) -> int:
        if (number := int(text)) < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {number}")
        return number

    return read


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that all scripts have."""
    options = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    options.add_argument("--quick", action="store_true", help="small sizes, one run")
    options.add_argument("--runs", type=at_least(1), help="timed runs of each side (default: 7)")
    help_max = "growth: up to 10 ** MAX nodes (default: native 7, python 6)"
    options.add_argument("--max", type=at_least(SHORTEST_CHAIN), help=help_max)
    return options


def settings(arguments: argparse.Namespace) -> Settings:
    """The settings that a command line asks for."""
    longest = 4 if arguments.quick else 7 if backend == "native" else 6
    runs = arguments.runs or (1 if arguments.quick else 7)
    return Settings(arguments.quick, runs, arguments.max or longest)


def report(rows: Iterable[Row]) -> None:
    """Print the heading and the table."""
    print(f"{heading()}\n\n{table(rows)}")


def script(description: str | None, rows: Rows) -> None:
    """Run one benchmark alone."""
    report(rows(settings(parser(description).parse_args())))


def rows_of(module: str, chosen: Settings) -> list[Row]:
    """All rows of the benchmark in a module, to be called in a fresh process."""
    benchmark: Any = importlib.import_module(module)
    return list(benchmark.rows(chosen))


recursion_for_peers = functools.partial(sys.setrecursionlimit, RECURSION_LIMIT)
"""Let peers that recurse walk graphs of the sizes that are measured here."""
