"""What a request asks to be done, against what the tool does."""

from __future__ import annotations

import pytest

from gateway.intent.evidence import Evidence
from gateway.intent.v1 import consistency, plan


def features(request: str, tool: str) -> dict[str, float]:
    return consistency.look(Evidence(tool=tool, arguments={"id": 7}, request=request)).features


@pytest.mark.parametrize(
    "request_text",
    [
        "What is the balance of account 7?",
        "Hi! Could you please find the readings of sensor 7",
        "Is the door of room 7 locked?",
        "I'm looking for a home in Berkeley with 7 rooms.",
    ],
)
def test_a_question_asks_for_no_change(request_text: str) -> None:
    """Whatever is read for it, a tool that changes something is not what was asked for."""
    changes = features(request_text, "records.update_entry")
    reads = features(request_text, "records.get_entry")

    assert (changes["act_against"], reads["act_against"]) == (1.0, 0.0)
    assert (changes["only_asks"], reads["only_asks"]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("request_text", "tool"),
    [
        ("Please update entry 7.", "update_entry"),
        ("I'd like you to change the entry 7", "update_entry"),
        ("Show me entry 7 and delete it.", "delete_entry"),
        ("What does entry 7 say? Remove it then.", "remove_entry"),
    ],
)
def test_an_act_that_is_asked_for_speaks_for_its_tool(request_text: str, tool: str) -> None:
    found = features(request_text, tool)

    assert (found["act_for"], found["act_against"], found["only_asks"]) == (1.0, 0.0, 0.0)


def test_a_name_is_read_without_what_it_is_grouped_under() -> None:
    """In `books.search` nothing is booked."""
    assert features("Find a book on Rome.", "google.books_search")["only_asks"] == 0.0
    assert features("Find a book on Rome.", "reserve_area.find_nearby")["only_asks"] == 0.0


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("Use get_sensor_readings", 1.0),
        ("I will get the sensor readings as asked", 1.0),
        ("send sensor readings to the customer", 0.0),
        ("Next step: the weather", 0.0),
    ],
)
def test_a_plan_may_speak_of_the_things_and_of_another_verb(text: str, replaced: float) -> None:
    found = plan.look(Evidence(tool="send_sensor_readings", arguments={}, plan_text=text))

    assert found.features["plan.text_verb_replaced"] == replaced
