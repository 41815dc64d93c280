"""The errors that only this package raises; everywhere else the built-in ones say enough."""

from __future__ import annotations

__all__ = ["AnomalyError", "ExpressionError", "GradcheckError", "RenderError"]


class AnomalyError(FloatingPointError):
    """An inf or nan under `detect_anomaly`; the message names operation, operands and line."""


class GradcheckError(AssertionError):
    """A derivative disagrees with its numerical estimate; the message is the full report."""


class RenderError(RuntimeError):
    """A picture could not be made; the message carries the remedy."""


class ExpressionError(ValueError):
    """A typed expression could not be read; the message names the part and the remedy."""
