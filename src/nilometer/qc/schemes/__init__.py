r"""Flag schemes of others: what their codes say in QARTOD's words, and back, as data files beside this module.

Digits are never copied: Argo's 2 is "probably good", QARTOD's 2 is "not evaluated". A scheme is added by one file in a
package that the entry point ``nilometer.flag_schemes`` names. Nothing here judges a value or changes one.

::

    title = "SeaDataNet measurand qualifier flags (L20)"
    source = "where every meaning below was read"
    verified = true                    # false: says what could not be found in a second place, under `doubt`
    code = "text"                      # or "number": what `from_qartod` gives
    absent = "not_evaluated"           # no code at all
    pattern = '<(-?[0-9]+)>'           # optional: where in the text the code stands
    several = '[\s:]+'                  # optional: what parts several codes; the worst flag counts
    marks = "hj212-2017"               # optional: codes and flags are those of this mark table
    bits = ["global_range", "spike"]   # optional: codes are bit fields of these tests, the lowest bit first

    [codes.6]
    flag = "pass"
    meaning = "value below detection"
    censored = -1                      # optional: the value is a limit of what can be measured

    [qualifiers]                       # optional: further words that explain and never decide
    SOW = "sensor out of water"

    [from_qartod]                      # what is not here has no code in the scheme
    pass = "1"

    [loses]                            # what each direction cannot keep
    to_qartod = "..."
    from_qartod = "..."
"""

from __future__ import annotations

from nilometer.qc.schemes.reading import scheme, schemes
from nilometer.qc.schemes.scheme import Code, FlagScheme

__all__ = ["Code", "FlagScheme", "scheme", "schemes"]
