// A second verifier of exports, written from VERIFY.md alone: it shares no code with the first.
//
//     node verify_export.mjs FOLDER KEYS.pem
//
// Prints {"ok", "findings", "events", "log_size"} as JSON and exits with 1 when something is wrong.

import { createHash, createHmac, createPublicKey, verify } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { epochOf, parse, receiptOf, written } from "./receipt.mjs";

const [folder, pemFile] = process.argv.slice(2);
const findings = [];
const wrong = (place, detail) => findings.push({ place, detail });
const sha256 = (...parts) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const read = (name) => readFileSync(join(folder, name));
const there = (name) => existsSync(join(folder, name));

// The raw 32 bytes are the end of the key's DER form.
const rawOf = (key) => key.export({ type: "spki", format: "der" }).subarray(-32);
const keys = (readFileSync(pemFile, "utf8").match(/-----BEGIN[^]*?END PUBLIC KEY-----/g) ?? []).map(
  (pem) => createPublicKey(pem),
);

function signature() {
  const envelope = JSON.parse(read("SIGNATURE.json"));
  const payload = Buffer.from(envelope.payload, "base64");
  const type = Buffer.from(envelope.payloadType);
  const signed = Buffer.concat([
    Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload,
  ]);
  const { keyid, sig } = envelope.signatures[0];
  const key = keys.find((each) => sha256(rawOf(each)).toString("hex").startsWith(keyid));
  if (keyid.length !== 32 || !key) return wrong("SIGNATURE.json", "is by an unknown key");
  if (!verify(null, signed, key, Buffer.from(sig, "base64"))) wrong("SIGNATURE.json", "is wrong");
  if (!payload.equals(read("RECEIPT.json"))) wrong("RECEIPT.json", "is not what was signed");
  return keyid;
}

function files(receipt) {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1));
  const listed = new Set(Object.keys(receipt.files));
  const all = {};
  for (const name of found) {
    if (name === "RECEIPT.json" || name === "SIGNATURE.json") continue;
    const data = read(name);
    const said = receipt.files[name];
    all[name] = { sha256: sha256(data).toString("hex"), bytes: data.length };
    if (!said || said.bytes !== data.length || said.sha256 !== all[name].sha256)
      wrong(name, "has other bytes than the receipt lists");
    listed.delete(name);
  }
  for (const name of listed) wrong(name, "is absent");
  return all;
}

function chain(receipt) {
  const lines = read("REPLAY.jsonl").toString("latin1").split("\n");
  if (lines.pop() !== "") wrong("REPLAY.jsonl", "does not end its last line");
  const wanted = receipt.chain.hashes;
  if (lines.length !== wanted.length) wrong("REPLAY.jsonl", "holds another number of events");
  const genesis = JSON.stringify(["checkrein/chain/v1", receipt.project_id, receipt.run_id]);
  let before = sha256(genesis).toString("hex");
  let [epoch, seq] = [0, 0];
  const [events, hashes] = [[], []];
  lines.forEach((line, index) => {
    const bytes = Buffer.from(line, "latin1");
    const place = `REPLAY.jsonl line ${index + 1}`;
    const digest = sha256(bytes).toString("hex");
    if (digest !== wanted[index]) wrong(place, "has other bytes than were recorded");
    let event;
    try {
      event = parse(bytes.toString("utf8"));
    } catch {
      return wrong(place, "cannot be read");
    }
    if (event.prev_hash !== before) wrong(place, "does not follow the event before it");
    const at = epochOf(event);
    if (!(at === epoch ? event.seq === seq + 1 : at > epoch && event.seq <= seq))
      wrong(place, "has a seq out of order");
    [before, epoch, seq] = [digest, at, event.seq];
    events.push(event);
    hashes.push(digest);
  });
  if (before !== receipt.chain.head) wrong("RECEIPT.json", "names another head");
  return { events, hashes };
}

