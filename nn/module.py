"""Module: anything with parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from autograd_engine import Value, no_grad
from nn.data import matrix

__all__ = ["Module"]


class Module:
    """A function with parameters: the Values in its attributes, also inside lists and modules.

    Examples
    --------
    >>> from nn import Module
    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...
    ...     def __call__(self, x):
    ...         return self.slope * x[0] + self.offset
    >>> [name for name, _ in Line().named_parameters()]
    ['slope', 'offset']
    >>> Line().predict([[0.0], [3.0]])
    [1.0, 7.0]
    """

    def __call__(self, x: Sequence[Any]) -> Any:
        """The output for one sample: a Value, or a list of Values."""
        raise TypeError(f"{type(self).__name__} defines no __call__(self, x)")

    def named_parameters(self) -> list[tuple[str, Value]]:
        """(path, parameter) in the order of definition; a shared parameter comes once."""
        found: dict[int, tuple[str, Value]] = {}
        for path, parameter in _parameters_in("", vars(self), {id(self)}):
            found.setdefault(id(parameter), (path, parameter))
        return list(found.values())

    def parameters(self) -> list[Value]:
        """All parameters, in the order of definition."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0, before the next `backward`."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def predict(self, X: Any) -> list[Any]:
        """The outputs for all rows of X (n, d) as plain floats, without a graph.

        Returns
        -------
        list
            n floats where the module has one output, else n lists of floats.

        Raises
        ------
        ValueError
            When X is empty, ragged, or has other than finite numbers; the message names the row.
        """
        with no_grad():
            return [_floats(self(row)) for row in matrix(X, "predict: X")]


def _parameters_in(path: str, part: Any, seen: set[int]) -> Iterator[tuple[str, Value]]:
    """The leaves below a part; a result that somebody stored in a module is no parameter."""
    if isinstance(part, Value):
        if not part._prev:
            yield path, part
        return
    if isinstance(part, Module):
        if id(part) in seen:  # a module may know its parent
            return
        seen.add(id(part))
        part = vars(part)
    if isinstance(part, list | tuple):
        part = dict(enumerate(part))
    if isinstance(part, dict):
        for key, element in part.items():
            yield from _parameters_in(f"{path}.{key}" if path else str(key), element, seen)


def _floats(output: Any) -> Any:
    return [float(x) for x in output] if isinstance(output, list | tuple) else float(output)
