"""Instruments: one TOML file a model. Scanned through the entry point `nilometer.instruments`."""
