"""How a picture looks: the options that all ways of drawing share, checked in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypedDict, get_args

from autograd_engine.folding import FOLDS
from autograd_engine.themes import THEMES, Theme

__all__ = ["Look", "Looks", "look_of"]

Style = Literal["cards", "records"]
ThemeName = Literal["light", "dark", "colorblind"]
Direction = Literal["LR", "TB"]
Fold = Literal["layer", "neuron", "scope", "depth"]

MAX_NODES = 500  # node by node, more than this is neither readable nor quick to lay out


class Looks(TypedDict, total=False):
    """The options of `draw` by name, for type checkers; `Look` says what they mean."""

    style: Style
    theme: ThemeName
    direction: Direction
    values: bool
    gradients: bool
    derivatives: bool
    contributions: bool
    clusters: bool
    fold: Fold | None
    max_nodes: int | None


@dataclass(frozen=True, slots=True)
class Look:
    """The options of a picture.

    Attributes
    ----------
    style : {"cards", "records"}
        Rounded cards, or the boxes in a row of Karpathy's lecture.
    theme : {"light", "dark", "colorblind"}
    direction : {"LR", "TB"}
        Left to right, or top to bottom.
    values, gradients : bool
        Whether nodes show them. With gradients, arrows are coloured by what they add to them.
    derivatives, contributions : bool
        Whether arrows bear them. With both: local derivative × gradient of the result = what the
        arrow adds to the gradient of the operand.
    clusters : bool
        Whether scopes are frames around their nodes.
    fold : {"layer", "neuron", "scope", "depth"} or None
        What is taken together in one card. None: nothing, up to `max_nodes` values.
    max_nodes : int or None
        Above so many values, or 2,000 arrows, the picture is folded by layer, or by depth where
        there are no scopes, and says so. None: never.
    """

    style: Style = "cards"
    theme: ThemeName = "light"
    direction: Direction = "LR"
    values: bool = True
    gradients: bool = True
    derivatives: bool = True
    contributions: bool = False
    clusters: bool = True
    fold: Fold | None = None
    max_nodes: int | None = MAX_NODES

    def __post_init__(self) -> None:
        _one_of("style", self.style, get_args(Style))
        _one_of("theme", self.theme, tuple(THEMES))
        _one_of("direction", self.direction, get_args(Direction))
        _one_of("fold", self.fold, (*FOLDS, None))
        for name in ("values", "gradients", "derivatives", "contributions", "clusters"):
            _one_of(name, getattr(self, name), (True, False))
        n = self.max_nodes
        if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 1):
            raise ValueError(f"draw: max_nodes must be a whole number above 0 or None, got {n!r}")

    @property
    def colors(self) -> Theme:
        """The theme's colours."""
        return THEMES[self.theme]


def look_of(options: Mapping[str, Any]) -> Look:
    """The look with these options, the others as they are by default.

    Raises
    ------
    TypeError
        For an unknown option; the message lists the known ones.
    ValueError
        For an option's value that is none of its own.
    """
    known = [field.name for field in fields(Look)]
    for name in options:
        if name not in known:
            raise TypeError(f"draw: unknown option {name!r}; choose among {', '.join(known)}")
    return Look(**options)


def _one_of(name: str, value: Any, known: tuple[Any, ...]) -> None:
    if not any(value is x or (isinstance(value, str) and value == x) for x in known):
        words = " or ".join([", ".join(map(repr, known[:-1])), repr(known[-1])])
        raise ValueError(f"draw: {name} must be {words}, got {value!r}")
