"""Gradient descent for a two-layer ReLU network on all samples or on cycled mini-batches, one fused pass a step.

The pass goes over the hidden units four at a time: gradient from the stored patterns and residual, update, new
pre-activations, outputs. What a group of units needs stays in the first two cache levels, so a step costs little more
than its multiplications; two BLAS products with the passes between them take nearly twice as long.
"""

from __future__ import annotations

from functools import cache

import numba
import numpy as np

from descent.networks.two_layer import relu_outputs

UNITS = 4
# Without nnan and ninf: a diverging run must show as infinity or NaN.
_FASTMATH = {"reassoc", "contract", "nsz", "arcp", "afn"}
_inlined = numba.njit(fastmath=_FASTMATH, inline="always")


@_inlined
def _masked_residual(s, active, A, R, g, n, outputs):
    for q in range(4):
        for i in range(n):
            total = 0.0
            for c in range(outputs):
                total += A[g + q, c] * R[c, i]
            s[q, i] = total if active[g + q, i] else 0.0


@_inlined
def _update_hidden(W, s, XT, eta, g, d, n):
    for j in range(0, d, 4):
        # Sixteen sums in registers: eight loads feed sixteen multiply-adds.
        b00 = b01 = b02 = b03 = b10 = b11 = b12 = b13 = b20 = b21 = b22 = b23 = b30 = b31 = b32 = b33 = 0.0
        for i in range(n):
            s0, s1, s2, s3 = s[0, i], s[1, i], s[2, i], s[3, i]
            x0, x1, x2, x3 = XT[j, i], XT[j + 1, i], XT[j + 2, i], XT[j + 3, i]
            b00, b01, b02, b03 = b00 + s0 * x0, b01 + s0 * x1, b02 + s0 * x2, b03 + s0 * x3
            b10, b11, b12, b13 = b10 + s1 * x0, b11 + s1 * x1, b12 + s1 * x2, b13 + s1 * x3
            b20, b21, b22, b23 = b20 + s2 * x0, b21 + s2 * x1, b22 + s2 * x2, b23 + s2 * x3
            b30, b31, b32, b33 = b30 + s3 * x0, b31 + s3 * x1, b32 + s3 * x2, b33 + s3 * x3
        sums = ((b00, b01, b02, b03), (b10, b11, b12, b13), (b20, b21, b22, b23), (b30, b31, b32, b33))
        for q in range(4):
            for k in range(4):
                W[g + q, j + k] -= eta * sums[q][k]


@_inlined
def _pre_activations(P, W, XT, g, d, n):
    for i in range(n):
        P[0, i] = P[1, i] = P[2, i] = P[3, i] = 0.0
    for j in range(0, d, 4):
        w00, w01, w02, w03 = W[g, j], W[g, j + 1], W[g, j + 2], W[g, j + 3]
        w10, w11, w12, w13 = W[g + 1, j], W[g + 1, j + 1], W[g + 1, j + 2], W[g + 1, j + 3]
        w20, w21, w22, w23 = W[g + 2, j], W[g + 2, j + 1], W[g + 2, j + 2], W[g + 2, j + 3]
        w30, w31, w32, w33 = W[g + 3, j], W[g + 3, j + 1], W[g + 3, j + 2], W[g + 3, j + 3]
        for i in range(n):
            x0, x1, x2, x3 = XT[j, i], XT[j + 1, i], XT[j + 2, i], XT[j + 3, i]
            P[0, i] += w00 * x0 + w01 * x1 + w02 * x2 + w03 * x3
            P[1, i] += w10 * x0 + w11 * x1 + w12 * x2 + w13 * x3
            P[2, i] += w20 * x0 + w21 * x1 + w22 * x2 + w23 * x3
            P[3, i] += w30 * x0 + w31 * x1 + w32 * x2 + w33 * x3


@_inlined
def _update_outputs(A, P, R, eta, g, n, outputs):
    for q in range(4):
        for c in range(outputs):
            total = 0.0
            for i in range(n):
                total += R[c, i] * max(P[q, i], 0.0)
            A[g + q, c] -= eta * total


@_inlined
def _rectify(s, crossed, active, P, g, n):
    for q in range(4):
        for i in range(n):
            p = P[q, i]
            now = p >= 0.0
            s[q, i] = p if now else 0.0
            # relu(p) less the old pattern times p is |p| where the pattern has changed, and 0 elsewhere.
            crossed[q, i] = abs(p) if now != active[g + q, i] else 0.0
            active[g + q, i] = now


@_inlined
def _add_weighted(U, A, s, g, n, outputs):
    for c in range(outputs):
        a0, a1, a2, a3 = A[g, c], A[g + 1, c], A[g + 2, c], A[g + 3, c]
        for i in range(n):
            U[c, i] += a0 * s[0, i] + a1 * s[1, i] + a2 * s[2, i] + a3 * s[3, i]


