"""SensorThings over MQTT: a listener of the server's own, so that nobody needs a broker."""
