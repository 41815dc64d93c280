"""Derivatives of functions, of any order, forward and reverse, nested in any mix.

    grad(f)(x)              df/dx, by one backward pass            value_and_grad, vjp: the same
    jvp(f, (x,), (v,))      f(x) and df/dx * v, going forward      hvp: d2f/dx2 * v
    jacobian(f)(x)          every output by every input            hessian: of the gradient
    derivative(f, order=n)  the n-th, of a function of one number  taylor: the series up to order n

Functions take and return numbers, Values, arrays, and nested lists, tuples and dicts of them; what
comes back has the same shapes. Inside the function the numbers are Values (in reverse) or dual
numbers (going forward), and arrays are arrays of those, so it is written with operators and
primitives (`exp(x)` or `x.exp()`), not with the functions of `math`. Names and calls are JAX's.

Results are plain floats and arrays of floats, unless they depend on something that a derivative
around this one, or a later `backward`, may want to vary: an argument of that derivative, or a
Value from outside, passed in or found in the function. Then they are Values, with a graph. Under
`no_grad` those count as numbers, and results are plain.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, NamedTuple

from autograd_engine.conversion import shown
from autograd_engine.evaluation import Call, Carried, Recorded, aligned, check_callable, given
from autograd_engine.structures import array, assembled, blocks, rebuilt

__all__ = [
    "Derives",
    "derivative",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "taylor",
    "value_and_grad",
    "vjp",
]

Function = Callable[..., Any]


def grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The function that returns the gradient of `f`, in the shape of the argument.

    Parameters
    ----------
    f : callable
        Returns one number: a Value, or a plain number where it depends on nothing.
    argnums : int or sequence of int
        By which positional argument; several give a tuple of gradients. All other arguments, those
        by name too, are handed to `f` as they are.

    Returns
    -------
    callable
        Takes the arguments of `f`. Whole numbers among those differentiated count as floats, and
        where `f` does not depend on one the gradient is 0.0.

    Raises
    ------
    TypeError
        When `f` returns more than one number (use `jacobian`), when an argument holds anything but
        numbers; inside `f` for `float()`, `int()`, `math.exp()` of what depends on the argument.
    RuntimeError
        Where the result depends on Values from outside whose `.data` was changed in the meantime.

    Notes
    -----
    Conventions where there is no derivative (relu at 0) stand with each primitive. Captured Values,
    such as a model's parameters, keep their `.grad`; the result depends on them, so it is a Value,
    and `backward` goes through it. Source: G&W (see `primitives.py`), chapter 3.

    Examples
    --------
    >>> from autograd_engine import grad, sin
    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(sin))(0.5) == -sin(0.5)
    True
    >>> grad(lambda p: p["w"] * p["b"] ** 2)({"w": 2, "b": 3})
    {'w': 9.0, 'b': 12.0}
    >>> grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0)  # d/dx of x * 1
    1.0
    """
    return _gradient("grad", f, argnums)


def _gradient(name: str, f: Function, argnums: int | Sequence[int]) -> Function:
    """`grad` for the function of this name."""
    chosen = _checked(name, argnums)

    def gradient(*args: Any, **named: Any) -> Any:
        return Recorded(Call(name, f, chosen, args, named)).gradient()

    return _renamed(name, f, gradient, chosen)


