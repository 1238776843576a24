# What a secret looks like, in the open and as the SDK's token for one. A library: rules import it.
package lib.secrets

patterns := {
	"an API key": concat("|", [
		`\[api_key:`,
		`(^|[^A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}`,
		`[srp]k_(live|test)_[A-Za-z0-9]{10,}`,
		`whsec_[A-Za-z0-9+/=]{16,}`,
		`gh[pousr]_[A-Za-z0-9]{20,}`,
		`github_pat_[A-Za-z0-9_]{20,}`,
		`glpat-[A-Za-z0-9_-]{16,}`,
		`A[KS]IA[0-9A-Z]{16}`,
		`xox[abeoprs]-[A-Za-z0-9-]{10,}`,
		`AIza[0-9A-Za-z_-]{30,}`,
		`ya29\.[0-9A-Za-z_-]{20,}`,
		`npm_[A-Za-z0-9]{30,}`,
		`pypi-[A-Za-z0-9_-]{32,}`,
		`SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`,
	]),
	"a private key": `-----BEGIN [A-Z0-9 ]*PRIVATE KEY|\[private_key:`,
	"an access token": `eyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.|\[jwt:`,
}

# The kinds of secret that the text holds, in words.
kinds(text) := {kind | some kind, pattern in patterns; regex.match(pattern, text)}
