"""Matrices that stand in for the Hessian of a loss: Gauss-Newton and empirical Fisher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from autograd_engine.derivatives import grad, jacobian
from autograd_engine.structures import array, flat

__all__ = ["empirical_fisher", "gauss_newton"]


def gauss_newton(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that returns J^T J for residuals `f`, with J the Jacobian of the residuals.

    It is the Hessian of half the sum of squared residuals without the part that vanishes where the
    residuals do, or where they are linear; it is never indefinite.

    Parameters
    ----------
    f : callable
        Returns the m residuals, in any structure.
    argnums : int or sequence of int
        As in `grad`: by which arguments, n numbers in all, in the order in which they stand there.

    Returns
    -------
    callable
        Takes the arguments of `f`, returns an array (n, n).

    Raises
    ------
    TypeError
        As `jacobian`.
    ValueError
        When there are no residuals.

    Notes
    -----
    Source: Nocedal & Wright, Numerical Optimization, 2nd ed., Springer 2006, section 10.3.

    Examples
    --------
    >>> from autograd_engine import gauss_newton
    >>> gauss_newton(lambda x: [x[0] + x[1], 2 * x[0]])([1.0, 1.0])
    array([[5., 1.],
           [1., 1.]])
    """
    rows = jacobian(lambda *args, **named: flat(f(*args, **named)), argnums)

    def matrix(*args: Any, **named: Any) -> Any:
        found = list(map(flat, rows(*args, **named)))
        if not found:
            raise ValueError("gauss_newton: the function returned no residuals")
        return _outer(found)

    return matrix


def empirical_fisher(loss: Callable[..., Any]) -> Callable[..., Any]:
    """The function that returns the mean over samples of g g^T, with g the gradient of one loss.

    Parameters
    ----------
    loss : callable
        `loss(parameters, *sample)` of one sample, a number; for the Fisher matrix's usual meaning
        the negative log-likelihood of the sample.

    Returns
    -------
    callable
        Takes the parameters, n numbers in any structure, and for each further argument of `loss` a
        sequence with one element per sample: `empirical_fisher(loss)(parameters, X, y)`. It returns
        an array (n, n).

    Raises
    ------
    ValueError
        When the sequences are empty or differ in length.
    TypeError
        As `grad`.

    Notes
    -----
    With the labels of the data, not labels drawn from the model, hence "empirical". Source:
    Kunstner, Balles & Hennig, Limitations of the empirical Fisher approximation for natural
    gradient descent, NeurIPS 2019.

    Examples
    --------
    >>> from autograd_engine import empirical_fisher
    >>> empirical_fisher(lambda w, x, y: (w[0] * x + w[1] - y) ** 2 / 2)([1.0, 0.0], [1, 2], [0, 0])
    array([[8.5, 4.5],
           [4.5, 2.5]])
    """
    gradient = grad(loss)

    def matrix(parameters: Any, *samples: Any) -> Any:
        columns = list(map(list, samples))
        counts = set(map(len, columns))
        if len(counts) != 1 or counts == {0}:
            sizes = " and ".join(str(len(column)) for column in columns) or "nothing"
            raise ValueError(
                f"empirical_fisher: expected as many of each, one or more per sample, got {sizes}"
            )
        rows = [flat(gradient(parameters, *sample)) for sample in zip(*columns, strict=True)]
        return _outer(rows) / len(rows)

    return matrix


def _outer(rows: list[list[Any]]) -> Any:
    """The sum of g g^T over the rows."""
    table = array((len(rows), len(rows[0])), [x for row in rows for x in row])
    return table.T @ table
