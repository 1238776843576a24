# METADATA
# title: A payment over the limit
# description: >
#   A person approves payments over `data.limits.payment`, in currencies without a limit, and those
#   whose amount cannot be told. It watches every tool and acts on payments.
# custom:
#   id: payments.amount_limit
#   tools: ["*"]
#   severity: high
package payments.amount_limit

is_payment if "payment" in input.action.side_effects

value := input.action.amount.value

limit := data.limits.payment[input.action.amount.currency]

known if input.action.amount != null

verdict contains {
	"effect": "require_approval",
	"reason": sprintf("The payment of %v %s (minor units) is over the limit of %v.", [value, input.action.amount.currency, limit]),
	"suggestion": "Wait for the approval, or ask the user for a smaller amount.",
	"fields": ["/action/amount/value"],
} if {
	is_payment
	value > limit
}

verdict contains {
	"effect": "require_approval",
	"reason": "No payment limit is set for this currency.",
	"suggestion": "Wait for the approval, or pay in a currency with a limit.",
	"fields": ["/action/amount/currency"],
} if {
	is_payment
	known
	not limit
}

verdict contains {
	"effect": "require_approval",
	"reason": "The amount of this payment cannot be told.",
	"suggestion": "Give the amount in whole minor units and the currency.",
	"fields": ["/action/amount"],
} if {
	is_payment
	not known
}

verdict contains {
	"effect": "block",
	"reason": "The amount of a payment cannot be below zero.",
	"suggestion": "Use the refund tool to give money back.",
	"fields": ["/action/amount/value"],
} if {
	is_payment
	value < 0
}
