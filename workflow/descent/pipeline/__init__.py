"""The machinery that runs stages once: settings, fingerprints, store, provenance."""
