"""How sure a figure of dependent pairs is, and what may be decided from it."""
