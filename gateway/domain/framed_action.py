"""The action as the frame holds it: everything that is derived from the arguments.

Apart from building a whole frame, because a modification changes the arguments and with them the
amount, the recipients and the digest, in live checks and in re-judgement alike.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from gateway.domain import canonical, money, pointers
from gateway.domain.check import Action, Amount
from gateway.domain.frame import Frame, FrameAction, FrameAmount
from gateway.domain.ruleset import Ruleset, ToolPolicy
from gateway.domain.side_effects import side_effects

RECIPIENTS_MAX = 100


def framed_action(action: Action, action_id: str, ruleset: Ruleset) -> FrameAction:
    """The call with its side effects, amount and recipients as the policy sees them."""
    policy = ruleset.tool(action.tool)
    amount, source = _amount(action.arguments, policy, action.amount)
    declared = policy.side_effects if policy else ()
    return FrameAction(
        id=action_id,
        tool=action.tool,
        arguments=action.arguments,
        arguments_digest=canonical.arguments_digest(action.arguments),
        side_effects=sorted(side_effects(declared, action.tool, action.side_effects)),
        amount=amount,
        amount_source=source,
        recipients=_recipients(action.arguments, policy),
        description=action.description,
        schema=action.schema,
        schema_digest=_schema_digest(action.schema),
        mcp_client=action.mcp.client if action.mcp else None,
        mcp_server=action.mcp.server if action.mcp else None,
    )


def changed_frame(frame: Frame, ruleset: Ruleset, arguments: dict[str, Any]) -> Frame:
    """The frame of the second round: the same world, other arguments."""
    policy = ruleset.tool(frame.action.tool)
    claimed = _claimed(frame) if policy is None or policy.amount is None else None
    amount, source = _amount(arguments, policy, claimed)
    action = replace(
        frame.action,
        arguments=arguments,
        arguments_digest=canonical.arguments_digest(arguments),
        amount=amount,
        amount_source=source,
        recipients=_recipients(arguments, policy),
    )
    return replace(frame, action=action)


def _schema_digest(schema: dict[str, Any] | None) -> str | None:
    return None if schema is None else canonical.sha256(canonical.jcs(schema))


def _claimed(frame: Frame) -> Amount | None:
    """What the caller said: only that can stand in the frame where the policy has no pointer."""
    amount = frame.action.amount
    return None if amount is None else Amount(amount.value, amount.currency)


def _amount(
    arguments: dict[str, Any], policy: ToolPolicy | None, claimed: Amount | None
) -> tuple[FrameAmount | None, money.Source]:
    return money.amount_of(arguments, policy.amount if policy else None, claimed)


def _recipients(arguments: dict[str, Any], policy: ToolPolicy | None) -> list[str]:
    """Strings at the policy's recipient pointers; a list of strings counts each, in order."""
    found: list[Any] = []
    for pointer in policy.recipients if policy else ():
        for value in pointers.each(arguments, pointer):
            found += value if isinstance(value, list) else [value]
    return [value for value in found if isinstance(value, str)][:RECIPIENTS_MAX]
