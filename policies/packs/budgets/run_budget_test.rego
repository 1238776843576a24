package budgets.run_budget_test

import data.budgets.run_budget
import data.lib.frames_test.frame

usd := {"name": "usd", "scope": "run", "window": "run", "measure": "spend", "currency": "USD", "used": 8000, "at_most": 10000, "missing": false}

eur := object.union(usd, {"name": "eur", "currency": "EUR", "used": 0, "missing": true})

calls := object.union(usd, {"name": "calls", "measure": "calls", "currency": null, "used": 9, "at_most": 10})

found(value, budgets) := verdict if {
	verdict := run_budget.verdict with input as frame({
		"action": {"side_effects": ["payment"], "amount": {"value": value, "currency": "USD"}},
		"state": {"budgets": budgets},
	})
}

effects(value, budgets) := {one.effect | some one in found(value, budgets)}

test_what_is_left_may_be_spent if effects(2000, [usd]) == set()

test_more_is_blocked if effects(2001, [usd]) == {"block"}

test_a_budget_in_another_currency_does_not_count if effects(2000, [usd, eur]) == set()

test_a_currency_without_a_budget_is_missing if {
	some one in found(1, [eur])
	contains(one.reason, "input_missing")
}

test_a_budget_of_another_scope_does_not_fill_in if {
	effects(1, [object.union(usd, {"scope": "agent", "window": "day"}), eur]) == {"block"}
}

test_below_zero_makes_no_room if effects(-5000, [usd]) == {"block"}

test_the_last_call_passes if effects(1, [calls]) == set()

test_the_next_call_is_blocked if effects(1, [object.union(calls, {"used": 10})]) == {"block"}

test_what_spends_nothing_needs_no_budget if {
	verdict := run_budget.verdict with input as frame({"action": {"side_effects": ["read"]}, "state": {"budgets": [eur]}})
	count(verdict) == 0
}
