"""Drivers, one module a protocol; each has a `DRIVER` constant. Scanned through the entry point `nilometer.drivers`."""
