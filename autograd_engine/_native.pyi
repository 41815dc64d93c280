"""Made by `python -m autograd_engine.stubgen` from value.py and the table; do not edit."""

from collections.abc import Sequence
from typing import Any, final

from autograd_engine.modes import Info
from autograd_engine.rows import Primitive

kernels_hash: str
table_hash: str
def take_calls_of_rows() -> None: ...

def topological_order(root: Value, seen: set[Value] | None=None) -> list[Value]:
    """Every node that `root` depends on, operands before the nodes that use them, `root` last.

A depth-first walk that visits operands from left to right; a node enters the list when all its
operands have. The walk keeps its own stack, so a graph may be millions of nodes deep. Operands
in `seen` are left out, and all that the walk meets are added to it: so several walks (a pickle
of several Values) list each node once."""
    ...
def assemble(data: float, grad: float, row: Primitive | None, operands: tuple[Any, ...], derivatives: Sequence[float], info: Info | None) -> Value:
    """A Value of these fields, whatever the mode: how a copy is made, or one that was pickled."""
    ...
def path_between(inputs: Sequence[Any], outputs: Sequence[Any], since: int, running: set[Any], whole: bool=False) -> tuple[list[Any] | None, list[Any]]:
    """The nodes that depend on the inputs, among those that the outputs depend on; operands first.

The inputs are not in the list, and the graph below them is not entered. None in place of the
list where the outputs depend on inputs and constants alone: then `backward` reaches all that is
wanted, and no node of anybody else. (With `whole` there is a list in any case.) The second
result has the constants that are leaves."""
    ...
