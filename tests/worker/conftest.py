"""Real stores for the worker's tests."""

from __future__ import annotations

import pytest

from tests.worker.rig import Rig


@pytest.fixture
async def rig(tmp_path):
    rig = await Rig(tmp_path).open()
    yield rig
    await rig.close()
