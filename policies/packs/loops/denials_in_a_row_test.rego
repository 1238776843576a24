package loops.denials_in_a_row_test

import data.lib.frames_test.frame
import data.lib.frames_test.limits
import data.loops.denials_in_a_row

effects(sort, denials) := {one.effect | some one in found} if {
	found := denials_in_a_row.verdict with input as frame({
		"action": {"side_effects": sort},
		"state": {"denials_in_a_row": denials},
	})
		with data.limits as limits
}

test_one_passes if effects(["write"], 1) == set()

test_then_comes_guidance if effects(["write"], 2) == {"warn"}

test_then_a_block if effects(["write"], 4) == {"block"}

test_reading_stays_possible if effects(["read"], 5) == {"warn"}

test_then_the_end if effects(["write"], 6) == {"halt"}

test_the_end_is_for_reading_too if effects(["read"], 6) == {"halt"}
