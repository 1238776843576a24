"""The master key's file: made once, private, and never replaced or repeated in an error."""

from __future__ import annotations

import base64

import pytest

from gateway.errors import ConfigInvalid
from gateway.storage import master_key

KEY = bytes(range(32))


def test_a_made_key_is_private_and_read_back(tmp_path):
    path = tmp_path / "master.key"
    made = master_key.make(path)

    assert master_key.from_file(path) == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(made) == 32


def test_an_existing_key_is_never_replaced(tmp_path):
    path = tmp_path / "master.key"
    made = master_key.make(path)

    with pytest.raises(FileExistsError):
        master_key.make(path)
    assert path.read_bytes() == made


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (KEY, 0o640, "chmod 600"),
        (KEY[:31], 0o600, "31 bytes instead of 32"),
        (b"", 0o600, "0 bytes"),
        (None, 0o600, "cannot be read"),
    ],
)
def test_a_file_that_is_no_key_is_refused(tmp_path, content, mode, says):
    path = tmp_path / "master.key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)

    with pytest.raises(ConfigInvalid, match=says):
        master_key.from_file(path)


def test_a_key_from_the_environment_is_base64():
    assert master_key.from_text(base64.b64encode(KEY).decode()) == KEY


@pytest.mark.parametrize(
    "text", ["", "secret!", "c2VjcmV0", "ü", base64.b64encode(KEY)[:-2].decode()]
)
def test_a_wrong_text_is_refused_without_being_repeated(text):
    with pytest.raises(ConfigInvalid) as refused:
        master_key.from_text(text)
    assert not text or text not in str(refused.value)
