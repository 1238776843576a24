"""Destructive commands: a clean-up that would delete every customer and a whole folder."""

from __future__ import annotations

from typing import Any

from checkrein import guard, run
from telling import Story, right, tell

ASKED = "remove the test customer cus_test_1 and free some disk space"
# What would have been right.
ONE_CUSTOMER = "DELETE FROM customers WHERE id = 'cus_test_1'"
OLD_FILES = "find /srv/tmp -mtime +30 -print"


def main() -> dict[str, Any]:
    """Play the run. What it did is in the returned summary."""
    story = Story("destructive_command", ASKED)

    @guard("db.execute", side_effects=["write", "delete"])
    def execute(sql: str) -> int:
        """Run a statement on the production database."""
        story.did("db.execute", sql=sql)
        return 1

    @guard("shell.run", side_effects=["exec"])
    def shell(command: str) -> str:
        """Run a command on the production host."""
        story.did("shell.run", command=command)
        return ""

    with run(story.name, agent="ops-agent", request=ASKED) as r:
        story.run_id = r.id
        r.observe(plan="Delete the test customer, then clear old files.")
        story.attempt(
            r, "db.execute", execute, sql=ONE_CUSTOMER if right() else "DELETE FROM customers"
        )
        story.attempt(r, "shell.run", shell, command=OLD_FILES if right() else "rm -rf /srv/data")
    return story.summary()


if __name__ == "__main__":
    tell(main)
