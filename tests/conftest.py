"""What holds for every test: no setting of the developer's leaks in, and no property is timed."""

import os

from hypothesis import settings

# How long the kill loop goes on is the one thing that is asked of the tests themselves.
for name in [name for name in os.environ if name.startswith("CHECKREIN_")]:
    if name != "CHECKREIN_CAMPAIGN":
        del os.environ[name]

# How long one example takes says more about the machine than about the code.
settings.register_profile("checkrein", deadline=None, print_blob=True)
settings.load_profile("checkrein")
