"""Examples for the OpenAPI document, taken from a real gateway under the shipped policies.

    python -m tests.api.capture

writes `gateway/api/examples.json` anew. A test takes them again and compares the shapes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from gateway.api.openapi import EXAMPLES
from gateway.audit.signing.keys import PURPOSE, SigningKeys
from tests.api.live import json, live_gateway
from tests.servers.models import Said, models

SHIPPED = Path(__file__).parents[2] / "policies"
BASE_URL = "https://checkrein.example.com"
RUN = "support-ticket-4711"

CHECK = {
    "run": {"id": RUN, "name": "support ticket", "agent_id": "support-bot", "user_id": "u_77"},
    "action": {
        "id": "charge-9281",
        "attempt": "f3a1",
        "tool": "stripe.create_payment",
        "arguments": {
            "customer": "cus_9281",
            "amount": 450000,
            "currency": "USD",
            "is_refund": True,
        },
        "side_effects": ["payment"],
    },
    "request": {
        "user": "Charge cus_9281 4,500 USD for the order.",
        "plan": {
            "text": "Charge the customer 4,500 USD.",
            "tool": "stripe.create_payment",
            "arguments": {
                "customer": "cus_9281",
                "amount": 450000,
                "currency": "USD",
                "is_refund": False,
            },
        },
    },
    "context": [
        {"id": "order", "source": "crm", "trusted": True, "text": "cus_9281 owes 4,500 USD."}
    ],
}
ASKED = {
    "run": {"id": RUN},
    "action": {
        "tool": "stripe.create_payment",
        "arguments": {"customer": "cus_9281", "amount": 2_500_000, "currency": "USD"},
    },
}
READ = {"run": {"id": RUN}, "action": {"tool": "crm.read_customer", "arguments": {"id": 9281}}}
EVENTS = {
    "run": {"id": RUN},
    "events": [
        {"type": "request", "text": "Charge cus_9281 4,500 USD for the order."},
        {
            "type": "model_call",
            "provider": "anthropic",
            "id": "claude",
            "api": "messages",
            "messages": [{"role": "user", "content": "Charge cus_9281 4,500 USD for the order."}],
            "parameters": {"max_tokens": 500},
            "answer": "I will charge the customer.",
            "usage": {"input_tokens": 812, "output_tokens": 44},
            "cost": {"value": 2, "currency": "USD"},
            "prompt_version": "support-7",
            "confidence": "0.92",
        },
        {
            "type": "artifact",
            "name": "reply.md",
            "path": "tickets/4711/reply.md",
            "access": "created",
            "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        },
        {"type": "verification", "name": "spelling", "kind": "lint", "status": "passed"},
        {"type": "shared_state", "store": "ticket", "version": "v3", "access": "read"},
        {"type": "handoff", "to_agent": "billing-bot", "kind": "escalated", "version": "v3"},
    ],
}
RESULT = {"status": "succeeded", "output": {"name": "Ada"}, "duration_ns": "81250000"}
AGAIN = {
    "confirm": True,
    "system": "Charge in minor units.",
    "checks": [{"kind": "tool_called", "tool": "stripe.create_payment"}],
}
NOW = Said(
    "I will charge the customer.",
    [("stripe_create_payment", {"customer": "cus_9281", "amount": 450000, "currency": "USD"})],
    (820, 61),
    "claude",
)
FEEDBACK = {"label": "fine", "comment": "The customer asked for her own record.", "by": "Ada"}


def capture() -> dict[str, Any]:
    """For each operation id: the body that was sent, the path's parameters, the reply."""
    with (
        tempfile.TemporaryDirectory() as folder,
        models() as provider,
        live_gateway(
            Path(folder),
            policies=SHIPPED,
            base_url=BASE_URL,
            reexecute_anthropic_url=provider.url,
            reexecute_prices=str(_prices(Path(folder))),
        ) as live,
        live.client() as client,
    ):
        provider.always(NOW)
        parts = live.gateway.parts
        keys = SigningKeys(parts.control, parts.keyring.derived(PURPOSE))
        live.run(keys.create(parts.ambient))
        return _capture(client)


def _prices(folder: Path) -> Path:
    path = folder / "prices.json"
    path.write_text('{"claude": {"input": "3", "output": "15"}}')
    return path


