/**
 * Keys and passwords do not survive in free text; the words around them do.
 */
import { expect, test } from "vitest";
import { redact, redactValues } from "../../agent/secrets/redact.ts";

const SECRET = "hunter2";

test.each([
  " neighbor 10.0.0.1 password hunter2",
  " neighbor fd00::1 password hunter2 hunter2 with spaces",
  "% Unknown command: neighbor 10.0.0.1 password hunter2",
  "no neighbor SPINES password hunter2",
  "password hunter2",
  "enable password 8 hunter2",
  "  authentication key hunter2",
  "  key-string hunter2",
  " ip ospf message-digest-key 1 md5 hunter2",
  'protocol bgp { password "hunter2"; }',
  'authentication key "hunter2";',
  "password: hunter2",
  "  password: 'hunter2'",
  '  - password: "hun\\"hunter2"',
  "stringData: {password: hunter2, user: x}",
  '{"password":"hunter2","address":"10.0.0.1"}',
  '{"md5" : "hunter2"}',
  "PASSWORD=hunter2",
  "password: |\n  hunter2\n  hunter2\nnext: 1",
  "secret: hunter2",
  "md5: hunter2",
  "key: hunter2",
])("no secret is left of %j", (text) => {
  expect(redact(text)).not.toContain(SECRET);
  expect(redact(text)).toContain("<redacted>");
});

test.each([
  "neighbor 10.0.0.1 remote-as 65001",
  "passwordSecret:\n  name: bgp-key\n  namespace: x",
  '{"passwordSecret":{"name":"a"}}',
  "key chain BGP\n key 1",
  "the TCP-MD5 password is wrong on one side",
  "monkey: banana",
  "data:\n  address: 10.0.0.1",
])("%j stays as it is", (text) => {
  expect(redact(text)).toBe(text);
});

test("what surrounds a key stays readable", () => {
  expect(redact('{"password":"hunter2","address":"10.0.0.1"}')).toContain('"address":"10.0.0.1"');
  expect(redact("a\n neighbor 10.0.0.1 password hunter2\nb")).toBe(
    "a\n neighbor 10.0.0.1 password <redacted>\nb",
  );
});

test("twice is as once", () => {
  const once = redact("password: hunter2\nneighbor x password hunter2");
  expect(redact(once)).toBe(once);
});

test("a known value is taken out wherever it stands", () => {
  expect(redactValues("peer said hunter2 and $& left", ["hunter2"])).toBe(
    "peer said <redacted> and $& left",
  );
});
