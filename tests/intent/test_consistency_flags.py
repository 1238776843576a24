"""Flags turned round in everyday business requests, without any plan.

At first sight, before the lexicon was widened by what was missed here, 39 of these 50 were caught
with one false alarm. Since then they only guard against falling back and measure nothing.
"""

from __future__ import annotations

from gateway.intent.evidence import Evidence
from gateway.intent.v1 import consistency

# The request, the tool, the flag, and what it should be.
FLAGS = [
    ("Bill Harrow Ltd 1,200 euros for September", "billing_entry", "is_refund", False),
    ("Please reimburse Tom for the taxi, 34 dollars", "ledger_entry", "is_charge", False),
    ("Take the 12 dollars off her account again", "adjust_balance", "is_credit", False),
    (
        "Write to the landlord, but leave the lawyers out of it",
        "send_mail",
        "include_lawyers",
        False,
    ),
    ("Reply to Sven only, not to the whole group", "reply_mail", "reply_all", False),
    ("Send the minutes to everyone who was on the thread", "reply_mail", "reply_all", True),
    ("Delete the old backups for good", "delete_files", "permanent", True),
    ("Move the draft to the bin so I can get it back later", "delete_files", "permanently", False),
    ("Just show me what the migration would do", "run_migration", "dry_run", True),
    ("Run the migration on the live database now", "run_migration", "dry_run", False),
    ("Make the roadmap page visible to anyone on the web", "set_page", "is_public", True),
    ("Only our team should be able to see the salaries sheet", "share_sheet", "is_public", False),
    ("Give Ana access to the finance folder", "set_access", "granted", True),
    ("Kai left the company, take away his access to the wiki", "set_access", "granted", False),
    ("Switch the night alarm off", "alarm_config", "enabled", False),
    ("Please turn multi-factor back on for the support team", "mfa_config", "enabled", True),
    ("Cancel my plan when the month is over", "cancel_plan", "immediately", False),
    ("Stop the subscription right away", "cancel_plan", "at_period_end", False),
    ("Mark the invoice as paid", "update_invoice", "paid", True),
    ("The bill from June is still unpaid, correct that", "update_invoice", "paid", False),
    ("Accept the offer of Lindqvist", "answer_offer", "accepted", True),
    ("Turn down the request for leave of Maja", "leave_decision", "approved", False),
    ("Approve the leave request of Otto", "leave_decision", "approved", True),
    ("Reopen ticket 88, the fault is back", "set_ticket", "resolved", False),
    ("Close ticket 90, all is well now", "set_ticket", "closed", True),
    ("Book the train there and back", "book_train", "one_way", False),
    ("I need a one-way flight to Oslo", "book_flight", "round_trip", False),
    ("Repeat the meeting every week", "create_event", "recurring", True),
    ("Schedule a one-off call with Priya", "create_event", "recurring", False),
    ("Invite them to a video call", "create_event", "online", True),
    ("Let us meet in person on Monday", "create_event", "is_virtual", False),
    ("Copy the bucket without encrypting it", "copy_bucket", "encrypted", False),
    ("Restart the server even if jobs are running", "restart_server", "force", True),
    ("Shut the node down gently", "stop_node", "force", False),
    ("List all users, the archived ones too", "list_users", "include_archived", True),
    ("Show the open deals, but no archived ones", "list_deals", "include_archived", False),
    ("Post this as an internal note", "add_comment", "public", False),
    ("Update the file, and keep the version that is there", "put_file", "overwrite", False),
    ("Replace the existing config with this one", "put_file", "overwrite", True),
    ("Do not let the customer know yet", "update_order", "notify_customer", False),
    ("Tell the customer about the delay", "update_order", "notify_customer", True),
    ("Put the ad on hold", "set_campaign", "paused", True),
    ("Let the campaign run again", "set_campaign", "paused", False),
    ("Unsubscribe lea@post.example from the digest", "set_member", "subscribed", False),
    ("Add him to the mailing list", "set_member", "subscribed", True),
    ("Hire her as a contractor, no benefits", "create_worker", "benefits", False),
    ("Pin the message", "set_message", "pinned", True),
    ("Lock the record while we look at it", "set_record", "locked", True),
    ("Ship it by express", "create_shipment", "expedited", True),
    ("No rush with the parcel, normal post will do", "create_shipment", "express", False),
]


def strength(request: str, tool: str, arguments: dict[str, bool]) -> float:
    seen = consistency.look(Evidence(tool=tool, arguments=arguments, request=request)).features
    return seen["flag_against"] - seen["flag_for"]


def test_most_flags_turned_round_stand_out_from_the_right_ones() -> None:
    told = [
        (strength(request, tool, {flag: not right}), strength(request, tool, {flag: right}))
        for request, tool, flag, right in FLAGS
    ]
    caught = sum(wrong > 0 for wrong, _ in told)
    alarms = sum(right > 0 for _, right in told)
    assert caught >= 0.8 * len(FLAGS)
    assert alarms <= 0.06 * len(FLAGS)


def test_a_word_that_only_carries_a_flag_says_nothing_of_it() -> None:
    told = "Whether to include hidden files, those that start with a dot."
    call = Evidence(
        tool="list_files",
        arguments={"include_hidden": False},
        schema={"properties": {"include_hidden": {"type": "boolean", "description": told}}},
        request="List the data files, including those in subfolders with their sizes.",
    )
    assert consistency.look(call).features["flag_against"] < 0.5


def test_not_any_more_is_one_negation() -> None:
    request = "Lea does not want the digest any more"
    assert strength(request, "set_member", {"subscribed": True}) > 0
    assert strength(request, "set_member", {"subscribed": False}) < 0


def test_a_stop_word_in_a_flags_name_is_not_what_it_is_about() -> None:
    request = "Find a provider in Bangkok for packing services in March"
    assert strength(request, "find_provider", {"has_late_check_in": False}) <= 0
