"""Every code a problem can have: what it means, and what the caller does about it.

The reference of problems and the examples in the OpenAPI document are made from this table; a
test finds every code that the gateway raises in here.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class ProblemDoc(Struct, frozen=True):
    """What is always true of a code. What happened this time is in the problem's `detail`."""

    title: str
    status: int
    meaning: str
    what_to_do: str


CODES: Final[dict[str, ProblemDoc]] = {
    # Evidence.
    "bad_evidence": ProblemDoc(
        "This is no export.",
        400,
        "What was sent is not the zip of an export: not base64, compressed, too large, or with "
        "files that no export has; or the public key is no Ed25519 key in PEM form.",
        "Send the zip as it was exported, in base64.",
    ),
    "no_signing_key": ProblemDoc(
        "There is no signing key.",
        409,
        "Checkpoints are signed, and nothing can be signed before a key was made.",
        "`checkrein audit keys create`.",
    ),
    "not_in_log": ProblemDoc(
        "The log does not hold that yet.",
        404,
        "Its last event was recorded a moment ago, or the log is asked for at an earlier size.",
        "Ask again, or at a later size.",
    ),
    "run_erased": ProblemDoc(
        "The content of the run was erased.",
        409,
        "Its key was destroyed, and with it what could be read or added.",
        "Begin another run.",
    ),
    "export_refused": ProblemDoc(
        "The run cannot be exported.",
        409,
        "Its record is not what was recorded, so nothing is signed; or it is too large for an "
        "answer.",
        "`checkrein verify` tells what was changed; `checkrein export` writes large runs.",
    ),
    # Live.
    "bad_origin": ProblemDoc(
        "A page of another site may not follow.",
        403,
        "The `Origin` that a browser sent is not the gateway's own address.",
        "Serve the page from the gateway's address, or follow from a server with a key.",
    ),
    # A model asked again.
    "step_not_found": ProblemDoc(
        "The run has no such step.",
        404,
        "No event of the run has this seq.",
        "`GET /v1/runs/{run_id}/frames` lists them.",
    ),
    "re_execution_off": ProblemDoc(
        "No model can be asked again here.",
        409,
        "The gateway's settings name no endpoint that speaks the step's protocol.",
        "Set `CHECKREIN_REEXECUTE_OPENAI_URL` or `CHECKREIN_REEXECUTE_ANTHROPIC_URL`, and its key.",
    ),
    "not_a_model_call": ProblemDoc(
        "The step is no model call.",
        409,
        "Only what a model was asked can be asked again; tools never run.",
        "Name a step of the type `model_call`.",
    ),
    "model_call_incomplete": ProblemDoc(
        "What the model was given is not all there.",
        409,
        "A part of it was erased, lost on its way, held by the provider, or is too large to be "
        "sent. `detail` says which.",
        "Give what is missing, as `messages` or `model`, or choose another step.",
    ),
    "bad_check": ProblemDoc(
        "A check cannot be understood.",
        400,
        "Its pattern is none of RE2, or its schema has words that are not taken, such as `$ref`.",
        "Write it with the words that `detail` does not complain about.",
    ),
    "model_unreachable": ProblemDoc(
        "The model's endpoint did not answer.",
        503,
        "It was not reached, or did not answer in time. It may have cost money all the same.",
        "See whether the endpoint works, and raise `CHECKREIN_REEXECUTE_SECONDS` for slow models.",
    ),
    "model_refused": ProblemDoc(
        "The model's endpoint refused.",
        409,
        "It answered with an error: an unknown model, a parameter it does not take, a wrong key.",
        "`detail` says what it said.",
    ),
    "model_answer_unreadable": ProblemDoc(
        "The model's answer cannot be read.",
        409,
        "It is larger than 4 MiB, compressed, no JSON, or not of the protocol.",
        "See whether the endpoint speaks the step's protocol.",
    ),
    # The body, before its meaning is looked at.
    "body_too_large": ProblemDoc(
        "The body is larger than the limit.",
        413,
        "The body, or the length its header promises, is more than 256 KiB.",
        "Send long content once as an observation, and refer to it by `ref`.",
    ),
    "empty_body": ProblemDoc(
        "The body is empty.",
        400,
        "There is no body, or nothing but white space.",
        "Send a JSON object.",
    ),
    "not_utf8": ProblemDoc(
        "The body is not UTF-8.",
        400,
        "A byte of the body belongs to no UTF-8 character.",
        "Encode the JSON text as UTF-8.",
    ),
    "not_json": ProblemDoc(
        "The body is not JSON.",
        400,
        "The text breaks RFC 8259: a trailing comma, NaN or Infinity, a lone surrogate, a byte "
        "order mark, text after the end and the like. `detail` names the byte where it can.",
        "Let a JSON library write the body.",
    ),
    "too_deep": ProblemDoc(
        "The body is nested too deeply.",
        400,
        "Arrays and objects stand within each other more than 64 deep.",
        "Flatten the value, or send it as a string.",
    ),
    "too_many_nodes": ProblemDoc(
        "The body holds too many values.",
        400,
        "There are more than 20,000 values; arrays and objects count, keys do not.",
        "Send less, or send large tables as text.",
    ),
    "too_many_exponents": ProblemDoc(
        "The body holds too many numbers with an exponent.",
        400,
        "More than 16 numbers are written like 1e9, which is slow to read.",
        "Write them without an exponent, or as strings.",
    ),
    "number_out_of_range": ProblemDoc(
        "A number cannot be read exactly.",
        400,
        "An integer is more than 2^53 - 1 away from zero, a number overflows, or it is written "
        "with more than 128 characters. JSON readers differ in what they make of those.",
        "Send it as a string; send money as integer minor units.",
    ),
    "key_too_long": ProblemDoc(
        "A key is too long.",
        400,
        "A member's name has more than 512 characters. The pointer is that of its object.",
        "Send the text as a value.",
    ),
    "duplicate_key": ProblemDoc(
        "An object names a member twice.",
        400,
        "JSON readers differ in which of the two they take, so what is judged might not be what "
        "runs. It holds for every object, arguments included.",
        "Name each member once.",
    ),
    # The body, field by field.
    "wrong_type": ProblemDoc(
        "A field has the wrong type.",
        400,
        "The value at the pointer is of another JSON type than the field.",
        "Send the type that `detail` names.",
    ),
    "missing_field": ProblemDoc(
        "A field is missing.",
        400,
        "The field at the pointer is required.",
        "Send it.",
    ),
    "unknown_field": ProblemDoc(
        "A field is unknown.",
        400,
        "There is no field of the name at the pointer. It is refused rather than ignored, since "
        "a rule may have been meant to see it.",
        "Correct the name, or put the value under `external_state`.",
    ),
    "value_out_of_range": ProblemDoc(
        "A field's value is not allowed.",
        400,
        "The value at the pointer is too long, too short, too large, too small, or none of the "
        "words that the field takes.",
        "Send a value that `detail` allows.",
    ),
    "bad_name": ProblemDoc(
        "A tool name or an id cannot be accepted.",
        400,
        "It holds control or invisible characters, begins or ends with white space, or is not in "
        "Unicode's composed form (NFC), so it could pass for another.",
        "Normalize names to NFC and strip them.",
    ),
    # The rest of the request.
    "bad_request": ProblemDoc(
        "The request cannot be accepted as it is.",
        400,
        "`detail` says why.",
        "Correct the request.",
    ),
    "bad_header": ProblemDoc(
        "A header cannot be read.",
        400,
        "A header that frames the body is malformed.",
        "Let an HTTP library write the headers.",
    ),
    "bad_cursor": ProblemDoc(
        "The cursor is not valid.",
        400,
        "The cursor was not made by this gateway for this list.",
        "Begin again without a cursor.",
    ),
    "bad_parameter": ProblemDoc(
        "A parameter is not valid.",
        400,
        "A part of the address cannot be accepted; `detail` names it.",
        "Correct the parameter.",
    ),
    "unauthenticated": ProblemDoc(
        "A valid API key is needed.",
        401,
        "There is no `Authorization: Bearer` header, or no such key.",
        "Send a key made by `checkrein keys create`.",
    ),
    "key_revoked": ProblemDoc(
        "The API key was revoked.",
        401,
        "Someone revoked this key.",
        "Use another key.",
    ),
    "key_expired": ProblemDoc(
        "The API key has expired.",
        401,
        "The key's time is over.",
        "Use the key that replaced it, or make one with `checkrein keys rotate`.",
    ),
    "forbidden": ProblemDoc(
        "This key may not do that.",
        403,
        "The key is valid and lacks the scope, or is bound to another agent.",
        "Use a key that has the scope.",
    ),
    "not_found": ProblemDoc(
        "There is nothing of that name in this project.",
        404,
        "The address names nothing that this key can see.",
        "Check the address.",
    ),
    "run_not_found": ProblemDoc(
        "There is no such run.",
        404,
        "No run of that id is in this project.",
        "Check the id; runs of other projects cannot be seen.",
    ),
    "decision_not_found": ProblemDoc(
        "There is no such decision.",
        404,
        "No decision of that id is in this project.",
        "Check the id; decisions of other projects cannot be seen.",
    ),
    "approval_not_found": ProblemDoc(
        "There is no such approval.",
        404,
        "No approval of that id is in this project.",
        "Check the id; approvals of other projects cannot be seen.",
    ),
    "policy_not_found": ProblemDoc(
        "There is no such policy version.",
        404,
        "No policy version of that digest was ever active in this project.",
        "Take a digest from the list of versions or from a decision.",
    ),
    "method_not_allowed": ProblemDoc(
        "This address does not answer that method.",
        405,
        "The address exists, for other methods.",
        "Use a method that the `Allow` header names.",
    ),
    "conflict": ProblemDoc(
        "That id is already taken by something else.",
        409,
        "The same id came with other content.",
        "Use a new id.",
    ),
    "action_id_conflict": ProblemDoc(
        "The action id was used for another call.",
        409,
        "`action.id` stands for one intended execution, and this tool or these arguments differ "
        "from the ones checked under it.",
        "Use a new `action.id` for each intended call.",
    ),
    "result_conflict": ProblemDoc(
        "The decision has another result already.",
        409,
        "A different result was reported for this decision; the first one stands.",
        "Report a result once; the same one may be repeated.",
    ),
    "result_not_expected": ProblemDoc(
        "The decision did not let the call through.",
        409,
        "A result was reported for a call that was stopped, or that waits for an approval. It is "
        "recorded, and changes nothing.",
        "Do not run calls that were not let through; check the action again with a new `attempt`.",
    ),
    "decision_superseded": ProblemDoc(
        "Another decision stands for the action.",
        409,
        "The action was judged under another decision: this one did not let the call through.",
        "Report the result under the decision that let the call through.",
    ),
    "run_environment_mismatch": ProblemDoc(
        "The run belongs to another environment.",
        409,
        "The run was begun with a key of another environment of the project.",
        "Use that environment's key, or another run id.",
    ),
    "run_identity_mismatch": ProblemDoc(
        "The run is somebody else's, or below another run.",
        409,
        "Agent, user and parent are said when a run begins; the request says something else.",
        "Leave them out after the first request of a run, or use another run id.",
    ),
    "run_of_another_agent": ProblemDoc(
        "The run is another agent's.",
        403,
        "The key is bound to one agent, and the run was begun by another.",
        "Use the key of that agent, or another run id.",
    ),
    "unsupported_media_type": ProblemDoc(
        "The body must be JSON.",
        415,
        "The content type is missing, repeated, or something else than application/json.",
        "Send `Content-Type: application/json`.",
    ),
    "unsupported_content_encoding": ProblemDoc(
        "The body must not be compressed.",
        415,
        "The body has a content encoding, so its size is not known before it is unpacked.",
        "Send it as it is.",
    ),
    # The gateway's own state. The SDK applies the fail mode, so no agent waits for long.
    "too_many_requests": ProblemDoc(
        "Too many requests at once.",
        429,
        "This key or project is over its rate.",
        "Try again after `Retry-After` seconds.",
    ),
    "unexpected": ProblemDoc(
        "Something went wrong inside the gateway.",
        500,
        "Nobody foresaw this. Nothing about the inside is told; the log has it under the id.",
        "Report the `request_id`.",
    ),
    "unavailable": ProblemDoc(
        "The gateway cannot decide right now, so nothing was decided.",
        503,
        "Something the decision needs is away.",
        "Try again after `Retry-After` seconds, or apply the fail mode.",
    ),
    "journal_unavailable": ProblemDoc(
        "The decision could not be recorded, so it was not given.",
        503,
        "The journal is away. `fail_mode` says what the policy wants meanwhile.",
        "Apply `fail_mode`, and record the gap when the call runs.",
    ),
    "policy_unavailable": ProblemDoc(
        "No policy is active.",
        503,
        "The gateway has not loaded a valid policy yet.",
        "See `checkrein policy check`, and try again.",
    ),
    "run_contended": ProblemDoc(
        "The run changes too fast.",
        503,
        "Other checks of the same run kept changing what the decision was made from.",
        "Try again after `Retry-After` seconds.",
    ),
    "decision_not_ready": ProblemDoc(
        "The recorded decision cannot be read yet.",
        503,
        "The same action was decided a moment ago, and its decision is still on its way.",
        "Try again after `Retry-After` seconds.",
    ),
    "overloaded": ProblemDoc(
        "The gateway has too much to do.",
        503,
        "A bounded queue is full; nothing of this request was done.",
        "Try again after `Retry-After` seconds.",
    ),
}
