"""Kernels of infinitely wide networks and their Gram matrices."""
