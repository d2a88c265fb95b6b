/** Certificates of one test, made by openssl where they are used, and gone with the network. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Node } from "./netns.ts";

export type Certificate = { readonly certificate: string; readonly key: string };

const openssl = async (node: Node, ...args: readonly string[]): Promise<void> => {
  const done = await node.run(["openssl", ...args]);
  if (done.code !== 0) throw new Error(done.stderr);
};
const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Vouches for itself, and for others. */
export async function newAuthority(node: Node, name: string): Promise<Certificate> {
  const [certificate, key] = [
    join(node.directory, `${name}.pem`),
    join(node.directory, `${name}.key`),
  ];
  const files = ["-out", certificate, "-keyout", key];
  await openssl(node, "req", "-x509", ...EC, "-days", "2", "-subj", `/CN=${name}`, ...files);
  return { certificate, key };
}

/** `names` as openssl has them: `IP:10.99.0.1`, `DNS:nats.example`. */
export async function newCertificate(
  node: Node,
  name: string,
  authority: Certificate,
  names: string,
): Promise<Certificate> {
  const file = (ending: string): string => join(node.directory, `${name}.${ending}`);
  const [certificate, key, request, extensions] = [
    file("pem"),
    file("key"),
    file("csr"),
    file("ext"),
  ];
  await openssl(node, "req", ...EC, "-subj", `/CN=${name}`, "-out", request, "-keyout", key);
  writeFileSync(extensions, `subjectAltName=${names}\n`);
  const by = ["-CA", authority.certificate, "-CAkey", authority.key, "-CAcreateserial"];
  const made = ["-extfile", extensions, "-out", certificate];
  await openssl(node, "x509", "-req", "-days", "2", "-in", request, ...by, ...made);
  return { certificate, key };
}
