"""Studies: one module per question, discovered by file name."""
