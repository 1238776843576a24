package intent.mismatch_elsewhere_test

import data.intent.mismatch_elsewhere
import data.lib.frames_test.frame

said(effects, parts) := found if {
	found := mismatch_elsewhere.verdict with input as frame({
		"action": {"tool": "notes.find", "side_effects": effects, "arguments": {}},
		"assessment": object.union(
			{
				"score": 0.95,
				"threshold": 0.9,
				"heads": {"plan": null, "attribution": null, "consistency": 0.99},
				"signals": [],
			},
			parts,
		),
	})
}

test_a_message_is_warned_of if {
	{one.effect | some one in said(["message"], {})} == {"warn"}
}

test_what_is_hard_to_undo_is_another_rules if {
	count(said(["message", "payment"], {})) == 0
}

test_a_read_that_only_goes_badly_with_the_request_passes if {
	count(said(["read"], {})) == 0
	count(said(["network", "read"], {})) == 0
}

test_a_read_that_differs_from_its_plan_is_warned_of if {
	count(said(["read"], {"heads": {"plan": 0.9, "attribution": null, "consistency": 0.1}})) == 1
}

test_a_read_that_content_asked_for_is_warned_of if {
	count(said(["read"], {"score": 0.1, "heads": {"plan": 0.2, "attribution": 0.95, "consistency": 0.1}})) == 1
}

test_what_reads_and_writes_is_held_to_the_request if {
	count(said(["read", "write"], {})) == 1
}

test_below_the_threshold_it_says_nothing if {
	count(said(["write"], {"score": 0.89})) == 0
	count(said(["write"], {"threshold": null})) == 0
}
