"""fit and the scores: reproducible, honest about bad input, good enough on real data."""

from __future__ import annotations

import math
import random
import statistics
from typing import Any

import pytest

from autograd_engine import Value
from nn import (
    MLP,
    SGD,
    History,
    Module,
    accuracy,
    fit,
    half_squared_error,
    hinge,
    iris,
    one_hot,
    r_squared,
    softmax_cross_entropy,
    squared_error,
    standardize,
    train_test_split,
    two_moons,
)

X = [[0.0, 1.0], [1.0, 0.5], [-1.0, 2.0], [0.5, -1.5], [2.0, 0.0]]
Y = [1, -1, 1, -1, 1]


def network() -> MLP:
    return MLP(2, [3, 1], activation="tanh", rng=0)


def train(model: Module, **changes: Any) -> History:
    optimizer = SGD(model.parameters(), lr=changes.pop("lr", 0.1), momentum=0.5)
    settings = {"loss": squared_error, "epochs": 5, "rng": 0, "progress": False, **changes}
    rows, targets = settings.pop("X", X), settings.pop("y", Y)
    return fit(model, rows, targets, optimizer=optimizer, **settings)


def weights_of(model: Module) -> list[float]:
    return [p.data for p in model.parameters()]


# --- what fit does ---------------------------------------------------------------


def test_loss_decreases_and_history_has_one_entry_per_epoch() -> None:
    history = train(network(), epochs=100)
    assert len(history.loss) == 100
    assert history.loss[-1] < 0.9 * history.loss[0]


def test_first_entry_of_the_history_is_the_mean_loss_before_training() -> None:
    losses = [squared_error(network()(x), t).data for x, t in zip(X, Y, strict=True)]
    assert train(network()).loss[0] == pytest.approx(math.fsum(losses) / len(X), rel=1e-14)


@pytest.mark.parametrize("batch_size", [None, 2])
def test_same_seed_gives_the_same_history_and_weights(batch_size: int | None) -> None:
    first, second = network(), network()
    one, two = (train(model, batch_size=batch_size) for model in (first, second))
    assert one == two
    assert weights_of(first) == weights_of(second)


def test_another_seed_visits_the_batches_in_another_order() -> None:
    assert train(network(), batch_size=2).loss != train(network(), batch_size=2, rng=1).loss


def test_seed_and_generator_with_that_seed_agree() -> None:
    seeded = train(network(), batch_size=2, rng=3)
    assert seeded == train(network(), batch_size=2, rng=random.Random(3))


def test_without_rng_the_random_module_decides() -> None:
    random.seed(3)
    first = train(network(), batch_size=2, rng=None)
    random.seed(3)
    assert train(network(), batch_size=2, rng=None) == first


@pytest.mark.parametrize("batch_size", [None, 5, 99])
def test_a_batch_of_all_samples_is_one_step_along_the_full_gradient(batch_size: int | None) -> None:
    model, reference = network(), network()
    train(model, epochs=1, batch_size=batch_size)
    total = Value(0.0)
    for x, target in zip(X, Y, strict=True):
        total = total + squared_error(reference(x), target)
    (total / len(X)).backward()
    expected = [p.data - 0.1 * p.grad for p in reference.parameters()]
    assert weights_of(model) == pytest.approx(expected, rel=1e-12)


class Counter:
    def __init__(self) -> None:
        self.steps = 0

    def zero_grad(self) -> None:
        pass

    def step(self) -> None:
        self.steps += 1


@pytest.mark.parametrize(("batch_size", "steps"), [(None, 1), (1, 5), (2, 3), (4, 2), (5, 1)])
def test_every_batch_makes_one_step_the_last_may_be_smaller(
    batch_size: int | None, steps: int
) -> None:
    counter = Counter()
    fit(
        network(),
        X,
        Y,
        loss=hinge,
        optimizer=counter,
        epochs=3,
        batch_size=batch_size,
        rng=0,
        progress=False,
    )
    assert counter.steps == 3 * steps


