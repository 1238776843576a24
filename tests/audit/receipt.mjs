// The receipt of an export, worked out again from its events and the content shown with them.
//
// Step 7 of VERIFY.md says that it follows from them; how, is written here a second time, on its
// own. Numbers that JavaScript would write otherwise keep the text they were read from.

import { createHash } from "node:crypto";

const NUMBER = "\u0000number";
const TOKEN = /"(?:[^"\\]+|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;
const STOPPING = ["require_approval", "block", "halt"];
const RUN_STARTED = ["name", "agent_id", "user_id", "parent_run_id", "external_id"];
const VERIFICATION = ["status"];
const ARTIFACT = ["digest", "size", "media_type"];
const MODEL_CALL = ["provider", "prompt_version", "usage", "cost", "duration_ns"];

/** JSON, with each number that JavaScript would write otherwise as the text it is. */
export const parse = (text) =>
  JSON.parse(
    text.replace(TOKEN, (token) =>
      token[0] === '"' || (Number.isSafeInteger(Number(token)) && String(Number(token)) === token)
        ? token
        : JSON.stringify({ [NUMBER]: token }),
    ),
  );

/** Canonical JSON: keys in the order of their UTF-8 bytes, no spaces. */
export function written(value) {
  if (typeof value === "bigint") return String(value);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(written).join(",")}]`;
  if (NUMBER in value) return value[NUMBER];
  const members = sorted(Object.keys(value)).map(
    (key) => `${JSON.stringify(key)}:${written(value[key])}`,
  );
  return `{${members.join(",")}}`;
}

/** The receipt that these say. `erased` and `listed`, the other files, and the key are taken. */
export function receiptOf({ events, hashes, shown, erased, listed, keyId }) {
  const [first, last] = [events[0], events.at(-1)];
  const run = rowOf(events);
  const decisions = events.filter(({ type }) => type === "decision").map(({ body }) => body);
  const committed = sum(events.map(({ blobs }) => Object.keys(blobs).length));
  const visible = sum(events.map((event) => shown(event).size));
  const content = { committed, shown: visible, not_shown: committed - visible };
  const of = (type, tell) => events.filter((each) => each.type === type).map(tell);
  const genesis = JSON.stringify(["checkrein/chain/v1", first.project_id, first.run_id]);
  return {
    schema: "https://checkrein.dev/schemas/receipt",
    version: 1,
    project_id: first.project_id,
    run_id: first.run_id,
    run,
    by: {
      agent_id: run.agent_id,
      user_id: run.user_id,
      actors: counted(events.map(({ actor }) => actor)),
      policies: distinct(decisions.map((body) => body.policy_digest)),
      engines: distinct(decisions.map(({ engine }) => `${engine.name} ${engine.version}`)),
    },
    events: {
      count: events.length,
      last_seq: events.reduce((most, { seq }) => Math.max(most, seq), 0),
      epochs: new Set(events.map(epochOf)).size,
      types: counted(events.map(({ type }) => type)),
    },
    chain: {
      algorithm: "sha256",
      version: "checkrein/chain/v1",
      genesis: createHash("sha256").update(genesis).digest("hex"),
      head: hashes.at(-1),
      hashes,
    },
    timings: {
      first_occurred_at: first.occurred_at,
      first_recorded_at: first.recorded_at,
      last_recorded_at: last.recorded_at,
      ended_at: run.ended_at,
    },
    actions: events.filter(({ type }) => type === "decision" || type === "result").map(action),
    verification: of("verification", (event) => named(event, VERIFICATION, shown(event))),
    artifacts: of("artifact", (event) => named(event, ARTIFACT, shown(event))),
    model_calls: of("model_call", (event) => named(event, MODEL_CALL)),
    content: erased === undefined ? content : { ...content, erased },
    files: listed,
    signature: { algorithm: "Ed25519", state: "signed", key_id: keyId },
  };
}

export const epochOf = (event) => event.epoch ?? 0;

function action({ type, seq, occurred_at: at, body }) {
  const { decision_id, action_id } = body;
  if (type === "result") {
    const { status, output_digest = null, duration_ns = null } = body;
    return { seq, at, decision_id, action_id, status, output_digest, duration_ns };
  }
  const { tool, verdict, enforced, mode, arguments_digest, policy_digest } = body;
  const side_effects = sorted(body.side_effects);
  const rules = body.rules.map(({ rule }) => rule);
  const judged = { tool, side_effects, verdict, enforced, mode, rules };
  return { seq, at, decision_id, action_id, ...judged, arguments_digest, policy_digest };
}

/** An observation's evidence; its name is content, so it is there where content is shown. */
function named({ seq, occurred_at: at, body }, fields, shown) {
  const found = { seq, at };
  for (const name of fields) if ((body[name] ?? null) !== null) found[name] = body[name];
  if (shown) found.name = parse(String(shown.get("observation") ?? "{}"))?.name ?? null;
  return found;
}

/** The run in one line: what lists of runs show of it. */
function rowOf(events) {
  const [first] = events;
  const row = {
    project_id: first.project_id,
    run_id: first.run_id,
    environment: first.environment,
    started_at: first.recorded_at,
    last_at: first.recorded_at,
    status: "running",
    ended_at: null,
    halted: false,
    events: events.length,
    spend: {},
  };
  for (const name of RUN_STARTED) row[name] = null;
  for (const name of ["actions", "blocked", "warned", "approvals", "errors"]) row[name] = 0;
  const amounts = new Map();
  const spend = (amount, sign) => {
    if (!amount) return;
    const value = BigInt(amount.value[NUMBER] ?? amount.value);
    const before = row.spend[amount.currency] ?? 0n;
    const after = before + sign * (value > 0n ? value : 0n);
    row.spend = { ...row.spend, [amount.currency]: after };
  };
  for (const event of events) {
    const { type, body } = event;
    if (event.recorded_at > row.last_at) row.last_at = event.recorded_at;
    if (type === "decision") {
      const again = (body.prior ?? null) !== null;
      const counts = !again && !STOPPING.includes(body.enforced);
      amounts.set(body.decision_id, counts ? body.amount : null);
      if (again) continue;
      row.actions += 1;
      if (["block", "halt"].includes(body.enforced)) row.blocked += 1;
      if (body.enforced === "warn") row.warned += 1;
      if (counts) spend(body.amount, 1n);
      if (body.enforced === "halt") [row.halted, row.status] = [true, "halted"];
    } else if (type === "result" && body.status === "failed") {
      row.errors += 1;
      spend(amounts.get(body.decision_id), -1n);
    } else if (type === "approval_requested") {
      row.approvals += 1;
    } else if (type === "run_ended") {
      if (!row.halted) row.status = body.status;
      row.ended_at = event.recorded_at;
    } else if (type === "run_started" && event.seq === 1) {
      for (const name of RUN_STARTED) row[name] = body[name] ?? null;
    }
  }
  return row;
}

function counted(names) {
  const found = new Map();
  for (const name of names) found.set(name, (found.get(name) ?? 0) + 1);
  return Object.fromEntries(found);
}

const sorted = (texts) =>
  [...texts].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
const distinct = (texts) => sorted(new Set(texts));
const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);
