"""The table of primitives: each formula of the engine stands here, once.

A primitive is one row. The function's body is the primal, and the decorator holds one small lambda
per operand: the local derivative, written in the result `z` and the operands.

    @primitive(lambda z, x: z * (1.0 - z), latex=...)
    def sigmoid(x):
        e = exp(-abs(x))
        return where(x < 0.0, e, 1.0) / (1.0 + e)

*Elementary* rows name a function that `math`, NumPy and C share and have no body; *composite* rows
are written with other rows. Formulas are free of branches (`where`, `sign`) and of types, so one
row serves floats, NumPy arrays, Values and every other kind of operand; `rows.py` says how.

Everything else in the package is a reader of this table.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterable
from typing import Any

from autograd_engine.registry import elementary, primitive
from autograd_engine.rows import REAL

__all__ = [
    "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "div",
    "dot", "elu", "erf", "exp", "exp_difference", "expm1", "gelu", "heaviside", "hypot",
    "leaky_relu", "log", "log1p", "log2", "log10", "log_softmax", "logaddexp", "logsumexp",
    "maximum", "mean", "minimum", "mish", "mul", "neg", "relu", "sigmoid", "sign", "silu", "sin",
    "sinh", "softmax", "softplus", "sqrt", "square", "sub", "swish", "tan", "tanh", "where",
]  # fmt: skip
# `sum`, `abs` and `pow` are public too, but a star import must leave the builtins alone

POSITIVE = (0.0, math.inf)
UNIT = (-1.0, 1.0)

LN2, LN10 = math.log(2.0), math.log(10.0)

# --- arithmetic ---------------------------------------------------------------
# G&W: Griewank & Walther, Evaluating Derivatives, 2nd ed., SIAM 2008. DLMF: dlmf.nist.gov.


@primitive(1.0, 1.0, symbol="+", latex="{0} + {1}")
def add(x: Any, y: Any) -> Any:
    """x + y. Source: G&W, chapter 2."""
    return x + y


@primitive(1.0, -1.0, symbol="-", latex="{0} - {1}")
def sub(x: Any, y: Any) -> Any:
    """x - y. Source: G&W, chapter 2."""
    return x - y


@primitive(lambda z, x, y: y, lambda z, x, y: x, symbol="*", latex=r"{0} \cdot {1}")
def mul(x: Any, y: Any) -> Any:
    """x * y. Source: G&W, chapter 2."""
    return x * y


@primitive(
    lambda z, x, y: 1.0 / y, lambda z, x, y: -z / y, symbol="/", latex=r"\frac{{{0}}}{{{1}}}"
)
def div(x: Any, y: Any) -> Any:
    """x / y. Convention: 1/0 = inf, 0/0 = nan (IEEE 754). Source: G&W, chapter 2."""
    return x / y


def _pow_dx(z: Any, x: Any, y: Any) -> Any:
    flat = where(y == 0.0, where(x * x > 0.0, 0.0, 1.0), 0.0)  # 0 * x ** -1 is 0 at x = 0 too
    return y * pow(where(flat, 1.0, x), y - 1.0)


def _pow_dy(z: Any, x: Any, y: Any) -> Any:
    return z * log(where(x == 0.0, where(y < 0.0, x, 1.0), x))


@primitive(
    _pow_dx, _pow_dy, symbol="**", latex="{0}^{{{1}}}", domain=(POSITIVE, REAL), aliases=("power",)
)
@elementary(math.pow, numpy="float_power")  # np.power takes 0.5 for a square root: nan at -inf
def pow(x: Any, y: Any) -> Any:
    """x ** y, a real number or nan.

    Convention: (-2) ** 0.5 = nan; d/dx x ** 0 = 0 everywhere; d/dy 0 ** y = 0 for y >= 0; d/dy is
    nan for x < 0, where the power is real only at whole y. Source: DLMF 4.2(iv), 4.7(ii).
    """


@primitive(-1.0, symbol="neg", latex="-{0}")
def neg(x: Any) -> Any:
    """-x. Source: G&W, chapter 2."""
    return -x


@primitive(lambda z, x: 2.0 * x, latex="{0}^2")
def square(x: Any) -> Any:
    """x * x. Source: G&W, chapter 2."""
    return x * x


@primitive(lambda z, x: 0.5 / (z + 0.0), latex=r"\sqrt{{{0}}}", domain=(POSITIVE,))
@elementary(math.sqrt)
def sqrt(x: Any) -> Any:
    """The square root. Convention: sqrt'(0) = inf, sqrt(-1) = nan. Source: DLMF 4.7(ii).

    The 0.0 in the derivative turns sqrt(-0.0) = -0.0 into 0.0, so that its sign is right there too.
    """


@primitive(lambda z, x: square(1.0 / z) / 3.0, latex=r"\sqrt[3]{{{0}}}", analytic=False)
@elementary(math.cbrt)
def cbrt(x: Any) -> Any:
    """The cube root, real also for x < 0. Convention: cbrt'(0) = inf. Source: DLMF 4.7(ii)."""


