"""Two recorded runs beside each other: what was configured otherwise, and what was done otherwise.

`course` reads a run from its frames, `aligning` puts the calls of two runs side by side, and
`comparing` tells how they differ. Pure: nothing is run again, and nothing is judged again.
"""
