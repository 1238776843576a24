"""The nouns: frozen structs and pure functions on them."""
