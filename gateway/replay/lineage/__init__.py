"""Lineage: where an argument of a recorded call came from, and the frame in which it went wrong.

Pure functions over the frames of a run. `trail` gathers what the run knew before the call,
`reading` asks one piece of it about one argument, `tracing` puts the answers in a row and names
the cause. Nothing is asked of a model, and nothing that was not recorded is made up: where the
capture does not suffice, the answer says what was missing.
"""
