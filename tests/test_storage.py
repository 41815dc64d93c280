"""save and load: exact, plain data, and nothing half-written."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from autograd_engine import Value
from nn import MLP, Layer, Neuron, load, save

PATH = Path("model.json")


def round_trip(model: MLP, **notes: Any) -> tuple[MLP, dict[str, Any]]:
    save(model, PATH, **notes)
    return load(PATH)


def tanh(z: Value) -> Value:
    """Not the engine's tanh, but of the same name."""
    return 2 * z


# --- round trip ---------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        MLP(3, [5, 4, 2], rng=0),
        MLP(2, [4, 1], activation="tanh", output="sigmoid", rng=1),
        MLP(2, [3, 1], bias=False, rng=2),
        MLP(2, [3, 3, 1], activation="linear", rng=3),
        MLP(2, [1], rng=4),
        MLP(2, [3], activation="tanh", output="sigmoid", rng=5),
        MLP.from_weights([[[0.1 + 0.2, 5e-324]], [[-1.7976931348623157e308]]], [[-0.0], [1e-17]]),
    ],
    ids=repr,
)
def test_loaded_model_is_exactly_the_saved_one(model: MLP) -> None:
    again, _ = round_trip(model)
    assert repr(again) == repr(model)
    assert [(n, p.data.hex()) for n, p in again.named_parameters()] == [
        (n, p.data.hex()) for n, p in model.named_parameters()
    ]
    X = [[0.3] * len(model.layers[0].neurons[0].w)]
    assert again.predict(X) == model.predict(X)


def test_biases_in_only_some_layers_survive() -> None:
    model = MLP.from_weights([[[2.0]], [[3.0]]], [[0.5], [0.25]])
    model.layers[1].neurons[0].b = None
    again, _ = round_trip(model)
    assert again.predict([[1.0]]) == model.predict([[1.0]])


def test_nan_and_infinite_weights_survive() -> None:
    again, _ = round_trip(MLP.from_weights([[[math.nan, math.inf]], [[1.0]]]))
    first, second, _ = (p.data for p in again.parameters())
    assert math.isnan(first)
    assert second == math.inf


def test_notes_come_back_beside_the_model() -> None:
    notes = {"inputs": ["a", "größe"], "scale": [1.5], "classes": None, "deep": {"x": [1, True]}}
    assert round_trip(MLP(1, [1, 1], rng=0), **notes)[1] == notes


def test_save_returns_the_path_and_writes_json() -> None:
    assert save(MLP(1, [2, 1], rng=0), "other.json") == Path("other.json")
    assert set(json.loads(Path("other.json").read_text(encoding="utf-8"))) == {
        "format",
        "model",
        "notes",
    }


def test_loaded_model_trains_on() -> None:
    again, _ = round_trip(MLP(1, [2, 1], activation="tanh", rng=0))
    again([1.0]).backward()
    assert all(p.grad != 0.0 for p in again.parameters())


# --- what cannot be saved ---------------------------------------------------------------


@pytest.mark.parametrize("model", [Neuron(1, rng=0), Layer(1, 1, rng=0), None])
def test_only_networks_are_saved(model: Any) -> None:
    with pytest.raises(TypeError, match="expected an MLP"):
        save(model, PATH)
    assert not PATH.exists()


@pytest.mark.parametrize("activation", [lambda z: z * z, tanh])
def test_activation_that_a_file_cannot_name_is_refused(activation: Any) -> None:
    for model in (
        MLP(1, [2, 1], activation=activation, rng=0),
        MLP(1, [2, 1], output=activation, rng=0),
    ):
        with pytest.raises(ValueError, match="is a function of yours"):
            save(model, PATH)
    assert not PATH.exists()


def test_hidden_layers_that_differ_in_activation_are_refused() -> None:
    model = MLP(1, [2, 2, 1], rng=0)
    model.layers[1] = Layer(2, 2, activation="tanh", rng=0)
    with pytest.raises(ValueError, match="differ in activation"):
        save(model, PATH)
    assert not PATH.exists()


def test_notes_that_are_no_plain_data_leave_an_older_file_as_it_was() -> None:
    save(MLP(1, [1, 1], rng=0), PATH)
    before = PATH.read_bytes()
    with pytest.raises(TypeError):
        save(MLP(1, [1, 1], rng=1), PATH, note=object())
    assert PATH.read_bytes() == before


# --- what cannot be loaded ---------------------------------------------------------------


def document(**changes: Any) -> str:
    save(MLP(1, [1, 1], bias=False, rng=0), PATH)
    content = json.loads(PATH.read_text(encoding="utf-8"))
    content["model"] |= changes
    return json.dumps(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"3",
        b"{}",
        b'{"format": "something else"}',
        b'{"format": "autograd_engine.nn MLP, version 1"}',
        b"[" * 100_000,
    ],
)
def test_other_files_are_refused_by_name(content: bytes) -> None:
    PATH.write_bytes(content)
    with pytest.raises(ValueError, match=r"^model\.json: not a model saved by nn\.save"):
        load(PATH)


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": []},
        {"weights": 3},
        {"weights": [[[]]]},
        {"weights": [[["a"]]]},
        {"weights": [[[1.0], [1.0, 2.0]]]},
        {"weights": [[[1.0]], [[1.0, 2.0]]]},
        {"biases": [[0.0]]},
        {"biases": [[0.0, 0.0], [0.0]]},
        {"biases": [3, [0.0]]},
        {"output": "draw"},
        {"output": "__import__"},
        {"output": 3},
        {"extra": 1},
    ],
    ids=str,
)
def test_damaged_models_are_refused(changes: dict[str, Any]) -> None:
    PATH.write_text(document(**changes), encoding="utf-8")
    with pytest.raises(ValueError, match="not a model saved by"):
        load(PATH)


def test_missing_file_is_an_ordinary_error() -> None:
    with pytest.raises(FileNotFoundError):
        load("nowhere.json")
