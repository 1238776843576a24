package payments.plan_mismatch_test

import data.lib.frames_test.frame
import data.payments.plan_mismatch

charge := {"customer": "cus_9281", "amount": 450000, "currency": "usd", "is_refund": false}

planned(plan, arguments) := frame({
	"action": {"tool": "stripe.create_charge_or_refund", "side_effects": ["payment"], "arguments": arguments},
	"request": {"user": "charge it", "plan": object.union({"text": null, "tool": null}, plan), "reasoning": null},
})

test_a_flipped_boolean_is_named if {
	found := plan_mismatch.verdict with input as planned({"arguments": charge}, object.union(charge, {"is_refund": true}))
	some one in found
	one.effect == "block"
	one.fields == ["/action/arguments/is_refund"]
	one.reason == "The plan says that is_refund is false, the call says true."
	count(found) == 1
}

test_what_was_planned_passes if {
	found := plan_mismatch.verdict with input as planned({"arguments": charge}, charge)
	count(found) == 0
}

test_currencies_are_compared_without_case if {
	found := plan_mismatch.verdict with input as planned({"arguments": charge}, object.union(charge, {"currency": "USD"}))
	count(found) == 0
}

test_another_currency_differs if {
	found := plan_mismatch.verdict with input as planned({"arguments": charge}, object.union(charge, {"currency": "jpy"}))
	count(found) == 1
}

test_a_word_is_not_a_boolean if {
	found := plan_mismatch.verdict with input as planned({"arguments": charge}, object.union(charge, {"is_refund": "false"}))
	count(found) == 1
}

test_a_planned_value_that_is_left_out_differs if {
	found := plan_mismatch.verdict with input as planned({"arguments": charge}, object.remove(charge, ["is_refund"]))
	count(found) == 1
}

test_arguments_beyond_the_plan_pass if {
	found := plan_mismatch.verdict with input as planned({"arguments": charge}, object.union(charge, {"order": "ord_1"}))
	count(found) == 0
}

test_names_of_fields_are_escaped if {
	found := plan_mismatch.verdict with input as planned({"arguments": {"a/b~c": 1}}, {"a/b~c": 2})
	some one in found
	one.fields == ["/action/arguments/a~1b~0c"]
}

test_a_currency_that_is_no_text_differs if {
	found := plan_mismatch.verdict with input as planned({"arguments": {"currency": 840}}, {"currency": "usd"})
	count(found) == 1
}

test_a_plan_for_another_tool_is_a_warning if {
	found := plan_mismatch.verdict with input as planned({"tool": "stripe.quote", "arguments": {"amount": 1}}, {"amount": 2})
	{one.effect | some one in found} == {"warn"}
}

test_no_plan_says_nothing if {
	found := plan_mismatch.verdict with input as frame({"action": {"arguments": charge}})
	count(found) == 0
}
