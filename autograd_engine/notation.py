"""A piece of mathematics as text and as LaTeX, and how names and numbers are written in it."""

from __future__ import annotations

import re
from typing import NamedTuple

from autograd_engine.wording import SHORT, same, short

__all__ = [
    "ATOM", "CHOICE", "POWER", "PRODUCT", "SUM", "Formula", "as_read", "constant", "exact",
    "fraction", "partial", "rounded", "symbol_of",
]  # fmt: skip

ATOM, POWER, PRODUCT, SUM, CHOICE = range(5)


class Formula(NamedTuple):
    """A piece of mathematics, and how loosely each form binds: parentheses depend on that."""

    text: str
    latex: str
    level: int = ATOM
    latex_level: int = ATOM

    def within(self, level: int) -> Formula:
        """The same, in parentheses where it binds more loosely than that."""
        text = f"({self.text})" if self.level > level else self.text
        latex = rf"\left({self.latex}\right)" if self.latex_level > level else self.latex
        return Formula(text, latex, min(self.level, level), min(self.latex_level, level))


_ESCAPED = {
    "\\": r"\backslash ", "^": r"\wedge ", "~": r"\sim ", "*": r"\ast ", "|": r"\vert ",
    "<": "<", ">": ">", **{c: f"\\{c}" for c in "#$%&_{}"},
}  # fmt: skip


def symbol_of(name: str) -> str:
    """A name in LaTeX: x1 with an index, words upright, what means something to TeX escaped.

    Escaped signs stand outside of the text, where MathJax would show their backslashes.
    """
    letter = re.fullmatch(r"([A-Za-z])_?([0-9]*)", name)
    if letter:
        return f"{letter[1]}_{{{letter[2]}}}" if letter[2] else letter[1]
    runs = re.split(r"([\\^~*|<>#$%&_{}])", name)
    return "".join([_ESCAPED.get(run) or rf"\text{{{run}}}" for run in runs if run])


def constant(x: float) -> Formula:
    """A plain number with at most six digits; one that is only close to those keeps its zeros."""
    whole, brief = repr(x).removesuffix(".0"), f"{x:.6g}"
    if len(whole) <= len(brief):
        return _numeral(whole)
    if same(x, float(brief)):
        return _numeral(brief)
    text = f"{x:#.6g}"
    return _numeral(f"{text}0" if text.endswith(".") else text)


def exact(x: float) -> Formula:
    """A plain number with all its digits."""
    return _numeral(repr(x).removesuffix(".0"))


def fraction(x: float) -> Formula:
    """A number as it is read, but 1/3 and the like as such where their digits do not end soon."""
    n = 1.0 / x if x else 0.0
    if len(repr(x)) > SHORT and 1.0 < abs(n) < 1e6 and same(n, round(n)):
        one = "-1" if n < 0.0 else "1"
        count = f"{abs(round(n))}"
        sign = SUM if n < 0.0 else PRODUCT
        return Formula(f"{one}/{count}", rf"\frac{{{one}}}{{{count}}}", sign, POWER)
    return rounded(x)


def rounded(x: float) -> Formula:
    """A number as it is read in a line: `wording.short`."""
    return _numeral(short(x))


def as_read(x: float) -> float:
    """The number that a reader of `rounded` has."""
    return float(short(x))


def partial(y: Formula, x: Formula) -> Formula:
    """The derivative of y by x, as it is written."""
    latex = rf"\frac{{\partial {y.within(ATOM).latex}}}{{\partial {x.within(ATOM).latex}}}"
    return Formula(f"d {y.within(ATOM).text} / d {x.within(ATOM).text}", latex)


def _numeral(text: str) -> Formula:
    base, e, exponent = text.partition("e")
    latex = rf"{base} \cdot 10^{{{int(exponent)}}}" if e else base
    latex = latex.replace("inf", r"\infty ").replace("nan", r"\text{nan}")
    level = SUM if text.startswith("-") else ATOM
    return Formula(text, latex, level, PRODUCT if e and level == ATOM else level)
