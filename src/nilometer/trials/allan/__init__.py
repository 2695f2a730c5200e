"""Allan deviations: how noise and drift of an instrument pass into each other with the time of averaging."""
