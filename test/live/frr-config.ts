/**
 * A plan in FRR's language.
 *
 * Only what a test said is configured, plus what FRR asks for before it lets an eBGP route through at all (RFC 8212),
 * and a short pause before a refused session is tried again.
 * Read next: frr.ts.
 */
import type { Neighbour, RouterPlan, Tag } from "./router.ts";

const isIpv6 = (text: string): boolean => text.includes(":");

function sessionLines(neighbour: Neighbour): string[] {
  const to = (rest: string) => `  neighbor ${neighbour.address} ${rest}`;
  const { localAddress, port, password, multihop, holdTimeSeconds, gracefulRestart } = neighbour;
  return [
    to(`remote-as ${neighbour.asn}`),
    to("timers connect 1"),
    ...(localAddress === undefined ? [] : [to(`update-source ${localAddress}`)]),
    ...(port === undefined ? [] : [to(`port ${port}`)]),
    ...(password === undefined ? [] : [to(`password ${password}`)]),
    ...(multihop === undefined ? [] : [to(`ebgp-multihop ${multihop}`)]),
    ...(neighbour.passive === true ? [to("passive")] : []),
    ...(holdTimeSeconds === undefined
      ? []
      : [to(`timers ${Math.max(1, Math.floor(holdTimeSeconds / 3))} ${holdTimeSeconds}`)]),
    ...(gracefulRestart === undefined
      ? []
      : [to(gracefulRestart ? "graceful-restart-helper" : "graceful-restart-disable")]),
    ...(neighbour.raw ?? []).map((line) => `  ${line}`),
  ];
}

function familySection(plan: RouterPlan, family: "ipv4" | "ipv6"): string[] {
  const speakers = plan.neighbours.filter((one) =>
    (one.families ?? ["ipv4", "ipv6"]).includes(family),
  );
  const own = (plan.networks ?? []).filter((prefix) => isIpv6(prefix) === (family === "ipv6"));
  return [
    `  address-family ${family} unicast`,
    ...own.map((prefix) => `    network ${prefix} route-map own`),
    ...speakers.flatMap(({ address }) => [
      `    neighbor ${address} activate`,
      `    neighbor ${address} soft-reconfiguration inbound`,
      ...(plan.transit === true ? [] : [`    neighbor ${address} filter-list own-only out`]),
    ]),
    "  exit-address-family",
  ];
}

function ownRouteMap({ med, communities, largeCommunities }: Tag): string[] {
  return [
    "route-map own permit 10",
    ...(med === undefined ? [] : [`  set metric ${med}`]),
    ...(communities === undefined ? [] : [`  set community ${communities.join(" ")}`]),
    ...(largeCommunities === undefined
      ? []
      : [`  set large-community ${largeCommunities.join(" ")}`]),
    "exit",
  ];
}

/** The whole configuration of bgpd. Never written to FRR's own startup file. */
export function frrConfig(plan: RouterPlan): string {
  return [
    "bgp as-path access-list own-only seq 5 permit ^$",
    ...ownRouteMap(plan.tag ?? {}),
    ...(plan.raw ?? []),
    `router bgp ${plan.asn}`,
    `  bgp router-id ${plan.routerId}`,
    "  bgp log-neighbor-changes",
    "  no bgp ebgp-requires-policy",
    "  no bgp default ipv4-unicast",
    "  no bgp network import-check",
    ...plan.neighbours.flatMap(sessionLines),
    ...familySection(plan, "ipv4"),
    ...familySection(plan, "ipv6"),
    "exit",
    "",
  ].join("\n");
}
