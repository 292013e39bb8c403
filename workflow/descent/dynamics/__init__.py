"""Training dynamics: the discrete iterations and flows, with their fast kernels."""
