/**
 * From raw FRR lines that open a session's inbound side to the manifest that says the same to every backend.
 *
 * Understands the one use that these lines have in practice (a prefix list, matched in `<neighbour>-in`); for anything else it
 * only names the field. Never changes what is stored.
 */
import type { BgpExtras } from "./bgp-extras.ts";
import type { BgpPeer } from "./bgp-peer.ts";
import { BGP_PORT } from "./session.ts";

type Filter = { readonly prefix: string; readonly bounds: string };

const GENERAL =
  "In place of it write an FRRConfiguration whose neighbour has toReceive.allowed.prefixes, with le 32 where longer prefixes count";

/** One text, the manifest in it ready to paste; AS numbers come from the peer of that address where it is known. */
export function extrasAdvice(extras: BgpExtras, peers: readonly BgpPeer[]): string {
  const lines = extras.spec.extras.text.split("\n").map((line) => line.trim().split(/\s+/));
  const opened = openedNeighbors(lines);
  if (opened.length === 0) return `${GENERAL}.`;
  const manifests = opened.map(({ neighbor, filters }) =>
    manifestFor(extras, neighbor, filters, peers),
  );
  return `${GENERAL}; here:\n${manifests.join("---\n")}`;
}

function openedNeighbors(
  lines: readonly (readonly string[])[],
): readonly { readonly neighbor: string; readonly filters: readonly Filter[] }[] {
  const lists = prefixLists(lines);
  const opened = new Map<string, Filter[]>();
  let neighbor: string | undefined;
  for (const words of lines) {
    const text = words.join(" ");
    neighbor =
      /^route-map (\S+)-in permit \d+$/.exec(text)?.[1] ??
      (words[0] === "route-map" ? undefined : neighbor);
    const list = /^match ip(?:v6)? address prefix-list (\S+)$/.exec(text)?.[1];
    if (neighbor === undefined || list === undefined) continue;
    opened.set(neighbor, [...(opened.get(neighbor) ?? []), ...(lists.get(list) ?? [])]);
  }
  return [...opened]
    .map(([name, filters]) => ({ neighbor: name, filters }))
    .filter(({ filters }) => filters.length > 0);
}

function prefixLists(
  lines: readonly (readonly string[])[],
): ReadonlyMap<string, readonly Filter[]> {
  const lists = new Map<string, Filter[]>();
  for (const words of lines) {
    const [, name, prefix, rest = ""] =
      /^ip(?:v6)? prefix-list (\S+) (?:seq \d+ )?permit (\S+)((?: (?:ge|le) \d+)*)$/.exec(
        words.join(" "),
      ) ?? [];
    if (name === undefined || prefix === undefined) continue;
    const bounds = [...rest.matchAll(/(ge|le) (\d+)/g)]
      .map(([, bound, value]) => `, ${bound}: ${value}`)
      .join("");
    lists.set(name, [...(lists.get(name) ?? []), { prefix, bounds }]);
  }
  return lists;
}

function manifestFor(
  extras: BgpExtras,
  neighbor: string,
  filters: readonly Filter[],
  peers: readonly BgpPeer[],
): string {
  const peer = peers.find(
    ({ spec }) => spec.remote.type === "address" && spec.remote.address === neighbor,
  );
  const remote = peer?.spec.remoteAs;
  const asn =
    remote?.type === "asn"
      ? `asn: ${remote.asn}`
      : remote === undefined
        ? "asn: <peerASN of that peer>"
        : `dynamicASN: ${remote.type}`;
  return `apiVersion: frrk8s.metallb.io/v1beta1
kind: FRRConfiguration
metadata: {name: ${extras.metadata.name}-${neighbor.replaceAll(/[^a-z0-9]+/g, "-")}, namespace: ${extras.metadata.namespace}}
spec:
  bgp:
    routers:
    - asn: ${peer?.spec.localAsn ?? "<myASN of that peer>"}
${peer === undefined || peer.spec.vrf === "" ? "" : `      vrf: ${peer.spec.vrf}\n`}      neighbors:
      - address: "${neighbor}"
        ${asn}
${sameAs(peer)}        toReceive:
          allowed:
            mode: filtered
            prefixes:
${filters.map(({ prefix, bounds }) => `            - {prefix: "${prefix}"${bounds}}\n`).join("")}`;
}

/** What two owners of a neighbour may not say differently (agent/plan/merge-rules.ts): the peer's own values. */
function sameAs(peer: BgpPeer | undefined): string {
  if (peer === undefined) return "";
  const { spec } = peer;
  const { authentication: key, remote } = spec;
  const lines: readonly (string | false)[] = [
    remote.port !== BGP_PORT && `port: ${remote.port}`,
    spec.sourceAddress !== undefined && `sourceaddress: "${spec.sourceAddress}"`,
    key.type === "reference" && `passwordSecret: {name: ${key.name}, namespace: ${key.namespace}}`,
    key.type === "inline" && `password: "<password of that peer>"`,
    spec.ebgpMultiHop && "ebgpMultiHop: true",
    spec.enableGracefulRestart && "enableGracefulRestart: true",
    spec.dualStackAddressFamily && "dualStackAddressFamily: true",
    spec.localAsnOverride !== undefined && `localASN: ${spec.localAsnOverride}`,
  ];
  return lines
    .filter((line) => line !== false)
    .map((line) => `        ${line}\n`)
    .join("");
}
