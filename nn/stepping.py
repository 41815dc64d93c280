"""The training stepper: a page that scrubs through the recorded epochs of a training.

At each epoch it shows the loss, the boundary between the classes, the weights and the size of the
gradients: as one element of HTML that needs no server and no network.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from autograd_engine.page import Page, fragment, image
from autograd_engine.themes import theme as theme_of
from autograd_engine.wording import number, printable
from nn.data import DataError, matrix
from nn.layers import Layer
from nn.module import Module
from nn.palette import MARKS, color, color_shades, marker, number_shades
from nn.planes import GRID, Targets, encoded, grid_over, outputs_at, right, targets_of
from nn.stills import still
from nn.training import History, layer_of

if TYPE_CHECKING:
    import numpy as np

__all__ = ["TrainingStepper", "training_stepper"]

FRAMES = 100  # more are no easier to scrub through, and make the page large
SAMPLES = 600  # marks on the plane
EDGES = 640
COLUMNS = 10  # of neurons, side by side
NEURONS = 16  # of a layer
GROUPS, IN_GROUP = 12, 48  # of parameters, where there are no neurons to draw
LONGEST_NAME = 24


class TrainingStepper(Page):
    """What `training_stepper` makes: notebooks show it, `save` writes it as a page."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data, self.title = data, f"Training of {data['title']}"

    def __len__(self) -> int:
        """The number of epochs on the page."""
        return len(self._data["epochs"])

    def __repr__(self) -> str:
        return f"TrainingStepper({self._data['title']}, epochs 0 to {self._data['epochs'][-1]})"

    def html(self) -> str:
        """The element, for a page of one's own."""
        final = self._data["epochs"][-1]
        picture = image(still(self._data), f"{self._data['title']} after epoch {final}")
        return fragment("training_stepper", picture, self._data, package="nn")


def training_stepper(
    model: Module,
    history: History,
    X: Any,
    y: Sequence[Any],
    *,
    names: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    theme: str = "light",
) -> TrainingStepper:
    """A page to scrub through a training, epoch by epoch.

    It has the loss, the size of the gradients, the weights of the network (of a model without
    layers, its parameters as bars), and for a model with two inputs what it says everywhere in the
    plane. Of long trainings about 100 epochs are kept, evenly spread with the first and the last;
    of wide layers the first neurons. The page says so.

    Parameters
    ----------
    model : Module
        As it was trained; it is not changed.
    history : History
        With snapshots: of `fit(..., snapshots=True)`, or of calls of `record`.
    X, y : (n, d) and (n,) or (n, k)
        The samples to show and to count: -1 and +1 with one output, class indices or one-hot rows
        with several; any other numbers are shown without counting.
    names : sequence of str
        Of the inputs; x0, x1, ... when left out.
    classes : sequence of str
        Of the classes, in the order of their indices, or of -1 and +1.
    theme : {"light", "dark", "colorblind"}
        The colours.

    Returns
    -------
    TrainingStepper
        Notebooks show it; `.save("training.html")` writes it.

    Raises
    ------
    ValueError
        When the history has no snapshots or those of another model, X and y do not fit together,
        or there are not as many names as inputs or classes.

    Examples
    --------
    >>> from nn import MLP, SGD, fit, hinge, training_stepper, two_moons
    >>> X, y = two_moons(40, rng=0)
    >>> model = MLP(2, [8, 1], rng=0)
    >>> settings = dict(loss=hinge, optimizer=SGD(model.parameters(), lr=0.1), epochs=5)
    >>> history = fit(model, X, y, **settings, rng=0, progress=False, snapshots=True)
    >>> training_stepper(model, history, X, y)
    TrainingStepper(MLP(2 -> 8 relu -> 1 linear), 33 parameters, epochs 0 to 5)
    """
    colors = asdict(theme_of(theme))
    rows = matrix(X, "training_stepper: X")
    if len(rows) != len(y):
        raise DataError(f"training_stepper: X has {len(rows)} rows, y has {len(y)}")
    _check_snapshots(model, history)
    inputs = _named(names, [f"x{i}" for i in range(len(rows[0]))], "names", "inputs")
    frames = _frames(len(history.snapshots))
    moments = [history.snapshots[i].parameters for i in frames]
    fitting = _fitting(model, moments, rows, y, classes)
    weights, used = _weights(model, inputs, fitting.get("classes", []))
    fitting["shades"] = [number_shades()]
    if "classes" in fitting:
        fitting["classes"] = _marked(fitting["classes"], theme)
        fitting["shades"] = [color_shades(one["color"], theme) for one in fitting["classes"]]
    return TrainingStepper(
        {
            "title": _name_of(model),
            "colors": colors,
            "names": inputs,
            "epochs": frames,
            "loss": [_shown(history.snapshots[i].loss) for i in frames],
            "gradients": _gradients(history, frames),
            **fitting,
            **weights,
            "numbers": [[_shown(moment[i]) for i in used] for moment in moments],
        }
    )


