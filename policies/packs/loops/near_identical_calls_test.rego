package loops.near_identical_calls_test

import data.lib.frames_test.frame
import data.lib.frames_test.limits
import data.loops.near_identical_calls

effects(sort, alike, denials) := {one.effect | some one in found} if {
	found := near_identical_calls.verdict with input as frame({
		"action": {"side_effects": sort},
		"state": {"near_identical": alike, "denials_in_a_row": denials},
	})
		with data.limits as limits
}

test_a_few_pass if effects(["network"], 5, 0) == set()

test_the_limit_blocks if effects(["network"], 6, 0) == {"block"}

test_going_on_after_denials_halts if effects(["network"], 6, 3) == {"halt"}

test_many_halt_also_where_nothing_is_denied if effects(["network"], 12, 0) == {"halt"}

test_denials_alone_are_no_loop if effects(["network"], 2, 5) == set()

test_reading_goes_on_longer if effects(["read"], 29, 0) == set()

test_reading_ends if effects(["read"], 30, 0) == {"block"}
