"""The operator against the dense matrix in every type of number, the adjoint identity, and SciPy's solvers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import circulant
from scipy.sparse.linalg import aslinearoperator, lsqr, svds

from descent.networks.convolution import DIRECT_TAPS, Convolution1d

DTYPES = [np.int8, np.int64, np.uint16, np.float16, np.float32, np.float64, np.longdouble, np.complex64, np.complex128]


def dense(kernel: np.ndarray, size: int) -> np.ndarray:
    """Row i has the kernel from column i on."""
    matrix = np.zeros((size - len(kernel) + 1, size), kernel.dtype)
    for i, row in enumerate(matrix):
        row[i:i + len(kernel)] = kernel
    return matrix


def numbers(rng: np.random.Generator, dtype, *shape: int) -> np.ndarray:
    values = 3 * rng.standard_normal(shape) + (3j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else 0)
    return (np.abs(values) if np.dtype(dtype).kind == "u" else values).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("r", "n"), [(1, 1), (1, 6), (3, 20), (7, 7), (DIRECT_TAPS + 1, 300), (200, 200)])
def test_products_are_those_of_the_matrix(rng, dtype, r, n):
    kernel = numbers(rng, dtype, r)
    a, matrix = Convolution1d(kernel, n), dense(kernel, n)
    x, y = numbers(rng, dtype, n, 4), numbers(rng, dtype, n - r + 1, 4)
    precision = 0 if np.dtype(dtype).kind in "iu" else 200 * np.finfo(dtype).eps
    for found, expected in [(a @ x, matrix @ x), (a @ x[:, 0], matrix @ x[:, 0]), (a.T @ y, matrix.T @ y),
                            (a.T @ y[:, 0], matrix.T @ y[:, 0]), (a.H @ y, matrix.conj().T @ y),
                            (a.T.H @ x, matrix.conj() @ x), (a @ x[:, :0], matrix @ x[:, :0])]:
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=precision * float(np.abs(expected).max(initial=0)))


def test_types_mix_as_numpy_mixes_them():
    assert (Convolution1d(np.ones(2, np.float32), 4) @ np.ones(4, np.complex64)).dtype == np.complex64
    assert (Convolution1d([1, 2], 4) @ np.ones(4)).dtype == np.float64
    assert (Convolution1d(np.ones(100, np.float32), 400) @ np.ones(400, np.int8)).dtype == np.float32
    assert Convolution1d([1, 2], 4).T.dtype == np.int64


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=5), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_the_adjoint_identity_is_exact_in_integers_and_fractions(kernel, more, seed):
    a, draws = Convolution1d(kernel, len(kernel) + more), np.random.default_rng(seed)
    x, y = draws.integers(-99, 100, a.shape[1]), draws.integers(-99, 100, a.shape[0])
    assert (a @ x) @ y == x @ (a.T @ y)
    third = Convolution1d([Fraction(value, 3) for value in kernel], a.shape[1])
    assert ((third @ x) == (a @ x) * Fraction(1, 3)).all()


def test_the_matrix_is_the_document_s():
    kernel = np.random.RandomState(0).randn(3)  # noqa: NPY002
    naive = circulant(np.concatenate((np.flip(kernel), np.zeros(17))))[2:, :]
    np.testing.assert_array_equal(Convolution1d(kernel, 20) @ np.eye(20), naive)
    np.testing.assert_array_equal(Convolution1d(kernel, 20).T @ np.eye(18), naive.T)


def test_the_transpose_of_the_transpose_is_the_original():
    a = Convolution1d([1.0, 2.0], 5)
    assert a.T.T is a
    assert (a.shape, a.T.shape) == ((4, 5), (5, 4))


def test_the_kernel_is_kept_as_it_was_given():
    kernel = np.array([1.0, 2.0])
    a = Convolution1d(kernel, 3)
    kernel[:] = 0
    np.testing.assert_array_equal(a @ np.array([1.0, 0, 1]), [1, 2])
    with pytest.raises(ValueError, match="read-only"):
        a.kernel[0] = 5


def test_columns_do_not_see_each_other(rng):
    a, x = Convolution1d([1.0, -2.0, 3.0], 6), rng.standard_normal((6, 3))
    y = rng.standard_normal((4, 3))
    x[:, 1], y[:, 1] = np.inf, np.nan
    for product in (a @ x, a.T @ y):
        assert np.isfinite(product[:, [0, 2]]).all()


def test_scipy_takes_it_as_a_linear_operator(rng):
    kernel = rng.standard_normal(4) + 1j * rng.standard_normal(4)
    a, matrix, b = Convolution1d(kernel, 30), dense(kernel, 30), rng.standard_normal(27)
    values = np.linalg.svd(matrix, compute_uv=False)
    start = np.ones(27, complex)
    assert svds(a, k=1, v0=start, return_singular_vectors=False) == pytest.approx(values[:1])
    assert svds(a.T, k=1, v0=start, return_singular_vectors=False) == pytest.approx(values[:1])
    np.testing.assert_allclose(aslinearoperator(a).H @ b, matrix.conj().T @ b)
    np.testing.assert_allclose(aslinearoperator(a).T @ b, matrix.T @ b)
    real = Convolution1d(kernel.real, 30)
    np.testing.assert_allclose(lsqr(real, b, atol=1e-13, btol=1e-13)[0], np.linalg.pinv(dense(kernel.real, 30)) @ b,
                               atol=1e-8)


A = Convolution1d([1.0, 2.0, 3.0], 20)


@pytest.mark.parametrize(("attempt", "error", "message"), [
    (lambda: A @ np.zeros(19), ValueError, r"Convolution1d of shape \(18, 20\) @ an array of shape \(19,\): needs"),
    (lambda: A.T @ np.zeros((20, 2)), ValueError, r"shape \(20, 18\) @ an array of shape \(20, 2\): needs \(18,\) or"),
    (lambda: A @ np.zeros((20, 2, 2)), ValueError, "needs"),
    (lambda: A @ 3.0, ValueError, r"array of shape \(\)"),
    (lambda: A @ ["a"] * 20, TypeError, "the right side of @ has entries of type <U1"),
    (lambda: A @ np.zeros(20, bool), TypeError, "of type bool"),
    (lambda: Convolution1d([1, 2], 1), ValueError, "needs r numbers, 1 <= r <= size"),
    (lambda: Convolution1d([], 5), ValueError, "needs r numbers"),
    (lambda: Convolution1d(np.eye(2), 5), ValueError, r"kernel of shape \(2, 2\) and size 5"),
    (lambda: Convolution1d(["k"], 5), TypeError, "kernel has entries of type"),
    (lambda: Convolution1d([1, 2], 5.0), TypeError, "integer"),
    (lambda: np.zeros(18) @ A, TypeError, "unsupported operand"),
    (lambda: np.zeros(18) * A, TypeError, "unsupported operand"),
])
def test_what_does_not_fit_is_refused(attempt, error, message):
    with pytest.raises(error, match=message):
        attempt()
