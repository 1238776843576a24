"""A run that repeats itself takes the space of what is new; and nothing of it is readable."""

from __future__ import annotations

from gateway.storage.embedded.ledger import open_ledger
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, persists

PAGE = "A page that was found. " * 100
CANARY = "cus_9281-canary"


async def stored_content(folder, texts: list[list[str]]) -> int:
    """Bytes of content that a run of one check for each list of context texts takes."""
    drafts = [
        events.decided({"amount": 1}, more={"context": [{"text": text} for text in context]})
        for context in texts
    ]
    return await stored_of(folder, persists(drafts))


async def stored_of(folder, batch) -> int:
    ledger = await open_ledger(folder / "ledger.db")
    await ledger.record(batch, {})
    keys = {
        key for each in await ledger.events(PROJECT, "run_1") for key in each.blob_keys.values()
    }
    sealed = await ledger.blobs(PROJECT, "run_1", sorted(keys))
    await ledger.close()
    return sum(len(each) for each in sealed.values())


async def test_a_conversation_that_grows_takes_the_space_of_what_is_new(tmp_path):
    """design 4: 100 steps, each with one more text than the one before, 5,050 texts in all."""
    pages = [f"{n}: {PAGE}" for n in range(100)]
    new = sum(len(page) for page in pages)

    taken = await stored_content(tmp_path, [pages[: n + 1] for n in range(100)])

    assert new < taken < 4 * new
    # Stored with every check that saw them, they would take fifty times that.
    assert taken < sum(len(page) * (100 - n) for n, page in enumerate(pages)) / 10


async def test_model_calls_told_whole_take_the_space_of_what_is_new(tmp_path):
    """A caller that sends the whole conversation each time: 10,000 messages, 200 different ones."""
    talk = [{"role": "user", "content": f"{n}: {PAGE}"} for n in range(200)]
    tools = [{"name": f"tool {n}", "description": PAGE} for n in range(5)]
    new = sum(len(PAGE) for _ in [*talk, *tools])

    drafts = [
        events.observed(
            "model_call", {"messages": talk[: 2 * n + 2], "system": PAGE, "tools": tools}
        )
        for n in range(100)
    ]
    taken = await stored_of(tmp_path, persists(drafts))

    assert new < taken < 2 * new


async def test_a_window_that_slides_over_a_conversation_takes_no_more(tmp_path):
    pages = [f"{n}: {PAGE}" for n in range(100)]

    taken = await stored_content(tmp_path, [pages[n : n + 8] for n in range(93)])

    assert taken < 2 * sum(len(page) for page in pages)


async def test_no_word_of_content_can_be_read_in_the_files(tmp_path):
    """design 4: plaintext content never reaches the ledger, not even its log."""
    secret_words = {
        "context": [{"text": CANARY, "source": f"https://{CANARY}"}],
        "request": {
            "user": CANARY,
            "reasoning": CANARY,
            "plan": {"text": CANARY, "arguments": {CANARY: CANARY}},
        },
        "history": [{"tool": CANARY, "outcome": CANARY}],
        "external_state": {CANARY: CANARY},
        "model": {"parameters": {CANARY: CANARY}},
        "tools_available": [CANARY],
        "action": {"description": CANARY, "schema": {CANARY: CANARY}},
    }
    drafts = [
        events.decided({CANARY: CANARY}, more=secret_words, decision=f'"{CANARY}"'.encode()),
        events.observed("message", {"text": CANARY}),
        events.observed("model_call", {"messages": [CANARY], "tools": [CANARY], "answer": CANARY}),
        events.observed("plan", {"text": CANARY, "arguments": {CANARY: CANARY}}),
    ]
    ledger = await open_ledger(tmp_path / "ledger.db")
    await ledger.record(persists(drafts), {(PROJECT, "run_1"): WRAPPED})

    while_open = read_all(tmp_path)
    await ledger.close()

    assert b"stripe.refund" in while_open
    assert CANARY.encode() not in while_open
    assert CANARY.encode() not in read_all(tmp_path)


def read_all(folder) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())