def varying(outputs: Sequence[Any], since: int, running: set[Any]) -> list[bool]:
    """For each output, whether it depends on anything that varies."""
    ...

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
    (8.0, 4.0, 2.0)"""
    _info: Info | None
    @property
    def _derivatives(self) -> Sequence[float]: ...
    @property
    def _grad(self) -> float: ...
    @property
    def _number(self) -> float: ...
    @property
    def _operands(self) -> tuple[Any, ...]: ...
    @property
    def _prev(self) -> tuple[Value, ...]: ...
    @property
    def _primitive(self) -> Primitive | None: ...
    @staticmethod
    def bind(row: Primitive, operands: tuple[Any, ...]) -> Any: ...

    def __init__(self, data: Any, *, label: str='') -> None:
        ...
    def __init_subclass__(cls) -> None:
        ...
    def backward(self, gradient: float=1.0) -> None:
        """Set `.grad` of nodes below to d self / d node, times `gradient`; leaves add it to theirs.

    Raises
    ------
    TypeError
        When `gradient` is not a real number."""
        ...
    def _backward(self) -> None:
        """Add this node's contributions to its operands: one step of `backward`, by hand."""
        ...
    def zero_grad(self) -> None:
        """Forget the gradient, before the next `backward` adds to it."""
        ...
    def detach(self) -> Value:
        """A new leaf with the same data and label: no gradient flows from it into this graph."""
        ...
    @property
    def data(self) -> float:
        """The number. Setting it changes no node that was computed from it."""
        ...
    @data.setter
    def data(self, data: Any) -> None:
        ...
    @property
    def grad(self) -> float:
        """The adjoint: d output / d self after `output.backward()`; leaves add it up."""
        ...
    @grad.setter
    def grad(self, grad: Any) -> None:
        ...
    @property
    def label(self) -> str:
        """The name, for pictures and messages."""
        ...
    @label.setter
    def label(self, label: str) -> None:
        ...
    @property
    def _op(self) -> str:
        ...
    def __add__(self, other: Any) -> Value: ...
    def __sub__(self, other: Any) -> Value: ...
    def __rsub__(self, other: Any) -> Value: ...
    def __mul__(self, other: Any) -> Value: ...
    def __rmul__(self, other: Any) -> Value: ...
    def __truediv__(self, other: Any) -> Value: ...
    def __rtruediv__(self, other: Any) -> Value: ...
    def __pow__(self, other: Any) -> Value: ...
    def __rpow__(self, other: Any) -> Value: ...
    def __neg__(self) -> Value: ...
    def __abs__(self) -> Value: ...
    def __pos__(self) -> Value:
        ...
    def __radd__(self, other: Any) -> Value:
        ...
    def __lt__(self, other: Any) -> bool: ...
    def __le__(self, other: Any) -> bool: ...
    def __gt__(self, other: Any) -> bool: ...
    def __ge__(self, other: Any) -> bool: ...
    def __eq__(self, other: Any) -> bool: ...
    def __ne__(self, other: Any) -> bool: ...
    def __hash__(self) -> int: ...
    def __float__(self) -> float:
        ...
    def __int__(self) -> int:
        ...
    def __trunc__(self) -> int: ...
    def __bool__(self) -> bool:
        ...
    def __round__(self, digits: int | None=None) -> float:
        ...
    def __format__(self, spec: str) -> str:
        ...
    def __repr__(self) -> str:
        ...
    def add(self, other: Any, /) -> Value:
        """x + y. Source: G&W, chapter 2."""
        ...
    def sub(self, other: Any, /) -> Value:
        """x - y. Source: G&W, chapter 2."""
        ...
    def mul(self, other: Any, /) -> Value:
        """x * y. Source: G&W, chapter 2."""
        ...
    def div(self, other: Any, /) -> Value:
        """x / y. Convention: 1/0 = inf, 0/0 = nan (IEEE 754). Source: G&W, chapter 2."""
        ...
    def pow(self, other: Any, /) -> Value:
        """x ** y, a real number or nan.

    Convention: (-2) ** 0.5 = nan; d/dx x ** 0 = 0 everywhere; d/dy 0 ** y = 0 for y >= 0; d/dy is
    nan for x < 0, where the power is real only at whole y. Source: DLMF 4.2(iv), 4.7(ii)."""
        ...
    def float_power(self, other: Any, /) -> Value:
        """x ** y, a real number or nan.

    Convention: (-2) ** 0.5 = nan; d/dx x ** 0 = 0 everywhere; d/dy 0 ** y = 0 for y >= 0; d/dy is
    nan for x < 0, where the power is real only at whole y. Source: DLMF 4.2(iv), 4.7(ii)."""
        ...
    def power(self, other: Any, /) -> Value:
        """x ** y, a real number or nan.

    Convention: (-2) ** 0.5 = nan; d/dx x ** 0 = 0 everywhere; d/dy 0 ** y = 0 for y >= 0; d/dy is
    nan for x < 0, where the power is real only at whole y. Source: DLMF 4.2(iv), 4.7(ii)."""
        ...
    def neg(self, /) -> Value:
        """-x. Source: G&W, chapter 2."""
        ...
    def square(self, /) -> Value:
        """x * x. Source: G&W, chapter 2."""
        ...
    def sqrt(self, /) -> Value:
        """The square root. Convention: sqrt'(0) = inf, sqrt(-1) = nan. Source: DLMF 4.7(ii).

    The 0.0 in the derivative turns sqrt(-0.0) = -0.0 into 0.0, so that its sign is right there too."""
        ...
    def cbrt(self, /) -> Value:
        """The cube root, real also for x < 0. Convention: cbrt'(0) = inf. Source: DLMF 4.7(ii)."""
        ...
    def hypot(self, other: Any, /) -> Value:
        """sqrt(x * x + y * y) without overflow. Convention: both derivatives are 0 at (0, 0).

    hypot(inf, nan) = inf (IEEE 754), with derivative nan, as where both operands are infinite.
    Source: G&W, chapter 2 (chain rule)."""
        ...
    def sign(self, /) -> Value:
        """-1, 0 or 1. Convention: sign(0) = sign'(0) = 0, sign(nan) = nan. Source: G&W, chapter 14."""
        ...
    def heaviside(self, /) -> Value:
        """1 where x > 0, else 0. Convention: heaviside(0) = heaviside'(0) = 0, nan stays nan.

    Source: DLMF 1.16(iv)."""
        ...
    def abs(self, /) -> Value:
        """|x|. Convention: |x|'(0) = 0. Source: G&W, chapter 14."""
        ...
    def absolute(self, /) -> Value:
        """|x|. Convention: |x|'(0) = 0. Source: G&W, chapter 14."""
        ...
    def maximum(self, other: Any, /) -> Value:
        """The larger. Convention: a tie halves the derivative, nan wins. Source: G&W, chapter 14."""
        ...
    def minimum(self, other: Any, /) -> Value:
        """The smaller. Convention: a tie halves the derivative, nan wins. Source: G&W, chapter 14."""
        ...
    def exp(self, /) -> Value:
        """e ** x. Convention: exp(1000) = inf. Source: DLMF 4.7(ii)."""
        ...
    def expm1(self, /) -> Value:
        """exp(x) - 1, accurate for small x. Convention: expm1(1000) = inf. Source: DLMF 4.7(ii)."""
        ...
    def log(self, /) -> Value:
        """The natural logarithm. Convention: log(0) = -inf, log(-1) = nan, derivative 1/x everywhere.

    Source: DLMF 4.7(i)."""
        ...
    def log1p(self, /) -> Value:
        """log(1 + x), accurate for small x.

    Convention: log1p(-1) = -inf, log1p(-2) = nan, derivative 1 / (1 + x) everywhere.
    Source: DLMF 4.7(i)."""
        ...
    def log2(self, /) -> Value:
        """The logarithm to base 2. Convention: as in log. Source: DLMF 4.2(ii), 4.7(i)."""
        ...
    def log10(self, /) -> Value:
        """The logarithm to base 10. Convention: as in log. Source: DLMF 4.2(ii), 4.7(i)."""
        ...
    def exp_difference(self, other: Any, /) -> Value:
        """exp(x - y) in one node; `softmax` is made of these. Source: DLMF 4.7(ii)."""
        ...
    def logaddexp(self, other: Any, /) -> Value:
        """log(exp(x) + exp(y)) without overflow.

    Convention: the derivatives are nan where both operands are the same infinity.
    Source: Blanchard, Higham & Higham, see logsumexp."""
        ...
    def sin(self, /) -> Value:
        """The sine of x radians. Convention: sin(inf) = nan. Source: DLMF 4.20(i)."""
        ...
    def cos(self, /) -> Value:
        """The cosine of x radians. Convention: cos(inf) = nan. Source: DLMF 4.20(i)."""
        ...
    def tan(self, /) -> Value:
        """The tangent of x radians. Convention: tan(inf) = nan. Source: DLMF 4.20(i)."""
        ...
    def asin(self, /) -> Value:
        """The inverse sine, in [-pi/2, pi/2]. Convention: asin'(+-1) = inf, asin(2) = nan.

    Source: DLMF 4.24(ii)."""
        ...
    def arcsin(self, /) -> Value:
        """The inverse sine, in [-pi/2, pi/2]. Convention: asin'(+-1) = inf, asin(2) = nan.

    Source: DLMF 4.24(ii)."""
        ...
    def acos(self, /) -> Value:
        """The inverse cosine, in [0, pi]. Convention: acos'(+-1) = -inf, acos(2) = nan.

    Source: DLMF 4.24(ii)."""
        ...
    def arccos(self, /) -> Value:
        """The inverse cosine, in [0, pi]. Convention: acos'(+-1) = -inf, acos(2) = nan.

    Source: DLMF 4.24(ii)."""
        ...
    def atan(self, /) -> Value:
        """The inverse tangent, in [-pi/2, pi/2]. Source: DLMF 4.24(ii)."""
        ...
    def arctan(self, /) -> Value:
        """The inverse tangent, in [-pi/2, pi/2]. Source: DLMF 4.24(ii)."""
        ...
    def atan2(self, other: Any, /) -> Value:
        """The angle of the point (x, y), in [-pi, pi].

    Convention: both derivatives are 0 at (0, 0); the one by the other operand is nan where an
    operand is infinite. Source: DLMF 1.9(i), 4.24(ii)."""
        ...
    def arctan2(self, other: Any, /) -> Value:
        """The angle of the point (x, y), in [-pi, pi].

    Convention: both derivatives are 0 at (0, 0); the one by the other operand is nan where an
    operand is infinite. Source: DLMF 1.9(i), 4.24(ii)."""
        ...
    def sinh(self, /) -> Value:
        """The hyperbolic sine. Convention: sinh(-1000) = -inf. Source: DLMF 4.34."""
        ...
    def cosh(self, /) -> Value:
        """The hyperbolic cosine. Convention: cosh(-1000) = inf. Source: DLMF 4.34."""
        ...
    def tanh(self, /) -> Value:
        """The hyperbolic tangent; its derivative has an absolute error of 1e-16. Source: DLMF 4.34."""
        ...
    def asinh(self, /) -> Value:
        """The inverse hyperbolic sine. Source: DLMF 4.38(ii)."""
        ...
    def arcsinh(self, /) -> Value:
        """The inverse hyperbolic sine. Source: DLMF 4.38(ii)."""
        ...
    def acosh(self, /) -> Value:
        """The inverse hyperbolic cosine. Convention: acosh'(1) = inf, acosh(0) = nan.

    Source: DLMF 4.38(ii)."""
        ...
    def arccosh(self, /) -> Value:
        """The inverse hyperbolic cosine. Convention: acosh'(1) = inf, acosh(0) = nan.

    Source: DLMF 4.38(ii)."""
        ...
    def atanh(self, /) -> Value:
        """The inverse hyperbolic tangent.

    Convention: atanh'(+-1) = inf, atanh(2) = nan, derivative 1 / (1 - x * x) everywhere.
    Source: DLMF 4.38(ii)."""
        ...
    def arctanh(self, /) -> Value:
        """The inverse hyperbolic tangent.

    Convention: atanh'(+-1) = inf, atanh(2) = nan, derivative 1 / (1 - x * x) everywhere.
    Source: DLMF 4.38(ii)."""
        ...
    def erf(self, /) -> Value:
        """2 / sqrt(pi) * the integral of exp(-t * t) from 0 to x. Source: DLMF 7.2(i)."""
        ...
    def sigmoid(self, /) -> Value:
        """1 / (1 + exp(-x)), in a form where nothing overflows: only exp(-|x|) <= 1 is computed.

    The derivative, from the result alone, has an absolute error of 1e-16.
    Source: G&W, chapter 3 (chain rule on the definition)."""
        ...
    def softplus(self, /) -> Value:
        """log(1 + exp(x)), accurate at +-1000: only exp(-|x|) <= 1 is computed.

    Source: Dugas et al., Incorporating second-order functional knowledge for better option pricing,
    NIPS 2000."""
        ...
    def relu(self, /) -> Value:
        """max(0, x), the rectified linear unit. Convention: relu'(0) = 0, relu(nan) = nan.

    Source: Glorot, Bordes & Bengio, Deep sparse rectifier neural networks, AISTATS 2011."""
        ...
    def leaky_relu(self, /) -> Value:
        """x where x > 0, else 0.01 * x. Convention: leaky_relu'(0) = 0.01.

    For another slope write maximum(x, slope * x). Source: Maas, Hannun & Ng, Rectifier
    nonlinearities improve neural network acoustic models, ICML 2013."""
        ...
    def elu(self, /) -> Value:
        """x where x > 0, else exp(x) - 1. Convention: elu'(0) = 1, elu''(0) = 0.

    Source: Clevert, Unterthiner & Hochreiter, Fast and accurate deep network learning by
    exponential linear units, ICLR 2016."""
        ...
    def gelu(self, /) -> Value:
        """x times the standard normal distribution function of x, exact; absolute error 1e-16 * |x|.

    Convention: gelu(-inf) = 0. Source: Hendrycks & Gimpel, Gaussian error linear units,
    arXiv:1606.08415 (2016)."""
        ...
    def silu(self, /) -> Value:
        """x * sigmoid(x), also called swish. Convention: silu(-inf) = 0.

    Source: Elfwing, Uchibe & Doya, Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning, Neural Networks 107 (2018)."""
        ...
    def swish(self, /) -> Value:
        """x * sigmoid(x), also called swish. Convention: silu(-inf) = 0.

    Source: Elfwing, Uchibe & Doya, Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning, Neural Networks 107 (2018)."""
        ...
    def mish(self, /) -> Value:
        """x * tanh(softplus(x)). Convention: mish(-inf) = 0.

    Source: Misra, Mish: a self regularized non-monotonic activation function, BMVC 2020."""
        ...
