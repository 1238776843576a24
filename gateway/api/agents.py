"""The agents that had runs, completed as a person types."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.domain.facts import Agent

Prefix = Annotated[str, Meta(max_length=256, description="How the agent's id begins.")]
Limit = Annotated[int, Meta(ge=1, le=100, description="How many at most.")]


class AgentsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What was typed so far."""

    prefix: Prefix = ""
    limit: Limit = 20


class Agents(Struct, frozen=True):
    """Agents in order of their ids."""

    agents: list[Agent]


async def _list_agents(parts: Parts, call: Call) -> Answer:
    query: AgentsQuery = call.query
    found = await parts.ledger.agents(call.caller.project_id, query.prefix, query.limit)
    return Answer(Agents(list(found)))


LIST_AGENTS: Final = Endpoint(
    _list_agents,
    Operation(
        id="listAgents",
        method="GET",
        path="/v1/agents",
        scope="read",
        summary="Agents whose id begins so",
        description="For a field that completes itself: the ids, and when each had its last run.",
        query=AgentsQuery,
        reply=Agents,
    ),
)
