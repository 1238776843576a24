package loops.identical_calls_test

import data.lib.frames_test.frame
import data.lib.frames_test.limits
import data.loops.identical_calls

blocked(effects, before) if {
	found := identical_calls.verdict with input as frame({"action": {"side_effects": effects}, "state": {"identical": before}}) with data.limits as limits
	{one.effect | some one in found} == {"block"}
}

test_the_fourth_one_is_blocked if blocked(["write"], 3)

test_the_third_one_passes if not blocked(["write"], 2)

test_polling_has_its_own_limit if not blocked(["read"], 9)

test_polling_ends if blocked(["read"], 10)

test_reading_that_also_writes_is_no_polling if blocked(["read", "write"], 3)

test_no_side_effects_are_not_reading if blocked([], 3)
