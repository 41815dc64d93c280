"""What happens where a formula is singular, has a kink or a tie, or meets inf and nan."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import pytest

import autograd_engine as ae
from autograd_engine import Value
from autograd_engine.registry import TABLE
from autograd_engine.rows import NaryPrimitive, Primitive

INF, NAN = math.inf, math.nan
PI, E, LOG2, LOG10 = math.pi, math.e, math.log(2.0), math.log(10.0)
ROOT2 = math.sqrt(2.0)
SHARE = 1.0 / (1.0 + math.exp(-1.0))  # sigmoid(1); sigmoid(-1) is 1 - SHARE
NORMAL, DENSITY = float(mpmath.ncdf(1)), float(mpmath.npdf(1))  # of the standard normal, at 1


def mish_gate(x: float) -> float:
    """tanh(log u) = (u * u - 1) / (u * u + 1) with u = 1 + exp(x)."""
    u = 1.0 + math.exp(x)
    return (u * u - 1.0) / (u * u + 1.0)


def mish_slope(x: float) -> float:
    """gate + x * sigmoid(x) * (1 - gate ** 2)."""
    return mish_gate(x) + x / (1.0 + math.exp(-x)) * (1.0 - mish_gate(x) ** 2)


# (what is computed, at, the result, its derivative by each operand)
CONVENTIONS: list[tuple[str, Callable[..., Value], tuple[float, ...], float, tuple[float, ...]]] = [
    ("add", ae.add, (INF, -INF), NAN, (1, 1)),
    ("add", ae.add, (0.0, -0.0), 0.0, (1, 1)),
    ("add", ae.add, (-0.0, -0.0), -0.0, (1, 1)),
    ("add", ae.add, (NAN, 1.0), NAN, (1, 1)),
    ("sub", ae.sub, (INF, INF), NAN, (1, -1)),
    ("sub", ae.sub, (-INF, INF), -INF, (1, -1)),
    ("mul", ae.mul, (0.0, INF), NAN, (INF, 0)),
    ("mul", ae.mul, (1e200, -1e200), -INF, (-1e200, 1e200)),
    ("mul", ae.mul, (NAN, 2.0), NAN, (2, NAN)),
    ("div", ae.div, (1.0, 0.0), INF, (INF, -INF)),
    ("div", ae.div, (1.0, -0.0), -INF, (-INF, -INF)),
    ("div", ae.div, (-1.0, 0.0), -INF, (INF, INF)),
    ("div", ae.div, (0.0, 0.0), NAN, (INF, NAN)),
    ("div", ae.div, (1.0, INF), 0.0, (0, 0)),
    ("div", ae.div, (INF, INF), NAN, (0, NAN)),
    ("1 / x", lambda x: 1 / x, (0.0,), INF, (-INF,)),
    ("x / 0", lambda x: x / 0, (-2.0,), -INF, (INF,)),
    ("neg", ae.neg, (0.0,), -0.0, (-1,)),
    ("neg", ae.neg, (INF,), -INF, (-1,)),
    ("pow", ae.pow, (-2.0, 0.5), NAN, (NAN, NAN)),
    ("pow", ae.pow, (-2.0, 3.0), -8.0, (12, NAN)),
    ("pow", ae.pow, (0.0, 0.0), 1.0, (0, 0)),
    ("pow", ae.pow, (5.0, 0.0), 1.0, (0, math.log(5.0))),
    ("pow", ae.pow, (-2.0, 0.0), 1.0, (0, NAN)),
    ("pow", ae.pow, (INF, 0.0), 1.0, (0, INF)),
    ("pow", ae.pow, (NAN, 0.0), 1.0, (0, NAN)),
    ("pow", ae.pow, (NAN, 2.0), NAN, (NAN, NAN)),
    ("pow", ae.pow, (2.0, NAN), NAN, (NAN, NAN)),
    ("pow", ae.pow, (0.0, 0.5), 0.0, (INF, 0)),
    ("pow", ae.pow, (0.0, 1.0), 0.0, (1, 0)),
    ("pow", ae.pow, (0.0, 2.0), 0.0, (0, 0)),
    ("pow", ae.pow, (0.0, -1.0), INF, (-INF, -INF)),
    ("pow", ae.pow, (-0.0, 3.0), -0.0, (0, 0)),
    ("pow", ae.pow, (-0.0, -1.0), -INF, (-INF, INF)),
    ("pow", ae.pow, (1000.0, 1000.0), INF, (INF, INF)),
    ("pow", ae.pow, (-1000.0, 1001.0), -INF, (INF, NAN)),
    ("pow", ae.pow, (1000.0, -1000.0), 0.0, (0, 0)),
    ("x ** 0", lambda x: x**0, (0.0,), 1.0, (0,)),
    ("x ** 0", lambda x: x**0, (-2.0,), 1.0, (0,)),
    ("x ** 0", lambda x: x**0, (NAN,), 1.0, (0,)),
    ("x ** 0", lambda x: x**0, (INF,), 1.0, (0,)),
    ("x ** 0.5", lambda x: x**0.5, (-2.0,), NAN, (NAN,)),
    ("x ** -1", lambda x: x**-1, (0.0,), INF, (-INF,)),
    ("x ** 2", lambda x: x**2, (1e200,), INF, (2e200,)),
    ("2 ** x", lambda x: 2**x, (2000.0,), INF, (INF,)),
    ("0 ** x", lambda x: 0**x, (2.0,), 0.0, (0,)),
    ("(-2) ** x", lambda x: (-2) ** x, (2.0,), 4.0, (NAN,)),
    ("(x * x) ** 0.5", lambda x: (x * x) ** 0.5, (0.0,), 0.0, (NAN,)),
    ("where", ae.where, (1.0, 2.0, 3.0), 2.0, (0, 1, 0)),
    ("where", ae.where, (0.0, 2.0, 3.0), 3.0, (0, 0, 1)),
    ("where", ae.where, (-0.0, 2.0, 3.0), 3.0, (0, 0, 1)),
    ("where", ae.where, (-1.0, 2.0, NAN), 2.0, (0, 1, 0)),
    ("where", ae.where, (0.0, INF, 3.0), 3.0, (0, 0, 1)),
    ("where", ae.where, (NAN, 2.0, 3.0), 2.0, (0, 1, 0)),
    ("sign", ae.sign, (0.0,), 0.0, (0,)),
    ("sign", ae.sign, (-0.0,), -0.0, (0,)),
    ("sign", ae.sign, (-INF,), -1.0, (0,)),
    ("abs", ae.abs, (0.0,), 0.0, (0,)),
    ("abs", ae.abs, (-0.0,), 0.0, (0,)),
    ("abs", ae.abs, (-INF,), INF, (-1,)),
    ("abs", ae.abs, (NAN,), NAN, (NAN,)),
    ("relu", ae.relu, (0.0,), 0.0, (0,)),
    ("relu", ae.relu, (-0.0,), 0.0, (0,)),
    ("relu", ae.relu, (-1.0,), 0.0, (0,)),
    ("relu", ae.relu, (1000.0,), 1000.0, (1,)),
    ("relu", ae.relu, (-INF,), 0.0, (0,)),
    ("relu", ae.relu, (INF,), INF, (1,)),
    ("relu", ae.relu, (NAN,), NAN, (NAN,)),
    ("maximum", ae.maximum, (1.0, 1.0), 1.0, (0.5, 0.5)),
    ("maximum", ae.maximum, (0.0, -0.0), -0.0, (0.5, 0.5)),
    ("maximum", ae.maximum, (INF, INF), INF, (0.5, 0.5)),
    ("maximum", ae.maximum, (-INF, INF), INF, (0, 1)),
    ("maximum", ae.maximum, (NAN, 1.0), NAN, (NAN, NAN)),
    ("maximum", ae.maximum, (1.0, NAN), NAN, (NAN, NAN)),
    ("maximum", ae.maximum, (INF, NAN), NAN, (NAN, NAN)),
    ("maximum", lambda x: ae.maximum(x, 0), (0.0,), 0.0, (0.5,)),
    ("maximum", lambda x: ae.maximum(x, x), (3.0,), 3.0, (1,)),
    ("minimum", ae.minimum, (1.0, 1.0), 1.0, (0.5, 0.5)),
    ("minimum", ae.minimum, (-INF, -INF), -INF, (0.5, 0.5)),
    ("minimum", ae.minimum, (-INF, INF), -INF, (1, 0)),
    ("minimum", ae.minimum, (NAN, 1.0), NAN, (NAN, NAN)),
    ("minimum", ae.minimum, (-INF, NAN), NAN, (NAN, NAN)),
    ("exp", ae.exp, (1000.0,), INF, (INF,)),
    ("exp", ae.exp, (-1000.0,), 0.0, (0,)),
    ("exp", ae.exp, (INF,), INF, (INF,)),
    ("exp", ae.exp, (-INF,), 0.0, (0,)),
    ("exp", ae.exp, (-0.0,), 1.0, (1,)),
    ("exp", ae.exp, (NAN,), NAN, (NAN,)),
    ("log", ae.log, (0.0,), -INF, (INF,)),
    ("log", ae.log, (-1.0,), NAN, (-1,)),
    ("log", ae.log, (1.0,), 0.0, (1,)),
    ("log", ae.log, (INF,), INF, (0,)),
    ("log", ae.log, (-INF,), NAN, (0,)),
    ("log", ae.log, (NAN,), NAN, (NAN,)),
    ("sqrt", ae.sqrt, (0.0,), 0.0, (INF,)),
    ("sqrt", ae.sqrt, (-1.0,), NAN, (NAN,)),
    ("sqrt", ae.sqrt, (INF,), INF, (0,)),
    ("sqrt", ae.sqrt, (-INF,), NAN, (NAN,)),
    ("sqrt", ae.sqrt, (NAN,), NAN, (NAN,)),
    ("tanh", ae.tanh, (1000.0,), 1.0, (0,)),
    ("tanh", ae.tanh, (-1000.0,), -1.0, (0,)),
    ("tanh", ae.tanh, (-INF,), -1.0, (0,)),
    ("tanh", ae.tanh, (-0.0,), -0.0, (1,)),
    ("tanh", ae.tanh, (NAN,), NAN, (NAN,)),
    ("sigmoid", ae.sigmoid, (1000.0,), 1.0, (0,)),
    ("sigmoid", ae.sigmoid, (-1000.0,), 0.0, (0,)),
    ("sigmoid", ae.sigmoid, (-700.0,), math.exp(-700.0), (math.exp(-700.0),)),
    ("sigmoid", ae.sigmoid, (INF,), 1.0, (0,)),
    ("sigmoid", ae.sigmoid, (-INF,), 0.0, (0,)),
    ("sigmoid", ae.sigmoid, (-0.0,), 0.5, (0.25,)),
    ("sigmoid", ae.sigmoid, (NAN,), NAN, (NAN,)),
    ("log(sigmoid)", lambda x: ae.log(ae.sigmoid(x)), (-700.0,), -700.0, (1,)),
    ("exp_difference", ae.exp_difference, (1000.0, -1000.0), INF, (INF, -INF)),
    ("exp_difference", ae.exp_difference, (-1000.0, 1000.0), 0.0, (0, 0)),
    ("exp_difference", ae.exp_difference, (INF, INF), NAN, (NAN, NAN)),
    ("exp_difference", ae.exp_difference, (-INF, 0.0), 0.0, (0, 0)),
    ("sum", lambda *xs: ae.sum(xs), (INF, -INF), NAN, (1, 1)),
    ("sum", lambda *xs: ae.sum(xs), (1e308, 1e308), INF, (1, 1)),
    ("sum", lambda x: ae.sum([x, x]), (-0.0,), -0.0, (2,)),
    ("mean", lambda *xs: ae.mean(xs), (INF, 1.0), INF, (0.5, 0.5)),
    ("mean", lambda *xs: ae.mean(xs), (NAN, 1.0), NAN, (0.5, 0.5)),
    ("dot", lambda w, x: ae.dot([w], [x]), (0.0, INF), NAN, (INF, 0)),
    ("dot", lambda w, x: ae.dot([w, 1.0], [x, 1.0]), (NAN, 2.0), NAN, (2, NAN)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (0.0, 0.0), LOG2, (0.5, 0.5)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (1000.0, 1000.0), 1000.0 + LOG2, (0.5, 0.5)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (-1000.0, -1000.0), LOG2 - 1000.0, (0.5, 0.5)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (1000.0, -1000.0), 1000.0, (1, 0)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (-INF, 2.0), 2.0, (0, 1)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (-INF, -INF), -INF, (NAN, NAN)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (INF, 0.0), INF, (NAN, 0)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (NAN, 0.0), NAN, (NAN, NAN)),
    ("softmax", lambda *xs: ae.softmax(xs)[0], (1000.0, -1000.0), 1.0, (0, 0)),
    ("softmax", lambda *xs: ae.softmax(xs)[0], (-1000.0, 1000.0), 0.0, (0, 0)),
    ("log_softmax", lambda *xs: ae.log_softmax(xs)[0], (-1000.0, 1000.0), -2000.0, (1, -1)),
    ("log_softmax", lambda *xs: ae.log_softmax(xs)[0], (1000.0, -1000.0), 0.0, (0, 0)),
    ("add", ae.add, (1000.0, -1000.0), 0.0, (1, 1)),
    ("sub", ae.sub, (1000.0, 1000.0), 0.0, (1, -1)),
    ("sub", ae.sub, (NAN, 1.0), NAN, (1, -1)),
    ("mul", ae.mul, (1000.0, -1000.0), -1e6, (-1000, 1000)),
    ("mul", ae.mul, (0.0, -1.0), -0.0, (-1, 0)),
    ("div", ae.div, (1000.0, -1000.0), -1.0, (-0.001, -0.001)),
    ("div", ae.div, (0.0, -1.0), -0.0, (-1, 0)),
    ("div", ae.div, (NAN, 2.0), NAN, (0.5, NAN)),
    ("div", ae.div, (2.0, NAN), NAN, (NAN, NAN)),
    ("neg", ae.neg, (NAN,), NAN, (-1,)),
    ("pow", ae.pow, (1.0, 1000.0), 1.0, (1000, 0)),
    ("pow", ae.pow, (-1.0, 1000.0), 1.0, (-1000, NAN)),
    ("pow", ae.pow, (INF, 2.0), INF, (INF, INF)),
    ("pow", ae.pow, (INF, -1.0), 0.0, (0, NAN)),  # 0 * log(inf)
    ("square", ae.square, (0.0,), 0.0, (0,)),
    ("square", ae.square, (-0.0,), 0.0, (0,)),
    ("square", ae.square, (-1.0,), 1.0, (-2,)),
    ("square", ae.square, (1000.0,), 1e6, (2000,)),
    ("square", ae.square, (-1000.0,), 1e6, (-2000,)),
    ("square", ae.square, (1e200,), INF, (2e200,)),
    ("square", ae.square, (INF,), INF, (INF,)),
    ("square", ae.square, (-INF,), INF, (-INF,)),
    ("square", ae.square, (NAN,), NAN, (NAN,)),
    ("cbrt", ae.cbrt, (0.0,), 0.0, (INF,)),
    ("cbrt", ae.cbrt, (-0.0,), -0.0, (INF,)),
    ("cbrt", ae.cbrt, (1.0,), 1.0, (1 / 3,)),
    ("cbrt", ae.cbrt, (-1.0,), -1.0, (1 / 3,)),
    ("cbrt", ae.cbrt, (1000.0,), 10.0, (1 / 300,)),
    ("cbrt", ae.cbrt, (-1000.0,), -10.0, (1 / 300,)),
    ("cbrt", ae.cbrt, (INF,), INF, (0,)),
    ("cbrt", ae.cbrt, (-INF,), -INF, (0,)),
    ("cbrt", ae.cbrt, (NAN,), NAN, (NAN,)),
    ("hypot", ae.hypot, (0.0, 0.0), 0.0, (0, 0)),
    ("hypot", ae.hypot, (-0.0, -0.0), 0.0, (0, 0)),
    ("hypot", ae.hypot, (3.0, -4.0), 5.0, (0.6, -0.8)),
    ("hypot", ae.hypot, (-1.0, 0.0), 1.0, (-1, 0)),
    ("hypot", ae.hypot, (1000.0, -1000.0), 1000 * ROOT2, (1 / ROOT2, -1 / ROOT2)),
    ("hypot", ae.hypot, (1e200, 1e200), 1e200 * ROOT2, (1 / ROOT2, 1 / ROOT2)),
    ("hypot", ae.hypot, (0.0, 5e-324), 5e-324, (0, 1)),
    ("hypot", ae.hypot, (INF, 1.0), INF, (1, 0)),
    ("hypot", ae.hypot, (1.0, -INF), INF, (0, -1)),
    ("hypot", ae.hypot, (INF, INF), INF, (NAN, NAN)),  # the direction is not known
    ("hypot", ae.hypot, (INF, NAN), INF, (NAN, NAN)),
    ("hypot", ae.hypot, (NAN, -INF), INF, (NAN, NAN)),
    ("hypot", ae.hypot, (NAN, 1.0), NAN, (NAN, NAN)),
    ("where", ae.where, (-INF, 2.0, 3.0), 2.0, (0, 1, 0)),
    ("sign", ae.sign, (1000.0,), 1.0, (0,)),
    ("sign", ae.sign, (-1000.0,), -1.0, (0,)),
    ("sign", ae.sign, (INF,), 1.0, (0,)),
    ("sign", ae.sign, (NAN,), NAN, (NAN,)),
    ("heaviside", ae.heaviside, (0.0,), 0.0, (0,)),
    ("heaviside", ae.heaviside, (-0.0,), 0.0, (0,)),
    ("heaviside", ae.heaviside, (1.0,), 1.0, (0,)),
    ("heaviside", ae.heaviside, (-1.0,), 0.0, (0,)),
    ("heaviside", ae.heaviside, (5e-324,), 1.0, (0,)),
    ("heaviside", ae.heaviside, (INF,), 1.0, (0,)),
    ("heaviside", ae.heaviside, (-INF,), 0.0, (0,)),
    ("heaviside", ae.heaviside, (NAN,), NAN, (NAN,)),
    ("abs", ae.abs, (1000.0,), 1000.0, (1,)),
    ("abs", ae.abs, (-1000.0,), 1000.0, (-1,)),
    ("abs", ae.abs, (INF,), INF, (1,)),
    ("maximum", ae.maximum, (1000.0, -1000.0), 1000.0, (1, 0)),
    ("minimum", ae.minimum, (1000.0, -1000.0), -1000.0, (0, 1)),
    ("minimum", ae.minimum, (0.0, -0.0), -0.0, (0.5, 0.5)),
    ("expm1", ae.expm1, (0.0,), 0.0, (1,)),
    ("expm1", ae.expm1, (-0.0,), -0.0, (1,)),
    ("expm1", ae.expm1, (1e-20,), 1e-20, (1,)),
    ("expm1", ae.expm1, (1.0,), E - 1, (E,)),
    ("expm1", ae.expm1, (-1.0,), 1 / E - 1, (1 / E,)),
    ("expm1", ae.expm1, (1000.0,), INF, (INF,)),
    ("expm1", ae.expm1, (-1000.0,), -1.0, (0,)),
    ("expm1", ae.expm1, (-700.0,), -1.0, (math.exp(-700.0),)),
    ("expm1", ae.expm1, (INF,), INF, (INF,)),
    ("expm1", ae.expm1, (-INF,), -1.0, (0,)),
    ("expm1", ae.expm1, (NAN,), NAN, (NAN,)),
    ("log", ae.log, (-0.0,), -INF, (-INF,)),
    ("log", ae.log, (1000.0,), 3 * LOG10, (0.001,)),
    ("log1p", ae.log1p, (0.0,), 0.0, (1,)),
    ("log1p", ae.log1p, (-0.0,), -0.0, (1,)),
    ("log1p", ae.log1p, (1e-20,), 1e-20, (1,)),
    ("log1p", ae.log1p, (1.0,), LOG2, (0.5,)),
    ("log1p", ae.log1p, (-1.0,), -INF, (INF,)),
    ("log1p", ae.log1p, (-2.0,), NAN, (-1,)),
    ("log1p", ae.log1p, (-1000.0,), NAN, (-1 / 999,)),
    ("log1p", ae.log1p, (999.0,), 3 * LOG10, (0.001,)),
    ("log1p", ae.log1p, (INF,), INF, (0,)),
    ("log1p", ae.log1p, (-INF,), NAN, (0,)),
    ("log1p", ae.log1p, (NAN,), NAN, (NAN,)),
    ("log2", ae.log2, (0.0,), -INF, (INF,)),
    ("log2", ae.log2, (-0.0,), -INF, (-INF,)),
    ("log2", ae.log2, (1.0,), 0.0, (1 / LOG2,)),
    ("log2", ae.log2, (8.0,), 3.0, (1 / (8 * LOG2),)),
    ("log2", ae.log2, (5e-324,), -1074.0, (INF,)),
    ("log2", ae.log2, (-1.0,), NAN, (-1 / LOG2,)),
    ("log2", ae.log2, (INF,), INF, (0,)),
    ("log2", ae.log2, (-INF,), NAN, (0,)),
    ("log2", ae.log2, (NAN,), NAN, (NAN,)),
    ("log10", ae.log10, (0.0,), -INF, (INF,)),
    ("log10", ae.log10, (-0.0,), -INF, (-INF,)),
    ("log10", ae.log10, (1.0,), 0.0, (1 / LOG10,)),
    ("log10", ae.log10, (1000.0,), 3.0, (0.001 / LOG10,)),
    ("log10", ae.log10, (-1000.0,), NAN, (-0.001 / LOG10,)),
    ("log10", ae.log10, (INF,), INF, (0,)),
    ("log10", ae.log10, (-INF,), NAN, (0,)),
    ("log10", ae.log10, (NAN,), NAN, (NAN,)),
    ("sqrt", ae.sqrt, (-0.0,), -0.0, (INF,)),
    ("sqrt", ae.sqrt, (1e6,), 1000.0, (0.0005,)),
    ("logaddexp", ae.logaddexp, (0.0, 0.0), LOG2, (0.5, 0.5)),
    ("logaddexp", ae.logaddexp, (0.0, -0.0), LOG2, (0.5, 0.5)),
    ("logaddexp", ae.logaddexp, (0.5, -0.5), math.log(2 * math.cosh(0.5)), (SHARE, 1 - SHARE)),
    ("logaddexp", ae.logaddexp, (1000.0, 1000.0), 1000.0 + LOG2, (0.5, 0.5)),
    ("logaddexp", ae.logaddexp, (-1000.0, -1000.0), LOG2 - 1000.0, (0.5, 0.5)),
    ("logaddexp", ae.logaddexp, (1000.0, -1000.0), 1000.0, (1, 0)),
    ("logaddexp", ae.logaddexp, (-1000.0, 1000.0), 1000.0, (0, 1)),
    ("logaddexp", ae.logaddexp, (-700.0, 0.0), math.exp(-700.0), (math.exp(-700.0), 1)),
    ("logaddexp", ae.logaddexp, (INF, 0.0), INF, (1, 0)),
    ("logaddexp", ae.logaddexp, (INF, -INF), INF, (1, 0)),
    ("logaddexp", ae.logaddexp, (-INF, 2.0), 2.0, (0, 1)),
    ("logaddexp", ae.logaddexp, (INF, INF), INF, (NAN, NAN)),
    ("logaddexp", ae.logaddexp, (-INF, -INF), -INF, (NAN, NAN)),
    ("logaddexp", ae.logaddexp, (NAN, 0.0), NAN, (NAN, NAN)),
    ("logaddexp", ae.logaddexp, (INF, NAN), NAN, (NAN, NAN)),
    ("sin", ae.sin, (0.0,), 0.0, (1,)),
    ("sin", ae.sin, (-0.0,), -0.0, (1,)),
    ("sin", ae.sin, (PI / 6,), 0.5, (math.sqrt(0.75),)),
    ("sin", ae.sin, (1000.0,), 0.8268795405320026, (0.562379076290703,)),
    ("sin", ae.sin, (-1000.0,), -0.8268795405320026, (0.562379076290703,)),
    ("sin", ae.sin, (INF,), NAN, (NAN,)),
    ("sin", ae.sin, (-INF,), NAN, (NAN,)),
    ("sin", ae.sin, (NAN,), NAN, (NAN,)),
    ("cos", ae.cos, (0.0,), 1.0, (0,)),
    ("cos", ae.cos, (-0.0,), 1.0, (0,)),
    ("cos", ae.cos, (PI / 3,), 0.5, (-math.sqrt(0.75),)),
    ("cos", ae.cos, (1000.0,), 0.562379076290703, (-0.8268795405320026,)),
    ("cos", ae.cos, (-1000.0,), 0.562379076290703, (0.8268795405320026,)),
    ("cos", ae.cos, (INF,), NAN, (NAN,)),
    ("cos", ae.cos, (-INF,), NAN, (NAN,)),
    ("cos", ae.cos, (NAN,), NAN, (NAN,)),
    ("tan", ae.tan, (0.0,), 0.0, (1,)),
    ("tan", ae.tan, (-0.0,), -0.0, (1,)),
    ("tan", ae.tan, (PI / 4,), 1.0, (2,)),
    ("tan", ae.tan, (PI / 2,), 1.633123935319537e16, (1.633123935319537e16**2,)),
    ("tan", ae.tan, (1000.0,), 1.4703241557027185, (1 + 1.4703241557027185**2,)),
    ("tan", ae.tan, (INF,), NAN, (NAN,)),
    ("tan", ae.tan, (-INF,), NAN, (NAN,)),
    ("tan", ae.tan, (NAN,), NAN, (NAN,)),
    ("asin", ae.asin, (0.0,), 0.0, (1,)),
    ("asin", ae.asin, (-0.0,), -0.0, (1,)),
    ("asin", ae.asin, (0.6,), math.atan(0.75), (1.25,)),
    ("asin", ae.asin, (1.0,), PI / 2, (INF,)),
    ("asin", ae.asin, (-1.0,), -PI / 2, (INF,)),
    ("asin", ae.asin, (2.0,), NAN, (NAN,)),
    ("asin", ae.asin, (-1000.0,), NAN, (NAN,)),
    ("asin", ae.asin, (INF,), NAN, (NAN,)),
    ("asin", ae.asin, (NAN,), NAN, (NAN,)),
    ("acos", ae.acos, (0.0,), PI / 2, (-1,)),
    ("acos", ae.acos, (-0.0,), PI / 2, (-1,)),
    ("acos", ae.acos, (-0.6,), PI - math.atan(4 / 3), (-1.25,)),
    ("acos", ae.acos, (1.0,), 0.0, (-INF,)),
    ("acos", ae.acos, (-1.0,), PI, (-INF,)),
    ("acos", ae.acos, (2.0,), NAN, (NAN,)),
    ("acos", ae.acos, (1000.0,), NAN, (NAN,)),
    ("acos", ae.acos, (-INF,), NAN, (NAN,)),
    ("acos", ae.acos, (NAN,), NAN, (NAN,)),
    ("atan", ae.atan, (0.0,), 0.0, (1,)),
    ("atan", ae.atan, (-0.0,), -0.0, (1,)),
    ("atan", ae.atan, (1.0,), PI / 4, (0.5,)),
    ("atan", ae.atan, (-1.0,), -PI / 4, (0.5,)),
    ("atan", ae.atan, (1000.0,), PI / 2 - 0.000999999666666866665, (1 / 1000001,)),
    ("atan", ae.atan, (1e200,), PI / 2, (0,)),
    ("atan", ae.atan, (INF,), PI / 2, (0,)),
    ("atan", ae.atan, (-INF,), -PI / 2, (0,)),
    ("atan", ae.atan, (NAN,), NAN, (NAN,)),
    ("atan2", ae.atan2, (0.0, 0.0), 0.0, (0, 0)),
    ("atan2", ae.atan2, (-0.0, 0.0), -0.0, (0, 0)),
    ("atan2", ae.atan2, (0.0, -0.0), PI, (0, 0)),
    ("atan2", ae.atan2, (-0.0, -0.0), -PI, (0, 0)),
    ("atan2", ae.atan2, (0.0, 2.0), 0.0, (0.5, 0)),
    ("atan2", ae.atan2, (0.0, -2.0), PI, (-0.5, 0)),
    ("atan2", ae.atan2, (2.0, 0.0), PI / 2, (0, -0.5)),
    ("atan2", ae.atan2, (-2.0, 0.0), -PI / 2, (0, 0.5)),
    ("atan2", ae.atan2, (3.0, 4.0), math.asin(0.6), (4 / 25, -3 / 25)),
    ("atan2", ae.atan2, (1000.0, -1000.0), 0.75 * PI, (-0.0005, -0.0005)),
    ("atan2", ae.atan2, (1e200, 1e200), PI / 4, (5e-201, -5e-201)),
    ("atan2", ae.atan2, (1e-200, 1e-200), PI / 4, (5e199, -5e199)),
    ("atan2", ae.atan2, (1.0, INF), 0.0, (NAN, 0)),  # inf / inf
    ("atan2", ae.atan2, (INF, 1.0), PI / 2, (0, NAN)),
    ("atan2", ae.atan2, (INF, INF), PI / 4, (NAN, NAN)),
    ("atan2", ae.atan2, (NAN, 1.0), NAN, (NAN, NAN)),
    ("atan2", ae.atan2, (INF, NAN), NAN, (NAN, NAN)),
    ("sinh", ae.sinh, (0.0,), 0.0, (1,)),
    ("sinh", ae.sinh, (-0.0,), -0.0, (1,)),
    ("sinh", ae.sinh, (1.0,), (E - 1 / E) / 2, ((E + 1 / E) / 2,)),
    ("sinh", ae.sinh, (1000.0,), INF, (INF,)),
    ("sinh", ae.sinh, (-1000.0,), -INF, (INF,)),
    ("sinh", ae.sinh, (-INF,), -INF, (INF,)),
    ("sinh", ae.sinh, (NAN,), NAN, (NAN,)),
    ("cosh", ae.cosh, (0.0,), 1.0, (0,)),
    ("cosh", ae.cosh, (-0.0,), 1.0, (0,)),
    ("cosh", ae.cosh, (-1.0,), (E + 1 / E) / 2, ((1 / E - E) / 2,)),
    ("cosh", ae.cosh, (1000.0,), INF, (INF,)),
    ("cosh", ae.cosh, (-1000.0,), INF, (-INF,)),
    ("cosh", ae.cosh, (-INF,), INF, (-INF,)),
    ("cosh", ae.cosh, (NAN,), NAN, (NAN,)),
    ("asinh", ae.asinh, (0.0,), 0.0, (1,)),
    ("asinh", ae.asinh, (-0.0,), -0.0, (1,)),
    ("asinh", ae.asinh, (0.75,), LOG2, (0.8,)),
    ("asinh", ae.asinh, (-1.0,), -math.log(1 + ROOT2), (1 / ROOT2,)),
    ("asinh", ae.asinh, (1000.0,), math.log(1000 + math.sqrt(1000001)), (1000001**-0.5,)),
    ("asinh", ae.asinh, (-1e200,), -(200 * LOG10 + LOG2), (1e-200,)),
    ("asinh", ae.asinh, (INF,), INF, (0,)),
    ("asinh", ae.asinh, (-INF,), -INF, (0,)),
    ("asinh", ae.asinh, (NAN,), NAN, (NAN,)),
    ("acosh", ae.acosh, (1.0,), 0.0, (INF,)),
    ("acosh", ae.acosh, (1.25,), LOG2, (4 / 3,)),
    ("acosh", ae.acosh, (1000.0,), math.log(1000 + math.sqrt(999999)), (999999**-0.5,)),
    ("acosh", ae.acosh, (1e200,), 200 * LOG10 + LOG2, (1e-200,)),
    ("acosh", ae.acosh, (0.0,), NAN, (NAN,)),
    ("acosh", ae.acosh, (-1.0,), NAN, (NAN,)),
    ("acosh", ae.acosh, (-1000.0,), NAN, (NAN,)),
    ("acosh", ae.acosh, (INF,), INF, (0,)),
    ("acosh", ae.acosh, (-INF,), NAN, (NAN,)),
    ("acosh", ae.acosh, (NAN,), NAN, (NAN,)),
    ("atanh", ae.atanh, (0.0,), 0.0, (1,)),
    ("atanh", ae.atanh, (-0.0,), -0.0, (1,)),
    ("atanh", ae.atanh, (0.6,), LOG2, (1.5625,)),
    ("atanh", ae.atanh, (1.0,), INF, (INF,)),
    ("atanh", ae.atanh, (-1.0,), -INF, (INF,)),
    ("atanh", ae.atanh, (2.0,), NAN, (-1 / 3,)),  # 1 / (1 - x * x) everywhere, as in log
    ("atanh", ae.atanh, (-1000.0,), NAN, (-1 / 999999,)),
    ("atanh", ae.atanh, (INF,), NAN, (0,)),
    ("atanh", ae.atanh, (NAN,), NAN, (NAN,)),
    ("tanh", ae.tanh, (INF,), 1.0, (0,)),
    ("erf", ae.erf, (0.0,), 0.0, (2 / math.sqrt(PI),)),
    ("erf", ae.erf, (-0.0,), -0.0, (2 / math.sqrt(PI),)),
    ("erf", ae.erf, (1.0,), 0.8427007929497149, (2 / math.sqrt(PI) / E,)),
    ("erf", ae.erf, (-1.0,), -0.8427007929497149, (2 / math.sqrt(PI) / E,)),
    ("erf", ae.erf, (1000.0,), 1.0, (0,)),
    ("erf", ae.erf, (-1000.0,), -1.0, (0,)),
    ("erf", ae.erf, (INF,), 1.0, (0,)),
    ("erf", ae.erf, (-INF,), -1.0, (0,)),
    ("erf", ae.erf, (NAN,), NAN, (NAN,)),
    ("softplus", ae.softplus, (0.0,), LOG2, (0.5,)),
    ("softplus", ae.softplus, (-0.0,), LOG2, (0.5,)),
    ("softplus", ae.softplus, (1.0,), math.log(1 + E), (SHARE,)),
    ("softplus", ae.softplus, (-1.0,), math.log(1 + E) - 1, (1 - SHARE,)),
    ("softplus", ae.softplus, (1000.0,), 1000.0, (1,)),
    ("softplus", ae.softplus, (-1000.0,), 0.0, (0,)),
    ("softplus", ae.softplus, (-700.0,), math.exp(-700.0), (math.exp(-700.0),)),
    ("softplus", ae.softplus, (INF,), INF, (1,)),
    ("softplus", ae.softplus, (-INF,), 0.0, (0,)),
    ("softplus", ae.softplus, (NAN,), NAN, (NAN,)),
    ("leaky_relu", ae.leaky_relu, (0.0,), 0.0, (0.01,)),
    ("leaky_relu", ae.leaky_relu, (-0.0,), -0.0, (0.01,)),
    ("leaky_relu", ae.leaky_relu, (1.0,), 1.0, (1,)),
    ("leaky_relu", ae.leaky_relu, (-1.0,), -0.01, (0.01,)),
    ("leaky_relu", ae.leaky_relu, (1000.0,), 1000.0, (1,)),
    ("leaky_relu", ae.leaky_relu, (-1000.0,), -10.0, (0.01,)),
    ("leaky_relu", ae.leaky_relu, (INF,), INF, (1,)),
    ("leaky_relu", ae.leaky_relu, (-INF,), -INF, (0.01,)),
    ("leaky_relu", ae.leaky_relu, (NAN,), NAN, (NAN,)),
    ("elu", ae.elu, (0.0,), 0.0, (1,)),
    ("elu", ae.elu, (-0.0,), 0.0, (1,)),
    ("elu", ae.elu, (1.0,), 1.0, (1,)),
    ("elu", ae.elu, (-1.0,), 1 / E - 1, (1 / E,)),
    ("elu", ae.elu, (-1e-20,), -1e-20, (1,)),
    ("elu", ae.elu, (1000.0,), 1000.0, (1,)),
    ("elu", ae.elu, (-1000.0,), -1.0, (0,)),
    ("elu", ae.elu, (INF,), INF, (1,)),
    ("elu", ae.elu, (-INF,), -1.0, (0,)),
    ("elu", ae.elu, (NAN,), NAN, (NAN,)),
    ("gelu", ae.gelu, (0.0,), 0.0, (0.5,)),
    ("gelu", ae.gelu, (-0.0,), -0.0, (0.5,)),
    ("gelu", ae.gelu, (1.0,), NORMAL, (NORMAL + DENSITY,)),
    ("gelu", ae.gelu, (-1.0,), NORMAL - 1, (1 - NORMAL - DENSITY,)),
    ("gelu", ae.gelu, (1000.0,), 1000.0, (1,)),
    ("gelu", ae.gelu, (-1000.0,), 0.0, (0,)),
    ("gelu", ae.gelu, (INF,), INF, (1,)),
    ("gelu", ae.gelu, (-INF,), 0.0, (0,)),
    ("gelu", ae.gelu, (NAN,), NAN, (NAN,)),
    ("silu", ae.silu, (0.0,), 0.0, (0.5,)),
    ("silu", ae.silu, (-0.0,), -0.0, (0.5,)),
    ("silu", ae.silu, (1.0,), SHARE, (SHARE + SHARE * (1 - SHARE),)),
    ("silu", ae.silu, (-1.0,), SHARE - 1, ((1 - SHARE) * (1 - SHARE),)),
    ("silu", ae.silu, (1000.0,), 1000.0, (1,)),
    ("silu", ae.silu, (-1000.0,), 0.0, (0,)),
    ("silu", ae.silu, (-700.0,), -700 * math.exp(-700.0), (-699 * math.exp(-700.0),)),
    ("silu", ae.silu, (INF,), INF, (1,)),
    ("silu", ae.silu, (-INF,), 0.0, (0,)),
    ("silu", ae.silu, (NAN,), NAN, (NAN,)),
    ("mish", ae.mish, (0.0,), 0.0, (0.6,)),
    ("mish", ae.mish, (-0.0,), -0.0, (0.6,)),
    ("mish", ae.mish, (1.0,), mish_gate(1.0), (mish_slope(1.0),)),
    ("mish", ae.mish, (-1.0,), -mish_gate(-1.0), (mish_slope(-1.0),)),
    ("mish", ae.mish, (1000.0,), 1000.0, (1,)),
    ("mish", ae.mish, (-1000.0,), 0.0, (0,)),
    ("mish", ae.mish, (-700.0,), -700 * math.exp(-700.0), (-699 * math.exp(-700.0),)),
    ("mish", ae.mish, (INF,), INF, (1,)),
    ("mish", ae.mish, (-INF,), 0.0, (0,)),
    ("mish", ae.mish, (NAN,), NAN, (NAN,)),
    ("dot", lambda w, x: ae.dot([w, 1.0], [x, 1.0]), (1000.0, -1000.0), 1.0 - 1e6, (-1000, 1000)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (INF, INF), INF, (NAN, NAN)),
    ("softmax", lambda *xs: ae.softmax(xs)[0], (0.0, 0.0), 0.5, (0.25, -0.25)),
    ("log_softmax", lambda *xs: ae.log_softmax(xs)[0], (0.0, 0.0), -LOG2, (0.5, -0.5)),
    ("log_softmax", lambda *xs: ae.log_softmax(xs)[0], (0.0, -INF), 0.0, (0, 0)),
]

SPECIAL = (0.0, -0.0, 1.0, -1.0, 1000.0, -1000.0, INF, -INF, NAN)
ROWS = list(TABLE.values())
ELEMENTWISE = [row for row in ROWS if not isinstance(row, NaryPrimitive)]
NARY = [row for row in ROWS if isinstance(row, NaryPrimitive)]

# IEEE 754 defines these powers although an operand is nan; `where` does not look at one operand.
NAN_MAY_VANISH = {"hypot", "pow", "where"}


def row_name(x: Any) -> str | None:
    return x.name if isinstance(x, Primitive) else None


every_elementwise_row = pytest.mark.parametrize("row", ELEMENTWISE, ids=row_name)


def grid(arity: int) -> list[tuple[float, ...]]:
    return list(itertools.product(SPECIAL, repeat=arity))


def same(x: float, expected: float, tolerance: float = 0.0) -> bool:
    """Equal as numbers but for a relative error, nan being equal to nan."""
    if math.isnan(x) or math.isnan(expected):
        return math.isnan(x) and math.isnan(expected)
    return x == expected or abs(x - expected) <= tolerance * abs(expected) < INF


@pytest.mark.parametrize(
    ("function", "at", "result", "derivatives"),
    [row[1:] for row in CONVENTIONS],
    ids=[f"{name} at {', '.join(map(str, at))}" for name, _, at, _, _ in CONVENTIONS],
)
def test_convention(
    function: Callable[..., Value],
    at: tuple[float, ...],
    result: float,
    derivatives: tuple[float, ...],
) -> None:
    operands = [Value(x) for x in at]
    z = function(*operands)
    assert type(z.data) is float
    assert same(z.data, result, 1e-15)
    assert z.data != 0.0 or math.copysign(1.0, z.data) == math.copysign(1.0, result)
    z.backward()
    gradients = [x.grad for x in operands]
    assert all(map(same, gradients, derivatives, [1e-13] * len(at))), gradients


def test_every_present_row_has_a_convention() -> None:
    assert {row.name for row in ROWS} - {name for name, *_ in CONVENTIONS} == set()


@every_elementwise_row
def test_values_at_special_points_give_real_floats(row: Primitive) -> None:
    for at in grid(row.arity):
        operands = [Value(x) for x in at]
        z = row(*operands)
        assert type(z.data) is float, at
        assert [type(d) for d in z._derivatives] == [float] * row.arity, at
        z.backward()
        assert [type(x.grad) for x in operands] == [float] * row.arity, at


@every_elementwise_row
def test_floats_at_special_points_give_what_values_give(row: Primitive) -> None:
    for at in grid(row.arity):
        z = row(*at)
        assert type(z) is float, at
        assert same(z, row(*[Value(x) for x in at]).data), at


@every_elementwise_row
def test_arrays_at_special_points_give_what_floats_give(row: Primitive) -> None:
    points = grid(row.arity)
    columns = [np.array(column) for column in zip(*points, strict=True)]
    for at, z in zip(points, row(*columns).tolist(), strict=True):
        assert same(z, row(*at), 1e-15), at


@every_elementwise_row
def test_constants_at_special_points_change_nothing(row: Primitive) -> None:
    for at in grid(row.arity):
        z, derivatives = row.linearize(at)
        for i in range(row.arity):
            mixed = [Value(x) if i == j else x for j, x in enumerate(at)]
            node = row(*mixed)
            assert same(node.data, z), at
            assert len(node._derivatives) == 1
            assert same(node._derivatives[0], derivatives[i]), at


@pytest.mark.parametrize("row", NARY, ids=row_name)
@pytest.mark.parametrize("size", [1, 2])
def test_nary_rows_at_special_points_give_real_floats(row: NaryPrimitive, size: int) -> None:
    for at in grid(row.arity * size if row.arity * size <= 3 else 2):
        flat = (*at, *at) if row.arity * size > 3 else at
        operands = [Value(x) for x in flat]
        z = row(*[operands[i * size : (i + 1) * size] for i in range(row.arity)])
        assert type(z.data) is float, at
        assert [type(d) for d in z._derivatives] == [float] * len(operands), at
        z.backward()
        assert math.isnan(z.data) or not any(map(math.isnan, at)), at


@pytest.mark.parametrize(
    "row", [row for row in ELEMENTWISE if row.name not in NAN_MAY_VANISH], ids=row_name
)
def test_nan_in_gives_nan_out(row: Primitive) -> None:
    for at in grid(row.arity):
        if any(map(math.isnan, at)):
            assert math.isnan(row(*[Value(x) for x in at]).data), at


# The operands that each derivative depends on, where those are not all: a linear row keeps its
# slope whatever the operand that is multiplied by it, and `where` has the slopes 0 and 1 only.
SLOPE_DEPENDS_ON: dict[str, tuple[tuple[int, ...], ...]] = {
    "add": ((), ()),
    "sub": ((), ()),
    "neg": ((),),
    "mul": ((1,), (0,)),
    "div": ((1,), (0, 1)),
    "where": ((), (), ()),
}


@pytest.mark.parametrize("row", [row for row in ELEMENTWISE if row.name != "pow"], ids=row_name)
def test_nan_in_gives_a_nan_derivative(row: Primitive) -> None:
    everything = (tuple(range(row.arity)),) * row.arity
    for at in grid(row.arity):
        slopes = row(*[Value(x) for x in at])._derivatives
        for slope, on in zip(slopes, SLOPE_DEPENDS_ON.get(row.name, everything), strict=True):
            assert math.isnan(slope) or not any(math.isnan(at[i]) for i in on), (at, slopes)
            assert not math.isnan(slope) or on, (at, slopes)


def test_nan_in_gives_a_nan_derivative_of_pow_but_where_that_is_constant() -> None:
    """x ** 0 = 1 and x ** 1 = x have the slopes 0 and 1, and 1 ** y = 1 has 0, at nan too."""
    for x, y in grid(2):
        if math.isnan(x) or math.isnan(y):
            by_base, by_exponent = (Value(x) ** Value(y))._derivatives
            assert by_base == y if y in (0.0, 1.0) else math.isnan(by_base), (x, y)
            assert by_exponent == 0.0 if x == 1.0 else math.isnan(by_exponent), (x, y)


# atan2(y, x) by C99, annex F.10.1.4: the sign of y is the sign of the angle
ANGLES_OF_PLUS_Y = [
    (0.0, -0.0, PI),
    (0.0, 0.0, 0.0),
    (0.0, -1.0, PI),
    (0.0, 1.0, 0.0),
    (0.0, -INF, PI),
    (0.0, INF, 0.0),
    (1.0, 0.0, PI / 2),
    (1.0, -0.0, PI / 2),
    (1.0, -INF, PI),
    (1.0, INF, 0.0),
    (INF, 0.0, PI / 2),
    (INF, -0.0, PI / 2),
    (INF, 1.0, PI / 2),
    (INF, -1.0, PI / 2),
    (INF, -INF, 0.75 * PI),
    (INF, INF, PI / 4),
]


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("y", "x", "angle"), ANGLES_OF_PLUS_Y)
def test_atan2_at_signed_zeros_and_infinities(
    sign: float, y: float, x: float, angle: float
) -> None:
    y, angle = sign * y, sign * angle
    on_array = float(ae.atan2(np.array([y]), np.array([x]))[0])
    for z in (ae.atan2(y, x), ae.atan2(Value(y), Value(x)).data, math.atan2(y, x), on_array):
        assert same(z, angle, 1e-15)
        assert math.copysign(1.0, z) == sign


@pytest.mark.parametrize(
    ("at", "result"),
    [
        ((NAN, 0.0), 1.0),
        ((NAN, -0.0), 1.0),
        ((1.0, NAN), 1.0),
        ((0.0, NAN), NAN),
        ((NAN, 1.0), NAN),
    ],
)
def test_powers_of_nan_are_those_of_ieee_754(at: tuple[float, float], result: float) -> None:
    assert same(ae.pow(*at), result)
    assert same((Value(at[0]) ** Value(at[1])).data, result)


def test_operators_agree_with_rows_at_special_points() -> None:
    operators: dict[str, Callable[[Any, Any], Any]] = {
        "add": lambda x, y: x + y,
        "sub": lambda x, y: x - y,
        "mul": lambda x, y: x * y,
        "div": lambda x, y: x / y,
        "pow": lambda x, y: x**y,
    }
    for (name, operator), (x, y) in itertools.product(operators.items(), grid(2)):
        z, derivatives = TABLE[name].linearize((x, y))
        for node, expected in (
            (operator(Value(x), Value(y)), derivatives),
            (operator(Value(x), y), derivatives[:1]),
            (operator(x, Value(y)), derivatives[1:]),
        ):
            assert same(node.data, z), (name, x, y)
            assert type(node.data) is float
            assert all(map(same, node._derivatives, expected)), (name, x, y)


def test_a_tie_of_three_shares_the_derivative() -> None:
    a, b, c = Value(1.0), Value(1.0), Value(1.0)
    ae.maximum(ae.maximum(a, b), c).backward()
    assert (a.grad, b.grad, c.grad) == (0.25, 0.25, 0.5)


def test_a_singular_derivative_leaves_the_result_alone() -> None:
    assert (Value(-math.inf) ** Value(0.5)).data == (Value(-math.inf) ** 0.5).data == math.inf


# --- second derivatives ---------------------------------------------------------------------------


def slopes_on_values(row: Primitive, operands: Sequence[Any]) -> list[Any]:
    """The local derivatives as nodes of a graph, or floats where the formula is a constant."""
    if not isinstance(row, NaryPrimitive):
        z = row(*operands)
        return [derivative(z, *operands) for derivative in row.derivatives]
    n = len(operands) // row.arity
    sequences = [list(operands[i * n : (i + 1) * n]) for i in range(row.arity)]
    z = row(*sequences)
    return [slope for derivative in row.derivatives for slope in derivative(z, *sequences)]


def gradient(z: Any, operands: Sequence[Value]) -> tuple[float, ...]:
    for x in operands:
        x.zero_grad()
    if isinstance(z, Value):
        z.backward()
    return tuple(x.grad for x in operands)


def hessian(row: Primitive, at: Sequence[float]) -> list[tuple[float, ...]]:
    """The derivatives, by every operand, of each local derivative."""
    operands = [Value(x) for x in at]
    return [gradient(slope, operands) for slope in slopes_on_values(row, operands)]


def agree_beside(expected: Sequence[float]) -> Callable[[float, float], bool]:
    """Equality but for an error that is small beside the largest of the expected numbers."""
    error = 1e-12 * max([abs(x) for x in expected if math.isfinite(x)], default=0.0)
    return lambda x, y: same(x, y) or abs(x - y) <= error


# (row, at, its second derivatives: xx, or xx xy yx yy, or those of three operands)
ORDER_2: list[tuple[str, tuple[float, ...], tuple[float, ...]]] = [
    ("add", (1000.0, -1000.0), (0, 0, 0, 0)),
    ("sub", (0.0, 0.0), (0, 0, 0, 0)),
    ("mul", (0.0, -1000.0), (0, 1, 1, 0)),
    ("div", (0.0, 1.0), (0, -1, -1, 0)),
    ("div", (1.0, -1000.0), (0, -1e-6, -1e-6, -2e-9)),
    ("neg", (-1000.0,), (0,)),
    ("pow", (0.0, 2.0), (2, 0, 0, 0)),
    ("pow", (0.0, 3.0), (0, 0, 0, 0)),
    ("pow", (2.0, 3.0), (12, 4 + 12 * LOG2, 4 + 12 * LOG2, 8 * LOG2**2)),
    ("pow", (1.0, 0.0), (0, 1, 1, 0)),
    ("pow", (2.0, 0.0), (0, 0.5, 0.5, LOG2**2)),
    ("pow", (1000.0, -1000.0), (0, 0, 0, 0)),
    ("square", (0.0,), (2,)),
    ("square", (-1000.0,), (2,)),
    ("sqrt", (0.0,), (-INF,)),
    ("sqrt", (1.0,), (-0.25,)),
    ("sqrt", (1e6,), (-2.5e-10,)),
    ("cbrt", (-1.0,), (2 / 9,)),
    ("cbrt", (1000.0,), (-2 / 9 * 1e-5,)),
    ("cbrt", (-1000.0,), (2 / 9 * 1e-5,)),
    ("hypot", (0.0, 0.0), (0, 0, 0, 0)),
    ("hypot", (-0.0, 0.0), (0, 0, 0, 0)),
    ("hypot", (0.0, 1.0), (1, 0, 0, 0)),
    ("hypot", (3.0, 4.0), (16 / 125, -12 / 125, -12 / 125, 9 / 125)),
    ("hypot", (1000.0, -1000.0), (*[ROOT2 / 4000] * 4,)),
    ("where", (0.0, INF, 2.0), (0,) * 9),
    ("where", (1.0, 2.0, -INF), (0,) * 9),
    ("where", (1.0, 1000.0, NAN), (0,) * 9),
    ("sign", (0.0,), (0,)),
    ("sign", (-1000.0,), (0,)),
    ("heaviside", (0.0,), (0,)),
    ("heaviside", (1000.0,), (0,)),
    ("abs", (0.0,), (0,)),
    ("abs", (-0.0,), (0,)),
    ("abs", (-1000.0,), (0,)),
    ("maximum", (0.0, 0.0), (0, 0, 0, 0)),
    ("maximum", (1000.0, 1000.0), (0, 0, 0, 0)),
    ("maximum", (1000.0, -1000.0), (0, 0, 0, 0)),
    ("minimum", (0.0, -0.0), (0, 0, 0, 0)),
    ("minimum", (-1000.0, -1000.0), (0, 0, 0, 0)),
    ("exp", (0.0,), (1,)),
    ("exp", (1000.0,), (INF,)),
    ("exp", (-1000.0,), (0,)),
    ("expm1", (0.0,), (1,)),
    ("expm1", (1000.0,), (INF,)),
    ("expm1", (-1000.0,), (0,)),
    ("expm1", (-700.0,), (math.exp(-700.0),)),
    ("log", (1000.0,), (-1e-6,)),
    ("log", (-1.0,), (-1,)),
    ("log1p", (0.0,), (-1,)),
    ("log1p", (999.0,), (-1e-6,)),
    ("log2", (1000.0,), (-1e-6 / LOG2,)),
    ("log10", (1000.0,), (-1e-6 / LOG10,)),
    ("exp_difference", (0.0, 0.0), (1, -1, -1, 1)),
    ("exp_difference", (-1000.0, 1000.0), (0, 0, 0, 0)),
    ("exp_difference", (1000.0, -1000.0), (INF, -INF, -INF, INF)),
    ("logaddexp", (0.0, 0.0), (0.25, -0.25, -0.25, 0.25)),
    ("logaddexp", (1000.0, 1000.0), (0.25, -0.25, -0.25, 0.25)),
    ("logaddexp", (-1000.0, -1000.0), (0.25, -0.25, -0.25, 0.25)),
    ("logaddexp", (1000.0, -1000.0), (0, 0, 0, 0)),
    ("logaddexp", (-1000.0, 1000.0), (0, 0, 0, 0)),
    ("sin", (0.0,), (0,)),
    ("sin", (1000.0,), (-0.8268795405320026,)),
    ("cos", (0.0,), (-1,)),
    ("cos", (-1000.0,), (-0.562379076290703,)),
    ("tan", (0.0,), (0,)),
    ("tan", (PI / 4,), (4,)),
    ("asin", (0.0,), (0,)),
    ("asin", (0.6,), (0.6 / 0.8**3,)),
    ("acos", (0.0,), (0,)),
    ("acos", (-0.6,), (0.6 / 0.8**3,)),
    ("atan", (0.0,), (0,)),
    ("atan", (-1.0,), (0.5,)),
    ("atan", (1000.0,), (-2000 / 1000001**2,)),
    ("atan2", (0.0, 0.0), (0, 0, 0, 0)),
    ("atan2", (-0.0, -0.0), (0, 0, 0, 0)),
    ("atan2", (0.0, 1.0), (0, -1, -1, 0)),
    ("atan2", (3.0, 4.0), (-24 / 625, -7 / 625, -7 / 625, 24 / 625)),
    ("atan2", (1000.0, -1000.0), (5e-7, 0, 0, -5e-7)),
    ("sinh", (0.0,), (0,)),
    ("sinh", (1000.0,), (INF,)),
    ("sinh", (-1000.0,), (-INF,)),
    ("cosh", (0.0,), (1,)),
    ("cosh", (-1000.0,), (INF,)),
    ("tanh", (0.0,), (0,)),
    ("tanh", (math.atanh(0.5),), (-0.75,)),
    ("tanh", (1000.0,), (0,)),
    ("tanh", (-1000.0,), (0,)),
    ("asinh", (0.0,), (0,)),
    ("asinh", (0.75,), (-0.75 / 1.25**3,)),
    ("asinh", (-1000.0,), (1000 / 1000001**1.5,)),
    ("acosh", (1.25,), (-1.25 / 0.75**3,)),
    ("acosh", (1000.0,), (-1000 / 999999**1.5,)),
    ("atanh", (0.0,), (0,)),
    ("atanh", (0.6,), (1.2 / 0.64**2,)),
    ("erf", (0.0,), (0,)),
    ("erf", (1.0,), (-4 / math.sqrt(PI) / E,)),
    ("erf", (1000.0,), (0,)),
    ("erf", (-1000.0,), (0,)),
    ("sigmoid", (0.0,), (0,)),
    ("sigmoid", (math.log(3.0),), (-3 / 32,)),
    ("sigmoid", (1000.0,), (0,)),
    ("sigmoid", (-1000.0,), (0,)),
    ("sigmoid", (-700.0,), (math.exp(-700.0),)),
    ("softplus", (0.0,), (0.25,)),
    ("softplus", (-0.0,), (0.25,)),
    ("softplus", (1000.0,), (0,)),
    ("softplus", (-1000.0,), (0,)),
    ("softplus", (-700.0,), (math.exp(-700.0),)),
    ("relu", (0.0,), (0,)),
    ("relu", (-0.0,), (0,)),
    ("relu", (1000.0,), (0,)),
    ("relu", (-1000.0,), (0,)),
    ("leaky_relu", (0.0,), (0,)),
    ("leaky_relu", (1000.0,), (0,)),
    ("leaky_relu", (-1000.0,), (0,)),
    ("elu", (0.0,), (0,)),
    ("elu", (-0.0,), (0,)),
    ("elu", (1.0,), (0,)),
    ("elu", (-1.0,), (1 / E,)),
    ("elu", (1000.0,), (0,)),
    ("elu", (-1000.0,), (0,)),
    ("elu", (-INF,), (0,)),
    ("gelu", (0.0,), (math.sqrt(2 / PI),)),
    ("gelu", (1.0,), (DENSITY,)),
    ("gelu", (2.0,), (-2 * float(mpmath.npdf(2)),)),
    ("gelu", (1000.0,), (0,)),
    ("gelu", (-1000.0,), (0,)),
    ("silu", (0.0,), (0.5,)),
    ("silu", (math.log(3.0),), (3 / 8 - 3 / 32 * math.log(3.0),)),
    ("silu", (1000.0,), (0,)),
    ("silu", (-1000.0,), (0,)),
    ("silu", (-700.0,), (-698 * math.exp(-700.0),)),
    ("mish", (0.0,), (0.64,)),
    ("mish", (1000.0,), (0,)),
    ("mish", (-1000.0,), (0,)),
    ("mish", (-700.0,), (-698 * math.exp(-700.0),)),
    ("sum", (1000.0, -1000.0), (0, 0, 0, 0)),
    ("mean", (1000.0, -1000.0), (0, 0, 0, 0)),
    ("dot", (1000.0, -1000.0), (0, 1, 1, 0)),
    ("logsumexp", (-1000.0,), (0,)),
    ("logsumexp", (0.0, 0.0), (0.25, -0.25, -0.25, 0.25)),
    ("logsumexp", (1000.0, 1000.0), (0.25, -0.25, -0.25, 0.25)),
    ("logsumexp", (-1000.0, -1000.0), (0.25, -0.25, -0.25, 0.25)),
    ("logsumexp", (1000.0, -1000.0), (0, 0, 0, 0)),
    ("logsumexp", (0.0, -INF), (0, 0, 0, 0)),
    ("logsumexp", (5.0, 5.0, 5.0), tuple(x / 9 for x in (2, -1, -1, -1, 2, -1, -1, -1, 2))),
]


@pytest.mark.parametrize(
    ("name", "at", "expected"),
    ORDER_2,
    ids=[f"{name} at {', '.join(map(str, at))}" for name, at, _ in ORDER_2],
)
def test_second_derivatives(name: str, at: tuple[float, ...], expected: tuple[float, ...]) -> None:
    found = list(itertools.chain.from_iterable(hessian(TABLE[name], at)))
    assert len(found) == len(expected)
    assert all(map(agree_beside(expected), found, expected)), found


def test_every_present_row_has_second_derivatives() -> None:
    assert {row.name for row in ROWS} - {name for name, *_ in ORDER_2} == set()


@pytest.mark.parametrize(
    ("x", "exponent", "expected"),
    [
        (0.0, 0.0, 0.0),
        (-0.0, 0.0, 0.0),
        (-2.0, 0.0, 0.0),
        (1000.0, 0.0, 0.0),
        (NAN, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        (-1000.0, 1.0, 0.0),
        (0.0, 2.0, 2.0),
        (-1000.0, 2.0, 2.0),
        (0.0, 3.0, 0.0),
        (-2.0, 3.0, -12.0),
        (1.0, 0.5, -0.25),
        (-1.0, -1.0, -2.0),
    ],
)
def test_second_derivatives_of_a_constant_power(x: float, exponent: float, expected: float) -> None:
    base = Value(x)
    z = base**exponent
    (second,) = gradient(TABLE["pow"].derivatives[0](z, base, exponent), [base])
    assert same(second, expected, 1e-15)


FINITE = (0.0, -0.0, 1.0, -1.0, 1000.0, -1000.0)


def has_no_second_derivative(row: Primitive, at: Sequence[float]) -> bool:
    """x ** y at x < 0 is not real between whole y, so d/dy is nan, and so is d/dy d/dx."""
    return row.name == "pow" and at[0] < 0.0


def is_lopsided_by_convention(row: Primitive, at: Sequence[float]) -> bool:
    """d/dx d/dy x ** y at x = 0 is 1/0 for y = 0 and 1 + log(0) for y = 1.

    d/dx x ** 0 = 0 and d/dy 0 ** y = 0 leave 1 and 0 of it.
    """
    return row.name == "pow" and at[0] == 0.0 and at[1] in (0.0, 1.0)


@every_elementwise_row
def test_finite_first_derivatives_have_second_derivatives(row: Primitive) -> None:
    for at in itertools.product(FINITE, repeat=row.arity):
        operands = [Value(x) for x in at]
        first = row.linearize(at)[1]
        on_values = slopes_on_values(row, operands)
        assert all(map(same, map(float, on_values), first)), at
        for slope, d in zip(on_values, first, strict=True):
            if math.isfinite(d) and not has_no_second_derivative(row, at):
                second = gradient(slope, operands)
                assert not any(map(math.isnan, second)), (at, second)


@every_elementwise_row
def test_second_derivatives_come_in_equal_pairs(row: Primitive) -> None:
    for at in itertools.product(FINITE, repeat=row.arity):
        if all(map(math.isfinite, row.linearize(at)[1])) and not is_lopsided_by_convention(row, at):
            assert_symmetric(hessian(row, at))


def assert_symmetric(second: list[tuple[float, ...]]) -> None:
    flat = list(itertools.chain.from_iterable(second))
    transposed = list(itertools.chain.from_iterable(zip(*second, strict=True)))
    assert all(map(agree_beside(flat), flat, transposed)), second


@pytest.mark.parametrize("row", NARY, ids=row_name)
@pytest.mark.parametrize("size", [1, 2])
def test_finite_first_derivatives_of_nary_rows_have_second_derivatives(
    row: NaryPrimitive, size: int
) -> None:
    for at in itertools.product(FINITE, repeat=row.arity * size):
        operands = [Value(x) for x in at]
        first = row.linearize(at)[1]
        on_values = slopes_on_values(row, operands)
        assert all(map(same, map(float, on_values), first)), at
        second = [gradient(slope, operands) for slope in on_values]
        assert all(map(math.isfinite, itertools.chain.from_iterable(second))), (at, second)
        assert_symmetric(second)


@pytest.mark.parametrize(
    ("at", "shares"),
    [
        ((0.0, 0.0), (0.5, 0.5)),
        ((1000.0, 1000.0), (0.5, 0.5)),
        ((-1000.0, -1000.0), (0.5, 0.5)),
        ((1000.0, -1000.0), (1.0, 0.0)),
        ((-1000.0, 1000.0, 1000.0), (0.0, 0.5, 0.5)),
        ((1000.0, 1000.0, 1000.0), (1 / 3, 1 / 3, 1 / 3)),
        ((0.0, math.log(3.0)), (0.25, 0.75)),
    ],
)
def test_second_derivatives_of_softmax_and_log_softmax(
    at: tuple[float, ...], shares: tuple[float, ...]
) -> None:
    """With the shares s, d s_i / d x_j = s_i (d_ij - s_j), where d_ij = 1 if i == j, else 0."""
    n = range(len(at))
    xs = [Value(x) for x in at]
    z = ae.logsumexp(xs)
    by_z = ae.logsumexp.derivatives[0](z, xs)
    for i, j in itertools.product(n, n):
        share = ae.exp_difference(xs[i], z)
        by_operand, by_sum = (d(share, xs[i], z) for d in ae.exp_difference.derivatives)
        of_softmax = by_sum * by_z[j] + (by_operand if i == j else 0.0)
        of_log_softmax = -by_z[j]
        s = shares
        soft, log = gradient(of_softmax, xs), gradient(of_log_softmax, xs)
        for k in n:
            slope = s[j] * ((j == k) - s[k])
            bend = s[i] * ((i == k) - s[k]) * ((i == j) - s[j]) - s[i] * slope
            assert abs(soft[k] - bend) < 1e-12
            assert abs(log[k] + slope) < 1e-12


@pytest.mark.parametrize("row", [row for row in ELEMENTWISE if row.arity == 1], ids=row_name)
@pytest.mark.parametrize("x", [INF, -INF, 1e154, 1e200, -1e200, 1e300])
def test_second_derivatives_are_no_nan_far_out(row: Primitive, x: float) -> None:
    low, high = row.domain[0]
    z, slopes = row.linearize((x,))
    if low <= x <= high and not math.isnan(z) and math.isfinite(slopes[0]):
        assert not math.isnan(hessian(row, (x,))[0][0])


@pytest.mark.parametrize("x", [INF, -INF])
@pytest.mark.parametrize("name", ["atan", "asinh", "erf", "gelu", "silu", "mish", "tanh", "cbrt"])
def test_second_derivatives_at_infinity_are_their_limit(name: str, x: float) -> None:
    assert hessian(TABLE[name], (x,)) == [(0.0,)]
