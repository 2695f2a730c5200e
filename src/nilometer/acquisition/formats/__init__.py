"""Logger and instrument files, one module a family. Scanned through the entry point `nilometer.formats`."""
