# Which recipients are our own. A library: rules import it.
package lib.addresses

# One address, plainly written, with or without a name before it. Its domain is the one group.
# Whatever is spelt otherwise (two signs, quotes, line ends, letters beyond ASCII, a point at the
# end) has no domain here, and so is nobody's own.
address := `^(?:[A-Za-z0-9 .'_-]*<)?(?:[A-Za-z0-9._%+-]+|\[email:[0-9a-f]+)@((?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+)\]?>?$`

# portable: the pattern lets ASCII through alone
domain(recipient) := lower(found[0][1]) if {
	is_string(recipient)
	found := regex.find_all_string_submatch_n(address, recipient, -1)
	count(found) == 1
}

inside(recipient) if {
	own := data.internal_domains[_]

	# portable: these are our own domains, in ASCII
	under(domain(recipient), lower(own))
}

under(name, own) if name == own

under(name, own) if endswith(name, concat("", [".", own]))
