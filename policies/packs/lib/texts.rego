# Text in the arguments of a call. A library: rules import it.
package lib.texts

# Every string in the arguments, at any depth.
in_arguments contains text if {
	walk(input.action.arguments, [_, text])
	is_string(text)
}

# The same with the names of fields, one below the other.
all_arguments := concat("\n", (in_arguments | names))

names contains name if {
	walk(input.action.arguments, [_, inner])
	is_object(inner)
	some name, _ in inner
}

# Letters and digits alone: what is left of a value however it is spaced, hyphenated or capitalised.
# portable: only ASCII is left
bare(text) := lower(regex.replace(text, `[^A-Za-z0-9]+`, ""))

# Words between single blanks, so that one can be found as a whole. Points and dashes stay inside.
words(text) := concat("", [" ", closed, " "]) if {
	# portable: only ASCII is left
	spaced := lower(regex.replace(text, `[^A-Za-z0-9@_+.-]+`, " "))
	closed := regex.replace(spaced, `[.-]+( |$)`, " ")
}

is_ascii(text) if not regex.match(`[^\x00-\x7f]`, text)
