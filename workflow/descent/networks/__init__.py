"""Network maps with gradients in closed form."""