def _or_inf(r: Any) -> Any:
    """A radius as a divisor: x / inf = 0 is the convention at the origin, at every order."""
    return where(r == 0.0, math.inf, r)


def _cosine(x: Any, y: Any, r: Any) -> Any:
    """x / r for the point (x, y) at distance r, also for an infinite x."""
    infinite = abs(x) == math.inf
    return where(infinite, sign(x) + (y - y), where(infinite, 0.0, x) / _or_inf(r))


@primitive(lambda z, x, y: _cosine(x, y, z), lambda z, x, y: _cosine(y, x, z), analytic=False)
@elementary(math.hypot)
def hypot(x: Any, y: Any) -> Any:
    """sqrt(x * x + y * y) without overflow. Convention: both derivatives are 0 at (0, 0).

    hypot(inf, nan) = inf (IEEE 754), with derivative nan, as where both operands are infinite.
    Source: G&W, chapter 2 (chain rule).
    """


# --- choice ---------------------------------------------------------------


def _select(c: float, x: float, y: float) -> float:
    return x if c else y


def _if_chosen(z: Any, c: Any, x: Any, y: Any) -> Any:
    return where(c, 1.0, 0.0)


def _if_not_chosen(z: Any, c: Any, x: Any, y: Any) -> Any:
    return where(c, 0.0, 1.0)


@primitive(0.0, _if_chosen, _if_not_chosen, latex=r"{0}\ ?\ {1} : {2}", analytic=False)
@elementary(_select, numpy="where")
def where(c: Any, x: Any, y: Any) -> Any:
    """x where the condition c holds (is true, or a number other than 0), else y.

    Convention: the derivative by the condition is 0, and so is that by the operand not chosen. Both
    operands are computed, and 0 times an infinite derivative is nan further back; so keep the one
    not chosen regular: where(x > 0, log(where(x > 0, x, 1)), 0). Source: G&W, chapter 14.
    """


@primitive(lambda z, x: z - z, latex=r"\operatorname{{sign}} {0}", analytic=False)
def sign(x: Any) -> Any:
    """-1, 0 or 1. Convention: sign(0) = sign'(0) = 0, sign(nan) = nan. Source: G&W, chapter 14."""
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, x))


@primitive(lambda z, x: z - z, latex=r"\theta({0})", analytic=False)
def heaviside(x: Any) -> Any:
    """1 where x > 0, else 0. Convention: heaviside(0) = heaviside'(0) = 0, nan stays nan.

    Source: DLMF 1.16(iv).
    """
    return where(x > 0.0, 1.0, where(x <= 0.0, 0.0, x))


@primitive(lambda z, x: sign(x), latex="|{0}|", analytic=False)
@elementary(math.fabs, numpy="absolute")
def abs(x: Any) -> Any:
    """|x|. Convention: |x|'(0) = 0. Source: G&W, chapter 14."""


def _first_larger(z: Any, x: Any, y: Any) -> Any:
    return where(x > y, 1.0, where(x < y, 0.0, where(x == y, 0.5, x + y)))


def _second_larger(z: Any, x: Any, y: Any) -> Any:
    return where(y > x, 1.0, where(y < x, 0.0, where(x == y, 0.5, x + y)))


