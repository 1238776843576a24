"""Every contract test runs on every backend."""

from __future__ import annotations

import pytest

from tests.contract.backends import BACKENDS


@pytest.fixture(params=sorted(BACKENDS))
async def hot(request, tmp_path):
    """An open journal, with drain, control and keys, in a folder of its own."""
    opened = await BACKENDS[request.param](tmp_path).open()
    yield opened
    await opened.close()


@pytest.fixture(params=sorted(BACKENDS))
def backend(request, tmp_path):
    """A backend not opened yet, for tests that open it in their own way."""
    return lambda **options: BACKENDS[request.param](tmp_path, **options)
