package secrets.in_arguments_test

import data.lib.frames_test.call
import data.secrets.in_arguments

# Put together here, so that the file holds nothing that looks like a key to others.
key := concat("", ["sk_", "live_", "51HxQ0A9bCdEfGhIjKl"])

found(effects, arguments) := verdict if {
	verdict := in_arguments.verdict with input as call("web.post", effects, arguments)
}

blocked(text) if count(found(["network"], {"body": text})) == 1

test_an_api_key_is_blocked if blocked(concat("", ["the key is ", key, "."]))

test_a_masked_key_is_blocked if blocked("the key is [api_key:07c1e4f95b]")

test_a_private_key_is_blocked if blocked("-----BEGIN RSA PRIVATE KEY-----\nMIIE")

test_a_masked_private_key_is_blocked if blocked("[private_key:07c1e4f95b]")

test_a_token_is_blocked if blocked("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln")

test_an_access_key_of_a_cloud_is_blocked if blocked(concat("", ["AKI", "AIOSFODNN7EXAMPLE"]))

test_a_token_of_a_forge_is_blocked if blocked(concat("", ["gh", "p_abcdefghijklmnopqrstuvwxyz0123456789"]))

test_a_secret_deep_inside_is_blocked if {
	count(found(["write"], {"a": [{"b": [key]}]})) == 1
}

test_a_secret_in_the_name_of_a_field_is_blocked if {
	count(found(["message"], {key: 1})) == 1
}

test_words_that_only_begin_like_a_key_pass if not blocked("the risk-assessment-of-next-quarter and sk-short")

test_a_secret_that_stays_inside_passes if count(found(["read"], {"token": key})) == 0

test_the_kind_is_named if {
	some one in found(["network"], {"body": "[api_key:07c1e4f95b] [jwt:07c1e4f95b]"})
	one.reason == "The arguments hold an API key, an access token."
}
