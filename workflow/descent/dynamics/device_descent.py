"""Gradient descent for a two-layer ReLU network in PyTorch, for GPUs: the interface of `GradientDescent`.

Gradients are written out, and a pass goes over the hidden units in blocks whose buffers are kept: memory is that of
the weights and of one byte a pattern. The CPU's fused kernel is the reference; here sums are taken in another order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

# Pre-activations in a block: what a CPU's second-level cache holds; what keeps a GPU busy in a gigabyte.
BLOCK = {"cpu": 2**17, "cuda": 2**26}
_DTYPES = {np.float64: torch.float64, np.float32: torch.float32}


class DeviceDescent:
    """W ← W − η (n/B) ∇_W ½ Σ_{i∈batch} ‖f(x_i) − y_i‖², f(x) = scale · Aᵀ relu(W x), on `device` cpu or cuda.

    Arguments, methods and results (NumPy arrays) are those of `GradientDescent`; any number of units will do.
    `hidden` (e, m, d) and `outputs` (e, m, c) make an ensemble of e networks on the same samples, trained at once:
    every result then has that leading dimension. Raises ValueError when B does not divide n, on a precision other
    than np.float64 and np.float32, and on a device that is not there.
    """

    def __init__(self, hidden, outputs, inputs, targets, eta, scale, batch_size=None, train_outputs=False,
                 dtype=np.float64, device="cuda"):
        self.n, self.d = inputs.shape
        size = batch_size or self.n
        if self.n % size or dtype not in (np.float64, np.float32):
            raise ValueError(f"need a batch that divides the {self.n} samples and float64 or float32; "
                             f"got batches of {size} and {dtype}")
        if device != "cpu" and not (device == "cuda" and torch.cuda.is_available()):
            raise ValueError(f"device {device!r}: PyTorch finds none on this machine (allowed: cpu; cuda where there "
                             "is an NVIDIA GPU and a build of PyTorch for it)")
        self._single, self._size, self._scale, self._train_outputs = np.ndim(hidden) == 2, size, scale, train_outputs
        self._eta = eta * scale * self.n / size
        real = {"dtype": _DTYPES[np.dtype(dtype).type], "device": device}
        self._W, self._A = (torch.tensor(np.reshape(w, (-1, *np.shape(w)[-2:])), **real) for w in (hidden, outputs))
        networks, width, c = self._A.shape
        parts = [slice(i, i + size) for i in range(0, self.n, size)]
        self._X = [torch.tensor(inputs[part], **real).expand(networks, -1, -1) for part in parts]
        # As in the fused kernel, what is summed over the units is kept in float64.
        self._YT = [torch.tensor(targets[part].T, dtype=torch.float64, device=device) for part in parts]
        self._U, self._E = (torch.zeros(networks, c, size, dtype=torch.float64, device=device) for _ in range(2))
        self._R = torch.empty(networks, c, size, **real)
        self._active = torch.empty(networks, width, size, dtype=torch.bool, device=device)
        self._units = min(width, max(1, BLOCK[device] // (networks * size)))
        self._buffers = [torch.empty(networks * self._units * size, **real) for _ in range(2)]
        self.steps = 0
        for units in self._blocks():
            self._evaluate(units, self._X[0], False)
        self._set_residual(0)

    def _blocks(self) -> Iterator[slice]:
        width = self._W.shape[1]
        return (slice(start, min(start + self._units, width)) for start in range(0, width, self._units))

    def _scratch(self, units: slice) -> list[torch.Tensor]:
        shape = len(self._W), units.stop - units.start, self._size
        return [buffer[: shape[0] * shape[1] * shape[2]].view(shape) for buffer in self._buffers]

    def step(self) -> None:
        """One step on the current batch; the residual is then that of the next batch."""
        now, following = self.steps % len(self._X), (self.steps + 1) % len(self._X)
        self._U.zero_(), self._E.zero_()
        for units in self._blocks():
            self._update(units, self._X[now])
            self._evaluate(units, self._X[following], now == following)
        self._set_residual(following)
        self.steps += 1

    def _tensors(self) -> dict[str, torch.Tensor]:
        return {"W": self._W, "A": self._A, "active": self._active, "R": self._R, "U": self._U, "E": self._E}

    def state(self) -> dict[str, Any]:
        """What steps change, as NumPy arrays, for a `Checkpoint`."""
        return {"steps": self.steps, **{name: tensor.numpy(force=True) for name, tensor in self._tensors().items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of an object with the same arguments."""
        self.steps = int(state["steps"])
        for name, tensor in self._tensors().items():
            tensor.copy_(torch.from_numpy(state[name]))

    def _update(self, units: slice, X: torch.Tensor) -> None:
        W, A, (P, S) = self._W[:, units], self._A[:, units], self._scratch(units)
        torch.bmm(A, self._R, out=S).mul_(self._active[:, units])
        if self._train_outputs:
            torch.bmm(W, X.mT, out=P).clamp_(min=0)
            self._change = torch.bmm(P, self._R.mT).mul_(-self._eta)
            A.add_(self._change)
            if self.full_batch:
                self._E -= torch.bmm(self._change.mT, P)
        W.baddbmm_(S, X, alpha=-self._eta)

    def _evaluate(self, units: slice, X: torch.Tensor, same_samples: bool) -> None:
        A, active, (P, S) = self._A[:, units].mT, self._active[:, units], self._scratch(units)
        torch.bmm(self._W[:, units], X.mT, out=P)
        now = P >= 0
        if same_samples:
            if self._train_outputs:
                # With the old activations subtracted above, the change where no pattern flips.
                self._E += torch.bmm(self._change.mT, torch.mul(P, active, out=S))
            # relu(p) less the old pattern times p is |p| where the pattern has changed, and 0 elsewhere.
            self._E += torch.bmm(A, torch.abs(P, out=S).mul_(active.logical_xor_(now)))
        active.copy_(now)
        self._U += torch.bmm(A, P.clamp_(min=0))

    def _set_residual(self, batch: int) -> None:
        self._R.copy_(self._U.mul_(self._scale).sub_(self._YT[batch]))

    def _result(self, tensor: torch.Tensor) -> np.ndarray:
        array = np.array(tensor.numpy(force=True))
        return array[0] if self._single else array

    @property
    def hidden(self) -> np.ndarray:
        """The hidden weights W (m, d), a copy."""
        return self._result(self._W)

    @property
    def outputs(self) -> np.ndarray:
        """The output weights A (m, c), a copy."""
        return self._result(self._A)

    @property
    def patterns(self) -> np.ndarray:
        """1{w_rᵀx_i ≥ 0} on the samples of the current batch, booleans (m, B), a copy."""
        return self._result(self._active)

    @property
    def residual(self) -> np.ndarray:
        """u − y on the samples of the current batch, (B, c), a copy."""
        return self._result(self._R.mT)

    @property
    def full_batch(self) -> bool:
        """Whether every step uses all samples."""
        return self._size == self.n

    def loss(self) -> float | np.ndarray:
        """½ Σ_i ‖f(x_i) − y_i‖² over all samples at the current weights; (e,) for an ensemble."""
        if self.full_batch:
            residuals = [self._R.double()]
        else:
            residuals = [self._outputs(X) - YT for X, YT in zip(self._X, self._YT)]
        return self._number(0.5 * sum(r.square().sum((1, 2)) for r in residuals))

    def _outputs(self, X: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(self._U)
        for units in self._blocks():
            P = torch.bmm(self._W[:, units], X.mT, out=self._scratch(units)[0])
            total += torch.bmm(self._A[:, units].mT, P.clamp_(min=0))
        return total.mul_(self._scale)

    def remainder(self) -> float | np.ndarray:
        """‖e(k)‖ of the last step, as `GradientDescent.remainder`; (e,) for an ensemble."""
        return self._number(self._scale * self._E.square().sum((1, 2)).sqrt())

    def _number(self, tensor: torch.Tensor) -> float | np.ndarray:
        return float(tensor) if self._single else tensor.numpy(force=True)
