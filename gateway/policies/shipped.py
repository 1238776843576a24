"""The policies that come with the gateway, and the copy of them that a data folder gets."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from gateway.errors import ConfigInvalid

_PACKAGE = Path(__file__).resolve().parents[1]
# A wheel holds them inside the package; in a checkout they are the folder beside it.
_PLACES = (_PACKAGE / "shipped_policies", _PACKAGE.parent / "policies")


def shipped() -> Path:
    """The folder of shipped policies. Raises ConfigInvalid when an installation has none."""
    for place in _PLACES:
        if (place / "policy.yaml").is_file():
            return place
    raise ConfigInvalid("This installation has no policies: name a folder with --policies.")


def copy_shipped(target: Path) -> None:
    """Copy them to a folder that does not exist yet: all of them, or nothing.

    What is there already is the user's, edited or not, and stays as it is.
    """
    if target.exists():
        return
    copying = Path(tempfile.mkdtemp(prefix=".policies-", dir=target.parent))
    try:
        shutil.copytree(shipped(), copying, dirs_exist_ok=True)
        copying.chmod(0o700)
        copying.replace(target)
    except BaseException:
        shutil.rmtree(copying, ignore_errors=True)
        raise
