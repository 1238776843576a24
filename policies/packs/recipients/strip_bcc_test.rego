package recipients.strip_bcc_test

import data.lib.frames_test.call
import data.recipients.strip_bcc

patches(arguments) := {one.patch | some one in found} if {
	found := strip_bcc.verdict with input as call("email.send", ["message"], arguments) with data.internal_domains as ["example.com"]
}

removed := {[{"op": "remove", "path": "/action/arguments/bcc"}]}

test_outside_copies_are_taken_off if {
	patches({"bcc": ["a@example.com", "spy@outside.example"]}) == {[{"op": "replace", "path": "/action/arguments/bcc", "value": ["a@example.com"]}]}
}

test_inside_copies_stay if patches({"bcc": ["a@example.com"]}) == set()

test_a_single_copy_goes if patches({"bcc": "spy@outside.example"}) == removed

test_a_single_copy_inside_stays if patches({"bcc": "a@example.com"}) == set()

test_several_in_one_text_go if patches({"bcc": "a@example.com, spy@outside.example"}) == removed

test_an_object_goes if patches({"bcc": {"email": "spy@outside.example"}}) == removed

test_entries_that_are_no_text_are_taken_off if {
	patches({"bcc": [{"email": "spy@outside.example"}]}) == {[{"op": "replace", "path": "/action/arguments/bcc", "value": []}]}
}

test_no_copy_changes_nothing if patches({"to": ["a@example.com"]}) == set()

test_null_is_no_copy if patches({"bcc": null}) == set()
