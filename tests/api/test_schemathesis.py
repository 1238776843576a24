"""Whatever fits the document, and much that does not: no 5xx, and no answer that is not in it."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
)

from gateway.api import live as live_stream
from gateway.api.endpoints import OPERATIONS
from gateway.api.openapi import document
from tests.api.live import Live

SCHEMA = schemathesis.openapi.from_dict(document(OPERATIONS))
DESCRIBED: dict[str, Any] = {}
for found in SCHEMA.get_all_operations():
    DESCRIBED[found.ok().label] = found.ok()  # type: ignore[union-attr]
CASES = [
    pytest.param(label, mode, id=f"{label} {mode.value}")
    for label, operation in DESCRIBED.items()
    for mode in GenerationMode
    # An answer that does not end has tests of its own (tests/live).
    if label != f"{live_stream.FOLLOW.method} {live_stream.PATH}"
    # What takes nothing cannot be given anything wrong.
    if mode is GenerationMode.POSITIVE or operation.body or "parameters" in operation.definition.raw
]

# What a schema cannot say: which characters a name may have, what only the gateway writes, and
# what free-form JSON costs to read.
BEYOND_SCHEMAS = {
    "bad_name",
    "bad_cursor",
    "bad_evidence",
    "number_out_of_range",
    "too_many_exponents",
    "too_many_nodes",
    "too_deep",
    "key_too_long",
}

# Without shrinking: a failure takes no longer than the examples do.
a_few = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize(("label", "mode"), CASES)
def test_the_gateway_answers_as_the_document_says(
    live: Live, label: str, mode: GenerationMode
) -> None:
    """API9: statuses, bodies, media types and refusals are those of the OpenAPI document."""
    authorized = {"authorization": f"Bearer {live.keys['full']}"}
    excluded = [ignored_auth, positive_data_acceptance]
    if label.startswith("GET"):
        # A wrong parameter may be one that no address can hold; tests of our own send them.
        excluded.append(negative_data_rejection)

    @a_few
    @given(case=DESCRIBED[label].as_strategy(generation_mode=mode))
    def answers(case: Any) -> None:
        response = case.call_and_validate(
            base_url=live.url,
            headers=authorized,
            excluded_checks=excluded,
        )
        assert response.status_code < 500
        if mode is GenerationMode.POSITIVE and response.status_code == 400:
            refused = response.json()
            # To a schema 0.0 is an integer; here it is not, since readers differ.
            assert refused["code"] in BEYOND_SCHEMAS or "got `float`" in refused["detail"]

    answers()
