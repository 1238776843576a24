# METADATA
# title: proof.says
# custom:
#   id: proof.says
#   tools: [proof.*]
#   optional: [/action/arguments/effect, /action/arguments/about]
package proof.says


verdict contains {
	"effect": effect,
	"reason": sprintf("%s, as asked, at %d: %v", [upper(effect), time.now_ns(), about]),
	"suggestion": sprintf("%v", [time.date(time.now_ns())]),
	"fields": ["/action/arguments/effect"],
} if {
	effect := input.action.arguments.effect
	effect in {"warn", "require_approval", "block", "halt"}
	about := [text | text := input.action.arguments.about]
}

