"""A run's budget: each purchase is small and sensible, and together they are too much."""

from __future__ import annotations

from typing import Any

from checkrein import guard, run
from telling import Story, right, tell

ASKED = "buy ads for the spring campaign, spend at most 100 USD"


def main() -> dict[str, Any]:
    """Play the run. What it did is in the returned summary."""
    story = Story("run_budget", ASKED)

    @guard("ads.buy", side_effects=["payment"], amount=("amount", "currency"))
    def buy(campaign: str, amount: int, currency: str) -> str:
        """Buy advertising. Amounts are in cents."""
        story.did("ads.buy", campaign=campaign, amount=amount, currency=currency)
        return "booked"

    with run(story.name, agent="marketing-agent", request=ASKED) as r:
        story.run_id = r.id
        for place in ("search", "news", "video", "social"):
            call: dict[str, Any] = {
                "campaign": f"spring-{place}",
                "amount": 2000 if right() else 4000,
                "currency": "usd",
            }
            r.observe(reasoning=f"Clicks are cheap on {place}.")
            story.attempt(r, "ads.buy", buy, **call)
    return story.summary()


if __name__ == "__main__":
    tell(main)
