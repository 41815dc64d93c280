"""Value: a number that remembers how it was made. Read this file first; it is the engine.

Going forward, every operation on Values makes a new Value. It stores its `data` (the result), the
primitive that made it, the operands, and for each operand that is a Value the *local derivative*
dz/d(operand), taken at once, while the numbers are at hand; and a `grad`, 0 until a backward pass.
For `L = a*b + a` with a = 2, b = 3:

    p = a * b      p.data = 6    operands (a, b)    dp/da = b = 3, dp/db = a = 2
    L = p + a      L.data = 8    operands (p, a)    dL/dp = 1,     dL/da = 1

Going backward, `L.backward()` gives every Value its *adjoint* dL/d(value), in `.grad`. The adjoint
of L is 1. Then each node, from the output back, adds to each operand one *contribution*:

    operand.grad += local derivative * node.grad            (the chain rule, for one edge)

    L sends   p.grad += 1 * 1    a.grad += 1 * 1
    p sends   a.grad += 3 * 1    b.grad += 2 * 1            so a.grad = 4, b.grad = 2

a is used twice, and `+=` adds the two paths.

A node passes on its adjoint once, and only when that is complete, that is after all nodes that use
it: in the reverse of a *topological order*, which lists operands before their users. Take
`b = a + a; c = 3 * b; d = b + c`: b gets 1 from d and 3 from c, in all 4, and a gets 4 + 4 = 8. If
b passed on before c has sent to it, a would get 1 + 1. And if b passed on whenever something
arrives, a would get first 1 + 1 and then 4 + 4: part of it twice.

*Leaves* (without operands: Values made from a number, or under `no_grad`) keep adding to their
`.grad` until you zero it, so that the gradients of several losses sum up; the interior nodes of the
graph start every `backward()` at 0. So a second `L.backward()` makes a.grad 8, twice 4, and leaves
1 in p.grad; without the new start p would send its old adjoint again.

In this file `infix` (operators) and `unary` (methods) do the forward step, and `make_node` stores
it; `Value.backward` calls `topological_order`, then `send_contributions`. A *row* is one primitive
of the table in `primitives.py`: its formula and its derivatives.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from numbers import Number, Real
from typing import TYPE_CHECKING, Any, cast, final

from autograd_engine import primitives
from autograd_engine.anomalies import check_gradient, inspected, watched
from autograd_engine.conversion import is_array, number
from autograd_engine.following import RUNNING, unchanged, unfollowed, unrecorded
from autograd_engine.modes import Info, current_mode
from autograd_engine.registry import ALIASES, TABLE, watch
from autograd_engine.rows import ON_FLOATS, SINGULAR, NaryPrimitive, Primitive

Operands = tuple[Any, ...]


def topological_order(root: Value, seen: set[Value] | None = None) -> list[Value]:
    """Every node that `root` depends on, operands before the nodes that use them, `root` last.

    A depth-first walk that visits operands from left to right; a node enters the list when all its
    operands have. The walk keeps its own stack, so a graph may be millions of nodes deep. Operands
    in `seen` are left out, and all that the walk meets are added to it: so several walks (a pickle
    of several Values) list each node once.
    """
    order: list[Value] = []
    seen = set() if seen is None else seen
    seen.add(root)
    stack = [(root, iter(root._prev))]
    while stack:
        node, operands = stack[-1]
        for operand in operands:  # goes on where this node's iterator stopped
            if operand not in seen:  # by identity, for the hash, unlike ==, is that of the object
                seen.add(operand)
                stack.append((operand, iter(operand._prev)))
                break
        else:  # no operand is left
            order.append(node)
            stack.pop()
    return order


def send_contributions(nodes: Iterable[Value]) -> None:
    """The chain rule: each node in turn adds local derivative * its adjoint to its operands."""
    for node in watched(nodes) if current_mode().detects else nodes:
        adjoint = node._grad
        for operand, derivative in zip(node._prev, node._derivatives):  # noqa: B905 (faster)
            operand._grad += derivative * adjoint


def make_node(
    row: Primitive, data: float, derivatives: Sequence[float], operands: Operands, prev: Operands
) -> Value:
    """A Value that remembers its primitive, all operands, the Values among them and dz/d(those)."""
    node = Value.__new__(Value)
    mode = current_mode()
    node._number, node._grad, node._info = data, 0.0, mode.info
    if mode.records:
        node._primitive, node._derivatives = row, derivatives
        node._operands, node._prev = operands, prev
    elif mode.recorder is not None:  # for `compile`: no number, but a line of a program
        return cast(Value, mode.recorder.bind(row, operands))
    else:  # no_grad: a leaf, and the derivatives are dropped
        node._primitive, node._derivatives, node._operands, node._prev = None, (), (), ()
    if mode.detects:  # detect_anomaly: raise at inf and nan, note the user's line
        node._info = inspected(row, data, operands, mode.info)
    return node


def assemble(
    data: float,
    grad: float,
    row: Primitive | None,
    operands: tuple[Any, ...],
    derivatives: Sequence[float],
    info: Info | None,
) -> Value:
    """A Value of these fields, whatever the mode: how a copy is made, or one that was pickled."""
    node = Value.__new__(Value)
    node._number, node._grad, node._info, node._primitive = data, grad, info, row
    node._operands, node._derivatives = operands, derivatives
    node._prev = tuple([x for x in operands if isinstance(x, Value)])
    return node


def bind(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """The node of any primitive on Values and numbers; a number is remembered, but is no node."""
    if len(operands) == 1 and not isinstance(row, NaryPrimitive):
        return unary(row)(operands[0])
    if set(map(type, operands)) == {Value}:
        data = [x._number for x in operands]
        return make_node(row, *row.linearize(data), operands, operands)
    operands = tuple([x if type(x) in (Value, float) else constant(x, row.name) for x in operands])
    try:
        data = [x._number if type(x) is Value else float(x) for x in operands]
    except TypeError:  # `constant` gave None: let that operand try
        return NotImplemented
    z, derivatives = row.linearize(data)
    values = [(x, d) for x, d in zip(operands, derivatives, strict=True) if type(x) is Value]
    prev, derivatives = zip(*values, strict=True)
    return make_node(row, z, derivatives, operands, prev)


# Types that could not handle a Value themselves, so convert them or say what is wrong.
_NO_STRANGERS = (Number, str, bytes, list, tuple, dict, set, type(None))


def constant(x: Any, operation: str) -> Any:
    """A plain number as a float; a TypeError for text, lists and the like.

    None for a stranger, such as an array, which may know what to do with a Value.
    """
    if x.__class__ is float:
        return x
    if hasattr(x, "_number"):
        raise TypeError(f"{operation}: a Value of this engine and one of another, {x!r}")
    if isinstance(x, _NO_STRANGERS) or (getattr(x, "ndim", None) == 0 and not is_array(x)):
        return number(x, operation)
    return None


# Methods from rows. `unary` and `infix` do what `bind` does, only faster: they try the formula on
# floats, and where that raises (SINGULAR: at 1/0, log(-1)) `row.linearize` gives the inf or nan.


@functools.cache
def unary(row: Primitive, make: Callable[..., Value] = make_node) -> Callable[[Value], Value]:
    """The method of a primitive with one operand, such as `value.tanh()`."""
    primal, (by_operand,) = ON_FLOATS.primal(row), ON_FLOATS.derivatives(row)

    def method(self: Value, /) -> Value:
        x = self._number
        try:
            z = primal(x)
            derivatives: Sequence[float] = (by_operand(z, x),)
        except SINGULAR:
            z, derivatives = None, (0.0,)
        if z.__class__ is not float or derivatives[0].__class__ is not float:
            z, derivatives = row.linearize((x,))  # singular, or a user's row that is complex or int
        return make(row, z, derivatives, operands := (self,), operands)

    return named(row.name, row, method)


def binary(row: Primitive) -> Callable[[Value, Any], Any]:
    """The method of a primitive with two operands, such as `value.maximum(other)`."""
    return named(row.name, row, lambda self, other, /: row(self, other))


def named(name: str, row: Primitive, method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that errors and `help` call by its own name, not by the name of its code."""
    method.__name__, method.__qualname__, method.__doc__ = name, f"Value.{name}", row.__doc__
    return method


