"""D8: a stop that is asked for loses nothing, and cuts no answer short."""

from __future__ import annotations

import random
import signal
import time

from tests.reliability import accounts, folders
from tests.reliability.process import checkrein, until
from tests.reliability.threads import meanwhile
from tests.reliability.witnesses import Witness, seen

ROUNDS = 10
CLIENTS = 8


def test_sigterm_under_load_loses_nothing_and_cuts_no_answer_short(gateway, tmp_path):
    """D8: ten times SIGTERM while eight clients ask. Every answer that begins is whole, the exit
    code is 0, no process stays behind, the start after it goes on with the same data, and every 2xx
    is recorded."""
    policies = folders.shipped_and(tmp_path / "policies", folders.PROOFS)
    running = gateway(policies=policies).start()
    witnesses = [Witness(running, tmp_path, str(number)) for number in range(CLIENTS)]
    told_before = 0

    with meanwhile(*(witness.run for witness in witnesses)):
        for round_ in range(ROUNDS):
            time.sleep(random.uniform(0.2, 0.6))
            running.signal(signal.SIGTERM)
            assert running.wait() == 0, running.tail()
            until(lambda: not running.members(), 20, "no process is left")
            told = sum(witness.told for witness in witnesses)
            assert told > told_before, "nobody was answered in this round"
            told_before = told
            if round_ < ROUNDS - 1:
                running.start()

    assert [witness.torn for witness in witnesses] == [0] * CLIENTS
    accounts.nothing_is_missing(running.data, seen(witnesses))
    checkrein("verify", "--data", str(running.data))
