"""One experiment on a table: train a network, score it, and write what came out."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograd_engine import Value, draw, draw_dot, named_scope, no_grad
from nn.data import DataError, Dataset, Scaling, standardize, train_test_split
from nn.layers import MLP
from nn.losses import half_squared_error, softmax_cross_entropy
from nn.optimizers import SGD
from nn.plots import decision_boundary, loss_curve
from nn.storage import save
from nn.training import History, accuracy, fit, r_squared

__all__ = ["Settings", "run"]

FILES = ("decision.png", "graph.png", "graph.svg", "loss.png", "model.json")
READABLE_VALUES = 60  # a picture of more values than this is folded by layer


@dataclass(frozen=True)
class Settings:
    """How to train: one field per option of the command line."""

    layers: tuple[int, ...] = (16, 16)
    epochs: int = 60
    batch_size: int = 16
    learning_rate: float = 0.02
    momentum: float = 0.9
    test_size: float = 0.25
    seed: int = 0


@dataclass(frozen=True)
class Task:
    """What regression and classification do differently."""

    outputs: int
    loss: Callable[[Any, Any], Value]
    score_name: str
    score: Callable[[Sequence[Any], Sequence[Any]], float]
    scaling: Scaling  # of the target; a class index stays what it is

    def scaled(self, y: Sequence[float]) -> list[float]:
        """Targets as the network learns them."""
        return [x for (x,) in self.scaling([[t] for t in y])]

    def unscaled(self, outputs: list[Any]) -> list[Any]:
        """Outputs of the network in the units of the table."""
        if self.outputs > 1:
            return outputs
        return [x * self.scaling.scale[0] + self.scaling.mean[0] for x in outputs]


def task_of(data: Dataset, y_train: Sequence[float]) -> Task:
    """Classification for a target of text, else regression on the standardized target."""
    if data.classes is not None:
        identity = Scaling([0.0], [1.0])
        return Task(len(data.classes), softmax_cross_entropy, "accuracy", accuracy, identity)
    _, scaling = standardize([[t] for t in y_train])
    return Task(1, half_squared_error, "R^2", r_squared, scaling)


@dataclass(frozen=True)
class Trained:
    """A network with all that is needed to use it on the table's own numbers."""

    model: MLP
    data: Dataset
    task: Task
    scaling: Scaling
    history: History

    def predict(self, X: list[list[float]]) -> list[Any]:
        """Outputs for rows of the table."""
        return self.task.unscaled(self.model.predict(self.scaling(X)))

    def loss_of(self, x: Sequence[Any], target: float) -> Value:
        """The loss of one sample that is already scaled."""
        output = self.model(x)
        with named_scope("loss"):
            return self.task.loss(output, target)


def run(data: Dataset, settings: Settings, out: Path) -> None:
    """Train on a table, print the scores, and put all files into `out`, or none of them.

    The files: model.json, loss.png, graph.svg, graph.png, and for two inputs decision.png.

    Raises
    ------
    DataError
        When the rows do not suffice, or `out` is a file.
    FloatingPointError
        When the training diverges.
    """
    _check_writable(out)
    trained = _train(data, settings)
    with tempfile.TemporaryDirectory() as folder:
        _write(trained, Path(folder))
        written = sorted(file.name for file in Path(folder).iterdir())
        out.mkdir(parents=True, exist_ok=True)
        for name in written:
            shutil.copyfile(Path(folder) / name, out / name)
        for name in set(FILES).difference(written):  # an earlier run's: of another model
            (out / name).unlink(missing_ok=True)
    print(f"wrote {', '.join(written)} into {out}")


def _check_writable(out: Path) -> None:
    """Fail before the training, not after it."""
    if out.is_dir():
        for name in FILES:
            if (out / name).is_dir():
                raise DataError(f"{out / name}: is a directory where a file is to be written")
    existing = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not existing.is_dir():
        raise DataError(f"{existing}: exists and is not a directory")
    if not os.access(existing, os.W_OK):
        raise DataError(f"{existing}: no permission to write there")
    draw_dot(Value(0.0)).pipe()  # is there an engine for the pictures?


def _train(data: Dataset, settings: Settings) -> Trained:
    if data.left_out:
        print(f"columns left out, because they hold text: {', '.join(data.left_out)}")
    X_train, X_test, y_train, y_test = train_test_split(
        data.X, data.y, settings.test_size, rng=settings.seed
    )
    task = task_of(data, y_train)
    kind = f"{len(data.classes)} classes" if data.classes else "numbers, so this is a regression"
    print(f"target {data.target}: {kind}")
    rows, scaling = standardize(X_train)
    layers = [*settings.layers, task.outputs]
    model = MLP(len(data.inputs), layers, activation="tanh", rng=settings.seed)
    print(f"{model}; {len(X_train)} rows to train, {len(X_test)} to test")
    history = fit(
        model,
        rows,
        task.scaled(y_train),
        loss=task.loss,
        optimizer=SGD(model.parameters(), settings.learning_rate, momentum=settings.momentum),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        rng=settings.seed,
    )
    trained = Trained(model, data, task, scaling, history)
    for name, X, y in (("train", X_train, y_train), ("test", X_test, y_test)):
        score = task.score(model.predict(scaling(X)), task.scaled(y))
        shown = "undefined, all targets are equal" if math.isnan(score) else f"{score:.3f}"
        print(f"{name} {task.score_name}: {shown}")
    return trained


def _write(trained: Trained, folder: Path) -> None:
    data = trained.data
    save(
        trained.model,
        folder / "model.json",
        inputs=data.inputs,
        target=data.target,
        classes=data.classes,
        input_scaling=trained.scaling._asdict(),
        target_scaling=trained.task.scaling._asdict(),
    )
    curve = loss_curve(trained.history.loss, title=f"training loss, {data.target}")
    curve.savefig(folder / "loss.png")
    _draw_hardest(trained, folder)
    if len(data.inputs) == 2:
        plane = decision_boundary(
            trained.predict,
            data.X,
            data.y,
            names=data.inputs,
            classes=data.classes,
            title=data.target,
        )
        plane.savefig(folder / "decision.png")


def _draw_hardest(trained: Trained, folder: Path) -> None:
    """The graph of the sample with the largest loss: there the gradients still say something."""
    data = trained.data
    samples = list(zip(trained.scaling(data.X), trained.task.scaled(data.y), strict=True))
    with no_grad():
        numbers, target = max(samples, key=lambda sample: trained.loss_of(*sample).data)
    x = [Value(number, label=name) for number, name in zip(numbers, data.inputs, strict=True)]
    loss = trained.loss_of(x, target)
    loss.label = "loss"
    trained.model.zero_grad()
    loss.backward()
    for name in ("graph.svg", "graph.png"):
        draw(loss, folder / name, max_nodes=READABLE_VALUES)
