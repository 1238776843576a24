"""The witnesses of checkpoints that the settings name; none where there is nothing to tell them."""

from __future__ import annotations

from pathlib import Path

from gateway.ambient import Ambient
from gateway.audit.log.witnesses import FolderWitness, WebhookWitness, Witness
from gateway.config import Settings
from gateway.errors import ConfigInvalid


def witnesses_of(settings: Settings, ambient: Ambient) -> tuple[Witness, ...]:
    """Raises ConfigInvalid when the webhook's secret cannot be read or is empty."""
    found: list[Witness] = []
    if not settings.checkpoint_seconds:
        return ()
    if settings.checkpoint_folder is not None:
        found.append(FolderWitness(Path(settings.checkpoint_folder)))
    if settings.checkpoint_git is not None:
        found.append(FolderWitness(Path(settings.checkpoint_git), git=True))
    if settings.checkpoint_webhook is not None:
        found.append(WebhookWitness(settings.checkpoint_webhook, ambient, _secret(settings)))
    return tuple(found)


def _secret(settings: Settings) -> bytes | None:
    name = settings.checkpoint_webhook_secret_file
    if name is None:
        return None
    try:
        secret = Path(name).read_bytes().strip()
    except OSError as error:
        raise ConfigInvalid(f"{name} cannot be read: {error.strerror}.") from error
    if not secret:
        raise ConfigInvalid(
            f"{name} is empty: it is to hold the secret that signs for the webhook."
        )
    return secret
