"""Changes of entities and Observations through SensorThings: create, update, delete."""
