"""Hessian spectra: in closed form, dense, and without the matrix."""
