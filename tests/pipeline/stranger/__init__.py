"""A stranger's drivers, found by their entry point."""