@primitive(_first_larger, _second_larger, symbol="max", latex=r"\max({0}, {1})", analytic=False)
def maximum(x: Any, y: Any) -> Any:
    """The larger. Convention: a tie halves the derivative, nan wins. Source: G&W, chapter 14."""
    return where(x > y, x, where(x <= y, y, x + y))


@primitive(_second_larger, _first_larger, symbol="min", latex=r"\min({0}, {1})", analytic=False)
def minimum(x: Any, y: Any) -> Any:
    """The smaller. Convention: a tie halves the derivative, nan wins. Source: G&W, chapter 14."""
    return where(x < y, x, where(x >= y, y, x + y))


# --- exponentials and logarithms ---------------------------------------------------------------


@primitive(lambda z, x: z, latex="e^{{{0}}}")
@elementary(math.exp)
def exp(x: Any) -> Any:
    """e ** x. Convention: exp(1000) = inf. Source: DLMF 4.7(ii)."""


@primitive(lambda z, x: exp(x), latex="e^{{{0}}} - 1")
@elementary(math.expm1)
def expm1(x: Any) -> Any:
    """exp(x) - 1, accurate for small x. Convention: expm1(1000) = inf. Source: DLMF 4.7(ii)."""


@primitive(lambda z, x: 1.0 / x, latex=r"\ln {0}", domain=(POSITIVE,))
@elementary(math.log)
def log(x: Any) -> Any:
    """The natural logarithm. Convention: log(0) = -inf, log(-1) = nan, derivative 1/x everywhere.

    Source: DLMF 4.7(i).
    """


@primitive(lambda z, x: 1.0 / (1.0 + x), latex=r"\ln(1 + {0})", domain=((-1.0, math.inf),))
@elementary(math.log1p)
def log1p(x: Any) -> Any:
    """log(1 + x), accurate for small x.

    Convention: log1p(-1) = -inf, log1p(-2) = nan, derivative 1 / (1 + x) everywhere.
    Source: DLMF 4.7(i).
    """


@primitive(lambda z, x: 1.0 / (x * LN2), latex=r"\log_2 {0}", domain=(POSITIVE,))
@elementary(math.log2)
def log2(x: Any) -> Any:
    """The logarithm to base 2. Convention: as in log. Source: DLMF 4.2(ii), 4.7(i)."""


@primitive(lambda z, x: 1.0 / (x * LN10), latex=r"\log_{{10}} {0}", domain=(POSITIVE,))
@elementary(math.log10)
def log10(x: Any) -> Any:
    """The logarithm to base 10. Convention: as in log. Source: DLMF 4.2(ii), 4.7(i)."""


@primitive(lambda z, x, y: z, lambda z, x, y: -z, symbol="softmax", latex="e^{{{0} - {1}}}")
def exp_difference(x: Any, y: Any) -> Any:
    """exp(x - y) in one node; `softmax` is made of these. Source: DLMF 4.7(ii)."""
    return exp(x - y)


def _first_share(z: Any, x: Any, y: Any) -> Any:
    return sigmoid(x - y)


def _second_share(z: Any, x: Any, y: Any) -> Any:
    return sigmoid(y - x)


@primitive(_first_share, _second_share, latex=r"\ln(e^{{{0}}} + e^{{{1}}})", analytic=False)
def logaddexp(x: Any, y: Any) -> Any:
    """log(exp(x) + exp(y)) without overflow.

    Convention: the derivatives are nan where both operands are the same infinity.
    Source: Blanchard, Higham & Higham, see logsumexp.
    """
    return maximum(x, y) + log1p(exp(-abs(where(x == y, 0.0, x - y))))


# --- trigonometric ---------------------------------------------------------------


def _sin_slope(z: Any, x: Any) -> Any:
    return cos(x)


@primitive(_sin_slope, latex=r"\sin {0}")
@elementary(math.sin)
def sin(x: Any) -> Any:
    """The sine of x radians. Convention: sin(inf) = nan. Source: DLMF 4.20(i)."""


