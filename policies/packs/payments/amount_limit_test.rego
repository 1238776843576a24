package payments.amount_limit_test

import data.lib.frames_test.frame
import data.lib.frames_test.limits
import data.payments.amount_limit

effects(action) := {one.effect | some one in found} if {
	found := amount_limit.verdict with input as frame({"action": action}) with data.limits as limits
}

payment(value, currency) := {"side_effects": ["payment"], "amount": {"value": value, "currency": currency}}

test_up_to_the_limit_passes if effects(payment(1000, "USD")) == set()

test_over_the_limit_waits if effects(payment(1001, "USD")) == {"require_approval"}

test_a_currency_without_a_limit_waits if effects(payment(1, "XAU")) == {"require_approval"}

test_an_amount_that_cannot_be_told_waits if effects({"side_effects": ["payment"]}) == {"require_approval"}

test_below_zero_is_blocked if effects(payment(-1, "USD")) == {"block"}

test_what_pays_nothing_passes if effects({"side_effects": ["read"], "amount": {"value": 5000, "currency": "USD"}}) == set()
