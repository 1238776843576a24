# Frames for tests: the parts that a test names, the rest as the gateway fills it in.
package lib.frames_test

frame(parts) := object.union(empty, parts)

call(tool, effects, arguments) := frame({"action": {
	"tool": tool,
	"side_effects": effects,
	"arguments": arguments,
}})

empty := {
	"action": {
		"id": "act_1",
		"tool": "tool",
		"arguments": {},
		"arguments_digest": "",
		"side_effects": [],
		"amount": null,
		"amount_source": "none",
		"recipients": [],
	},
	"run": {"id": "run_1", "agent_id": "agent"},
	"environment": "production",
	"mode": "block",
	"time": {"ns": "1700000000000000000", "rfc3339": "2023-11-14T22:13:20.000000Z"},
	"request": null,
	"context": [],
	"history": [],
	"state": {
		"calls": 0,
		"calls_of_tool": 0,
		"identical": 0,
		"near_identical": 0,
		"denials_in_a_row": 0,
		"spend": {},
		"labels": [],
		"budgets": [],
		"recent": [],
	},
	"prior": null,
	"assessment": null,
}

limits := {
	"payment": {"USD": 1000},
	"calls_per_run": 10,
	"identical": {"acts": 3, "reads": 10},
	"near_identical": {"acts": {"block": 6, "halt": 12}, "reads": {"block": 30, "halt": 45}, "denials": 3},
	"denials": {"warn": 2, "block": 4, "halt": 6},
}

test_parts_are_laid_over_the_empty_frame if {
	laid := call("db.execute", ["write"], {"sql": "SELECT 1"})
	laid.action.arguments.sql == "SELECT 1"
	laid.action.amount == null
	laid.state.calls == 0
}
