"""Stochastic gradient descent on E 1/2 |U0 relu(V0' x) - U relu(V' x)|^2 with fresh samples x ~ N(0, I).

One pass over the hidden weights V does the update of one mini-batch and the forward product of the next, tile by
tile of 16 hidden units: with m samples a batch, the vectors of activations and their gradients (2 m) stay in registers.
The samples come in blocks from `philox.fill_normals`, the teacher's outputs from the same forward functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit

from descent.dynamics.lanes import (
    LANES,
    add_combination,
    add_multiples,
    add_products,
    add_quotient,
    aligned_zeros,
    from_tiles,
    load,
    load_rows,
    relu,
    squared,
    store,
    store_rows,
    store_sums,
    to_tiles,
    weighted_sum,
    where_positive,
    zeros,
)
from descent.dynamics.philox import fill_normals, padded

BLOCK_SAMPLES = 400  # with V, a block of inputs still fits in a core's second-level cache
_options = {"cache": True, "fastmath": {"contract"}, "error_model": "numpy"}
_inlined = njit(**_options, forceinline=True)


@_inlined
def _activations(hidden, tile, inputs, sample, batch):
    units = zeros(batch)
    for row in range(hidden.shape[1]):
        units = add_multiples(units, inputs, row, sample, load(hidden, tile, row))
    return relu(units)


@_inlined
def _outputs(output, activations, row, batch):
    sums = zeros(batch)
    for tile in range(output.shape[0]):
        sums = add_products(sums, load_rows(activations, tile, batch), load(output, tile, row))
    return sums


@_inlined
def _teach(output, hidden, inputs, targets, activations, batch):
    for sample in range(0, inputs.shape[1], len(batch)):
        for tile in range(hidden.shape[0]):
            store_rows(activations, tile, _activations(hidden, tile, inputs, sample, batch))
        for row in range(output.shape[1]):
            store_sums(targets[sample // len(batch)], row, _outputs(output, activations, row, batch))


@_inlined
def _residuals(output, activations, targets, residuals, losses, batch):
    losses[:] = np.float32(0)
    for row in range(output.shape[1]):
        store_sums(residuals, row, _outputs(output, activations, row, batch))
        for i in range(len(batch)):
            residuals[row, i] -= targets[row, i]
            losses[i] += residuals[row, i] * residuals[row, i]


@_inlined
def _step(output, hidden, inputs, sample, following, scaled, activations, batch):
    # `scaled` (outputs, m): residuals times -learning rate / m. Both layers' gradients use the weights before the step.
    for tile in range(hidden.shape[0]):
        active = load_rows(activations, tile, batch)
        gradients = zeros(batch)
        for row in range(output.shape[1]):
            weights = load(output, tile, row)
            gradients = add_multiples(gradients, scaled, row, 0, weights)
            store(output, tile, row, add_combination(weights, scaled, row, 0, active))
        gradients = where_positive(active, gradients)
        units = zeros(batch)
        for row in range(hidden.shape[1]):
            weights = add_combination(load(hidden, tile, row), inputs, row, sample, gradients)
            store(hidden, tile, row, weights)
            units = add_multiples(units, inputs, row, following, weights)
        store_rows(activations, tile, relu(units))


@njit(**_options)
def _advance(output, hidden, teacher_output, teacher_hidden, key, first, rate, objectives, inputs, targets,
             activations, teacher_activations, residuals, losses, batch):
    # The tuple `batch` has the batch size as its length, which is part of its type: the compiled step has it built in.
    size, scale = len(batch), np.float32(1 / len(batch))
    per_block = targets.shape[0]
    for start in range(0, len(objectives), per_block):
        count = min(per_block, len(objectives) - start)
        fill_normals(inputs, first + start * size, key)
        _teach(teacher_output, teacher_hidden, inputs, targets, teacher_activations, batch)
        for tile in range(hidden.shape[0]):
            store_rows(activations, tile, _activations(hidden, tile, inputs, 0, batch))
        for step in range(count):
            _residuals(output, activations, targets[step], residuals, losses, batch)
            total = np.float32(0)
            for i in range(size):
                total += losses[i]
            objectives[start + step] = np.float32(0.5) * scale * total
            residuals *= -np.float32(rate) * scale
            following = min(step + 1, per_block - 1) * size
            _step(output, hidden, inputs, step * size, following, residuals, activations, batch)


@_inlined
def _moved(weights, gradient, velocities, squares, tile, row, rule):
    # The weights after the step; `rule`: momentum, share of the gradient, rate; then Adam's decay and floor, or zeros.
    velocity = weighted_sum(rule[0], load(velocities, tile, row), rule[1], gradient)
    store(velocities, tile, row, velocity)
    if rule[3] == 0:
        return weighted_sum(np.float32(1), weights, -rule[2], velocity)
    square = weighted_sum(rule[3], load(squares, tile, row), np.float32(1) - rule[3], squared(gradient))
    store(squares, tile, row, square)
    return add_quotient(weights, -rule[2], velocity, square, rule[4])


@_inlined
def _step_with_moments(output, hidden, moments, inputs, sample, following, scaled, activations, rule, batch):
    # As `_step`, but `scaled` are the residuals over m, and the moments stand between gradient and step.
    zero = zeros((0,))[0]
    for tile in range(hidden.shape[0]):
        active = load_rows(activations, tile, batch)
        gradients = zeros(batch)
        for row in range(output.shape[1]):
            weights = load(output, tile, row)
            gradients = add_multiples(gradients, scaled, row, 0, weights)
            slope = add_combination(zero, scaled, row, 0, active)
            store(output, tile, row, _moved(weights, slope, moments[0], moments[1], tile, row, rule))
        gradients = where_positive(active, gradients)
        units = zeros(batch)
        for row in range(hidden.shape[1]):
            slope = add_combination(zero, inputs, row, sample, gradients)
            weights = _moved(load(hidden, tile, row), slope, moments[2], moments[3], tile, row, rule)
            store(hidden, tile, row, weights)
            units = add_multiples(units, inputs, row, following, weights)
        store_rows(activations, tile, relu(units))


@_inlined
def _rule(momentum, dampening, decay, floor, rate, step):
    # Adam's corrections of both moments, as factors of rate and floor; step counts from 1.
    corrected, root = 1.0, 1.0
    if decay > 0:
        root = np.sqrt(1.0 - decay**step)
        corrected = root / (1.0 - momentum**step)
    return (np.float32(momentum), np.float32(1.0 - dampening), np.float32(rate * corrected), np.float32(decay),
            np.float32(floor * root))


@njit(**_options)
def _advance_with_moments(output, hidden, teacher_output, teacher_hidden, moments, constants, key, first, rate,
                          objectives, inputs, targets, activations, teacher_activations, residuals, losses, batch):
    size, scale = len(batch), np.float32(1 / len(batch))
    per_block = targets.shape[0]
    for start in range(0, len(objectives), per_block):
        count = min(per_block, len(objectives) - start)
        fill_normals(inputs, first + start * size, key)
        _teach(teacher_output, teacher_hidden, inputs, targets, teacher_activations, batch)
        for tile in range(hidden.shape[0]):
            store_rows(activations, tile, _activations(hidden, tile, inputs, 0, batch))
        for step in range(count):
            _residuals(output, activations, targets[step], residuals, losses, batch)
            total = np.float32(0)
            for i in range(size):
                total += losses[i]
            objectives[start + step] = np.float32(0.5) * scale * total
            residuals *= scale
            following = min(step + 1, per_block - 1) * size
            rule = _rule(constants[0], constants[1], constants[2], constants[3], rate, first // size + start + step + 1)
            _step_with_moments(output, hidden, moments, inputs, step * size, following, residuals, activations, rule,
                               batch)


def sample_inputs(dimension: int, first: int, count: int, key) -> np.ndarray:
    """Samples first, ..., first + count - 1 of the stream `key`: (dimension, count), float32, N(0, 1) entries."""
    inputs = np.empty((padded(dimension), count), np.float32)
    fill_normals(inputs, first, key)
    return inputs[:dimension]


class PlantedSGD:
    """A run of mini-batch SGD that can stop after any batch and resume, with the same bits.

    W <- W - rate * gradient of (1/m) sum_i 1/2 |U0 relu(V0' x_i) - U relu(V' x_i)|^2 for W = U and V, on samples
    number `samples`, `samples` + 1, ... of the stream `key` (pair of uint32, see `philox.stream_key`).

    `teacher` and `weights` are pairs (U (n, r), V (D, r)); the computation is float32. Raises ValueError when the
    shapes do not belong together.
    """

    def __init__(self, teacher, weights, batch_size: int, key, samples: int = 0):
        for student, taught in zip(weights, teacher):
            if student.shape != (taught.shape[0], weights[0].shape[1]):
                raise ValueError(f"weights of shape {student.shape} do not fit the teacher's of shape {taught.shape}")
        self.samples, self.key, self.width = samples, key, weights[0].shape[1]
        self._batch = tuple(range(batch_size))
        self._weights, self._teacher = [to_tiles(w) for w in weights], [to_tiles(w) for w in teacher]
        outputs, dimension, steps = len(teacher[0]), len(teacher[1]), max(1, BLOCK_SAMPLES // batch_size)
        # In the order of `_advance`: inputs, targets, both networks' activations, residuals and losses.
        shapes = [(padded(dimension), steps * batch_size), (steps, outputs, batch_size),
                  *((len(tiles), batch_size, LANES) for tiles in (self._weights[0], self._teacher[0])),
                  (outputs, batch_size), (batch_size,)]
        self._work = [aligned_zeros(shape) for shape in shapes]

    @property
    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Copies of U (n, r) and V (D, r), float32."""
        output, hidden = self._weights
        return from_tiles(output, self.width), from_tiles(hidden, self.width)

    def _tiles(self) -> list[np.ndarray]:
        return self._weights

    def state(self) -> dict[str, Any]:
        """What steps change, for a `Checkpoint`."""
        return {"samples": self.samples, **{f"tiles {i}": tiles for i, tiles in enumerate(self._tiles())}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of an object with the same arguments."""
        self.samples = int(state["samples"])
        for i, tiles in enumerate(self._tiles()):
            tiles[:] = state[f"tiles {i}"]

    def advance(self, steps: int, rate: float) -> np.ndarray:
        """Make `steps` steps at learning rate `rate`; each mini-batch's objective before its step, (steps,)."""
        objectives = np.empty(steps, np.float32)
        _advance(*self._weights, *self._teacher, self.key, self.samples, rate, objectives, *self._work, self._batch)
        self.samples += steps * len(self._batch)
        return objectives


class PlantedMoments(PlantedSGD):
    """`PlantedSGD` with momentum, or with Adam: moments of the gradient g of each weight W stand before the step.

    Momentum: v <- `momentum` v + (1 - `dampening`) g and W <- W - rate v. With `decay` > 0 also
    s <- `decay` s + (1 - `decay`) g^2 and, in step t, Adam's (Kingma and Ba, 2015)
    W <- W - rate v / (1 - momentum^t) / (sqrt(s / (1 - decay^t)) + `floor`), where dampening is to equal momentum.

    Both moments start at 0.
    """

    def __init__(self, teacher, weights, batch_size: int, key, *, momentum: float, dampening: float = 0.0,
                 decay: float = 0.0, floor: float = 0.0):
        super().__init__(teacher, weights, batch_size, key)
        self._constants = (float(momentum), float(dampening), float(decay), float(floor))
        self._moments = tuple(aligned_zeros(tiles.shape) for tiles in self._weights for _ in range(2))

    def _tiles(self) -> list[np.ndarray]:
        return [*self._weights, *self._moments]

    def advance(self, steps: int, rate: float) -> np.ndarray:
        """Make `steps` steps at learning rate `rate`; each mini-batch's objective before its step, (steps,)."""
        objectives = np.empty(steps, np.float32)
        _advance_with_moments(*self._weights, *self._teacher, self._moments, self._constants, self.key, self.samples,
                              rate, objectives, *self._work, self._batch)
        self.samples += steps * len(self._batch)
        return objectives
