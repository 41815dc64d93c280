"""How fast is compiled scalar code, against NumPy by hand, PyTorch, `jax.jit` and CasADi?

A value and its gradient, in float64 and on one core, all sides in turn in one process after they
agreed: MLP(2, [16, 16, 1]) on moons with the hinge loss and L2, from 1 sample to 10,000; a network
on digits; the fit of an ODE; a mixture of Gaussians. No side updates parameters, but in the rows
that say so. Then what it costs to compile, by the length of the program too, and to call
(compiled_costs.py).

Each time is the median of several runs, and a run is a loop of at least 20 ms. Peers get their data
once and in their own arrays. A bar is the ratio, or the time, that issue 6 asks for.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from tests.benchmarks import compiled_costs, compiled_models, compiled_networks
from tests.benchmarks.compiled_networks import Network, of_moons
from tests.benchmarks.compiled_sides import (
    Side,
    Sides,
    against,
    comparison,
    on_one_core,
    seconds,
)
from tests.benchmarks.measuring import (
    Row,
    Settings,
    imported,
    in_fresh_process,
    progress,
    script,
    version,
)

PEERS = ("numpy", "torch", "jax", "casadi", "micrograd")
ACTIVATIONS = ("relu", "tanh")
SMALL = {"NumPy by hand": 1 / 3, "jax.jit": 1 / 3, "jax.jit, one vector": 1 / 3, "PyTorch": 1 / 3}
MIDDLE = SMALL | dict.fromkeys(("NumPy by hand", "jax.jit", "jax.jit, one vector"), 1 / 1.5)
BARS: Mapping[int, Mapping[str, float]] = {
    1: SMALL,
    10: SMALL,
    100: MIDDLE | {"PyTorch": 1 / 5, "micrograd": 1 / 4000},
    10_000: {"jax.jit": 1.0, "jax.jit, one vector": 1.0},
}


# Networks.


def moons_sides(network: Network) -> dict[str, Side | None]:
    """All sides but micrograd's."""
    return {
        "ours": compiled_networks.ours(network),
        "ours, one vector": compiled_networks.ours(network, one_vector=True),
        "NumPy by hand": compiled_networks.by_hand(network),
        "jax.jit": compiled_networks.jit(network),
        "jax.jit, one vector": compiled_networks.jit(network, one_vector=True),
        "PyTorch": compiled_networks.pytorch(network),
        "CasADi": compiled_networks.casadi(network),
    }


def by_batch(settings: Settings) -> Iterator[Row]:
    """Value and gradient for each batch, ReLU and tanh."""
    batches = [1, 10] if settings.quick else [1, 10, 100, 1_000, 10_000]
    of_micrograd = settings.size(100, 10)
    for activation, n in itertools.product(ACTIVATIONS, batches):
        network = of_moons(n, activation)
        sides = moons_sides(network)
        if activation == "relu" and n == of_micrograd:  # it has no tanh
            gc.collect()
            sides["micrograd"] = compiled_networks.micrograd(network)
        question = f"moons, {activation}, batch {n:,}: value and gradient"
        yield from comparison(question, sides, settings, BARS.get(n))


def beside_itself(settings: Settings) -> Iterator[Row]:
    """The decorated loss against the functional form, and that against the value alone."""
    for activation in ACTIVATIONS:
        network = of_moons(settings.size(100, 10), activation)
        sides = {"ours": compiled_networks.decorated(network)}
        sides["functional form"] = compiled_networks.ours(network)
        question = f"moons, {activation}, batch {len(network.X)}: decorated loss, then backward"
        yield from comparison(question, sides, settings, {"functional form": 1.5})
    for activation, n in itertools.product(ACTIVATIONS, [10] if settings.quick else [100, 10_000]):
        network = of_moons(n, activation)
        question = f"moons, {activation}, batch {n:,}: value and gradient"
        progress(f"compiled: {question}, against the value")
        works = {"both": compiled_networks.ours(network).run}
        works["value"] = compiled_networks.value_alone(network)
        times = seconds(works, settings)
        yield against(question, times["both"], "ours, value alone", times["value"], 3.0)


def stepped(sides: Sides) -> Sides:
    """The sides with an update of the parameters in what is timed."""
    return {name: Side(s.step, s.numbers) if s and s.step else None for name, s in sides.items()}


def steps(settings: Settings) -> Iterator[Row]:
    """Value, gradient and update; the sides must agree after one step too."""
    for activation in ACTIVATIONS:
        network = of_moons(settings.size(100, 10), activation)
        sides = moons_sides(network)
        del sides["CasADi"]
        if activation == "relu":
            sides["micrograd"] = compiled_networks.micrograd(network)
        sides["ours, decorated"] = compiled_networks.decorated(network)
        question = f"moons, {activation}, batch {len(network.X)}: step with update"
        with_update = stepped(sides)
        for side in filter(None, with_update.values()):
            side.run()
        yield from comparison(question, with_update, settings)


def digits(settings: Settings) -> Iterator[Row]:
    """A network 64-32-10 with a cross entropy, 32 samples: of scikit-learn's digits, or random."""
    rng = np.random.default_rng(0)
    sizes, n = (64, 32, 10), settings.size(32, 8)
    X, labels = rng.uniform(0.0, 1.0, (n, 64)), rng.integers(0, 10, n)
    name = "random data like digits"
    if datasets := imported("sklearn.datasets"):
        images = datasets.load_digits()
        X, labels, name = images.data[:n] / 16.0, images.target[:n], "digits"
    arrays = []
    for inputs, outputs in itertools.pairwise(sizes):
        arrays += [rng.uniform(-1, 1, (outputs, inputs)) / inputs**0.5, rng.uniform(-1, 1, outputs)]
    for activation in ACTIVATIONS:
        network = Network(arrays, X, np.eye(10)[labels], activation)
        sides = {
            "ours": compiled_networks.ours(network),
            "NumPy by hand": compiled_networks.by_hand(network),
            "jax.jit": compiled_networks.jit(network),
            "PyTorch": compiled_networks.pytorch(network),
        }
        question = f"{name}, 64-32-10 {activation}, batch {n}: value and gradient"
        yield from comparison(question, sides, settings, {"PyTorch": 1.0, "NumPy by hand": 2.0})


# Other models.


def fit(settings: Settings) -> Iterator[Row]:
    """The fit of an ODE."""
    problem = compiled_models.a_fit(settings.size(100, 10))
    sides = {name: make(problem) for name, make in compiled_models.FIT.items()}
    question = f"fit of an ODE, {len(problem.observed)} steps of RK4: value and gradient"
    yield from comparison(question, sides, settings)


def mixture(settings: Settings) -> Iterator[Row]:
    """A mixture of Gaussians."""
    problem = compiled_models.a_mixture(settings.size(1_000, 50))
    sides = {name: make(problem) for name, make in compiled_models.MIXTURE.items()}
    question = f"mixture of 5 Gaussians, {len(problem.X):,} points: value and gradient"
    yield from comparison(question, sides, settings)


QUESTIONS = (by_batch, beside_itself, steps, digits, fit, mixture, *compiled_costs.QUESTIONS)


def rows_about(index: int, settings: Settings) -> list[Row]:
    """The rows of one question, to be called in a fresh process."""
    return list(QUESTIONS[index](settings))


def rows(settings: Settings) -> Iterator[Row]:
    """Each question in a process of its own, which has one core from the start."""
    on_one_core()
    yield Row("peers of `compile`", "", ", ".join(map(version, PEERS)))
    for index in range(len(QUESTIONS)):
        yield from in_fresh_process(rows_about, index, settings)


if __name__ == "__main__":
    script(__doc__, rows)
