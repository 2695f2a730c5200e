"""Virtual instruments that speak their real protocol, with faults on request."""
