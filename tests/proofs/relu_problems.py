"""Random problems of two-layer ReLU networks, their objectives, and one problem of which a point is stationary."""

import numpy as np

SAMPLES, INPUTS, UNITS, OUTPUTS = 9, 3, 2, 2


def outputs(U, V, X):
    return np.maximum(X @ V, 0) @ U.T


def squared(Z, Y):
    return ((Z - Y) ** 2).sum() / 2, Z - Y


def logistic(Z, Y):
    return np.logaddexp(0, -Y * Z).sum(), -Y * np.exp(-np.logaddexp(0, Y * Z))


LOSSES = {"squared": squared, "logistic": logistic}


def equal(U, V, decay):
    return decay / 2 * (np.sum(U**2) + np.sum(V**2))


def mixed(U, V, decay):
    return decay / 2 * (np.sqrt(np.sum(U**2)) + np.sum(V**2))


def objective(U, V, X, Y, decay, penalty=equal, loss=squared):
    return loss(outputs(U, V, X), Y)[0] + penalty(U, V, decay)


def norms(matrix):
    return np.linalg.norm(matrix, axis=0)


def drawn(seed, loss="squared"):
    """U, V, X, Y and λ of a random problem whose pre-activations keep away from 0."""
    rng = np.random.default_rng(seed)
    while True:
        U, V, X = (rng.standard_normal(shape) for shape in ((OUTPUTS, UNITS), (INPUTS, UNITS), (SAMPLES, INPUTS)))
        if np.abs(X @ V).min() > 1e-2:
            break
    Y = rng.standard_normal((SAMPLES, OUTPUTS))
    return U, V, X, np.sign(Y) if loss == "logistic" else Y, rng.uniform(0.1, 2)


def subgradient_of_loss(U, V, X, G, S):
    """P and Q, unit by unit and sample by sample."""
    units, samples = range(V.shape[1]), range(len(X))
    P = [sum(max(V[:, j] @ X[i], 0) * G[i] for i in samples) for j in units]
    Q = [sum(S[i, j] * (G[i] @ U[:, j]) * X[i] for i in samples) for j in units]
    return np.stack(P, 1), np.stack(Q, 1)


def stationary_point(seed, penalty, decay):
    """A problem of squared losses made so that a given (U, V), balanced as the penalty wants it, is stationary.

    The gradients of the losses solve the linear system that stationarity is; None where this system is singular.
    """
    U, V, X, *_ = drawn(seed)
    U = U / norms(U) * norms(V) * (1 if penalty is equal else 2 * np.linalg.norm(V))
    wanted = -decay * (U if penalty is equal else U / np.linalg.norm(U) / 2), -decay * V
    basis = np.eye(len(X) * len(U)).reshape(-1, len(X), len(U))
    columns = [np.hstack([part.ravel() for part in subgradient_of_loss(U, V, X, G, X @ V > 0)]) for G in basis]
    system, right = np.stack(columns, 1), np.hstack([part.ravel() for part in wanted])
    found = np.linalg.lstsq(system, right)[0]
    if np.abs(system @ found - right).max() > 1e-10 or np.abs(found).max() > 1e3:
        return None
    return U, V, X, outputs(U, V, X) - found.reshape(len(X), len(U))