def test_inputs_and_targets_stay_as_they_are() -> None:
    rows, targets = [list(x) for x in X], list(Y)
    train(network(), X=rows, y=targets)
    assert (rows, targets) == (X, Y)


@pytest.mark.parametrize("targets", [[0, 1, 0, 1, 2], one_hot([0, 1, 0, 1, 2])])
def test_targets_may_be_class_indices_or_rows(targets: Any) -> None:
    model = MLP(2, [3], rng=0)
    history = train(model, loss=softmax_cross_entropy, y=targets, epochs=10)
    assert history.loss[-1] < history.loss[0]


def test_numpy_arrays_train_like_lists() -> None:
    numpy = pytest.importorskip("numpy")
    assert train(network(), X=numpy.array(X), y=numpy.array(Y)) == train(network())


def test_linear_model_finds_the_line() -> None:
    model = MLP.from_weights([[[0.0]]], [[0.0]])
    train(model, X=[[0.0], [1.0], [2.0]], y=[1.0, 3.0, 5.0], loss=half_squared_error, epochs=400)
    assert weights_of(model) == pytest.approx([2.0, 1.0], abs=1e-6)


# --- snapshots ---------------------------------------------------------------


def mean_loss(model: Module) -> Value:
    losses = [squared_error(model(x), t) for x, t in zip(X, Y, strict=True)]
    total = sum(losses[1:], losses[0]) / len(X)
    assert isinstance(total, Value)
    return total


def test_without_being_asked_nothing_is_recorded() -> None:
    assert train(network()).snapshots == []


@pytest.mark.parametrize("batch_size", [None, 2])
def test_snapshots_do_not_change_the_training(batch_size: int | None) -> None:
    watched, alone = network(), network()
    history = train(watched, batch_size=batch_size, snapshots=True)
    assert history.loss == train(alone, batch_size=batch_size).loss
    assert weights_of(watched) == weights_of(alone)


def test_snapshots_begin_before_training_and_end_with_the_model() -> None:
    model = network()
    before = weights_of(model)
    history = train(model, epochs=3, batch_size=2, snapshots=True)
    assert len(history.snapshots) == 4
    assert list(history.snapshots[0].parameters) == before
    assert list(history.snapshots[-1].parameters) == weights_of(model)
    assert len({tuple(s.parameters) for s in history.snapshots}) == 4


def test_each_snapshot_has_the_loss_and_gradient_of_its_own_parameters() -> None:
    history = train(network(), epochs=3, batch_size=2, snapshots=True)
    for snapshot in history.snapshots:
        model = network()
        for parameter, number in zip(model.parameters(), snapshot.parameters, strict=True):
            parameter.data = number
        loss = mean_loss(model)
        loss.backward()
        assert snapshot.loss == pytest.approx(loss.data, rel=1e-13)
        sizes = {
            f"layers.{i}": math.sqrt(statistics.fmean(p.grad * p.grad for p in layer.parameters()))
            for i, layer in enumerate(model.layers)
        }
        assert snapshot.gradients == pytest.approx(sizes, rel=1e-12)


def test_snapshots_of_the_same_seed_are_the_same() -> None:
    assert train(network(), snapshots=True) == train(network(), snapshots=True)


def test_parameters_that_do_not_move_have_the_gradient_of_the_moment_too() -> None:
    model, whole = network(), network()
    optimizer = SGD(model.layers[1].parameters(), lr=0.0)
    settings = {"loss": squared_error, "epochs": 3, "rng": 0, "progress": False}
    history = fit(model, X, Y, optimizer=optimizer, snapshots=True, batch_size=2, **settings)  # type: ignore[arg-type]
    mean_loss(whole).backward()
    expected = math.sqrt(statistics.fmean(p.grad * p.grad for p in whole.layers[0].parameters()))
    for snapshot in history.snapshots:
        assert snapshot.gradients["layers.0"] == pytest.approx(expected, rel=1e-12)


