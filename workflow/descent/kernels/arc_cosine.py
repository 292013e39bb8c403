"""Expectations over Gaussian inputs of products of rectified linear units, in closed form."""

from __future__ import annotations

import numpy as np


def relu_gram(vectors: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """K_rs = E[relu(v_r.x) relu(w_s.x)] = |v_r| |w_s| (sin t + (pi - t) cos t) / (2 pi), x ~ N(0, I).

    t is the angle between v_r and w_s: columns of `vectors` (D, r) and `others` (D, s), by default the same; shape
    (r, s), float64. For the same columns the diagonal is |v_r|^2 / 2 exactly. This is half of the degree-one
    arc-cosine kernel of Cho and Saul (2009), which has 2 E[...] (their 1/pi for the 1/(2 pi) here).
    """
    vectors = np.asarray(vectors, np.float64)
    others_or_same = vectors if others is None else np.asarray(others, np.float64)
    inner = vectors.T @ others_or_same
    norms = np.outer(np.linalg.norm(vectors, axis=0), np.linalg.norm(others_or_same, axis=0))
    # Rounding takes the cosine of nearly parallel vectors beyond 1; a zero vector has K = 0 whatever the angle.
    cosine = np.clip(np.divide(inner, norms, out=np.zeros_like(inner), where=norms > 0), -1.0, 1.0)
    gram = np.pi - np.arccos(cosine)
    gram *= cosine
    gram += np.sqrt((1.0 - cosine) * (1.0 + cosine))
    gram *= norms
    gram /= 2.0 * np.pi
    if others is None:
        np.fill_diagonal(gram, np.sum(vectors**2, axis=0) / 2.0)
    return gram


def expected_square(output: np.ndarray, gram: np.ndarray) -> float:
    """E|U relu(V'x)|^2 = tr(U K U') for output weights U (n, r) and K = `relu_gram`(V), x ~ N(0, I)."""
    return float(np.sum((np.asarray(output, np.float64) @ gram) * output))


class PlantedRisk:
    """Population risk R(U, V) = 1/2 E|U relu(V'x) - U0 relu(V0'x)|^2 of a student under a fixed teacher, x ~ N(0, I).

    R = 1/2 tr(C K C') with C = [U, -U0] and K the `relu_gram` of the columns of W = [V, V0]. K is symmetric: each block
    of hidden units meets only itself and those after it, and a block's arrays fit in the cache. The teacher's own
    part is computed once. Weights U (n, r), V (D, r), U0 (n, s), V0 (D, s).
    """

    _BLOCK = 64

    def __init__(self, output: np.ndarray, hidden: np.ndarray):
        self._output, self._hidden = np.asarray(output, np.float64), np.asarray(hidden, np.float64)
        self.teacher_square = expected_square(self._output, relu_gram(self._hidden))

    def __call__(self, output: np.ndarray, hidden: np.ndarray) -> float:
        """R(U, V); NaN when a weight is not finite."""
        if not (np.isfinite(output).all() and np.isfinite(hidden).all()):
            return float("nan")
        outputs = np.concatenate([output, -self._output], axis=1)
        vectors = np.concatenate([hidden, self._hidden], axis=1)
        total, width = self.teacher_square, hidden.shape[1]
        for start in range(0, width, self._BLOCK):
            stop = min(start + self._BLOCK, width)
            block, unit = outputs[:, start:stop], vectors[:, start:stop]
            total += expected_square(block, relu_gram(unit))
            total += 2.0 * float(np.sum((block @ relu_gram(unit, vectors[:, stop:])) * outputs[:, stop:]))
        return 0.5 * total
