"""Data sets and data streams; one module per data set, discovered by file name."""