@primitive(lambda z, x: -sin(x), latex=r"\cos {0}")
@elementary(math.cos)
def cos(x: Any) -> Any:
    """The cosine of x radians. Convention: cos(inf) = nan. Source: DLMF 4.20(i)."""


@primitive(lambda z, x: 1.0 + z * z, latex=r"\tan {0}", domain=((-0.5 * math.pi, 0.5 * math.pi),))
@elementary(math.tan)
def tan(x: Any) -> Any:
    """The tangent of x radians. Convention: tan(inf) = nan. Source: DLMF 4.20(i)."""


@primitive(lambda z, x: 1.0 / sqrt((1.0 - x) * (1.0 + x)), latex=r"\arcsin {0}", domain=(UNIT,))
@elementary(math.asin, numpy="arcsin")
def asin(x: Any) -> Any:
    """The inverse sine, in [-pi/2, pi/2]. Convention: asin'(+-1) = inf, asin(2) = nan.

    Source: DLMF 4.24(ii).
    """


@primitive(lambda z, x: -1.0 / sqrt((1.0 - x) * (1.0 + x)), latex=r"\arccos {0}", domain=(UNIT,))
@elementary(math.acos, numpy="arccos")
def acos(x: Any) -> Any:
    """The inverse cosine, in [0, pi]. Convention: acos'(+-1) = -inf, acos(2) = nan.

    Source: DLMF 4.24(ii).
    """


@primitive(lambda z, x: square(1.0 / hypot(1.0, x)), latex=r"\arctan {0}")
@elementary(math.atan, numpy="arctan")
def atan(x: Any) -> Any:
    """The inverse tangent, in [-pi/2, pi/2]. Source: DLMF 4.24(ii)."""


def _turn_by_y(z: Any, y: Any, x: Any) -> Any:
    return x / _or_inf(hypot(x, y)) / _or_inf(hypot(x, y))  # a square might overflow


def _turn_by_x(z: Any, y: Any, x: Any) -> Any:
    return -_turn_by_y(z, x, y)


@primitive(_turn_by_y, _turn_by_x, analytic=False)
@elementary(math.atan2, numpy="arctan2")
def atan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y), in [-pi, pi].

    Convention: both derivatives are 0 at (0, 0); the one by the other operand is nan where an
    operand is infinite. Source: DLMF 1.9(i), 4.24(ii).
    """


# --- hyperbolic ---------------------------------------------------------------


def _sinh_slope(z: Any, x: Any) -> Any:
    return cosh(x)


@primitive(_sinh_slope, latex=r"\sinh {0}")
@elementary(math.sinh)
def sinh(x: Any) -> Any:
    """The hyperbolic sine. Convention: sinh(-1000) = -inf. Source: DLMF 4.34."""


@primitive(lambda z, x: sinh(x), latex=r"\cosh {0}")
@elementary(math.cosh)
def cosh(x: Any) -> Any:
    """The hyperbolic cosine. Convention: cosh(-1000) = inf. Source: DLMF 4.34."""


@primitive(lambda z, x: 1.0 - z * z, latex=r"\tanh {0}")
@elementary(math.tanh)
def tanh(x: Any) -> Any:
    """The hyperbolic tangent; its derivative has an absolute error of 1e-16. Source: DLMF 4.34."""


@primitive(lambda z, x: 1.0 / hypot(1.0, x))
@elementary(math.asinh, numpy="arcsinh")
def asinh(x: Any) -> Any:
    """The inverse hyperbolic sine. Source: DLMF 4.38(ii)."""


@primitive(lambda z, x: 1.0 / sqrt(x - 1.0) / sqrt(x + 1.0), domain=((1.0, math.inf),))
@elementary(math.acosh, numpy="arccosh")
def acosh(x: Any) -> Any:
    """The inverse hyperbolic cosine. Convention: acosh'(1) = inf, acosh(0) = nan.

    Source: DLMF 4.38(ii).
    """


@primitive(lambda z, x: 1.0 / ((1.0 - x) * (1.0 + x)), domain=(UNIT,))
@elementary(math.atanh, numpy="arctanh")
def atanh(x: Any) -> Any:
    """The inverse hyperbolic tangent.

    Convention: atanh'(+-1) = inf, atanh(2) = nan, derivative 1 / (1 - x * x) everywhere.
    Source: DLMF 4.38(ii).
    """


def _near(x: Any) -> Any:
    """x, and 40 where it is beyond: exp(-x * x / 2) is 0 there, at every order."""
    return where(abs(x) >= 40.0, 40.0, x)


@primitive(lambda z, x: 2.0 / math.sqrt(math.pi) * exp(-square(_near(x))), analytic=False)
@elementary(math.erf)
def erf(x: Any) -> Any:
    """2 / sqrt(pi) * the integral of exp(-t * t) from 0 to x. Source: DLMF 7.2(i)."""


# --- activations ---------------------------------------------------------------


@primitive(lambda z, x: z * (1.0 - z), latex=r"\sigma({0})", analytic=False)
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), in a form where nothing overflows: only exp(-|x|) <= 1 is computed.

    The derivative, from the result alone, has an absolute error of 1e-16.
    Source: G&W, chapter 3 (chain rule on the definition).
    """
    e = exp(-abs(x))
    return where(x < 0.0, e, 1.0) / (1.0 + e)


