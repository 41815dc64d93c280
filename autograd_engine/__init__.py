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

from autograd_engine import copying as copying
from autograd_engine import numpy_bridge as numpy_bridge
from autograd_engine import primitives
from autograd_engine.animating import animate
from autograd_engine.backend import Value, backend
from autograd_engine.compiled import (
    compile as compile,
)
from autograd_engine.curvature import empirical_fisher, gauss_newton
from autograd_engine.derivatives import (
    derivative,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    taylor,
    value_and_grad,
    vjp,
)
from autograd_engine.drawing import draw, draw_dot, mermaid, text_tree
from autograd_engine.errors import AnomalyError, ExpressionError, GradcheckError, RenderError
from autograd_engine.explaining import explain
from autograd_engine.gradcheck import gradcheck
from autograd_engine.graph import Graph
from autograd_engine.modes import detect_anomaly, named_scope, no_grad
from autograd_engine.precision import check_derivatives
from autograd_engine.primitives import *  # noqa: F403 (the rows, by their own list of names)
from autograd_engine.primitives import (
    abs as abs,
)
from autograd_engine.primitives import (
    pow as pow,
)
from autograd_engine.primitives import (
    sum as sum,
)
from autograd_engine.program import Program
from autograd_engine.registry import elementary, primitive
from autograd_engine.stepping import stepper, steps

__all__ = [
    "AnomalyError",
    "ExpressionError",
    "GradcheckError",
    "Graph",
    "Program",
    "RenderError",
    "Value",
    "animate",
    "backend",
    "check_derivatives",
    "derivative",
    "detect_anomaly",
    "draw",
    "draw_dot",
    "elementary",
    "empirical_fisher",
    "explain",
    "gauss_newton",
    "grad",
    "gradcheck",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "mermaid",
    "named_scope",
    "no_grad",
    "primitive",
    "stepper",
    "steps",
    "taylor",
    "text_tree",
    "value_and_grad",
    "vjp",
]
__all__ += primitives.__all__
