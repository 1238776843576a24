"""What holds for every test: no setting of the developer's leaks in, and no property is timed."""

import os

from hypothesis import settings

# How long the kill loops go on, and by which seed, is all that is asked of the tests themselves.
KEPT = {"CHECKREIN_CAMPAIGN", "CHECKREIN_SEED"}
for name in [name for name in os.environ if name.startswith("CHECKREIN_")]:
    if name not in KEPT:
        del os.environ[name]

# How long one example takes says more about the machine than about the code.
settings.register_profile("checkrein", deadline=None, print_blob=True)
settings.load_profile("checkrein")
