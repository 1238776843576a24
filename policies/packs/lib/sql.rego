# Reading SQL without knowing whose it is. A library: rules import it.
#
# Dialects disagree on what a comment, a string or an escape is, and an attacker picks the reading
# that hides a statement. So text is taken apart in the one way that all of them share; where they
# would differ it is `unclear`, and then its bare words are what counts.
package lib.sql

# Printable ASCII in small letters with line ends; anything else separates, as white space does.
# portable: only ASCII is left
normal(text) := lower(regex.replace(replace(text, "\r\n", "\n"), `[^\x21-\x7e\n]+`, " "))

# One pass, so that nothing is looked for inside of a string or a comment: these become marks with
# their first quote between them.
marked(low) := regex.replace(
	low,
	concat("|", [
		`(')(?:[^']|'')*'`,
		`(")[^"]*"`,
		"(`)[^`'\"/*-]*`",
		`(\[)[^\]'"/*-]*\]`,
		`--[^\n]*`,
		`/\*(?:[^*]|\*+[^*/])*\*+/`,
	]),
	"\u0001${1}${2}${3}${4}\u0002",
)

# Strings are the constant 0, quoted names the name q, comments are blanks.
plain(low) := strings.replace_n(
	{"\u0001'\u0002": " 0 ", "\u0001\"\u0002": " q ", "\u0001`\u0002": " q ", "\u0001[\u0002": " q ", "\u0001\u0002": " "},
	marked(low),
)

fold(text) := regex.replace(text, `\([^()]*\)`, " @ ")

# The text with its innermost parentheses taken out, level by level.
folded(low) := [level0, level1, level2, level3, level4, level5] if {
	level0 := plain(low)
	level1 := fold(level0)
	level2 := fold(level1)
	level3 := fold(level2)
	level4 := fold(level3)
	level5 := fold(level4)
}

# Spellings that dialects read differently: escapes, dollar quotes and Oracle's, `#`, comments that
# are run, a comment in a comment, two dashes without a blank.
unclear(_, low, _) if regex.match(
	`\\|\$[a-z0-9_]*\$|(^|[^a-z0-9_])n?q'|#|/\*m?!|/\*([^*]|\*+[^*/])*/\*|--[^ \n-]`,
	low,
)

# In some dialects this ends a line, and with it a comment.
unclear(text, _, _) if regex.match(`\r([^\n]|$)`, text)

# A quote, bracket, comment or parenthesis that does not end, or nesting that nobody writes by hand.
unclear(_, _, outermost) if regex.match("['\"`()\\[\\]]|/\\*|\\*/", outermost)

# What the text would destroy, in words.
harms(text) := harms_in(text, low, folded(low)) if low := normal(text)

harms_in(text, low, levels) := {harm |
	regex.match(`(^|[^a-z0-9_])(delete|update|drop|truncate|alter|exec|execute|prepare|xp_cmdshell)([^a-z0-9_]|$)`, low)
	harm := "a statement written so that it can be misread"
} if {
	unclear(text, low, levels[5])
}

harms_in(text, low, levels) := (in_clauses(levels) | chooses_nothing(levels[0])) | runs_text(levels[0]) if {
	not unclear(text, low, levels[5])
}

in_clauses(levels) := {harm |
	some clause in clauses(levels)
	some harm, pattern in {
		"DELETE without WHERE": `^ *delete `,
		"UPDATE without WHERE": `^ *update .* set `,
		"DROP": `^ *drop `,
		"TRUNCATE": `^ *truncate +[a-z0-9_]`,
	}
	regex.match(pattern, clause)
	not chosen(harm, clause)
}

chosen("DELETE without WHERE", clause) if contains(clause, " where ")

chosen("UPDATE without WHERE", clause) if contains(clause, " where ")

# Each verb with what follows it, in parentheses at any level and outside of all. Statements need no
# semicolon between them everywhere.
clauses(levels) := {clause |
	some part in ({levels[5]} | {inner | some level in levels; some inner in regex.find_n(`\([^()]*\)`, level, -1)})
	spaced := regex.replace(part, `[^a-z0-9_.@=<>!;]+`, "  ")
	harmless := regex.replace(
		concat("", [" ", spaced, " "]),
		` on +(delete|update) +(cascade|restrict|set|no)| on +duplicate +key +update | do +update +set | for +(no +key +)?update `,
		" ",
	)
	cut := regex.replace(harmless, ` (delete|update|select|insert|merge|drop|truncate) `, " ; $1 ")
	some clause in split(cut, ";")
}

runs_text(plainly) := {harm |
	regex.match(`(^|[^a-z0-9_])(exec|execute|prepare|sp_executesql|xp_cmdshell|dbms_sql)([^a-z0-9_]|$)|copy [^;]* program `, plainly)
	harm := "SQL that is put together while it runs"
}

chooses_nothing(plainly) := {harm |
	regex.match(`(^|[^a-z0-9_])(delete|update)([^a-z0-9_]|$)`, plainly)
	always_true(plainly)
	harm := "a WHERE that is always true"
}

# Constants compared with each other (strings are 0 here), a bare constant, a name with itself.
always_true(text) if regex.match(`(^|[^a-z0-9_.])[0-9]+ *(=|<|>|<=|>=|<>|!=) *[0-9]+([^a-z0-9_.]|$)`, text)

always_true(text) if regex.match(`[^a-z0-9_](where|or|not)[ \n(]+(true|false|[0-9]+)[ \n)]*($|;|or |and |returning|limit)`, text)

always_true(text) if regex.match(`exists[ \n]*\([ \n]*select[ \n]+[0-9]+[ \n]*\)`, text)

always_true(text) if {
	some pair in regex.find_all_string_submatch_n(`([a-z_][a-z0-9_.]*)[ \n]*=[ \n]*([a-z_][a-z0-9_.]*)`, text, -1)
	pair[1] == pair[2]
}
