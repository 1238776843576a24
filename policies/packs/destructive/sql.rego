# METADATA
# title: SQL that destroys more than it names
# description: >
#   Stops DELETE and UPDATE without a WHERE that chooses, DROP, TRUNCATE, SQL put together while it
#   runs, and statements whose spelling dialects read differently. Bound parameters are not looked at.
# custom:
#   id: destructive.sql
#   tools: [db.*, sql.*, database.*, postgres.*, mysql.*, sqlite.*]
#   severity: critical
#   optional: [/action/arguments/*]
package destructive.sql

import data.lib.sql

# Values and prose that such tools take beside the statement.
beside := {"params", "parameters", "values", "bindings", "reason", "description", "comment"}

statements contains text if {
	walk(input.action.arguments, [path, text])
	is_string(text)
	not path[0] in beside
}

harms contains harm if {
	some text in statements
	some harm in sql.harms(text)
}

verdict contains {
	"effect": "block",
	"reason": sprintf("The statement holds %s.", [concat(", ", sort(harms))]),
	"suggestion": "Name the rows with WHERE in one plain statement, or ask a person to do this.",
	"fields": ["/action/arguments"],
} if {
	count(harms) > 0
}
