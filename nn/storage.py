"""Models as JSON: plain data, readable by anybody; loading runs no code from the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nn.layers import MLP

__all__ = ["load", "save"]

_FORMAT = "autograd_engine.nn MLP, version 1"


def save(model: MLP, path: str | Path, **notes: Any) -> Path:
    """Write an MLP, exactly, with `notes` (names, scaling, anything JSON can hold) beside it.

    Raises
    ------
    TypeError
        When the model is not an MLP, or a note is not plain data. Nothing is written then.
    ValueError
        When hidden layers differ in activation, or one is a function that a file cannot name.
    """
    if not isinstance(model, MLP):
        raise TypeError(f"save: expected an MLP, got {type(model).__name__}")
    document = {"format": _FORMAT, "model": _describe(model), "notes": notes}
    text = json.dumps(document, indent=1)
    path = Path(path)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def load(path: str | Path) -> tuple[MLP, dict[str, Any]]:
    """The MLP and the notes that `save` wrote.

    Raises
    ------
    ValueError
        When the file is something else.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if document["format"] != _FORMAT:
            raise ValueError(f"its format is {document['format']!r}")
        return MLP.from_weights(**document["model"]), dict(document["notes"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: not a model saved by nn.save: {error}") from None


def _describe(model: MLP) -> dict[str, Any]:
    """The arguments of `MLP.from_weights`."""
    neurons = [layer.neurons for layer in model.layers]
    activations = [{neuron.activation for neuron in layer} for layer in neurons]
    hidden = set().union(*activations[:-1]) or set(activations[-1])
    if "custom" in hidden | activations[-1]:
        raise ValueError("save: an activation is a function of yours; use a named one")
    if len(hidden) > 1 or len(activations[-1]) > 1:
        raise ValueError("save: the hidden layers differ in activation")
    biases = [
        [neuron.b.data for neuron in layer if neuron.b is not None] or None for layer in neurons
    ]
    return {
        "weights": [[[w.data for w in neuron.w] for neuron in layer] for layer in neurons],
        "biases": biases if any(biases) else None,
        "activation": hidden.pop(),
        "output": activations[-1].pop(),
    }
