"""How fast a check is: always measured beside a floor, in one run, as a ratio."""
