"""QC profiles as data files: one per observed property and kind of water. See `nilometer.qc.profile` for their keys.

`river` is the fullest folder, and what others inherit from. Thresholds are starting points: a site's history should
narrow them.
"""
