"""Sentences and tables with formulas in them, as plain text, as Markdown and as LaTeX.

What is said is written once, as a template: `Said("{} is flat where {} <= 0", relu, n)`. Templates
are the program's own words, with code between backticks; everything that a user can name comes in
as a `Formula`, so that no label is ever read as markup.
"""

from __future__ import annotations

import heapq
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from autograd_engine.notation import CHOICE, PRODUCT, Formula, rounded

__all__ = [
    "MOST_PARTS",
    "Block",
    "Heading",
    "Item",
    "Said",
    "Table",
    "after",
    "as_latex",
    "as_markdown",
    "as_text",
    "equal",
    "equals",
    "few",
    "joined",
    "listed",
    "many",
    "paths_in_words",
    "product",
]

WIDTH = 88  # of paragraphs in a terminal
MOST_PARTS = 8  # of a sum or product
WIDEST_COLUMN = 32  # a longer cell moves what follows to the right in its own row only

DOTS = Formula("...", r"\ldots ")
BOUND = "\x00"  # printable labels have none

T = TypeVar("T")


class Said:
    """A template with a formula, or something said, in the place of each `{}`."""

    __slots__ = ("parts", "template")

    def __init__(self, template: str, *parts: Formula | Said) -> None:
        self.template, self.parts = template, parts

    @property
    def text(self) -> str:
        """For a terminal."""
        return self.bound.replace(BOUND, " ")

    @property
    def bound(self) -> str:
        """The same with `BOUND` for the spaces in short formulas, so that no line ends there."""
        parts = [x.bound if isinstance(x, Said) else _bound(x.text) for x in self.parts]
        return self.template.replace("`", "").format(*parts)

    @property
    def markdown(self) -> str:
        """For GitHub and notebooks."""
        return self.template.format(
            *[
                x.markdown if isinstance(x, Said) else f"${_in_markdown(x.latex)}$"
                for x in self.parts
            ]
        )

    @property
    def latex(self) -> str:
        """For a document."""
        template = re.sub(r"`([^`]*)`", _code, self.template)
        return template.format(
            *[x.latex if isinstance(x, Said) else f"${x.latex}$" for x in self.parts]
        )


def _bound(text: str) -> str:
    return text.replace(" ", BOUND) if len(text) <= WIDEST_COLUMN else text


class Heading(NamedTuple):
    """The title of a section."""

    text: str


class Item(NamedTuple):
    """One of several remarks."""

    said: Said


class Table(NamedTuple):
    """Rows of cells below a header; a short row ends with empty cells."""

    header: tuple[str, ...]
    rows: tuple[tuple[Said, ...], ...]


Block = Heading | Said | Item | Table


def listed(things: Iterable[Formula | Said], last: str = ", ") -> Said:
    """Things one after the other, such as `a, b and c`."""
    parts = tuple(things)
    commas = ", ".join(["{}"] * (len(parts) - 1))
    return Said(last.join([commas, "{}"]) if commas else "{}" * len(parts), *parts)


def equal(*forms: Formula) -> Formula:
    """The forms of one number with = between; what is empty or says the same again is left out."""
    different = list({x.text: x for x in reversed(forms) if x.text}.values())[::-1]
    latex = " = ".join([x.latex for x in different])
    return Formula(" = ".join([x.text for x in different]), latex, CHOICE, CHOICE)


def few(things: Sequence[T], write: Callable[[T], Formula]) -> list[Formula]:
    """All of them as they are written, or the first and the last ones."""
    if len(things) <= MOST_PARTS:
        return [write(x) for x in things]
    first, last = things[: MOST_PARTS - 3], things[-2:]
    return [*map(write, first), DOTS, *map(write, last)]


def joined(things: Sequence[Formula], text: str, latex: str) -> Formula:
    """With a sign between them, and negative numbers after the first in parentheses."""
    parts = [x.within(PRODUCT) if i else x for i, x in enumerate(things)]
    return Formula(text.join([x.text for x in parts]), latex.join([x.latex for x in parts]))


def equals(x: float) -> Said:
    """A number as a result."""
    return Said("{}", after("=", "=", x))


def after(text: str, latex: str, x: float) -> Formula:
    """A number after a sign."""
    number = rounded(x) if text == "=" else rounded(x).within(PRODUCT)
    return Formula(f"{text} {number.text}", f"{latex} {number.latex}")


def product(factors: Sequence[float]) -> Said:
    """A product: of a long one those that decide, and how often there is a 1 besides."""
    if len(factors) <= MOST_PARTS:
        return Said("{}", _times([rounded(x) for x in factors]))
    telling = [x for x in factors if x != 1.0]
    ones = len(factors) - len(telling)
    times = "twice 1" if ones == 2 else "once 1" if ones == 1 else f"{ones:,} times 1"
    if not telling:
        return Said(times)
    shown = _times(_heaviest(telling))
    return Said(f"{{}} (and {times})" if ones else "{}", shown)


