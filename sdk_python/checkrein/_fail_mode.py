"""What happens to a call that cannot be checked. Decided before the gateway is asked.

| environment        | unreachable, malformed, our own bug | refused by the gateway (4xx) |
| ------------------ | ----------------------------------- | ---------------------------- |
| development        | runs, as a gap                      | runs, as a gap *             |
| staging            | runs, as a gap, with a warning      | runs, as a gap *             |
| production, others | denied                              | denied                       |

* but is denied where the gateway's last decision was made in the mode `block`.

An explicit `on_unavailable` on the guard wins over CHECKREIN_ON_UNAVAILABLE, which wins over the
environment. `allow_reads` lets a call run when all of its declared side effects are `read`; a call
that declares none counts as the strictest kind.
"""

from __future__ import annotations

from typing import NamedTuple

from checkrein._settings import OnUnavailable, Settings
from checkrein._trouble import Refused, StoreAway, Trouble


class Stance(NamedTuple):
    """`allow` is the fail mode. `lenient`: development, staging, or the call only reads.
    `told_to_deny`: somebody chose deny, so no gateway may open it."""

    allow: bool
    lenient: bool
    told_to_deny: bool
    only_reads: bool


DENY = Stance(allow=False, lenient=False, told_to_deny=True, only_reads=False)


def stance(
    settings: Settings,
    side_effects: frozenset[str],
    on_unavailable: OnUnavailable | None,
    mode: str = "",
) -> Stance:
    """The fail mode of one call. `mode` is what the gateway last said it does here: where it
    blocks, whatever the environment is called, refusals are not treated leniently."""
    only_reads = side_effects == {"read"}
    choice = on_unavailable or settings.on_unavailable
    if choice is None:
        choice = "allow" if settings.lenient else "deny"
        told = False
    else:
        told = choice == "deny" or (choice == "allow_reads" and not only_reads)
    allow = choice == "allow" or (choice == "allow_reads" and only_reads)
    lenient = only_reads or (settings.lenient and mode != "block")
    return Stance(allow, lenient, told, only_reads)


def may_run(stance: Stance, trouble: Exception) -> bool:
    """Whether the body runs although there is no decision.

    A refusal is about this very call, and its content is the agent's: an `allow` meant for outages
    does not cover it outside of development and staging.
    """
    if isinstance(trouble, Refused):
        return stance.allow and stance.lenient
    if isinstance(trouble, StoreAway):
        return trouble.open and not stance.told_to_deny
    return stance.allow


def describe(trouble: Exception) -> str:
    """One short line for logs and gap records: no arguments, no keys."""
    if isinstance(trouble, Trouble):
        return f"{trouble.kind}: {trouble.detail}"[:256]
    return f"error: {type(trouble).__name__} inside checkrein"