@primitive(lambda z, x: sigmoid(x), latex=r"\ln(1 + e^{{{0}}})", analytic=False)
def softplus(x: Any) -> Any:
    """log(1 + exp(x)), accurate at +-1000: only exp(-|x|) <= 1 is computed.

    Source: Dugas et al., Incorporating second-order functional knowledge for better option pricing,
    NIPS 2000.
    """
    return relu(x) + log1p(exp(-abs(x)))


@primitive(lambda z, x: sign(z), latex=r"\max(0, {0})", analytic=False)
def relu(x: Any) -> Any:
    """max(0, x), the rectified linear unit. Convention: relu'(0) = 0, relu(nan) = nan.

    Source: Glorot, Bordes & Bengio, Deep sparse rectifier neural networks, AISTATS 2011.
    """
    return where(x <= 0.0, 0.0, x)


@primitive(lambda z, x: where(x <= 0.0, 0.01, where(x > 0.0, 1.0, x)), analytic=False)
def leaky_relu(x: Any) -> Any:
    """x where x > 0, else 0.01 * x. Convention: leaky_relu'(0) = 0.01.

    For another slope write maximum(x, slope * x). Source: Maas, Hannun & Ng, Rectifier
    nonlinearities improve neural network acoustic models, ICML 2013.
    """
    return where(x <= 0.0, 0.01 * x, x)


@primitive(lambda z, x: exp(-relu(-x)), analytic=False)
def elu(x: Any) -> Any:
    """x where x > 0, else exp(x) - 1. Convention: elu'(0) = 1, elu''(0) = 0.

    Source: Clevert, Unterthiner & Hochreiter, Fast and accurate deep network learning by
    exponential linear units, ICLR 2016.
    """
    return relu(x) + expm1(-relu(-x))


def _gated(gate: Any, x: Any) -> Any:
    """gate * x, and 0 where the gate is shut, also at x = -inf."""
    return gate * where(gate == 0.0, 0.0, x)


def _normal(x: Any) -> Any:
    """The distribution function of the standard normal. Source: DLMF 7.18(iv), 7.2(i)."""
    return 0.5 + 0.5 * erf(x * math.sqrt(0.5))


def _gelu_slope(z: Any, x: Any) -> Any:
    return _normal(x) + _gated(exp(-0.5 * square(_near(x))) / math.sqrt(2.0 * math.pi), x)


@primitive(_gelu_slope, latex=r"{0} \Phi({0})", analytic=False)
def gelu(x: Any) -> Any:
    """x times the standard normal distribution function of x, exact; absolute error 1e-16 * |x|.

    Convention: gelu(-inf) = 0. Source: Hendrycks & Gimpel, Gaussian error linear units,
    arXiv:1606.08415 (2016).
    """
    return _gated(_normal(x), x)


def _silu_slope(z: Any, x: Any) -> Any:
    return sigmoid(x) + _gated(sigmoid(x) * sigmoid(-x), x)


