"""Determinism told from the record of one run: what would come out otherwise when it runs again.

A value is blamed only when nothing that was recorded before it says it: then the code made it up at
that moment. `known` remembers what was said, `detectors` look at one call each, `scoring` makes a
number of what they find and says how. Pure.
"""
