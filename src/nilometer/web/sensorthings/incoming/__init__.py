"""A whole SensorThings server comes into a data folder: entities, Observations, and what was not taken."""