@cache
def _fused_step(d: int, n: int, outputs: int, train_outputs: bool):
    # The arguments are constants of the compiled code: known only at run time, they make it a fifth slower.
    @numba.njit(fastmath=_FASTMATH, cache=True)
    def step(W, A, active, XT, XT_next, R, U, E, P, s, crossed, eta, same_samples):
        U[:] = 0.0
        E[:] = 0.0
        for g in range(0, W.shape[0], 4):
            _masked_residual(s, active, A, R, g, n, outputs)
            if train_outputs:
                _pre_activations(P, W, XT, g, d, n)
                _update_outputs(A, P, R, eta, g, n, outputs)
            _update_hidden(W, s, XT, eta, g, d, n)
            _pre_activations(P, W, XT_next, g, d, n)
            _rectify(s, crossed, active, P, g, n)
            _add_weighted(U, A, s, g, n, outputs)
            if same_samples:
                _add_weighted(E, A, crossed, g, n, outputs)

    return step


def _aligned(rows: int, columns: int, dtype=np.float64) -> np.ndarray:
    # Rows that start on 64-byte boundaries: vectors that straddle cache lines cost a third of the speed.
    size = rows * columns * np.dtype(dtype).itemsize
    buffer = np.zeros(size + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(rows, columns)


def _padded(values: np.ndarray, rows: int, columns: int, dtype=np.float64) -> np.ndarray:
    array = _aligned(rows, columns, dtype)
    array[: values.shape[0], : values.shape[1]] = values
    return array


class GradientDescent:
    """W ← W − η (n/B) ∇_W ½ Σ_{i∈batch} ‖f(x_i) − y_i‖² in float64, f(x) = scale · Aᵀ relu(W x).

    `hidden` W (m, d) with m a multiple of 4, `outputs` A (m, c), `inputs` (n, d), `targets` (n, c). Batches of
    `batch_size` consecutive samples (all of them by default) are cycled in order. With `train_outputs` A follows its
    own gradient with the same step, both gradients at the same point. The factor n/B makes η the flow time of one
    step for every batch size. Raises ValueError when m is not a multiple of 4 or B does not divide n.
    """

    def __init__(self, hidden, outputs, inputs, targets, eta, scale, batch_size=None, train_outputs=False):
        self.n, self.d = inputs.shape
        size = batch_size or self.n
        if len(hidden) % UNITS or self.n % size:
            raise ValueError(f"need units a multiple of {UNITS} and a batch that divides the {self.n} samples; "
                             f"got {len(hidden)} units and batches of {size}")
        # Zero columns and coordinates that fill up whole vectors change no sum.
        d, columns, c = -(-self.d // 4) * 4, -(-size // 8) * 8, targets.shape[1]
        self._inputs, self._targets, self._scale, self._size = inputs, targets, scale, size
        self._XT = [_padded(inputs[i : i + size].T, d, columns) for i in range(0, self.n, size)]
        self._YT = [_padded(targets[i : i + size].T, c, columns) for i in range(0, self.n, size)]
        self._W, self._A = _padded(hidden, len(hidden), d), np.array(outputs, dtype=np.float64)
        start = self._W @ self._XT[0]
        self._active = _padded(start >= 0.0, len(hidden), columns, np.bool_)
        self._R = _padded(scale * self._A.T @ np.maximum(start, 0.0) - self._YT[0], c, columns)
        self._U, self._E = _aligned(c, columns), _aligned(c, columns)
        self._scratch = [_aligned(UNITS, columns) for _ in range(3)]
        self._eta = eta * scale * self.n / size
        self._advance = _fused_step(d, columns, c, train_outputs)
        self.steps = 0

    def step(self) -> None:
        """One step on the current batch; the residual is then that of the next batch."""
        now, following = self.steps % len(self._XT), (self.steps + 1) % len(self._XT)
        self._advance(self._W, self._A, self._active, self._XT[now], self._XT[following], self._R, self._U, self._E,
                      *self._scratch, self._eta, now == following)
        np.multiply(self._U, self._scale, out=self._R)
        self._R -= self._YT[following]
        self.steps += 1

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
        """u − y (B, c) on the samples of the current batch, a copy."""
        return self._R[:, : self._size].T.copy()

    @property
    def full_batch(self) -> bool:
        """Whether every step uses all samples."""
        return self._size == self.n

    def loss(self) -> float:
        """½ Σ_i ‖f(x_i) − y_i‖² over all samples at the current weights."""
        if self.full_batch:
            return 0.5 * float(np.sum(self._R**2))
        residual = self._scale * relu_outputs(self.hidden, self._A, self._inputs) - self._targets
        return 0.5 * float(np.sum(residual**2))

    def remainder(self) -> float:
        """‖e(k)‖ of the last step, e(k) = u(k+1) − u(k) + η H(k) (u(k) − y): descent on all samples, A fixed.

        As u(k) − η H(k) (u(k) − y) is the output with new weights and old patterns, only flipped patterns contribute:
        e_i(k) = scale · Σ_r a_r |w_r(k+1)ᵀx_i| 1{pattern of (r, i) changed} (scalar outputs; Du et al., section 4).
        """
        return self._scale * float(np.linalg.norm(self._E))
