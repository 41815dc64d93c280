"""What `compile` hands to those who run it: a recorded function, and what is to be done with it."""

from __future__ import annotations

from typing import Any, NamedTuple

from autograd_engine.backend import Value
from autograd_engine.program import Program
from autograd_engine.templates import Template

__all__ = ["MISMATCH", "Work"]

MISMATCH: Any = object()
"""What a run returns for arguments of another structure."""


class Work(NamedTuple):
    """A recorded function, and what is to be done with it.

    Attributes
    ----------
    arguments, result : Template
    program : Program
        With the numbers of the result first, then the gradients of those that are fused, one after
        the other.
    batched : tuple of int
        The inputs with a number for each sample.
    kinds : tuple of str
        What becomes of each output over the batch.
    fused : tuple of bool
        Which numbers of the result depend on Values.
    captured : tuple of Value
        The last inputs.
    recorded : int
        How many lines there were before anything was left out.
    """

    arguments: tuple[Template, ...]
    program: Program
    batched: tuple[int, ...]
    kinds: tuple[str, ...]
    reduce: str | None
    result: Template
    fused: tuple[bool, ...]
    captured: tuple[Value, ...]
    recorded: int
    name: str
    threads: int
