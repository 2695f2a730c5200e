"""The plan of a trial: written, frozen before the first datum, amended with a reason."""
