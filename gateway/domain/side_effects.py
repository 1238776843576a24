"""What a tool does to the world, when the policy does not say: inferred from its name.

The caller can add side effects, never take one away.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

_WORDS: dict[str, str] = {
    "payment": "pay payment charge refund transfer payout invoice purchase buy billing withdraw "
    "deposit stripe checkout bank wire",
    "delete": "delete remove drop destroy purge erase truncate wipe terminate rm",
    "message": "email mail send sms message notify slack tweet post publish reply chat",
    "access": "grant revoke permission role invite password token iam acl share",
    "deploy": "deploy release rollout publish apply rollback terraform kubectl",
    "exec": "exec execute run shell bash command eval script python sql query",
    "network": "http fetch request download upload curl web browse url webhook scrape",
    "write": "write create update insert put set edit save upsert patch modify add append move "
    "rename book cancel schedule",
    "read": "read get list search find lookup query fetch describe show view count check",
}
_EFFECT_OF: dict[str, tuple[str, ...]] = {}
for _effect, _words in _WORDS.items():
    for _word in _words.split():
        _EFFECT_OF[_word] = (*_EFFECT_OF.get(_word, ()), _effect)


def side_effects(declared: Iterable[str], tool: str, claimed: Iterable[str]) -> frozenset[str]:
    """The policy's side effects, else inferred ones, joined with the caller's."""
    return frozenset(declared or infer(tool)) | frozenset(claimed)


@lru_cache(maxsize=4096)
def infer(tool: str) -> frozenset[str]:
    """Side effects that the words of a tool's name suggest; a name that says nothing writes."""
    found = {effect for word in _split(tool) for effect in _EFFECT_OF.get(word, ())}
    return frozenset(found or {"write"})


def _split(name: str) -> list[str]:
    """`createRefund_v2` -> create, refund, v, 2."""
    spaced = "".join(
        f" {char}" if char.isupper() else char if char.isalpha() else " " for char in name[:256]
    )
    return spaced.lower().split()