def value_and_grad(
    f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Function:
    """The function that returns `(f(...), gradient)`, as `grad` does, with one evaluation of `f`.

    SciPy's optimizers take it as it is: `minimize(value_and_grad(f), x0, jac=True)`. Where `f`
    captures Values, such as a model, so that results are Values, put `no_grad()` around that call.

    Parameters
    ----------
    f, argnums
        As in `grad`.
    has_aux : bool
        `f` returns `(number, auxiliary)`, and the result is `((number, auxiliary), gradient)`:
        anything that should come out along with the number, such as predictions.

    Raises
    ------
    TypeError
        As `grad`; and when `has_aux` is set but `f` returns no pair.

    Examples
    --------
    >>> from autograd_engine import value_and_grad
    >>> value_and_grad(lambda x: x**3)(2.0)
    (8.0, 12.0)
    >>> value_and_grad(lambda x: (x**3, {"root": x}), has_aux=True)(2.0)
    ((8.0, {'root': 2.0}), 12.0)
    """
    chosen = _checked("value_and_grad", argnums)

    def evaluated(*args: Any, **named: Any) -> Any:
        run = Recorded(Call("value_and_grad", f, chosen, args, named))
        if not has_aux:
            return run.value(), run.gradient()
        if not (isinstance(run.output, tuple) and len(run.output) == 2):
            raise TypeError(
                "value_and_grad: with has_aux=True the function must return (number, auxiliary), "
                f"got {shown(run.output)}"
            )
        run.output, auxiliary = run.output
        return (run.value(), run.released(auxiliary)), run.gradient()

    return _renamed("value_and_grad", f, evaluated, chosen, has_value=True, has_aux=has_aux)


def vjp(f: Function, *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`f(*primals)`, and its pullback: the function that takes cotangents from outputs to inputs.

    Returns
    -------
    output, pullback
        `pullback(cotangent)` takes the structure of the output and returns a tuple, one cotangent
        for each primal: the sum over outputs of cotangent * d output / d primal. It may be called
        again and again.

    Raises
    ------
    TypeError
        As `grad`, but for any shape of output.
    ValueError
        When the cotangent is not shaped as the output.

    Examples
    --------
    >>> from autograd_engine import vjp
    >>> output, pullback = vjp(lambda x, y: [x * y, x + y], 2.0, 3.0)
    >>> output, pullback([1.0, 10.0])
    ([6.0, 5.0], (13.0, 12.0))
    """
    run = Recorded(Call("vjp", f, tuple(range(len(primals))), primals, {}))
    values = run.values()

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        pulled: tuple[Any, ...] = run.pullback(aligned("vjp: the cotangent", cotangent, run.output))
        return pulled

    return values, pullback


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """`f(*primals)`, and its derivative along `tangents`: the sum of d output / d primal * tangent.

    Forward mode, by dual numbers: one evaluation, whatever the number of outputs, and no graph.

    Parameters
    ----------
    primals, tangents : tuple or list
        The arguments of `f`, and a direction for each, of the same shapes.

    Returns
    -------
    output, tangent
        Both in the structure that `f` returns.

    Raises
    ------
    TypeError
        When primals or tangents are not a tuple of arguments or hold anything but numbers; inside
        `f` for `float()`, `int()`, `math.exp()` of what depends on them.
    ValueError
        When a tangent is not shaped as its primal.

    Examples
    --------
    >>> from autograd_engine import jvp
    >>> jvp(lambda x, y: [x * y, x + y], (2.0, 3.0), (1.0, 0.0))
    ([6.0, 5.0], [3.0, 1.0])
    """
    return _pushforward("jvp", f, primals, tangents)


def _pushforward(name: str, f: Function, primals: Any, tangents: Any) -> tuple[Any, Any]:
    """`jvp` for the function of this name."""
    for arguments in (primals, tangents):
        if not isinstance(arguments, tuple | list):
            raise TypeError(
                f"{name}: expected a tuple of arguments, as in (x,), got {shown(arguments)}"
            )
    call = Call(name, f, tuple(range(len(primals))), tuple(primals), {})
    columns = [
        (x,) if v.__class__ is float and v == 0.0 else (x, v)
        for x, v in zip(
            call.operands(),
            aligned(f"{name}: the tangents", tuple(tangents), call.primals),
            strict=True,
        )
    ]
    run = Carried(call, columns)
    return run.coefficient(0), run.coefficient(1)


def jacobian(f: Function, argnums: int | Sequence[int] = 0, *, mode: str | None = None) -> Function:
    """The function that returns d output / d input for every number in the output and argument.

    Parameters
    ----------
    f : callable
        Returns numbers in any structure.
    argnums : int or sequence of int
        As in `grad`.
    mode : "forward", "reverse" or None
        One evaluation per input, or one backward pass per output. None: forward where outputs are
        more than a thousand times as many as inputs, else in reverse, whose passes are cheap.

    Returns
    -------
    callable
        Its result is the structure of the output, and in place of each number or array there stands
        the structure of the argument, with arrays of the shape (*output.shape, *input.shape): for
        arrays of n inputs and m outputs one array (m, n), for lists m lists of n numbers.

    Raises
    ------
    TypeError
        As `grad`, but for any shape of output.
    ValueError
        For another mode.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd_engine import jacobian
    >>> jacobian(lambda x: [x[0] * x[1], x[0]])([2.0, 3.0])
    [[3.0, 2.0], [1.0, 0.0]]
    >>> jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return _jacobian("jacobian", f, argnums, mode)


def _jacobian(
    name: str, f: Function, argnums: int | Sequence[int], mode: str | None = None
) -> Function:
    """`jacobian` for the function of this name."""
    if mode not in (None, "forward", "reverse"):
        raise ValueError(f"{name}: mode must be 'forward', 'reverse' or None, got {mode!r}")
    chosen = _checked(name, argnums)

    def evaluated(*args: Any, **named: Any) -> Any:
        call = Call(name, f, chosen, args, named)
        run = None if mode == "forward" else Recorded(call)
        if run is None or (mode is None and run.is_tall()):
            return _by_columns(call)
        return _arranged(run.output, run.primals, [run.row(x) for x in run.outputs()])

    return _renamed(name, f, evaluated, chosen)


def _by_columns(call: Call) -> Any:
    """The Jacobian by forward mode: one evaluation for each input, whose column it gives."""
    point = call.operands()
    columns, output = [], None
    for i in range(len(point) or 1):
        seeds = [(x, 1.0) if i == j else (x,) for j, x in enumerate(point)]
        run = Carried(call, seeds)
        output = run.output
        columns.append(run.coefficients(1))
    rows = [list(row) for row in zip(*columns, strict=True)]
    return _arranged(output, call.primals, rows)


def hessian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The function that returns all second derivatives of `f`: the Jacobian of the gradient.

    Parameters
    ----------
    f, argnums
        As in `grad`.

    Returns
    -------
    callable
        Its result has the structure of the argument twice: for an array of n numbers an array
        (n, n), for a list of n numbers n lists of n.

    Raises
    ------
    TypeError
        As `grad`.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd_engine import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    second = _jacobian("hessian", _gradient("hessian", f, argnums), argnums)
    return _renamed("hessian", f, second, _checked("hessian", argnums))


def hvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of `f` times a vector, forward over reverse: no Hessian is built.

    Its time grows with the dimension as that of `f` does. Dual numbers are Python, so on the native
    engine that is some 30 to 100 times `f`, and up to 100 dimensions `hessian` is as fast.

    Parameters
    ----------
    f : callable
        As in `grad`.
    primals, tangents : tuple or list
        As in `jvp`: the arguments of `f`, and a direction for each.

    Returns
    -------
    product
        In the shape of the primal; where there are several, a tuple.

    Raises
    ------
    TypeError, ValueError
        As `grad` and `jvp`.

    Notes
    -----
    Source: Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6 (1994).

    Examples
    --------
    >>> import numpy as np
    >>> from autograd_engine import hvp
    >>> hvp(lambda x: x[0] ** 2 * x[1], (np.array([3.0, 5.0]),), (np.array([1.0, 0.0]),))
    array([10.,  6.])
    """
    every = range(len(primals)) if isinstance(primals, tuple | list) else ()
    gradient = _gradient("hvp", f, every)
    product: tuple[Any, ...] = _pushforward("hvp", gradient, primals, tangents)[1]
    return product[0] if len(product) == 1 else product


def derivative(f: Function, order: int = 1) -> Function:
    """The function that returns the derivative of any order of a function of one number.

    Going forward, by the Taylor series up to that order, so the time grows with a small power of
    the order, not with 2 ** order as when `grad` is nested.

    Parameters
    ----------
    f : callable
        Of a number; more arguments are handed through as constants. It returns numbers in any
        structure.
    order : int
        0 or more.

    Raises
    ------
    TypeError
        When the order is not a whole number, or the argument not one number.
    ValueError
        When the order is negative.
    RecursionError
        At orders of 80 and more, by function; `sys.setrecursionlimit` helps.

    Notes
    -----
    Where a derivative is infinite, those of higher order may be nan.

    Examples
    --------
    >>> from autograd_engine import derivative
    >>> derivative(lambda x: x**4, order=3)(2.0)
    48.0
    """
    check_order("derivative", order)

    def nth(x: Any, *args: Any, **named: Any) -> Any:
        run = _series("derivative", f, (x, *args), named, order)
        c = run.coefficients(order)
        for k in range(2, order + 1):  # order! may be too large for a float
            c = [y * k for y in c]
        return rebuilt(run.output, iter(c))

    return _renamed("derivative", f, nth)


def taylor(f: Function, x: Any, order: int) -> list[Any]:
    """The Taylor series f(x + h) = c[0] + c[1] * h + ... + c[order] * h ** order, as the list c.

    Parameters
    ----------
    f : callable
        Of a number; it returns numbers in any structure.
    x : number
        Where.
    order : int
        0 or more.

    Returns
    -------
    list
        order + 1 coefficients, c[k] = (k-th derivative) / k!, each in the structure of the output.

    Raises
    ------
    TypeError, ValueError
        As `derivative`.

    Notes
    -----
    Source: Griewank & Walther, Evaluating Derivatives, 2nd ed., chapter 13.

    Examples
    --------
    >>> from autograd_engine import exp, taylor
    >>> [round(c, 4) for c in taylor(exp, 0.0, 4)]
    [1.0, 1.0, 0.5, 0.1667, 0.0417]
    """
    check_order("taylor", order)
    run = _series("taylor", f, (x,), {}, order)
    return [run.coefficient(k) for k in range(order + 1)]


def _series(
    name: str, f: Function, args: tuple[Any, ...], named: dict[str, Any], order: int
) -> Carried:
    try:
        (x,) = given(name, args[0])
    except (TypeError, ValueError):
        problem = f"{name}: x must be one number, got {shown(args[0])}"
        raise TypeError(f"{problem}; by several, use grad or jacobian") from None
    try:
        return Carried(Call(name, f, 0, args, named), [(x, 1.0)[: order + 1]], order)
    except RecursionError as error:
        raise RecursionError(
            f"{name}: order {order} is too deep here; sys.setrecursionlimit allows more"
        ) from error


def check_order(name: str, order: Any, least: int = 0) -> None:
    """Refuse an order that is no whole number, or too small.

    Raises
    ------
    TypeError, ValueError
        For the one or the other.
    """
    if not isinstance(order, Integral) or isinstance(order, bool):
        raise TypeError(f"{name}: the order must be a whole number, got {shown(order)}")
    if order < least:
        raise ValueError(f"{name}: the order must be {least} or more, got {order}")


def _arranged(output: Any, primals: Any, rows: list[list[Any]]) -> Any:
    """The rows of a Jacobian in the structure of the output, each in that of the argument."""
    left = iter(rows)
    parts = []
    for block in blocks(output):
        shape = getattr(block, "shape", ())
        own = list(itertools.islice(left, math.prod(shape)))
        parts.append(_row_of_blocks(shape, primals, own))
    return assembled(output, iter(parts))


def _row_of_blocks(rows_shape: tuple[int, ...], primals: Any, rows: list[list[Any]]) -> Any:
    """The derivatives of one array, or one number, of the output."""
    parts, start = [], 0
    for block in blocks(primals):
        shape = getattr(block, "shape", ())
        end = start + math.prod(shape)
        elements = [x for row in rows for x in row[start:end]]
        parts.append(array((*rows_shape, *shape), elements))
        start = end
    return assembled(primals, iter(parts))


def _checked(name: str, argnums: Any) -> int | tuple[int, ...]:
    """One position or several."""
    try:
        return operator.index(argnums)
    except TypeError:
        pass
    try:
        return tuple(map(operator.index, argnums))
    except TypeError:
        raise TypeError(
            f"{name}: argnums must be an int or several, got {shown(argnums)}"
        ) from None


class Derives(NamedTuple):
    """What a function returns that was made here: derivatives of `f`, behind its value perhaps.

    `function` is the one that it says this of: attributes are copied to wrappers, which may return
    anything.
    """

    function: Function
    f: Function
    argnums: int | tuple[int, ...]
    has_value: bool
    has_aux: bool


def _renamed(
    name: str,
    f: Any,
    function: Function,
    argnums: int | tuple[int, ...] = 0,
    has_value: bool = False,
    has_aux: bool = False,
) -> Function:
    """With the name and text of `f`, for `help` and messages, and with what `compile` asks."""
    check_callable(name, f)
    function = functools.update_wrapper(function, f)
    function.__name__ = f"{name}({getattr(f, '__name__', type(f).__name__)})"
    derives = Derives(function, f, argnums, has_value, has_aux)
    function.derives = derives  # type: ignore[attr-defined]
    return function