@primitive(_silu_slope, latex=r"{0} \sigma({0})", analytic=False, aliases=("swish",))
def silu(x: Any) -> Any:
    """x * sigmoid(x), also called swish. Convention: silu(-inf) = 0.

    Source: Elfwing, Uchibe & Doya, Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning, Neural Networks 107 (2018).
    """
    return _gated(sigmoid(x), x)


swish = silu


def _mish_gate(x: Any) -> Any:
    return tanh(softplus(x))


def _mish_slope(z: Any, x: Any) -> Any:
    return _mish_gate(x) + _gated(sigmoid(x) * (1.0 - square(_mish_gate(x))), x)


@primitive(_mish_slope, latex=r"{0} \tanh(\ln(1 + e^{{{0}}}))", analytic=False)
def mish(x: Any) -> Any:
    """x * tanh(softplus(x)). Convention: mish(-inf) = 0.

    Source: Misra, Mish: a self regularized non-monotonic activation function, BMVC 2020.
    """
    return _gated(_mish_gate(x), x)


# --- many operands ---------------------------------------------------------------


def _add_up(xs: Iterable[Any]) -> Any:
    """x0 + x1 + ... from left to right; the builtin `sum` rounds otherwise since Python 3.12."""
    return functools.reduce(operator.add, xs)


@primitive(lambda z, xs: [1.0 for x in xs], nary=True, latex=r"\sum_i {0}_i")
def sum(xs: Any) -> Any:
    """x0 + x1 + ... in one node, from left to right; 0.0 for none. Source: G&W, chapter 2."""
    return _add_up(xs) if xs else 0.0


@primitive(lambda z, xs: [1.0 / len(xs) for x in xs], nary=True, latex=r"\sum_i {0}_i / n")
def mean(xs: Any) -> Any:
    """(x0 + x1 + ...) / n in one node; needs an operand. Source: G&W, chapter 2."""
    return _add_up(xs) / len(xs)


@primitive(lambda z, w, x: x, lambda z, w, x: w, nary=True, latex=r"\sum_i {0}_i {1}_i")
def dot(w: Any, x: Any) -> Any:
    """w0 * x0 + w1 * x1 + ... in one node, from left to right. Source: G&W, chapter 2."""
    return _add_up(map(operator.mul, w, x)) if w else 0.0


def _shifted(xs: Any) -> Any:
    """The largest operand, and exp(x - largest) of each: nothing overflows."""
    top = functools.reduce(maximum, xs)
    top = where(top - top == 0.0, top, 0.0)  # an infinite top would make inf - inf
    return top, [exp(x - top) for x in xs]


def _shares(z: Any, xs: Any) -> Any:
    _, e = _shifted(xs)
    total = _add_up(e)
    return [x / total for x in e]


@primitive(_shares, nary=True, latex=r"\ln \sum_i e^{{{0}_i}}")
def logsumexp(xs: Any) -> Any:
    """log(exp(x0) + exp(x1) + ...) in one node, with the largest operand taken out of the sum.

    The absolute error is 2e-16 * max(1, |z|); the relative one may be larger where z is close to 0.

    Source: Blanchard, Higham & Higham, Accurately computing the log-sum-exp and softmax functions,
    IMA J. Numer. Anal. 41 (2021).
    """
    top, e = _shifted(xs)
    return top + log(_add_up(e))


def softmax(xs: Iterable[Any]) -> list[Any]:
    """exp(x_i) / (exp(x0) + exp(x1) + ...), a list: one logsumexp node and one node per operand.

    Nothing overflows. The relative error grows with the largest operand, 2e-16 * max|x|, because
    the nodes share the one rounded logsumexp; subtract a constant from operands beyond 1e6.
    """
    xs = list(xs)
    z = logsumexp(xs)
    return [exp_difference(x, z) for x in xs]


def log_softmax(xs: Iterable[Any]) -> list[Any]:
    """log(softmax(xs)), a list, without forming a softmax that could underflow to 0.

    The absolute error grows with the largest operand, 2e-16 * max|x|, as in `softmax`.
    """
    xs = list(xs)
    z = logsumexp(xs)
    return [x - z for x in xs]
