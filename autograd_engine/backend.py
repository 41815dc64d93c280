"""The engine in use: everything else imports `Value` from here.

There are two, of one meaning: `value.py`, which is for reading, and `_native.pyx`, the same in C,
which is there when the package was installed on a machine with a C compiler.
"""

from __future__ import annotations

import importlib
import os
import warnings
from typing import TYPE_CHECKING, Any

from autograd_engine.following import take_clock
from autograd_engine.registry import table_hash
from autograd_engine.rows import Primitive

__all__ = [
    "Value",
    "assemble",
    "backend",
    "path_between",
    "topological_order",
    "varying",
]

_wanted = os.environ.get("AUTOGRAD_ENGINE_BACKEND", "")

if _wanted not in ("", "native", "python"):
    raise ImportError(
        f"AUTOGRAD_ENGINE_BACKEND={_wanted}: there are the engines 'native' and 'python'; "
        "set it to one of them, or unset the variable"
    )

backend = "python"
"""The name of the engine in use; the environment variable AUTOGRAD_ENGINE_BACKEND chooses it."""

if _wanted != "python":
    try:
        _native: Any = importlib.import_module("autograd_engine._native")
        if _native.Primitive is not Primitive:
            raise ImportError("it cannot be imported a second time in one process")
        if not all(hasattr(_native, name) for name in ("path_between", "varying", "fused_node")):
            raise ImportError("it was built from an older source; install autograd_engine again")
        if table_hash() not in ("", _native.table_hash):
            raise ImportError(
                "primitives.py is not the one it was built from; run `python -m "
                "autograd_engine.codegen`, then install autograd_engine again"
            )
        backend = "native"
    except ModuleNotFoundError as error:
        if _wanted == "native":
            raise ImportError(
                "AUTOGRAD_ENGINE_BACKEND=native: the native engine was not built; it needs a C "
                "compiler and Python's headers when autograd_engine is installed, and pip's "
                "options -v --no-cache-dir --force-reinstall show what the compiler says"
            ) from error
    except ImportError as error:  # it is there, but does not load
        if _wanted == "native":
            raise ImportError(f"AUTOGRAD_ENGINE_BACKEND=native: {error}") from error
        warnings.warn(f"using the Python engine: {error}", RuntimeWarning, stacklevel=2)

if TYPE_CHECKING:
    from autograd_engine._native import (
        Value,
        assemble,
        path_between,
        topological_order,
        varying,
    )
elif backend == "python":
    from autograd_engine.paths import path_between, varying
    from autograd_engine.value import Value, assemble, topological_order
else:
    Value, assemble = _native.Value, _native.assemble
    topological_order = _native.topological_order
    path_between, varying = _native.path_between, _native.varying
    # `exp(v)` and `dot(w, x)` are calls of rows: these go straight to C as well
    _native.take_calls_of_rows()
    take_clock(_native.now)