def _heaviest(factors: Sequence[float]) -> list[Formula]:
    """Those that are furthest from 1, in their order, with dots for the others."""
    if len(factors) <= MOST_PARTS:
        return [rounded(x) for x in factors]
    far = heapq.nlargest(MOST_PARTS, range(len(factors)), key=lambda i: _distance(factors[i]))
    shown, before = list[Formula](), -1
    for i in [*sorted(far), len(factors)]:
        shown += [DOTS] * (i > before + 1)
        shown += [rounded(x) for x in factors[i : i + 1]]
        before = i
    return shown


def _distance(factor: float) -> float:
    """How far from 1 a factor is, whatever its sign."""
    return abs(math.log(abs(factor))) if factor and math.isfinite(factor) else math.inf


def _times(factors: Sequence[Formula]) -> Formula:
    return joined(factors, " * ", r" \cdot ")


def paths_in_words(paths: int) -> str:
    """How many paths, in words; of very many the number of digits."""
    if paths >= 10**15:
        return f"About 10^{round(math.log10(paths)):,} paths"
    return many(paths, "path")


def many(count: int, thing: str) -> str:
    """How many of a thing: `1 path`, `2,000 paths`."""
    return f"{count:,} {thing}{'s' if count != 1 else ''}"


def as_text(blocks: Iterable[Block]) -> str:
    """For a terminal: columns are aligned, paragraphs filled."""
    return "\n".join([_text(block) for block in blocks]).strip("\n") + "\n"


def _text(block: Block) -> str:
    if isinstance(block, Heading):
        return f"\n{block.text}"
    if isinstance(block, Said):
        return _filled(block, "  ")
    if isinstance(block, Item):
        return _filled(block.said, "  - ")
    rows = [list(block.header)]
    rows += [[cell.text for cell in row] for row in block.rows]
    return "\n".join(_aligned(rows))


def _filled(said: Said, start: str) -> str:
    lines = textwrap.wrap(
        said.bound, WIDTH, break_long_words=False, break_on_hyphens=False,
        initial_indent=start, subsequent_indent=" " * len(start),
    )  # fmt: skip
    return "\n".join(lines).replace(BOUND, " ")


def _aligned(rows: list[list[str]]) -> list[str]:
    """Lines with their cells in columns, which neither last cells nor long ones widen."""
    widths = [
        max(
            [len(row[i]) for row in rows if i < len(row) - 1 and len(row[i]) <= WIDEST_COLUMN] + [0]
        )
        for i in range(max(map(len, rows)))
    ]
    lines = []
    for row in rows:
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return lines


# GitHub reads Markdown inside $...$ as well: it takes backslashes from signs, and sees tables, tags
# and emphasis there. What would be read so is written with words or with letters of the same look.
_WORDS = {
    r"\_": "ˍ", r"\#": "＃", r"\$": "＄", r"\%": "％", r"\&": "＆", r"\{": r"\lbrace ",
    r"\}": r"\rbrace ", "|": r"\vert ", "<": r"\lt ", ">": r"\gt ", "*": r"\ast ", "`": "ˋ",
    "](": "] (", "://": "：//", "@": "＠", "~": r"\sim ",
}  # fmt: skip
_READ_AS_MARKDOWN = re.compile("|".join(map(re.escape, _WORDS)))


def _in_markdown(latex: str) -> str:
    return _READ_AS_MARKDOWN.sub(lambda match: _WORDS[match[0]], latex)


def as_markdown(blocks: Iterable[Block]) -> str:
    """For GitHub and notebooks: formulas between dollar signs, tables of GitHub's kind."""
    return "\n\n".join([_markdown(block) for block in blocks]) + "\n"


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"#### {block.text}"
    if isinstance(block, Said):
        return block.markdown
    if isinstance(block, Item):
        return f"- {block.said.markdown}"
    width = max(map(len, [block.header, *block.rows]))
    rows = [list(block.header), ["---"] * width]
    rows += [[cell.markdown for cell in row] for row in block.rows]
    return "\n".join([f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in rows])


def as_latex(blocks: Iterable[Block]) -> str:
    """For a document with the packages amsmath and longtable."""
    return "\n\n".join([_latex(block) for block in blocks]) + "\n"


def _latex(block: Block) -> str:
    if isinstance(block, Heading):
        return rf"\subsection*{{{block.text}}}"
    if isinstance(block, Said):
        return block.latex
    if isinstance(block, Item):
        return rf"$\bullet$ {block.said.latex}"
    width = max(map(len, [block.header, *block.rows]))
    rows = [" & ".join(block.header) + r" \\ \hline"]
    rows += [" & ".join([cell.latex for cell in row]) + r" \\" for row in block.rows]
    body = "\n".join(rows)
    return f"\\begin{{longtable}}{{{'l' * width}}}\n{body}\n\\end{{longtable}}"


def _code(match: re.Match[str]) -> str:
    code = match[1].replace("_", r"\_")
    return rf"\texttt{{{code}}}".replace("{", "{{").replace("}", "}}")
