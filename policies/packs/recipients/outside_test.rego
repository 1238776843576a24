package recipients.outside_test

import data.lib.frames_test.frame
import data.recipients.outside

effects(recipients, body) := {one.effect | some one in found} if {
	found := outside.verdict with input as mail(recipients, body) with data.internal_domains as ["example.com"]
}

mail(recipients, body) := frame({"action": {
	"tool": "email.send",
	"side_effects": ["message"],
	"arguments": {"to": recipients, "subject": "Hello", "body": body},
	"recipients": recipients,
}})

test_colleagues_pass if effects(["bob@example.com"], "key [api_key:07c1e4f95b]") == set()

test_colleagues_in_a_subdomain_pass if effects(["bob@eu.example.com"], "Hi") == set()

test_capitals_are_no_difference if effects(["Bob@Example.COM"], "Hi") == set()

test_a_name_before_the_address_is_read_over if effects(["Bob B. <bob@example.com>"], "Hi") == set()

test_a_masked_colleague_passes if effects(["[email:3f9a2c41d0@example.com]"], "Hi") == set()

test_channels_are_inside if effects(["#support"], "cus_9281") == set()

test_an_outside_recipient_is_a_warning if effects(["bob@outside.example"], "Hi") == {"warn"}

test_a_secret_for_an_outsider_is_blocked if effects(["bob@outside.example"], "[api_key:07c1e4f95b]") == {"block"}

test_a_customer_for_an_outsider_is_blocked if effects(["bob@outside.example"], "cus_9281 owes us") == {"block"}

test_somebody_elses_address_for_an_outsider_is_blocked if effects(["bob@outside.example"], "ask eve@other.example") == {"block"}

test_a_masked_address_for_an_outsider_is_blocked if {
	effects(["[email:3f9a2c41d0@outside.example]"], "Ann [email:aaaaaaaaaa@other.example]") == {"block"}
}

test_a_card_for_an_outsider_is_blocked if effects(["bob@outside.example"], "4242 4242 4242 4242") == {"block"}

test_a_list_of_phones_is_blocked if effects(["bob@outside.example"], "+1 202 555 0143, +1 202 555 0144") == {"block"}

test_the_phone_of_a_signature_is_a_warning if effects(["bob@outside.example"], "Call +1 202 555 0143") == {"warn"}

test_the_recipients_own_address_is_no_leak if {
	effects(["bob@outside.example"], "Dear bob@outside.example, yours, ann@example.com") == {"warn"}
}

misread := [
	"bob@example.com.evil.example\n",
	"\"ceo@example.com\" <mail@evil.example>",
	"ceo@example.com <mail@evil.example>",
	"bob@example.com@evil.example",
	"bob@evil.example, ann@example.com",
	"bob@evil.example(@example.com)",
	"bob@example.com\nBcc: mail@evil.example",
	"bob@exаmple.com",
	"bob@example.com​",
	"bob@example.com.",
]

test_addresses_that_can_be_misread_wait if {
	every recipient in misread {
		effects([recipient], "Hi") == {"require_approval"}
	}
}

test_addresses_that_can_be_misread_get_no_data if {
	every recipient in misread {
		effects([recipient], "[api_key:07c1e4f95b]") == {"block"}
	}
}

test_domains_that_only_look_alike_are_outside if {
	every recipient in ["bob@notexample.com", "bob@example.com.evil.example", "bob@example.co", "bob@example-com.example"] {
		effects([recipient], "Hi") == {"warn"}
	}
}

test_a_phone_is_outside if effects(["+1 202 555 0143"], "Hi") == {"warn"}

test_a_mail_without_readable_recipients_waits if effects([], "Hi") == {"require_approval"}

test_accounts_and_customers_are_no_addresses if {
	found := outside.verdict with input as frame({"action": {
		"tool": "stripe.create_charge",
		"side_effects": ["payment"],
		"arguments": {"customer": "cus_9281"},
		"recipients": ["cus_9281"],
	}})
	count(found) == 0
}
