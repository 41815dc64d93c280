"""autograd_engine: a scalar reverse-mode automatic differentiation engine.

>>> from autograd_engine import Value
>>> x = Value(2.0)
>>> y = x ** 3 + 4 * x
>>> y.backward()
>>> x.grad
16.0

Start reading at `value.py`. `sum`, `abs` and `pow` are public too, but a star import leaves the
builtins of these names alone.
"""

from autograd_engine.backend import Value, backend
from autograd_engine.drawing import draw, draw_dot
from autograd_engine.errors import ExpressionError, GradcheckError, RenderError
from autograd_engine.gradcheck import gradcheck
from autograd_engine.graph import Graph
from autograd_engine.modes import named_scope, no_grad
from autograd_engine.primitives import (
    abs as abs,
)
from autograd_engine.primitives import (
    add,
    div,
    dot,
    exp,
    exp_difference,
    log,
    log_softmax,
    logsumexp,
    maximum,
    mean,
    minimum,
    mul,
    neg,
    relu,
    sigmoid,
    sign,
    softmax,
    sqrt,
    sub,
    tanh,
    where,
)
from autograd_engine.primitives import (
    pow as pow,
)
from autograd_engine.primitives import (
    sum as sum,
)

__all__ = [
    "ExpressionError",
    "GradcheckError",
    "Graph",
    "RenderError",
    "Value",
    "add",
    "backend",
    "div",
    "dot",
    "draw",
    "draw_dot",
    "exp",
    "exp_difference",
    "gradcheck",
    "log",
    "log_softmax",
    "logsumexp",
    "maximum",
    "mean",
    "minimum",
    "mul",
    "named_scope",
    "neg",
    "no_grad",
    "relu",
    "sigmoid",
    "sign",
    "softmax",
    "sqrt",
    "sub",
    "tanh",
    "where",
]
