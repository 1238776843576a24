# Reading shell commands, roughly and on the safe side. A library: rules import it.
package lib.shell

# The command as a shell would join it: quotes and backslashes gone (r\m and "rm" are rm), white
# space and the shell's own word for it a blank, in small letters.
# portable: only ASCII is left
joined(text) := lower(regex.replace(blanks, `['"\\]`, "")) if {
	ended := replace(replace(text, "\\\n", ""), "\n", " ; ")
	spaced := regex.replace(ended, `\$\{?IFS[^ }/]*\}?`, " ")
	blanks := regex.replace(spaced, `[^\x21-\x7e]+`, " ")
}

# Words between single blanks; what separates commands or opens a group stands alone.
words(text) := regex.replace(concat("", [" ", apart, " "]), ` +`, " ") if {
	apart := regex.replace(joined(text), "([;&|(){}`<>])", " $1 ")
}

patterns := {
	"a recursive delete": concat("|", [
		` ([a-z0-9_./~-]*/)?rm (-[^ ]+ |[^-;|& ][^;|& ]* )*(-[a-z]*r[a-z]*|--recursive) `,
		` ([a-z0-9_./-]*/)?rm [^;|&]*(\*|/ )| rm,-[a-z,-]*r`,
		` find [^;|&]* (-delete|-exec(dir)? ([a-z0-9_./-]*/)?(rm|shred|unlink|sh|bash)) `,
		` xargs [^;|&]*(rm|shred|unlink) `,
		` rsync [^;|&]*--delete`,
		`rmtree|remove-item [^;|&]*-rec| rd /s | del /[a-z]*s`,
	]),
	"a write over a disk": concat("|", [
		` mkfs[a-z0-9.]* | mke2fs | wipefs | blkdiscard | sgdisk | parted | fdisk `,
		` dd [^;|&]*of=/dev/`,
		`> /dev/(sd|nvme|vd|hd|xvd|mmcblk|disk|mem)`,
		` shred `,
	]),
	"a rewrite of shared history": concat("|", [
		` git ([^;|& ]+ )*push ([^;|&]* )?(--force|--mirror|--delete|--prune|-[a-z]*[fd][a-z]* |\+[a-z0-9_./]|:[a-z0-9_./])`,
		` git ([^;|& ]+ )*(filter-branch|filter-repo) `,
		` git ([^;|& ]+ )*reset [^;|&]*--hard `,
		` git ([^;|& ]+ )*clean [^;|&]*-[a-z]*f`,
	]),
	"the removal of whole systems": concat("|", [
		` terraform [^;|&]*destroy `,
		` kubectl [^;|&]*delete `,
		` helm [^;|&]*(uninstall|delete) `,
		` docker ([^;|& ]+ )*(prune|rm|rmi) `,
		` aws s3 (rb|rm) | aws [^;|&]*(delete|terminate)-`,
		` (gcloud|az|gsutil) [^;|&]*(delete|rm) `,
		` (dropdb|dropuser|userdel|groupdel) `,
		` (shutdown|reboot|halt|poweroff) | init [06] | kill(all)? [^;|&]*-(9|kill) -1 `,
		` crontab [^;|&]*-r `,
	]),
	"rights for everybody": ` chmod [^;|&]*(-[a-z]*r[a-z]* [^;|&]*)?(0?777|a\+rwx|o\+w) | ch(mod|own) [^;|&]*-[a-z]*r[a-z]* [^;|&]* / `,
	"text that is run by a shell": concat("|", [
		`\| (sudo )?([a-z0-9_./-]*/)?(ba|da|z|k|fi)?sh `,
		` (ba|da|z|k)?sh < \( | eval | source < \( | \. < \( `,
	]),
	"a fork bomb": `\) \{ [^;|& ]+ \| [^;|& ]+ &`,
}

harms(text) := {harm |
	some harm, pattern in patterns
	regex.match(pattern, words(text))
}

# Commands whose name or text comes about only while they run: a variable or a substitution in the
# place of a command, code for an interpreter, text that is decoded first.
hidden(text) if regex.match(
	"(^ |[;|&({`] |(sudo|env|nohup|time|xargs|exec|command) )[$`]| (python|python3|perl|ruby|node|php|osascript|powershell|pwsh) (-[^ ]+ )*-(c|e|r|command|enc|encodedcommand) | base(64|32) [^;|&]*-d|xxd [^;|&]*-r",
	words(text),
)
