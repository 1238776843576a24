"""Where things live in Redis: partitions, slots and the names of keys; and commands as bytes.

A run's partition is a stable hash of its project and id, so every gateway and worker finds it
without asking. All keys of a partition share the hash tag `{p017}`, hence one slot and one node.
A shared counter has a tag of its own.
"""

from __future__ import annotations

from hashlib import blake2b

from redis.crc import key_slot

from gateway.errors import StorageFailure

PARTITIONS = 64
Key = tuple[str, str]


class Partition:
    """One partition: its number, its slot, and the beginning of its keys.

    `keys` are those that a Function is told of: the log, and one that never exists. While a cluster
    moves the slot key by key, Redis refuses any call that names a key it lacks beside one it has:
    so no Function ever sees a part of a partition.
    """

    __slots__ = ("base", "keys", "log", "number", "slot")

    def __init__(self, namespace: str, number: int) -> None:
        self.number = number
        self.base = f"{namespace}:{{p{number:03d}}}:".encode()
        self.log = self.base + b"log"
        self.keys = (self.log, self.base + b"never")
        self.slot = key_slot(self.log)

    def key(self, kind: bytes, place: bytes = b"") -> bytes:
        """The key of one kind of thing: of the partition, or of a run's place in it."""
        return self.base + kind + (b":" + place if place else b"")


class Places:
    """The partitions of an installation, whose number never changes."""

    def __init__(self, namespace: str, partitions: int) -> None:
        self.namespace = namespace
        self.partitions = [Partition(namespace, number) for number in range(partitions)]

    def of(self, key: Key) -> Partition:
        """The partition of a (project, run). Raises StorageFailure."""
        if "\n" in key[1]:
            raise StorageFailure("the run's id holds a line break, which no place can")
        digest = blake2b(place_of(key), digest_size=8).digest()
        return self.partitions[int.from_bytes(digest, "big") % len(self.partitions)]

    def counter(self, project_id: str, name: str) -> tuple[int, bytes]:
        """(slot, key) of a shared counter."""
        place = place_of((project_id, name))
        tag = blake2b(place, digest_size=12).hexdigest()
        key = f"{self.namespace}:{{c:{tag}}}:".encode() + place
        return key_slot(key), key

    def installation(self) -> tuple[int, bytes]:
        key = f"{self.namespace}:{{installation}}".encode()
        return key_slot(key), key

    def workers(self) -> tuple[int, bytes]:
        key = f"{self.namespace}:{{workers}}".encode()
        return key_slot(key), key


def place_of(key: Key) -> bytes:
    """`project/run`: unambiguous, because a project's id holds no slash. Raises StorageFailure."""
    project_id, name = key
    if "/" in project_id:
        raise StorageFailure("the project's id holds a slash, which no key can")
    try:
        return f"{project_id}/{name}".encode()
    except UnicodeEncodeError as error:
        raise StorageFailure(f"an id cannot be stored: {error}") from error


def key_of(place: bytes) -> Key:
    project_id, _, name = place.decode().partition("/")
    return project_id, name


def pack(*words: bytes | str | int) -> bytes:
    """A command as Redis reads it. Raises UnicodeEncodeError."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)
