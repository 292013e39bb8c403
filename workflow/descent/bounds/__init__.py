"""Convergence bounds and the checks of their hypotheses."""
