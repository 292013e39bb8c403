"""Assembly of the report from values, figures and the ledger."""
