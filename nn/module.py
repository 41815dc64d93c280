"""Module: anything with parameters."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, Self

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
        return [(".".join(map(str, (*path, name))), x) for path, name, x in _parameters_of(self)]

    def parameters(self) -> list[Value]:
        """All parameters, in the order of definition; a shared parameter comes once."""
        return [x for _, _, x in _parameters_of(self)]

    def with_parameters(self, parameters: Iterable[Any]) -> Self:
        """The same module with other numbers in place of its parameters, which stay as they are.

        So it can be differentiated by them: `grad(lambda p: loss(model.with_parameters(p)(x)))`
        takes the list of parameters, or of plain numbers.

        Raises
        ------
        ValueError
            When they are not as many as the module has.
        """
        own, new = self.parameters(), list(parameters)
        if len(own) != len(new):
            raise ValueError(f"with_parameters: expected {len(own)} numbers, got {len(new)}")
        replaced: Self = _replaced(self, {id(p): x for p, x in zip(own, new, strict=True)})
        return replaced

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


_Path = tuple[Any, ...]
_Place = tuple[_Path, Any, Value]  # path to the list or module, name in there, parameter


def _parameters_of(module: Module) -> Iterable[_Place]:
    """Each parameter, at the first place where it is found."""
    found: dict[int, _Place] = {}
    _search((), vars(module).items(), {id(module)}, found)
    return found.values()


def _search(path: _Path, parts: Iterable[Any], seen: set[int], found: dict[int, _Place]) -> None:
    """Note the leaves among (name, part); a result that somebody stored there is no parameter."""
    for name, part in parts:
        if isinstance(part, Value):
            if not part._op:
                found.setdefault(id(part), (path, name, part))
        elif isinstance(part, Module):
            if id(part) not in seen:  # a module may know its parent
                seen.add(id(part))
                _search((*path, name), vars(part).items(), seen, found)
        elif isinstance(part, dict):
            _search((*path, name), part.items(), seen, found)
        elif isinstance(part, (list, tuple)):
            _search((*path, name), enumerate(part), seen, found)


def _replaced(part: Any, new: dict[int, Any]) -> Any:
    """A part of a module with other things in place of some; what was replaced joins those."""
    if id(part) in new:
        return new[id(part)]
    if isinstance(part, Module):
        new[id(part)] = clone = copy.copy(part)  # known from now on: a module may know its parent
        vars(clone).update({name: _replaced(x, new) for name, x in vars(part).items()})
        return clone
    if isinstance(part, dict):
        return {name: _replaced(x, new) for name, x in part.items()}
    if isinstance(part, (list, tuple)) and not hasattr(part, "_fields"):
        return type(part)([_replaced(x, new) for x in part])
    return part


def _floats(output: Any) -> Any:
    return [float(x) for x in output] if isinstance(output, list | tuple) else float(output)