function openings(events) {
  const byPlace = new Map(events.map((event) => [`${epochOf(event)}/${event.seq}`, event]));
  const shown = new Map(events.map((event) => [event, new Map()]));
  const text = read("OPENINGS.jsonl").toString("utf8");
  for (const line of text.split("\n").filter(Boolean)) {
    const opening = JSON.parse(line);
    const event = byPlace.get(`${opening.epoch}/${opening.seq}`);
    const blob = `blobs/${opening.sha256}`;
    if (!event || !there(blob)) {
      wrong("OPENINGS.jsonl", `${opening.part} is absent`);
      continue;
    }
    const key = Buffer.from(opening.opening, "hex");
    const found = createHmac("sha256", key).update(read(blob)).digest("hex");
    if (found !== event.blobs[opening.part]) wrong(blob, "is not what was committed to");
    else shown.get(event).set(opening.part, read(blob));
  }
  return (event) => shown.get(event);
}

// Step 7: everything else in the receipt follows from the events.
function consequences({ events, hashes }, shown, listed, keyId) {
  const text = read("RECEIPT.json").toString("utf8");
  const said = parse(text);
  // The one thing in it that events do not show.
  const erased = said.content.erased;
  const again = receiptOf({ events, hashes, shown, erased, listed, keyId });
  for (const name of new Set([...Object.keys(again), ...Object.keys(said)]))
    if (!(name in said && name in again) || written(again[name]) !== written(said[name]))
      wrong("RECEIPT.json", `says other than the events do, in /${name}`);
  if (findings.length === 0 && written(again) !== text)
    wrong("RECEIPT.json", "is not written in its one form");
}

function log(receipt) {
  const proof = JSON.parse(read("LOG.json"));
  if (proof.leaf !== receipt.chain.head) wrong("LOG.json", "is of another event");
  const at = proof.checkpoint.lastIndexOf("\n\n");
  const text = proof.checkpoint.slice(0, at + 1);
  const [origin, sizeText, rootText] = text.split("\n");
  if (origin !== `checkrein.dev/log/${receipt.project_id}`) wrong("LOG.json", "is of another log");
  const signed = proof.checkpoint
    .slice(at + 2)
    .split("\n")
    .filter((line) => line.startsWith(`\u2014 ${origin} `))
    .some((line) => {
      const data = Buffer.from(line.split(" ")[2], "base64");
      return keys.some((key) => verify(null, Buffer.from(text), key, data.subarray(4)));
    });
  if (!signed) wrong("LOG.json", "has a checkpoint that no known key signed");
  // RFC 9162, section 2.1.3.2.
  const size = Number(sizeText);
  let [fn, sn] = [proof.index, size - 1];
  if (!(fn >= 0 && fn <= sn)) wrong("LOG.json", "names no leaf of that tree");
  let hash = sha256(Buffer.from([0]), Buffer.from(proof.leaf, "hex"));
  const half = (number) => Math.floor(number / 2);
  const node = (left, right) => sha256(Buffer.from([1]), left, right);
  for (const each of proof.proof) {
    const sibling = Buffer.from(each, "base64");
    if (sn === 0) return wrong("LOG.json", "has a proof that is too long");
    if (fn % 2 === 1 || fn === sn) {
      hash = node(sibling, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      hash = node(hash, sibling);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  if (sn !== 0 || hash.toString("base64") !== rootText)
    wrong("LOG.json", "has a proof that does not lead to the root");
  return size;
}

let told = { events: [], hashes: [] };
let size = null;
try {
  const keyId = signature();
  const receipt = JSON.parse(read("RECEIPT.json"));
  const listed = files(receipt);
  told = chain(receipt);
  const shown = openings(told.events);
  if (findings.length === 0) consequences(told, shown, listed, keyId);
  if (there("LOG.json")) size = log(receipt) ?? null;
} catch (error) {
  wrong("export", `cannot be read: ${error.message}`);
}
const ok = findings.length === 0;
console.log(JSON.stringify({ ok, findings, events: told.events.length, log_size: size }));
process.exit(ok ? 0 : 1);