def _capture(client: httpx2.Client) -> dict[str, Any]:
    taken: dict[str, Any] = {}

    def get(id: str, path: str, **named: str) -> Any:
        reply = json(client.get(path.format(**named)).raise_for_status())
        taken[id] = {"reply": reply} | ({"path": named} if named else {})
        return reply

    def post(id: str, path: str, body: Any, **named: str) -> Any:
        reply = json(client.post(path.format(**named), json=body).raise_for_status())
        taken[id] = {"body": body, "reply": reply} | ({"path": named} if named else {})
        return reply

    post("openRun", "/v1/runs", CHECK["run"])
    post("reportEvents", "/v1/events", EVENTS)
    post("checkAction", "/v1/check-action", CHECK)
    read = json(client.post("/v1/check-action", json=READ))["decision_id"]
    post("reportResult", "/v1/decisions/{decision_id}/result", RESULT, decision_id=read)
    post("giveFeedback", "/v1/decisions/{decision_id}/feedback", FEEDBACK, decision_id=read)
    asked = json(client.post("/v1/check-action", json=ASKED))["approval"]["id"]
    post("endRun", "/v1/runs/{run_id}/end", {"status": "escalated"}, run_id=RUN)
    get("getDecision", "/v1/decisions/{decision_id}", decision_id=read)
    get("getRun", "/v1/runs/{run_id}", run_id=RUN)
    get("listFrames", "/v1/runs/{run_id}/frames?limit=4", run_id=RUN)
    get("listSteps", "/v1/runs/{run_id}/steps?limit=3", run_id=RUN)
    get("getModelCall", "/v1/runs/{run_id}/steps/{seq}/model-call", run_id=RUN, seq="3")
    again = "/v1/runs/{run_id}/steps/{seq}/re-execute"
    post("reExecuteStep", again, AGAIN, run_id=RUN, seq="3")
    get("explainCall", "/v1/runs/{run_id}/explain", run_id=RUN)
    other = {**READ, "run": {"id": f"{RUN}-before", "agent_id": "support-bot"}}
    client.post("/v1/check-action", json=other).raise_for_status()
    path = f"/v1/runs/{{run_id}}/compare?other={RUN}-before"
    get("compareRuns", path, run_id=RUN)
    path = "/v1/decisions/{decision_id}/re-judge"
    post("rejudgeDecision", path, {"policy": "active"}, decision_id=read)
    post("rejudgeRun", "/v1/runs/{run_id}/re-judge", {"limit": 2}, run_id=RUN)
    post("rejudgeRange", "/v1/re-judge", {"policy": "active", "limit": 2})
    get("scoreDeterminism", "/v1/runs/{run_id}/determinism", run_id=RUN)
    get("getRecording", "/v1/runs/{run_id}/recording", run_id=RUN)
    exported = get("exportRun", "/v1/runs/{run_id}/export?content=false", run_id=RUN)
    for named, path in (("verifyExport", "/v1"), ("verifyExportAlias", "/api")):
        post(named, f"{path}/audit/verify", {"zip": exported["zip"]})
        # The zip is long, and nobody reads it: an empty one stands for it.
        taken[named]["body"] = {"zip": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="}
    taken["exportRun"]["reply"] = {**exported, "zip": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="}
    get("getRecord", "/v1/runs/{run_id}/record", run_id=RUN)
    get("listRuns", "/v1/runs")
    get("exportRuns", "/v1/exports/runs?format=json")
    get("search", "/v1/search?q=charge%20cus_9281&within=content&limit=1")
    get("listArtifacts", "/v1/artifacts?path=tickets/4711/reply.md")
    get("listAgents", "/v1/agents?prefix=support")
    get("getApproval", "/v1/approvals/{approval_id}", approval_id=asked)
    get("listApprovals", "/v1/approvals")
    get("getLogCheckpoint", "/v1/audit/log/checkpoint")
    get("getLogConsistency", "/v1/audit/log/consistency?before=2")
    get("getLogInclusion", "/v1/runs/{run_id}/inclusion", run_id=RUN)
    post("erase", "/v1/erasures", {"what": "run", "id": RUN})
    get("getIntentReport", "/v1/intent/report")
    post("previewIntent", "/v1/intent/preview", {"side_effect": "payment", "threshold": 0.9})
    post("calibrateIntent", "/v1/intent/calibrate", {"side_effect": "payment", "budget": 0.01})
    post("switchIntent", "/v1/intent/switch", {"limit": 1000})
    get("listIntentLabels", "/v1/intent/labels")
    get("listIntentReviews", "/v1/intent/reviews")
    get("getActivePolicy", "/v1/policies/active")
    get("listPolicyVersions", "/v1/policies/versions")
    get("livez", "/livez")
    get("readyz", "/readyz")
    post("makeLiveTicket", "/v1/live/tickets", None)
    del taken["makeLiveTicket"]["body"]
    ready = _events(client, "/v1/live?seconds=0")[0].removeprefix("id: ").partition("\n")[0]
    check = json(client.post("/v1/check-action", json={**READ, "run": {"id": f"{RUN}-live"}}))
    client.get(f"/v1/runs/{check['run_id']}").raise_for_status()
    taken["followLive"] = {
        "reply": "\n\n".join(_events(client, f"/v1/live?seconds=0&after={ready}"))
    }
    taken["getOpenApi"] = {
        "reply": {"openapi": "3.1.0", "info": {"title": "Checkrein", "version": "0"}, "paths": {}}
    }
    return taken


def _events(client: httpx2.Client, path: str) -> list[str]:
    """The events of a stream that ends by itself; what comes before them is how to come again."""
    return client.get(path).raise_for_status().text.strip().split("\n\n")[1:]


def main() -> None:
    text = msgspec.json.format(msgspec.json.encode(capture(), order="sorted"), indent=1)
    EXAMPLES.write_bytes(text + b"\n")


if __name__ == "__main__":
    main()
