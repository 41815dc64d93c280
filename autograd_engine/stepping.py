"""Stepping through the forward and the backward pass of one's own expression.

`stepper(value)` is a page, `animate(value, path)` a film, `steps(value)` an iterator for a loop or
for a notebook, cell by cell. None of them changes a gradient: they work on a view of the graph, in
which the backward pass starts with 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autograd_engine.backend import Value
from autograd_engine.expansion import expanded
from autograd_engine.page import Page, fragment, image
from autograd_engine.scene import Scene, scene_of
from autograd_engine.sequence import Step, sequence, view

__all__ = ["Stepper", "stepper", "steps"]

MAX_STEPS = 200  # on one page; with more a reader is lost, and the page is slow
_PHASES = ("forward", "start", "backward")


def steps(value: Value, *, names: Mapping[str, Any] | None = None) -> Iterator[Step]:
    """Each step of the forward pass, then of the backward pass; printing one tells what it does.

    A dot is taken as its products and their sum, while there are few.

    Parameters
    ----------
    value : Value
        The output.
    names : mapping of str to Value
        Names for Values without a label, such as `locals()`.

    Raises
    ------
    TypeError
        When `value` is not a Value.

    Examples
    --------
    >>> from autograd_engine import Value, steps
    >>> x = Value(3.0, label="x")
    >>> for step in steps(x * x + x):
    ...     print(step)
      1/5 forward   x*x = 3*3 = 9
      2/5 forward   x*x + x = 9 + 3 = 12
      3/5 start     (x*x + x).grad = 1
      4/5 backward  (x*x + x).grad = 1
                      (x*x).grad += 1 × 1 = 1  ->  1
                      x.grad += 1 × 1 = 1  ->  1
      5/5 backward  (x*x).grad = 1
                      x.grad += x × grad = 3 × 1 = 3  ->  4
                      x.grad += x × grad = 3 × 1 = 3  ->  7
    """
    return sequence(expanded(view(value, names)))


def stepper(
    value: Value,
    *,
    names: Mapping[str, Any] | None = None,
    theme: str = "light",
    direction: str = "LR",
) -> Stepper:
    """A page to step through both passes with: one node a step, with the arithmetic of each edge.

    Above 200 steps or 200 values a card stands for a neuron, a layer or a band of depths, by what
    fits. The backward pass starts with 1 and with all gradients 0, whatever `.grad` holds.

    Parameters
    ----------
    value : Value
        The output.
    names : mapping of str to Value
        Names for Values without a label, such as `locals()`.
    theme : {"light", "dark", "colorblind"}
    direction : {"LR", "TB"}
        Left to right, or top to bottom.

    Returns
    -------
    Stepper
        A notebook shows it; `.save("page.html")` writes one file that needs nothing else.

    Raises
    ------
    TypeError
        When `value` is not a Value.
    ValueError
        For an unknown theme or direction.
    RenderError
        When there is no engine to lay out the picture; the message carries the remedy.
    """
    return Stepper(scene_of(value, names=names, theme=theme, direction=direction, most=MAX_STEPS))


class Stepper(Page):
    """What `stepper` returns.

    Where scripts are not allowed, as in a notebook that is not trusted, the picture after the last
    step is what remains.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene, self.title = scene, scene.storyboard.title

    def __len__(self) -> int:
        """The number of steps."""
        return len(self._scene.storyboard.frames)

    def __repr__(self) -> str:
        return f"<Stepper of {len(self)} steps: {self.title}>"

    def html(self) -> str:
        """The element, for a page of one's own."""
        picture = image(self._scene.svg(), f"{self.title}. {self._scene.description}")
        return fragment("stepper", picture, _data(self._scene))


def _data(scene: Scene) -> dict[str, Any]:
    """The scene for the script; all its texts and places are made here."""
    board = scene.storyboard
    return {
        "title": board.title,
        "note": board.note,
        "theme": scene.theme.name,
        "colors": [scene.theme.current, scene.theme.receiving],
        "texts": [[*place, changes] for place, changes in board.changes().items()],
        "frames": [
            [
                _PHASES.index(frame.phase),
                frame.giving,
                frame.receiving,
                list(frame.links),
                scene.arithmetic(frame),
                frame.headline,
                frame.table,
            ]
            for frame in board.frames
        ],
    }
