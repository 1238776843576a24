# METADATA
# title: A command that destroys
# description: >
#   Stops recursive deletes, writes over disks, rewritten history and the like, however they are
#   quoted. Commands that hide what they run wait for a person.
# custom:
#   id: destructive.shell
#   tools: [shell.*, bash.*, terminal.*, cmd.*, ssh.*]
#   severity: critical
#   optional: [/action/arguments/*]
package destructive.shell

import data.lib.shell
import data.lib.texts

commands := texts.in_arguments | lists

# A command may come as a list of its words.
lists contains concat(" ", [word | some word in list; is_string(word)]) if {
	walk(input.action.arguments, [_, list])
	is_array(list)
}

harms contains harm if {
	some text in commands
	some harm in shell.harms(text)
}

verdict contains {
	"effect": "block",
	"reason": sprintf("The command would do this: %s.", [concat(", ", sort(harms))]),
	"suggestion": "Name exactly what is to go, or ask a person to do this.",
	"fields": ["/action/arguments"],
} if {
	count(harms) > 0
}

verdict contains {
	"effect": "require_approval",
	"reason": "The command hides what it would run.",
	"suggestion": "Write the command out, without variables or code in the place of its name.",
	"fields": ["/action/arguments"],
} if {
	count(harms) == 0
	some text in commands
	shell.hidden(text)
}
