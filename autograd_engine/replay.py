"""How a recorded function runs: on the native executor, or instruction by instruction on NumPy.

Both are called with the arguments and give the result, or `MISMATCH` for arguments of another
structure. NumPy takes over where the native executor was not built, and for primitives of users,
which have no kernel in C.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from typing import Any

from autograd_engine.backend import Value, backend
from autograd_engine.encoding import OPCODES, encoded
from autograd_engine.fusion import Fused
from autograd_engine.lowering import lowered
from autograd_engine.numpy_executor import OnNumPy
from autograd_engine.templates import Template
from autograd_engine.transform import no_collector
from autograd_engine.work import MISMATCH, Work

__all__ = ["executor", "runner"]


@functools.cache
def executor() -> Any:
    """The native executor, or None: with the engine in Python too, NumPy does all the work."""
    if backend != "native":
        return None
    try:
        native = importlib.import_module("autograd_engine._executor")
    except ModuleNotFoundError:
        return None
    if native.KERNELS_HASH != _engine().kernels_hash:
        warnings.warn(
            "compile uses NumPy: the native executor was built from another table of primitives; "
            "install autograd_engine again",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return native


def _engine() -> Any:
    return importlib.import_module("autograd_engine._native")


@no_collector()
def runner(work: Work) -> tuple[Any, dict[str, int]]:
    """What computes this work (where Values take part, its results are Values), and its size."""
    known = all(operation is None or operation in OPCODES for operation in work.program.operations)
    gradients = len(work.kinds) - len(work.fused)
    make = _on_executor if known and executor() is not None else _on_numpy
    run, statistics = make(work, _with_gradients(work, gradients))
    if any(work.fused):
        over_batch = bool(work.batched) and work.reduce is None
        run = Fused(
            work.name, run, work.arguments, work.captured, work.fused, gradients > 0, over_batch,
        )  # fmt: skip
    return run, {"recorded": work.recorded, "simplified": len(work.program), **statistics}


def _on_executor(work: Work, result: Template) -> tuple[Any, dict[str, int]]:
    """A plan, run in C."""
    low = lowered(work.program, work.batched, work.kinds, work.reduce)
    plan = encoded(low)
    native = executor()
    call = native.Caller(
        executor=native.Executor(**plan.keywords),
        arguments=work.arguments,
        result=result,
        outputs=plan.outputs,
        captured=work.captured,
        value_type=Value,
        number_of=_engine().number_of,
        threads=work.threads,
        mismatch=MISMATCH,
    )
    once = sum(len(x.lines) for x in (*low.before, *low.after))
    return call, {
        "once per call": once,
        "for each sample": sum(len(getattr(x, "lines", "x")) for x in low.body),
        **plan.statistics,
    }


def _on_numpy(work: Work, result: Template) -> tuple[Any, dict[str, int]]:
    return OnNumPy(work, result), {}


def _with_gradients(work: Work, gradients: int) -> Template:
    """The template of the result, and that of all gradients as one array behind it."""
    if not gradients:
        return work.result
    return Template("tuple", (), (), (work.result, Template("array", (gradients,))))