def _name_of(model: Module) -> str:
    """What a model says of itself, without its address."""
    own = type(model).__repr__ is not object.__repr__
    return printable(repr(model) if own else type(model).__name__, 120)


def _check_snapshots(model: Module, history: History) -> None:
    if not history.snapshots:
        raise ValueError(
            "training_stepper: the history has no snapshots; train with fit(..., snapshots=True), "
            "or call history.record(model, loss) before training and after each epoch"
        )
    own, recorded = len(model.parameters()), len(history.snapshots[0].parameters)
    if own != recorded:
        raise ValueError(
            f"training_stepper: the model has {own} parameters, the snapshots have {recorded}; "
            "give the model that they were recorded of"
        )


def _named(given: Sequence[str] | None, standard: list[str], what: str, of: str) -> list[str]:
    """Names as they can be shown; those that were given, or the standard ones."""
    if given is None:
        return standard
    if isinstance(given, str) or len(given) != len(standard):
        raise ValueError(
            f"training_stepper: {what} must be a list of {len(standard)} texts, one for each of "
            f"the {of}; got {given!r}"
        )
    return [printable(str(name), LONGEST_NAME) for name in given]


def _frames(n: int) -> list[int]:
    """Which of n snapshots are shown."""
    if n <= FRAMES:
        return list(range(n))
    return [round(i * (n - 1) / (FRAMES - 1)) for i in range(FRAMES)]


def _shown(x: float | None) -> float | str | None:
    """A number to the digits that are shown, or as JSON can hold it."""
    if x is None or not math.isfinite(x):
        return None if x is None else number(x)
    digits = float(number(x)) + 0.0  # -0.0 + 0.0 is 0.0
    return digits if number(digits) == number(x + 0.0) else x


def _gradients(history: History, frames: Sequence[int]) -> dict[str, Any]:
    names = list(history.snapshots[0].gradients)
    shown = names[:GROUPS]
    return {
        "names": [_title(name) for name in shown],
        "sizes": [[_shown(history.snapshots[i].gradients[name]) for name in shown] for i in frames],
        "left_out": len(names) - len(shown),
    }


def _title(name: str) -> str:
    """A layer as pictures call it: "layers.0" is layer 0."""
    first, _, place = name.partition(".")
    return f"layer {place}" if first == "layers" and place else printable(name, LONGEST_NAME)


# --- what the model says ---------------------------------------------------------------


def _fitting(
    model: Module,
    moments: Sequence[Sequence[float]],
    rows: list[list[float]],
    y: Sequence[Any],
    classes: Sequence[str] | None,
) -> dict[str, Any]:
    """The samples, how many are right, and the plane where there are two inputs."""
    import numpy as np

    X = np.array(rows)
    flat = X.shape[1] == 2
    low, high, points = grid_over(X) if flat else ([], [], X[:0])
    outputs = list(outputs_at(model, moments, np.concatenate([X, points])))
    targets = targets_of(y, outputs[0].shape[1])
    if targets is None or targets.classes > 50:
        return {}
    found: dict[str, Any] = {"kind": targets.kind}
    of_samples = [out[: len(X)] for out in outputs]
    step = math.ceil(len(X) / SAMPLES)  # every so many samples are drawn
    if targets.kind != "numbers":
        standard = ["-1", "+1"] if targets.kind == "signs" else []
        standard = standard or [f"class {i}" for i in range(targets.classes)]
        found["classes"] = _named(classes, standard, "classes", "classes")
        found.update(_counted(targets, of_samples, step))
    if flat:
        plane = encoded(targets, [out[len(X) :] for out in outputs])
        shown = [[round(float(x), 4) for x in row] for row in X[::step]]
        found["plane"] = {"from": low, "to": high, "side": GRID, **plane}
        found["samples"] = {"X": shown, "y": targets.y[::step].tolist(), "of": len(X)}
    return found


