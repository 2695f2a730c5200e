"""SensorThings 1.1 as a stranger would check it: requests to an empty station, and what the standard has them answer.

Nothing here knows how the server is made. The requirements are those of OGC 18-088.
"""