def test_a_loop_of_ones_own_records_with_one_call() -> None:
    model, history = network(), History()
    history.record(model)
    loss = mean_loss(model)
    loss.backward()
    history.record(model, loss)
    history.record(model, 0.25)
    assert [s.loss for s in history.snapshots] == [None, loss.data, 0.25]
    assert set(history.snapshots[0].gradients.values()) == {0.0}
    assert all(size > 0.0 for size in history.snapshots[1].gradients.values())


def test_a_snapshot_takes_eight_bytes_for_each_parameter_and_stays_as_it_is() -> None:
    model, history = network(), History()
    history.record(model)
    numbers = history.snapshots[0].parameters
    before = list(numbers)
    assert numbers.itemsize == 8
    model.parameters()[0].data = 7.0
    assert list(numbers) == before


def test_a_history_is_of_one_model() -> None:
    history = History()
    history.record(network())
    with pytest.raises(ValueError, match="has 3 parameters, expected 13"):
        history.record(MLP(2, [1]))
    with pytest.raises(ValueError, match="has 0 parameters, expected 1"):
        History().record(Module())


def test_layers_go_by_the_path_of_their_parameters() -> None:
    class Nested(Module):
        def __init__(self) -> None:
            self.first = MLP(2, [2, 1], rng=0)
            self.scale, self.table = Value(1.0), [[Value(1.0)], [Value(2.0)]]
            self.named = {"a": Value(1.0), "b": Value(2.0)}

    history = History()
    history.record(Nested())
    layers = list(history.snapshots[0].gradients)
    assert layers == ["first.layers.0", "first.layers.1", "scale", "table", "named"]


# --- trouble ---------------------------------------------------------------


def test_nan_loss_raises_and_keeps_the_parameters() -> None:
    model = network()
    before = weights_of(model)
    with pytest.raises(FloatingPointError, match=r"the loss became nan in epoch 0"):
        train(model, loss=lambda output, target: output * math.nan)
    assert weights_of(model) == before


