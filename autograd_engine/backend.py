"""The engine in use: everything else imports `Value` from here."""

from __future__ import annotations

import os

from autograd_engine.value import Value, topological_order

__all__ = ["Value", "backend", "topological_order"]

backend = os.environ.get("AUTOGRAD_ENGINE_BACKEND") or "python"
"""The name of the engine in use; the environment variable AUTOGRAD_ENGINE_BACKEND chooses it."""

if backend != "python":
    raise ImportError(
        f"AUTOGRAD_ENGINE_BACKEND={backend}: this installation has only the engine 'python'; "
        "unset the variable or set it to 'python'"
    )
