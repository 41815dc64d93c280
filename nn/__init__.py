"""nn: small neural networks on autograd_engine, in the form that micrograd made familiar.

>>> from nn import MLP, SGD, fit, hinge, two_moons
>>> X, y = two_moons(40, rng=0)
>>> model = MLP(2, [8, 1], rng=0)
>>> optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
>>> history = fit(model, X, y, loss=hinge, optimizer=optimizer, epochs=30, rng=0, progress=False)
>>> history.loss[-1] < history.loss[0]
True
"""

from nn.data import (
    DataError,
    Dataset,
    iris,
    one_hot,
    read_csv,
    standardize,
    train_test_split,
    two_moons,
)
from nn.landscapes import error_curve, valley
from nn.layers import MLP, Layer, Neuron
from nn.least_squares import LevenbergMarquardt
from nn.losses import half_squared_error, hinge, softmax_cross_entropy, squared_error
from nn.module import Module
from nn.optimizers import SGD
from nn.pictures import draw_network
from nn.plots import activation_curves, decision_boundary, loss_curve
from nn.stepping import TrainingStepper, training_stepper
from nn.storage import load, save
from nn.training import History, Snapshot, accuracy, fit, r_squared

__all__ = [
    "MLP",
    "SGD",
    "DataError",
    "Dataset",
    "History",
    "Layer",
    "LevenbergMarquardt",
    "Module",
    "Neuron",
    "Snapshot",
    "TrainingStepper",
    "accuracy",
    "activation_curves",
    "decision_boundary",
    "draw_network",
    "error_curve",
    "fit",
    "half_squared_error",
    "hinge",
    "iris",
    "load",
    "loss_curve",
    "one_hot",
    "r_squared",
    "read_csv",
    "save",
    "softmax_cross_entropy",
    "squared_error",
    "standardize",
    "train_test_split",
    "training_stepper",
    "two_moons",
    "valley",
]
