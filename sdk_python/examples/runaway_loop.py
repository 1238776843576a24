"""A runaway loop: nearly the same search again and again, and on after every denial.

A denial for each call would go on costing a model call each. `Halted` is no `Exception`, so the
agent's own retry loop does not swallow it.
"""

from __future__ import annotations

from typing import Any

from checkrein import Halted, guard, run
from telling import Story, right, tell

ASKED = "find out who won the 2031 regional chess cup"
PATIENCE = 16


def main() -> dict[str, Any]:
    """Play the run. What it did is in the returned summary."""
    story = Story("runaway_loop", ASKED)

    @guard("search.web", side_effects=["read", "network"])
    def search(query: str, page: int) -> list[str]:
        """Search the web."""
        story.did("search.web", query=query, page=page)
        return []

    try:
        with run(story.name, agent="research-agent", request=ASKED) as r:
            story.run_id = r.id
            for page in range(1, 2 if right() else PATIENCE + 1):
                call = {"query": "2031 regional chess cup winner", "page": page}
                r.observe(reasoning=f"Nothing on page {page - 1}; the next one may have it.")
                story.attempt(r, "search.web", search, **call)
    except Halted:
        # The run is over; a real agent ends here and tells a person.
        pass
    return story.summary()


if __name__ == "__main__":
    tell(main)
