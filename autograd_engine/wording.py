"""How numbers and labels are written wherever something is shown."""

from __future__ import annotations

__all__ = ["abridged", "number", "printable", "same", "short", "signed"]

LONGEST_LABEL = 40
SHORT = 7  # characters of a number that is written as it is


def number(x: float) -> str:
    """Four decimals in the usual range, else scientific: 0.0000 must mean zero, -0.0 too.

    >>> number(0.5), number(-1e-9), number(float("inf")), number(-0.0)
    ('0.5000', '-1.000e-09', 'inf', '0.0000')
    """
    x += 0.0  # -0.0 would read as something small and negative
    if x == 0.0 or 1e-3 <= abs(x) < 1e6 or x != x or abs(x) == float("inf"):
        return f"{x:.4f}"
    return f"{x:.3e}"


def signed(x: float) -> str:
    """A number with its sign, + too; zero has none.

    >>> signed(0.5), signed(-0.5), signed(0.0)
    ('+0.5000', '-0.5000', '0.0000')
    """
    return f"+{number(x)}" if x > 0.0 else number(x)


def short(x: float) -> str:
    """A number in a line of arithmetic: whole numbers as such, others to four decimals or digits.

    A short one is exact, but for what rounding added; one that is only close to it keeps its zeros.

    >>> short(-3.0), short(0.125), short(0.70710678), short(0.0001234567), short(0.9999999)
    ('-3', '0.125', '0.7071', '0.0001235', '1.0000')
    """
    if x != x or abs(x) == float("inf"):
        return f"{x}"
    if abs(x) < 1e6 and same(x, round(x)):
        return f"{round(x)}"
    if len(f"{x!r}") <= SHORT:
        return f"{x!r}"
    usual = 0.1 <= abs(x) < 1e6
    text = f"{x:.4f}" if usual else f"{x:#.4g}"
    brief = text.rstrip("0") if usual else f"{x:.4g}"
    return brief if same(x, float(brief)) else text


def same(x: float, y: float) -> bool:
    """Whether they differ by what rounding adds, if at all."""
    return abs(x - y) <= 1e-12 * abs(x)


def abridged(text: str, longest: int = LONGEST_LABEL) -> str:
    """As `printable`, but cut in the middle: names that are long often differ at their ends.

    >>> abridged("encoder.layer1.w", 11)
    'encod…er1.w'
    """
    if len(text) > longest:
        text = f"{text[: longest // 2]}…{text[len(text) - (longest - 1) // 2 :]}"
    return printable(text, longest)


def printable(text: str, longest: int = LONGEST_LABEL) -> str:
    """One line without control characters and of bounded length: a label may hold anything."""
    if len(text) <= longest and text.isprintable():
        return text
    text = "".join([c if c.isprintable() else " " for c in text[: longest + 1]])
    return text if len(text) <= longest else text[: longest - 1] + "…"
