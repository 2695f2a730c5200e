"""The query language of SensorThings: names and types are bound once, then asked of SQL or of columns.

`functions` is the table of everything that may be called, `binding` makes bound trees of expressions, `sql` and
`columns` answer them alike. A comparison with null, or of unlike kinds, is unknown, as in SQL: neither it nor its
negation lets a row pass; only ``eq null`` finds what is absent.
"""
