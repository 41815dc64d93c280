"""Names and remarks in source code: from any text, such as the label of a Value, to a safe one.

>>> from autograd_engine.naming import C, PYTHON, identifiers
>>> list(identifiers(["w[0, 1]", "x", "x", "lambda", "3rd", "θ", ""], PYTHON))
['w_0_1', 'x', 'x_2', 'lambda_', 'input_3rd', 'θ', 'unnamed']
>>> list(identifiers(["w[0, 1]", "double", "exp", "y0", "θ"], C))
['w_0_1', 'double_', 'exp_', 'y0_', 'theta']
"""

from __future__ import annotations

import builtins
import itertools
import keyword
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from autograd_engine.registry import TABLE

__all__ = ["PYTHON", "C", "Language", "group", "identifiers", "is_array", "remark"]


class Language(NamedTuple):
    """Which names are taken, also by what `source.py` writes, and whether a file is ASCII.

    `reserved` is a pattern of more names.
    """

    taken: frozenset[str]
    reserved: str
    ascii_only: bool


PYTHON = Language(
    frozenset({*keyword.kwlist, *dir(builtins), *TABLE, "inputs", "math", "power"}), r"v\d+", False
)

# Of C99, C23 and C++; POSIX has more in math.h than C; gcc knows some functions without a header.
_WORDS = """
    alignas alignof and asm auto bool break case catch char class const constexpr continue default
    delete do double else enum explicit export extern false float for friend goto if import in
    inline int long main mutable namespace new not nullptr operator or out private protected public
    register restrict return short signed sizeof static struct switch template this throw true try
    typedef typeid typename typeof union unsigned using virtual void volatile while xor
    abort abs calloc exit fputs free imaxabs labs llabs linux malloc putchar puts realloc unix
    cabs carg cimag conj cproj creal double_t float_t signgam
"""
_MATH = """
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh drem erf erfc exp exp10 exp2
    expm1 fabs fdim finite floor fma fmax fmin fmod frexp gamma hypot ilogb j0 j1 jn ldexp lgamma
    llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward
    pow pow10 remainder remquo rint round scalb scalbln scalbn signbit significand sin sincos sinh
    sqrt tan tanh tgamma trunc y0 y1 yn
"""
_FORMS = ("{}", "{}f", "{}l", "c{}", "c{}f", "c{}l")  # double, float, long double; and complex
C = Language(
    frozenset([*_WORDS.split(), *(form.format(x) for x in _MATH.split() for form in _FORMS)]),
    r"v\d+|ae_\w+|[A-Z]{2}[A-Z_]*|(is|mem|str|wcs)[a-z]+|tow?(low|upp)er|\w*(printf|scanf)",
    True,
)


def identifiers(texts: Iterable[str], language: Language) -> Iterator[str]:
    """A name for each text, all different."""
    used, repeated = set(language.taken), Counter[str]()
    for text in texts:
        base = name = _identifier(text, language)
        while name in used:
            repeated[base] += 1
            name = f"{base}_{repeated[base] + 1}"
        used.add(name)
        yield name


def _identifier(text: str, language: Language) -> str:
    """The nearest name, such as params_0_3_1 for params[0][3, 1]."""
    text = unicodedata.normalize("NFKC", text[:200])  # as Python does with names
    text = _ascii(text) if language.ascii_only else text
    text = "".join(c if f"a{c}".isidentifier() else "_" for c in text)
    text = re.sub("_+", "_", text)[:40].strip("_")
    text = text if text.isidentifier() else f"input_{text}" if text else "unnamed"
    taken = text in language.taken or re.fullmatch(language.reserved, text)
    return f"{text}_" if taken else text


def _ascii(text: str) -> str:
    """A text in ASCII, without accents, and Greek letters by their names."""
    return "".join(c if c.isascii() else _letter(c) for c in unicodedata.normalize("NFKD", text))


def _letter(c: str) -> str:
    if unicodedata.combining(c):
        return ""
    greek = re.fullmatch("GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)", unicodedata.name(c, ""))
    if greek:
        return greek[2].lower() if greek[1] == "SMALL" else greek[2].capitalize()
    return "_"


def remark(text: str, language: Language) -> str:
    """A text for a comment or docstring, short, on one line, and neither ending nor opening one."""
    text = text if len(text) <= 60 else f"{text[:57]}..."
    text = _ascii(text) if language.ascii_only else text
    text = "".join(c if c.isprintable() else " " for c in text.replace("\\", "/"))
    return re.sub(r"(?<=[*/?])(?=[*/?])", " ", text.replace('"', "'")).strip()


_ELEMENT = re.compile(r"(.*)\[([0-9]{1,9}(?:, [0-9]{1,9})*)\]", re.DOTALL)


def group(label: str) -> str:
    """What the elements of one array have in common: w for w[0, 1]; "" for what is no element."""
    found = _ELEMENT.fullmatch(label)
    return found[1] if found else ""


def is_array(labels: Sequence[str]) -> bool:
    """Whether these are the elements of one array, all of them, the last index running fastest."""
    found = [_ELEMENT.fullmatch(label) for label in labels]
    indices = [tuple(map(int, x[2].split(", "))) for x in found if x]
    if len(indices) < max(2, len(labels)) or len(set(map(len, indices))) > 1:
        return False
    shape = [max(axis) + 1 for axis in zip(*indices, strict=True)]
    full = math.prod(shape) == len(indices)
    return full and list(itertools.product(*map(range, shape))) == indices