def test_diverging_training_raises_and_leaves_finite_parameters() -> None:
    model = MLP(2, [1], rng=0)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        train(model, lr=1e6, epochs=1000)
    assert all(map(math.isfinite, weights_of(model)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": []}, "X is empty"),
        ({"X": [], "y": []}, "X is empty"),
        ({"X": X[:-1]}, "X has 4 rows, y has 5"),
        ({"y": Y[:-1]}, "X has 5 rows, y has 4"),
        ({"X": [*X[:-1], [1.0]]}, "row 4 has 1 numbers, row 0 has 2"),
        ({"X": [*X[:-1], [1.0, math.nan]]}, "row 4, column 1: nan is not a finite number"),
        ({"X": [*X[:-1], ["a", 1.0]]}, "row 4, column 0: 'a' is not a number"),
        ({"X": [1.0, 2.0, 3.0, 4.0, 5.0]}, "must have rows"),
        ({"X": [[1.0]] * 5}, "expected 2 inputs, got 1"),
        ({"y": [*Y[:-1], math.nan]}, "target 4.*nan is not a finite number"),
        ({"y": [*Y[:-1], math.inf]}, "target 4.*inf is not a finite number"),
        ({"y": [*Y[:-1], "a"]}, "target 4.*'a'"),
        ({"y": [*Y[:-1], None]}, "target 4.*None is not a number"),
        ({"y": [[1.0], *Y[1:-1], [1.0, 2.0]]}, "1 outputs but 2 targets"),
        ({"y": [*Y[:-1], 0], "loss": hinge}, r"must be -1 or \+1"),
        ({"loss": softmax_cross_entropy}, "one output per class"),
        ({"epochs": 0}, "epochs=0"),
        ({"epochs": -1}, "epochs=-1"),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
def test_bad_input_is_refused_with_its_place(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(network(), **changes)


def test_bad_rows_are_found_before_the_first_step() -> None:
    model = network()
    before = weights_of(model)
    with pytest.raises(ValueError, match="target 4"):
        train(model, y=[*Y[:-1], math.nan], batch_size=1)
    assert weights_of(model) == before


# --- progress ---------------------------------------------------------------


def test_progress_bar_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    train(network(), epochs=3, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err
    assert "loss=" in err


def test_nothing_is_printed_without_progress(capsys: pytest.CaptureFixture[str]) -> None:
    train(network())
    assert capsys.readouterr() == ("", "")


# --- scores ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("outputs", "targets", "share"),
    [
        ([0.5, -2.0, 0.1, -0.1], [1, -1, -1, 1], 0.5),
        ([3.0], [1], 1.0),
        ([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], [1, 0, 0, 0], 0.75),
        ([[0.1, 0.9], [0.8, 0.2]], [[0, 1], [0, 1]], 0.5),
    ],
)
def test_accuracy(outputs: Any, targets: Any, share: float) -> None:
    assert accuracy(outputs, targets) == share


def test_accuracy_of_numpy_targets() -> None:
    numpy = pytest.importorskip("numpy")
    assert accuracy([[0.0, 1.0], [1.0, 0.0]], numpy.array([1, 1])) == 0.5


@pytest.mark.parametrize(
    ("outputs", "targets"),
    [
        ([], []),
        ([1.0], [1, 1]),
        ([1.0], [0]),
        ([1.0], [2]),
        ([1.0], ["a"]),
        ([[0.0, 1.0]], ["a"]),
        ([[0.0, 1.0]], [2]),
        ([[0.0, 1.0]], [-1]),
        ([[0.0, 1.0]], [0.5]),
        ([[0.0, 1.0]], [[0, 0, 1]]),
    ],
)
def test_accuracy_refuses_targets_of_another_form(outputs: Any, targets: Any) -> None:
    with pytest.raises(ValueError, match="accuracy: "):
        accuracy(outputs, targets)


def test_r_squared_is_one_for_perfect_and_zero_for_the_mean() -> None:
    targets = [1.0, 2.0, 6.0]
    assert r_squared(targets, targets) == 1.0
    assert r_squared([3.0, 3.0, 3.0], targets) == 0.0
    assert r_squared([2.0, 2.0, 2.0], targets) == pytest.approx(1.0 - 17.0 / 14.0)


def test_r_squared_of_equal_targets_is_nan() -> None:
    assert math.isnan(r_squared([1.0, 2.0], [3.0, 3.0]))


def test_r_squared_of_huge_errors_does_not_raise() -> None:
    assert r_squared([1e200, 0.0], [1.0, 2.0]) == -math.inf


@pytest.mark.parametrize(("outputs", "targets"), [([], []), ([1.0], [1.0, 2.0])])
def test_r_squared_refuses_other_lengths(outputs: Any, targets: Any) -> None:
    with pytest.raises(ValueError, match="r_squared: "):
        r_squared(outputs, targets)


# --- real data ---------------------------------------------------------------


def iris_accuracy(seed: int) -> float:
    data = iris()
    X_train, X_test, y_train, y_test = train_test_split(data.X, data.y, rng=seed)
    rows, scaling = standardize(X_train)
    model = MLP(4, [8, 3], activation="tanh", rng=seed)
    train(model, X=rows, y=y_train, loss=softmax_cross_entropy, epochs=40, batch_size=8, rng=seed)
    return accuracy(model.predict(scaling(X_test)), y_test)


def moons_accuracy(seed: int) -> float:
    rows, labels = two_moons(200, noise=0.1, rng=seed)
    X_train, X_test, y_train, y_test = train_test_split(rows, labels, rng=seed)
    model = MLP(2, [16, 1], activation="tanh", rng=seed)
    train(model, X=X_train, y=y_train, loss=hinge, lr=0.2, epochs=40, batch_size=16, rng=seed)
    return accuracy(model.predict(X_test), y_test)


def test_iris_is_learned() -> None:
    assert statistics.median(map(iris_accuracy, range(5))) >= 0.93


def test_moons_are_learned() -> None:
    assert statistics.median(map(moons_accuracy, range(5))) >= 0.97
