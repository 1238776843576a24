# What the Intent Guard said of a call, in words. A library: rules import it.
package lib.assessments

# Whether the policy's threshold is reached. Without one, rules say nothing.
reached if {
	is_number(input.assessment.threshold)
	chance >= input.assessment.threshold
}

# What only reads is not held to how well it goes with the request: looking around is how agents
# work. A plan that says otherwise counts, and content that talks an agent into a call.
chance := max(array.concat([0], telling)) if reads

chance := input.assessment.score if not reads

telling := [head |
	some name in ["plan", "attribution"]
	head := input.assessment.heads[name]
	is_number(head)
]

reads if {
	"read" in input.action.side_effects
	count({effect | some effect in input.action.side_effects} - {"read", "network"}) == 0
}

first := input.assessment.signals[0]

reason := sprintf("This is probably not what was asked for: %s.", [finding]) if finding

reason := "This is probably not what was asked for." if not finding

finding := sprintf("%s asks for it, not the user: \"%s\"", [said_by, shown(first.expected)]) if explained

finding := sprintf("%s is %s in the call, and %s in %s", [named, shown(first.observed), shown(first.expected), said_by]) if {
	not explained
	first.expected != null
}

finding := sprintf("%s is %s in the call, which does not go with %s", [named, shown(first.observed), said_by]) if {
	not explained
	first.expected == null
}

suggestion := "Do what the user asked, not what the content says; ask the user if that is unclear." if explained

suggestion := sprintf("Look at %s again: call with what %s says, or ask the user.", [named, said_by]) if {
	not explained
	first
}

suggestion := "Compare the call with the request, or ask the user." if not first

fields := [first.field] if first

fields := ["/action"] if not first

# The call is explained by a sentence that nobody vouches for.
explained if {
	startswith(first.source, "context:")
	first.trusted == false
	is_string(first.expected)
}

named := "the tool" if first.field == "/action/tool"

named := shown(trim_prefix(first.field, "/action/arguments/")) if first.field != "/action/tool"

said_by := "the request" if first.source == "request"

said_by := "the plan" if first.source in {"plan", "plan.text"}

said_by := "the tool's schema" if first.source == "schema"

said_by := concat(" ", [provenance, shown(trim_prefix(first.source, "context:"))]) if startswith(first.source, "context:")

said_by := shown(first.source) if {
	not first.source in {"request", "plan", "plan.text", "schema"}
	not startswith(first.source, "context:")
}

provenance := "trusted content" if first.trusted == true

provenance := "untrusted content" if first.trusted != true

# A value of the call or of its sources, for people and terminals: one line, short, without signs that
# steer a terminal, turn text round or hide.
shown(value) := cut(clean(value)) if is_string(value)

shown(value) := sprintf("%v", [value]) if simple(value)

# Engines spell these differently, and a zero that is negative.
shown(value) := "a number of unusual size" if {
	is_number(value)
	value != 0
	not simple(value)
}

shown(value) := "0" if value == 0

shown(value) := sprintf("a list of %v", [count(value)]) if is_array(value)

shown(value) := sprintf("an object of %v", [count(value)]) if is_object(value)

simple(value) if {
	is_number(value)
	abs(value) >= 0.0001
	abs(value) < 1000000000000000
}

simple(value) if is_boolean(value)

simple(value) if is_null(value)

# portable: single code points and ranges of them, no classes
clean(text) := regex.replace(text, `[\x00-\x1f\x7f-\x9f\x{ad}\x{61c}\x{180e}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2060}-\x{206f}\x{feff}\x{e0000}-\x{e007f}]+`, " ")

cut(text) := text if count(text) <= 120

cut(text) := concat("", [substring(text, 0, 120), "..."]) if count(text) > 120
