"""Gradient descent for a two-layer ReLU network on all samples or on cycled mini-batches, one fused pass a step.

The pass goes over the hidden units four at a time: gradient from the stored patterns and residual, update, new
pre-activations, outputs. What a group of units needs stays in the first two cache levels, so a step costs little more
than its multiplications; two BLAS products with the passes between them take nearly twice as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numba
import numpy as np

from descent.networks.two_layer import relu_outputs, unit_blocks

UNITS = 4
# Without nnan and ninf: a diverging run must show as infinity or NaN.
_FASTMATH = {"reassoc", "contract", "nsz", "arcp", "afn"}
_inlined = numba.njit(fastmath=_FASTMATH, inline="always")


@_inlined
def _down(M, i, j):
    return M[i, j], M[i + 1, j], M[i + 2, j], M[i + 3, j]


@_inlined
def _across(M, i, j):
    return M[i, j], M[i, j + 1], M[i, j + 2], M[i, j + 3]


@_inlined
def _masked_residual(s, active, A, R, g, n, outputs, zero):
    for q in range(4):
        for i in range(n):
            total = zero
            for c in range(outputs):
                total += A[g + q, c] * R[c, i]
            s[q, i] = total if active[g + q, i] else zero


@_inlined
def _update_hidden(W, s, XT, eta, g, d, n, zero):
    for j in range(0, d, 4):
        # Sixteen sums in registers: eight loads feed sixteen multiply-adds.
        b00 = b01 = b02 = b03 = b10 = b11 = b12 = b13 = b20 = b21 = b22 = b23 = b30 = b31 = b32 = b33 = zero
        for i in range(n):
            s0, s1, s2, s3 = _down(s, 0, i)
            x0, x1, x2, x3 = _down(XT, j, i)
            b00, b01, b02, b03 = b00 + s0 * x0, b01 + s0 * x1, b02 + s0 * x2, b03 + s0 * x3
            b10, b11, b12, b13 = b10 + s1 * x0, b11 + s1 * x1, b12 + s1 * x2, b13 + s1 * x3
            b20, b21, b22, b23 = b20 + s2 * x0, b21 + s2 * x1, b22 + s2 * x2, b23 + s2 * x3
            b30, b31, b32, b33 = b30 + s3 * x0, b31 + s3 * x1, b32 + s3 * x2, b33 + s3 * x3
        sums = ((b00, b01, b02, b03), (b10, b11, b12, b13), (b20, b21, b22, b23), (b30, b31, b32, b33))
        for q in range(4):
            for k in range(4):
                W[g + q, j + k] -= eta * sums[q][k]


@_inlined
def _pre_activations(P, W, XT, g, d, n, at, zero):
    for i in range(n):
        P[at, i] = P[at + 1, i] = P[at + 2, i] = P[at + 3, i] = zero
    for j in range(0, d, 4):
        w00, w01, w02, w03 = _across(W, g, j)
        w10, w11, w12, w13 = _across(W, g + 1, j)
        w20, w21, w22, w23 = _across(W, g + 2, j)
        w30, w31, w32, w33 = _across(W, g + 3, j)
        for i in range(n):
            x0, x1, x2, x3 = _down(XT, j, i)
            P[at, i] += w00 * x0 + w01 * x1 + w02 * x2 + w03 * x3
            P[at + 1, i] += w10 * x0 + w11 * x1 + w12 * x2 + w13 * x3
            P[at + 2, i] += w20 * x0 + w21 * x1 + w22 * x2 + w23 * x3
            P[at + 3, i] += w30 * x0 + w31 * x1 + w32 * x2 + w33 * x3


@_inlined
def _update_outputs(A, change, old, P, R, eta, g, n, outputs, zero):
    for q in range(4):
        for i in range(n):
            old[q, i] = max(P[g + q, i], zero)
        for c in range(outputs):
            total = zero
            for i in range(n):
                total += R[c, i] * old[q, i]
            change[q, c] = -eta * total
            A[g + q, c] += change[q, c]


@_inlined
def _subtract(old, s, crossed, n):
    # 1{old pattern} (p' - p), the change of the activation where no pattern flips.
    for q in range(4):
        for i in range(n):
            old[q, i] = s[q, i] - crossed[q, i] - old[q, i]


@_inlined
def _rectify(s, crossed, active, P, g, n, at, zero):
    for q in range(4):
        for i in range(n):
            p = P[at + q, i]
            now = p >= zero
            s[q, i] = p if now else zero
            # relu(p) less the old pattern times p is |p| where the pattern has changed, and 0 elsewhere.
            crossed[q, i] = abs(p) if now != active[g + q, i] else zero
            active[g + q, i] = now


@_inlined
def _add_weighted(U, A, s, g, n, outputs):
    for c in range(outputs):
        a0, a1, a2, a3 = _down(A, g, c)
        for i in range(n):
            s0, s1, s2, s3 = _down(s, 0, i)
            U[c, i] += a0 * s0 + a1 * s1 + a2 * s2 + a3 * s3


@cache
def _fused_step(d: int, n: int, outputs: int, train_outputs: bool, dtype: type):
    # A zero of another precision would make every sum, and with it every product, one of that precision.
    zero = dtype(0)

    # The arguments are constants of the compiled code: known only at run time, they make it a fifth slower.
    @numba.njit(fastmath=_FASTMATH, cache=True)
    def step(W, A, active, XT, XT_next, R, U, E, P, s, crossed, old, change, eta, same_samples):
        U[:] = 0.0
        E[:] = 0.0
        for g in range(0, W.shape[0], 4):
            # The pre-activations of all units are kept from step to step only where the output layer's gradient
            # needs them: those of one group stay in the first cache.
            at = g if train_outputs else 0
            _masked_residual(s, active, A, R, g, n, outputs, zero)
            if train_outputs:
                _update_outputs(A, change, old, P, R, eta, g, n, outputs, zero)
            _update_hidden(W, s, XT, eta, g, d, n, zero)
            _pre_activations(P, W, XT_next, g, d, n, at, zero)
            _rectify(s, crossed, active, P, g, n, at, zero)
            _add_weighted(U, A, s, g, n, outputs)
            if same_samples:
                _add_weighted(E, A, crossed, g, n, outputs)
                if train_outputs:
                    _subtract(old, s, crossed, n)
                    _add_weighted(E, change, old, 0, n, outputs)

    return step


def _aligned(rows: int, columns: int, dtype: type) -> np.ndarray:
    # Rows that start on 64-byte boundaries: vectors that straddle cache lines cost a third of the speed.
    size = rows * columns * np.dtype(dtype).itemsize
    buffer = np.zeros(size + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(rows, columns)


def _padded(values: np.ndarray, rows: int, columns: int, dtype: type) -> np.ndarray:
    array = _aligned(rows, columns, dtype)
    array[: values.shape[0], : values.shape[1]] = values
    return array


class GradientDescent:
    """W ← W − η (n/B) ∇_W ½ Σ_{i∈batch} ‖f(x_i) − y_i‖², f(x) = scale · Aᵀ relu(W x).

    `hidden` W (m, d) with m a multiple of 4, `outputs` A (m, c), `inputs` (n, d), `targets` (n, c). Batches of
    `batch_size` consecutive samples (all of them by default) are cycled in order. With `train_outputs` A follows its
    own gradient with the same step, both gradients at the same point. The factor n/B makes η the flow time of one
    step for every batch size. `dtype` is the precision, np.float64 or np.float32 (twice as fast; the sum over units
    that makes the outputs is in float64 all the same: there the terms cancel most). Memory is that of the weights
    and one byte a pattern, with `train_outputs` also that of the pre-activations. Raises ValueError when m is not a
    multiple of 4, B does not divide n, or on other dtypes.
    """

    def __init__(self, hidden, outputs, inputs, targets, eta, scale, batch_size=None, train_outputs=False,
                 dtype=np.float64):
        self.n, self.d = inputs.shape
        size = batch_size or self.n
        if len(hidden) % UNITS or self.n % size or dtype not in (np.float64, np.float32):
            raise ValueError(f"need units a multiple of {UNITS}, a batch that divides the {self.n} samples and "
                             f"float64 or float32; got {len(hidden)} units, batches of {size} and {dtype}")
        # Zero columns and coordinates that fill up whole vectors change no sum.
        dtype = np.dtype(dtype).type
        lanes = 64 // np.dtype(dtype).itemsize
        d, columns, c = -(-self.d // 4) * 4, -(-size // lanes) * lanes, targets.shape[1]
        self._inputs, self._targets, self._scale, self._size = inputs, targets, scale, size
        self._XT = [_padded(inputs[i : i + size].T, d, columns, dtype) for i in range(0, self.n, size)]
        self._YT = [_padded(targets[i : i + size].T, c, columns, np.float64) for i in range(0, self.n, size)]
        self._W, self._A = _padded(hidden, len(hidden), d, dtype), np.array(outputs, dtype)
        self._active, self._R = _aligned(len(hidden), columns, np.bool_), _aligned(c, columns, dtype)
        self._U, self._E = (_aligned(c, columns, np.float64) for _ in range(2))
        self._P = _aligned(len(hidden) if train_outputs else UNITS, columns, dtype)
        self._scratch = [*(_aligned(UNITS, columns, dtype) for _ in range(3)), _aligned(UNITS, c, dtype)]
        self._eta = dtype(eta * scale * self.n / size)
        self._advance = _fused_step(d, columns, c, train_outputs, dtype)
        self.steps = 0
        self._start()

    def _start(self) -> None:
        weighted = self._scale * self._A.T
        for units in unit_blocks(len(self._W)):
            pre_activations = self._W[units] @ self._XT[0]
            if len(self._P) == len(self._W):
                self._P[units] = pre_activations
            np.greater_equal(pre_activations, 0.0, out=self._active[units])
            self._U += weighted[:, units] @ np.maximum(pre_activations, 0.0, out=pre_activations)
        np.subtract(self._U, self._YT[0], out=self._R)

    def step(self) -> None:
        """One step on the current batch; the residual is then that of the next batch."""
        now, following = self.steps % len(self._XT), (self.steps + 1) % len(self._XT)
        self._advance(self._W, self._A, self._active, self._XT[now], self._XT[following], self._R, self._U, self._E,
                      self._P, *self._scratch, self._eta, now == following)
        self._U *= self._scale
        np.subtract(self._U, self._YT[following], out=self._R)
        self.steps += 1

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"W": self._W, "A": self._A, "active": self._active, "R": self._R, "U": self._U, "E": self._E,
                "P": self._P}

    def state(self) -> dict[str, Any]:
        """What steps change, for a `Checkpoint`."""
        return {"steps": self.steps, **self._arrays()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of an object with the same arguments."""
        self.steps = int(state["steps"])
        for name, array in self._arrays().items():
            array[:] = state[name]

    @property
    def hidden(self) -> np.ndarray:
        """The hidden weights W (m, d), a copy."""
        return self._W[:, : self.d].copy()

    @property
    def outputs(self) -> np.ndarray:
        """The output weights A (m, c), a copy."""
        return self._A.copy()

    @property
    def patterns(self) -> np.ndarray:
        """1{w_rᵀx_i ≥ 0} on the samples of the current batch, booleans (m, B), a copy."""
        return self._active[:, : self._size].copy()

    @property
    def residual(self) -> np.ndarray:
        """u − y on the samples of the current batch, (B, c), a copy."""
        return self._R[:, : self._size].T.copy()

    @property
    def full_batch(self) -> bool:
        """Whether every step uses all samples."""
        return self._size == self.n

    def loss(self) -> float:
        """½ Σ_i ‖f(x_i) − y_i‖² over all samples at the current weights."""
        if self.full_batch:
            return 0.5 * float(np.sum(np.square(self._R, dtype=np.float64)))
        residual = self._scale * relu_outputs(self.hidden, self._A, self._inputs) - self._targets
        return 0.5 * float(np.sum(residual**2))

    def remainder(self) -> float:
        """‖e(k)‖ of the last step, e(k) = u(k+1) − u(k) + η K(k) (u(k) − y), on all samples; scalar outputs.

        K = H with A fixed. As u(k) − η H(k) (u(k) − y) is the output with new weights and old patterns, only flipped
        patterns contribute: e_i(k) = scale · Σ_r a_r |w_r(k+1)ᵀx_i| 1{pattern of (r, i) changed} (Du et al., sec. 4).
        With `train_outputs` K = H + G, a_r is the new one, and e_i(k) has also the product of both layers' changes,
        scale · Σ_r (a_r(k+1) − a_r(k)) 1{w_r(k)ᵀx_i ≥ 0} (w_r(k+1) − w_r(k))ᵀx_i.
        """
        return self._scale * float(np.linalg.norm(self._E))
