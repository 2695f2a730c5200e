"""Onward: what was measured goes to authorities, brokers and servers; one module per kind of receiver."""
