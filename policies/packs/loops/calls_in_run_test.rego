package loops.calls_in_run_test

import data.lib.frames_test.frame
import data.lib.frames_test.limits
import data.loops.calls_in_run

effects(calls) := {one.effect | some one in found} if {
	found := calls_in_run.verdict with input as frame({"state": {"calls": calls}}) with data.limits as limits
}

test_the_last_call_passes if effects(9) == set()

test_the_next_is_blocked if effects(10) == {"block"}
