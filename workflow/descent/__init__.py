"""Descent: a laboratory for the optimization theory of neural networks."""
