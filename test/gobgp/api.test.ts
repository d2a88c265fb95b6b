/**
 * Our proto file against the descriptor inside the installed gobgpd: every name, number and type that we rely on.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadSync } from "@grpc/proto-loader";
import { expect, test } from "vitest";
import { fieldsOf, numberIn, octetsIn } from "../../backends/gobgp/read/protobuf.ts";
import { textOf } from "../../backends/gobgp/read/nlri.ts";
import { skipUnless } from "../probe.ts";

const PROTO = join(import.meta.dirname, "../../backends/gobgp/api/gobgp.proto");

/** Numbers of descriptor.proto: of a file, a message, a field. */
const FILE = { message: 4 } as const;
const MESSAGE = { name: 1, field: 2, nested: 3 } as const;
const FIELD = { name: 1, number: 3, label: 4, type: 5 } as const;
const REPEATED = 3;
/** Types of descriptor.proto that travel as a varint; enumerations are numbers with us. */
const VARINTS = new Set([3, 4, 5, 8, 13, 14]);

type Fields = ReadonlyMap<string, { readonly number: number; readonly kind: string }>;

const all = (octets: Uint8Array, number: number): Uint8Array[] =>
  [...fieldsOf(octets)].flatMap((one) =>
    one.number === number && typeof one.value !== "number" ? [one.value] : [],
  );

/** Go keeps each file's descriptor as it is: its name and package begin it. */
function descriptorIn(program: Uint8Array, file: string): Uint8Array {
  const head = Buffer.concat([
    Buffer.from([0x0a, file.length]),
    Buffer.from(file),
    Buffer.from([0x12, 5]),
    Buffer.from("apipb"),
  ]);
  const at = Buffer.from(program).indexOf(head);
  expect(at, `${file} in gobgpd`).toBeGreaterThan(0);
  // Beyond the file's own fields other data follows; the walk ends or finds names of nothing we look for.
  return program.subarray(at, at + 200_000);
}

function messagesOf(octets: Uint8Array, into: Map<string, Fields>, prefix = ""): void {
  const name = prefix + textOf(octetsIn(octets, MESSAGE.name));
  const fields = all(octets, MESSAGE.field).map((field) => {
    const type = numberIn(field, FIELD.type) ?? 0;
    const repeated = numberIn(field, FIELD.label) === REPEATED ? "repeated " : "";
    const kind = `${repeated}${VARINTS.has(type) ? "varint" : "octets"}`;
    return [
      textOf(octetsIn(field, FIELD.name)),
      { number: numberIn(field, FIELD.number) ?? 0, kind },
    ] as const;
  });
  if (!into.has(name)) into.set(name, new Map(fields));
  for (const nested of all(octets, MESSAGE.nested)) messagesOf(nested, into, `${name}.`);
}

/** Names that are only ours: one shape for several requests of theirs. */
const RENAMED: Readonly<Record<string, string>> = {
  PeerRequest: "AddPeerRequest",
  PeerAddress: "DeletePeerRequest",
  Named: "ListPolicyRequest",
  DefinedSetRequest: "DeleteDefinedSetRequest",
  StatementRequest: "DeleteStatementRequest",
  PolicyAssignmentMessage: "SetPolicyAssignmentRequest",
  WatchedPath: "Path",
};
/** Spelt otherwise there; numbers are what counts. */
const NUMBERS_ONLY = new Set(["enable_advertised"]);

/** The file that a message of ours stands in. */
function descriptorOf(message: object | undefined): Uint8Array {
  const files =
    message !== undefined && "fileDescriptorProtos" in message ? message.fileDescriptorProtos : [];
  const [file] = Array.isArray(files) ? files : [];
  if (file instanceof Uint8Array) return file;
  throw new Error("no descriptor of our own file");
}

test("every field of ours has the number and the type that gobgpd has", (context) => {
  skipUnless("gobgp")(context);
  const program = readFileSync("/usr/bin/gobgpd");
  const theirs = new Map<string, Fields>();
  for (const message of all(descriptorIn(program, "gobgp.proto"), FILE.message)) {
    messagesOf(message, theirs);
  }
  const descriptor = descriptorOf(loadSync(PROTO, { keepCase: true })["apipb.Peer"]);
  const ours = new Map<string, Fields>();
  for (const message of all(descriptor, FILE.message)) messagesOf(message, ours);
  const faults: string[] = [];
  let seen = 0;
  for (const [name, fields] of ours) {
    const known = theirs.get(RENAMED[name] ?? name);
    for (const [field, { number, kind }] of fields) {
      const there = NUMBERS_ONLY.has(field)
        ? [...(known?.values() ?? [])].find((one) => one.number === number)
        : known?.get(field);
      seen += 1;
      if (there?.number !== number || there.kind !== kind) {
        faults.push(`${name}.${field}: ${number} ${kind}, there ${there?.number} ${there?.kind}`);
      }
    }
  }
  expect(faults).toEqual([]);
  expect(seen).toBeGreaterThan(100);
});