def infix(row: Primitive) -> tuple[Callable[[Value, Any], Value], Callable[[Value, Any], Value]]:
    """The two methods of a binary operator: `value o other` and `number o value`."""
    primal, (by_left, by_right) = ON_FLOATS.primal(row), ON_FLOATS.derivatives(row)
    symbol, slopes = row.symbol, row.slopes

    def method(self: Value, other: Any) -> Any:
        if other.__class__ is not Value:
            return with_constant(self, other)
        x, y, operands = self._number, other._number, (self, other)
        try:
            z = primal(x, y)
            derivatives: Sequence[float] = slopes or (by_left(z, x, y), by_right(z, x, y))
        except SINGULAR:
            z, derivatives = row.linearize((x, y))
        return make_node(row, z, derivatives, operands, operands)

    def with_constant(self: Value, other: Any) -> Any:
        x, y = self._number, constant(other, symbol)
        if y is None:
            return NotImplemented
        try:
            z = primal(x, y)
            derivative = by_left(z, x, y)
        except SINGULAR:
            z, (derivative, _) = row.linearize((x, y))
        return make_node(row, z, (derivative,), (self, y), (self,))

    def reflected(self: Value, other: Any) -> Any:
        x, y = constant(other, symbol), self._number
        if x is None:
            return NotImplemented
        try:
            z = primal(x, y)
            derivative = by_right(z, x, y)
        except SINGULAR:
            z, (_, derivative) = row.linearize((x, y))
        return make_node(row, z, (derivative,), (x, self), (self,))

    return named(symbol, row, method), named(f"r{symbol}", row, reflected)


def comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Value, Any], bool]:
    """A comparison by data, with Values and numbers."""

    def method(self: Value, other: Any) -> bool:
        if RUNNING and (recorder := current_mode().recorder):
            return cast(bool, recorder.bind(compare, (self, other)))
        y = other._number if other.__class__ is Value else other
        return bool(compare(self._number, y)) if isinstance(y, Real) else NotImplemented

    return method


@final
class Value:
    """A float with a gradient: a leaf that you make, or a node that an operation makes.

    Parameters
    ----------
    data : real number, NumPy scalar or 0-d array
        Converted to float, here and whenever `.data` is set.
    label : str
        A name for pictures and messages.

    Attributes
    ----------
    data, grad : float
        The number, and the adjoint: the derivative of the output by it. In a leaf it is the sum
        over all `backward()` since it was zeroed.
    label : str
        The name, settable.
    _prev, _op
        The operands that are Values, in order, and the sign of the operation ("" for a leaf).

    Raises
    ------
    TypeError
        For text, complex numbers, None, lists and arrays; the message says what to do instead.

    Notes
    -----
    * A plain number in an operation is a constant: no node and no gradient.
    * Results follow IEEE 754: `1 / Value(0)` is inf and `Value(-1).log()` is nan, never an error.
    * `==` and `<` compare data, so `v in values` and `values.index(v)` find any Value with the same
      number; compare with `is` to find the node itself. The hash goes by identity.
    * `p = p - lr * p.grad` makes a new node and leaves the model its old one; write
      `p.data -= lr * p.grad`.

    Examples
    --------
    >>> a, b = Value(2.0, label="a"), Value(3.0, label="b")
    >>> L = a * b + a
    >>> L.backward()
    >>> L.data, a.grad, b.grad
    (8.0, 4.0, 2.0)
    """

    __slots__ = (
        "_derivatives",  # dz/d(operand), one for each of _prev
        "_grad",  # the adjoint
        "_info",  # label, scope and line of origin, or None when there is nothing to say
        "_number",  # the data (not `_data`: np.ma would read that and lose the graph)
        "_operands",  # all operands, plain numbers as floats: pictures show those too
        "_prev",  # the operands that are Values, in order; () for a leaf
        "_primitive",  # the row that made it; None for a leaf
    )

    def __init__(self, data: Any, *, label: str = "") -> None:
        self._number, self._grad = number(data, "Value"), 0.0
        self._primitive: Primitive | None = None
        self._operands: tuple[Any, ...] = ()
        self._prev: tuple[Value, ...] = ()
        self._derivatives: Sequence[float] = ()
        self._info = current_mode().info
        if label != "":
            self.label = label

    def __init_subclass__(cls) -> None:
        raise TypeError("Value is final: put a Value into your class instead of deriving from it")

    bind = staticmethod(bind)  # what a row calls when it meets a Value, as in `maximum(a, 0.0)`

    def backward(self, gradient: float = 1.0) -> None:
        """Set `.grad` of nodes below to d self / d node, times `gradient`; leaves add it to theirs.

        Raises
        ------
        TypeError
            When `gradient` is not a real number.
        """
        gradient = number(gradient, "backward")
        if current_mode().detects:
            check_gradient(gradient)
        order = topological_order(unchanged(self))
        for node in order:
            if node._prev:  # interior; a leaf keeps what it has
                node._grad = 0.0
        self._grad += gradient  # not =, for self may be a leaf
        send_contributions(reversed(order))

    def _backward(self) -> None:
        """Add this node's contributions to its operands: one step of `backward`, by hand."""
        send_contributions((self,))

    def zero_grad(self) -> None:
        """Forget the gradient, before the next `backward` adds to it."""
        unchanged(self)._grad = 0.0

    def detach(self) -> Value:
        """A new leaf with the same data and label: no gradient flows from it into this graph."""
        if recorder := current_mode().recorder:
            return cast(Value, recorder.detached(self))
        return type(self)(self._number, label=self.label)

    @property
    def data(self) -> float:
        """The number. Setting it changes no node that was computed from it."""
        return self._number

    @data.setter
    def data(self, data: Any) -> None:
        unchanged(self)._number = number(data, "Value.data")

    @property
    def grad(self) -> float:
        """The adjoint: d output / d self after `output.backward()`; leaves add it up."""
        return self._grad

    @grad.setter
    def grad(self, grad: Any) -> None:
        unchanged(self)._grad = number(grad, "Value.grad")

    @property
    def label(self) -> str:
        """The name, for pictures and messages."""
        return self._info.label if self._info else ""

    @label.setter
    def label(self, label: str) -> None:
        if not isinstance(label, str):
            raise TypeError(f"Value: the label must be a string, got {label!r}")
        label = str.__str__(label)  # a subclass of str could refer to this node
        self._info = (self._info or Info())._replace(label=label)

    @property
    def _op(self) -> str:
        return self._primitive.symbol if self._primitive else ""

    __add__, _number_add = infix(primitives.add)
    __sub__, __rsub__ = infix(primitives.sub)
    __mul__, __rmul__ = infix(primitives.mul)
    __truediv__, __rtruediv__ = infix(primitives.div)
    __pow__, __rpow__ = infix(primitives.pow)
    __neg__, __abs__ = unary(primitives.neg), unary(primitives.abs)

    def __pos__(self) -> Value:
        return self

    def __radd__(self, other: Any) -> Value:
        if other.__class__ is int and other == 0:  # where the builtin `sum` starts: no node for it
            return self
        return self._number_add(other)

    __lt__, __le__ = comparison(operator.lt), comparison(operator.le)
    __gt__, __ge__ = comparison(operator.gt), comparison(operator.ge)
    __eq__, __ne__ = comparison(operator.eq), comparison(operator.ne)
    __hash__ = object.__hash__

    def __float__(self) -> float:
        return unfollowed(self)._number

    def __int__(self) -> int:
        return int(unfollowed(self)._number)

    __trunc__ = __int__

    def __bool__(self) -> bool:
        return bool(unrecorded(self, choice=True)._number)

    def __round__(self, digits: int | None = None) -> float:
        return round(unfollowed(self)._number, digits)

    def __format__(self, spec: str) -> str:
        return format(self._number, spec) if spec else repr(self)

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self._number}, grad={self._grad}{label})"

    if TYPE_CHECKING:  # the methods below come from the table, so no list of them stands here

        def __getattr__(self, primitive: str) -> Callable[..., Value]: ...


def method(row: Primitive) -> Callable[..., Any]:
    """The method of a primitive with one or two operands."""
    return unary(row) if row.arity == 1 else binary(row)


def install(row: Primitive, on: type[Any] = Value, make: Callable[..., Any] = method) -> None:
    """Make a primitive with one or two operands a method of Value, under each of its names."""
    names = (row.name, *row.aliases)
    for name in names:
        if hasattr(on, name) and name not in TABLE and name not in ALIASES:
            raise ValueError(
                f"primitive {name}: Value has a {name} of its own; choose another name"
            )
    if old := TABLE.get(row.name):  # the same row, as it was before
        for name in {old.name, *old.aliases} & vars(on).keys():
            delattr(on, name)
    if row.arity <= 2 and not isinstance(row, NaryPrimitive):
        for name in names:
            setattr(on, name, make(row))


watch(install)  # for every row there is, and each that a user adds: Value.tanh, Value.maximum, ...
