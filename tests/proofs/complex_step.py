"""Derivatives of analytic functions: first ones to rounding, second ones to about 1e-10."""

from __future__ import annotations

import numpy as np


def gradient(f, x: np.ndarray, step: float = 1e-30) -> np.ndarray:
    """∇f(x) as Im f(x + ih e)/h; f takes complex arrays of the shape of x."""
    flat = np.asarray(x, float).ravel()
    rows = flat + 1j * step * np.eye(flat.size)
    return np.array([np.imag(f(row.reshape(np.shape(x)))) for row in rows]).reshape(np.shape(x)) / step


def derivative(f, t: float = 0.0, step: float = 1e-30):
    """f′(t) for f with values of any shape."""
    return np.imag(f(t + 1j * step)) / step


def second_derivative(f, t: float = 0.0, step: float = 1e-3):
    """f″(t): the central difference of fourth order of f′."""
    return (8 * (derivative(f, t + step) - derivative(f, t - step))
            - (derivative(f, t + 2 * step) - derivative(f, t - 2 * step))) / (12 * step)


def hessian(f, x: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """∇²f(x) for a flat x: central differences of fourth order of the gradient."""
    def column(e):
        return (8 * (gradient(f, x + step * e) - gradient(f, x - step * e))
                - (gradient(f, x + 2 * step * e) - gradient(f, x - 2 * step * e))) / (12 * step)

    matrix = np.array([column(e) for e in np.eye(len(x))])
    return (matrix + matrix.T) / 2
