"""The request that every measurement sends: 2.4 kB, as an agent's check looks."""

from __future__ import annotations

import json
from typing import Any

SIZE = 2_400

# Ten digits that a generator replaces, so that runs begin and end as those of agents do.
PLACEHOLDER = "0000000000"
AGENT = "bench-agent"
USER = "user_17"
_PAGE = (
    "Order 9281 was placed by customer cus_9281 on 12 November. The shop ships within two days. "
    "The customer asked for express delivery and paid the difference. "
)


def check(run_id: str = PLACEHOLDER, tool: str = "bench.pay", *, evidence: bool = True) -> bytes:
    """A body of exactly SIZE bytes, for the run named here or those that a generator names.

    Without `evidence` it has no request and no plan, so there is nothing to assess.
    """
    body: dict[str, Any] = {
        "run": {"id": run_id, "agent_id": AGENT, "user_id": USER},
        "action": {
            "tool": tool,
            "arguments": {
                "customer": "cus_9281",
                "amount": 4500,
                "currency": "usd",
                "is_refund": False,
                "order": "9281",
                "memo": "Express delivery for order 9281",
            },
            "side_effects": ["payment"],
            "description": "Charge a customer, or refund one.",
        },
        "request": {
            "user": "Charge customer cus_9281 45.00 USD for order 9281.",
            "plan": {
                "text": "Charge cus_9281 45.00 USD; this is not a refund.",
                "arguments": {"customer": "cus_9281", "amount": 4500, "is_refund": False},
            },
        },
        "context": [
            {"id": "doc_1", "source": "orders/9281", "trusted": True, "text": _PAGE * 3},
            {"id": "doc_2", "source": "https://shop.example/faq", "text": ""},
        ],
        "model": {"provider": "example", "id": "large-1", "parameters": {"temperature": 0}},
        "tools_available": ["bench.pay", "bench.read", "search.web"],
    }
    if not evidence:
        del body["request"]
    short = len(json.dumps(body, separators=(",", ":")))
    body["context"][1]["text"] = (_PAGE * 20)[: SIZE - short]
    return json.dumps(body, separators=(",", ":")).encode()
