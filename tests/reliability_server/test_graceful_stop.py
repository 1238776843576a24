"""D8: whoever said that it is ready can be told to stop, and ends as it should."""

from __future__ import annotations

import pytest

from tests.reliability_server.installation import installation

# A guard: how long the servers take to start says more about the machine than about them.
pytestmark = pytest.mark.timeout(900)

STOPS = 3


def test_a_gateway_and_a_worker_that_are_stopped_as_soon_as_they_are_ready_end_in_order(tmp_path):
    """D8: SIGTERM in the very moment of the line that says it; what was in hand is recorded."""
    with installation(tmp_path) as running:
        for number in range(STOPS):
            wire = running.wire()
            body = {"tool": "crm.read_customer", "arguments": {"id": number}}
            assert wire.check(action=body).status == 200
            wire.close()
            for part in (running.gateway, running.worker):
                assert part.stop() == 0, part.tail()
                part.start()
                assert part.stop() == 0, part.tail()
                part.start()

        running.until_recorded()
        assert running.verify()["events"] == 2 * STOPS