def _marked(names: Sequence[str], theme: str) -> list[dict[str, str]]:
    """Each class with its colour and its mark; together they do not repeat soon."""
    return [
        {"name": name, "color": color(i, theme), "mark": MARKS[marker(i)]}
        for i, name in enumerate(names)
    ]


def _counted(
    targets: Targets, outputs: Sequence[np.ndarray[Any, Any]], step: int
) -> dict[str, Any]:
    """How many samples are right at each moment, and which of the drawn ones are wrong."""
    import numpy as np

    found = [right(targets, out) for out in outputs]
    return {
        "right": [int(one.sum()) for one in found],
        "total": len(targets.y),
        "wrong": [np.flatnonzero(~one[::step]).tolist() for one in found],
    }


# --- the parameters ---------------------------------------------------------------


def _weights(
    model: Module, inputs: Sequence[str], outputs: Sequence[str]
) -> tuple[dict[str, Any], list[int]]:
    """The network, or else groups of parameters, and which parameters those are.

    A parameter that is shown goes by its place among them.
    """
    places = {id(p): i for i, p in enumerate(model.parameters())}
    layers: Any = [model] if isinstance(model, Layer) else getattr(model, "layers", None)
    if _is_network(layers, len(inputs)) and len({*_parameters(layers)}) == len(places):
        found: Any = _network(layers, places)
        last = len(layers[-1].neurons)
        ends = list(outputs) if len(outputs) == last else [f"out {i}" for i in range(last)]
        found["outputs"] = ends if last > 1 else ["output"]
        kind = "network"
        used = [i for layer in found["layers"] for i in layer.pop("places")]
    else:
        found, used = _groups(model)
        kind = "groups"
    return {kind: found}, used


def _is_network(layers: Any, inputs: int) -> bool:
    """Whether these are layers, one after the other, few enough for a picture."""
    if not isinstance(layers, list | tuple) or not 0 < len(layers) < COLUMNS:
        return False
    for layer in layers:
        if not isinstance(layer, Layer) or len(layer.neurons[0].w) != inputs:
            return False
        inputs = len(layer.neurons)
    return True


def _parameters(layers: Sequence[Layer]) -> list[int]:
    return [id(p) for layer in layers for p in layer.parameters()]


def _network(layers: Sequence[Layer], places: dict[int, int]) -> dict[str, Any]:
    """Each layer with the neurons that are drawn; `places` are their weights, then the bias."""
    widths = [len(layers[0].neurons[0].w), *(len(layer.neurons) for layer in layers)]
    most = next(m for m in range(NEURONS, 0, -1) if _edges(widths, m) <= EDGES or m == 1)
    drawn = [min(width, most) for width in widths]
    return {
        "sizes": widths,
        "drawn": drawn,
        "layers": [
            {
                "activation": printable(layer.neurons[0].activation, LONGEST_NAME),
                "bias": layer.neurons[0].b is not None,
                "places": [
                    places[id(p)]
                    for neuron in layer.neurons[:n]
                    for p in (*neuron.w[:before], *([] if neuron.b is None else [neuron.b]))
                ],
            }
            for layer, before, n in zip(layers, drawn, drawn[1:], strict=False)
        ],
    }


def _edges(widths: Sequence[int], most: int) -> int:
    drawn = [min(width, most) for width in widths]
    return sum([a * b for a, b in itertools.pairwise(drawn)])


def _groups(model: Module) -> tuple[list[dict[str, Any]], list[int]]:
    """The parameters of each layer in the widest sense, the first ones of many."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for i, (name, _) in enumerate(model.named_parameters()):
        groups.setdefault(layer_of(name), []).append((i, name))
    shown = list(groups.items())[:GROUPS]
    parts = [
        {
            "title": _title(title),
            "size": len(members),
            "names": [
                printable(name.removeprefix(f"{title}."), LONGEST_NAME)
                for _, name in members[:IN_GROUP]
            ],
        }
        for title, members in shown
    ]
    return parts, [i for _, members in shown for i, _ in members[:IN_GROUP]]
