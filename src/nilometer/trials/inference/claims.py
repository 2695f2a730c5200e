"""What is claimed of the intervals that decisions rest on: the one list that engine, report and document share.

It says no more than docs/trials-validation.md shows: the study judges its numbers by a rule that stands there, and a
test holds this list against them.
"""

from __future__ import annotations

from enum import StrEnum

from nilometer.trials.inference.moments import QUANTILE

__all__ = ["CLAIMS", "OF_CLUSTERS", "Standing", "caveat_of"]


class Standing(StrEnum):
    """What the study shows of a statistic's intervals, for one site with effective pairs enough."""

    VALIDATED = "validated"
    NARROW = "narrow"
    LEANING = "leaning"
    WIDE = "wide"


CLAIMS: dict[str, Standing] = {
    "bias": Standing.VALIDATED,
    "relative_bias": Standing.WIDE,
    "mean_absolute_difference": Standing.LEANING,
    "rmse": Standing.LEANING,
    "sd": Standing.LEANING,
    "lower_limit": Standing.LEANING,
    "upper_limit": Standing.LEANING,
    QUANTILE: Standing.LEANING,
    "slope": Standing.VALIDATED,
    "intercept": Standing.LEANING,
    "concordance": Standing.LEANING,
    "drift": Standing.VALIDATED,
    "class_agreement": Standing.VALIDATED,
    "excess_error": Standing.LEANING,
}

# Other statistics of clusters scatter unevenly: their intervals fell short, and decide nothing.
OF_CLUSTERS = ("bias", "relative_bias", "drift")

_CAVEATS = {
    Standing.NARROW: (
        "validation shows intervals of {} too narrow in some waters: it may pass wrongly more often than stated"
    ),
    Standing.LEANING: (
        "validation shows that intervals of {} cover what they say but lean: it may pass wrongly more often than stated"
    ),
    Standing.WIDE: (
        "validation shows intervals of {} too wide in some waters: it may be left open more often than need be"
    ),
}


def caveat_of(statistic: str, *, of_clusters: bool = False) -> str:
    """Return what has to be known beside a decision on a statistic; empty where its error rate was shown.

    Parameters
    ----------
    statistic : str
        A name of `moments.STATISTICS`.
    of_clusters : bool
        Whether the interval comes from how clusters differ.

    Examples
    --------
    >>> caveat_of("bias")
    ''
    """
    if of_clusters and statistic in OF_CLUSTERS:
        return ""
    return _CAVEATS.get(CLAIMS[statistic], "").format(statistic)
