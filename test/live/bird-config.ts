/**
 * A plan in BIRD's language.
 *
 * Only what a test said is configured: the rest stays BIRD's default, because that is what users run; timers alone are
 * shorter, so that a session which was refused once is tried again within a second.
 * Read next: bird.ts.
 */
import type { Neighbour, RouterPlan } from "./router.ts";

const quoted = (text: string): string => `"${text}"`;
const isIpv6 = (text: string): boolean => text.includes(":");

function staticRoutes(networks: readonly string[]): string[] {
  return (["ipv4", "ipv6"] as const).flatMap((family) => {
    const own = networks.filter((prefix) => isIpv6(prefix) === (family === "ipv6"));
    if (own.length === 0) return [];
    return [
      `protocol static own_${family} {`,
      `  ${family};`,
      ...own.map((prefix) => `  route ${prefix} blackhole;`),
      "}",
    ];
  });
}

const tuple = (community: string): string => `(${community.split(":").join(", ")})`;

const add = (attribute: string, communities: readonly string[] = []): string =>
  communities.map((one) => `${attribute}.add(${tuple(one)}); `).join("");

function exportFilter({ tag = {}, transit = false }: RouterPlan): string {
  const med = tag.med === undefined ? "" : `bgp_med = ${tag.med}; `;
  const tagged = `${med}${add("bgp_community", tag.communities)}${add("bgp_large_community", tag.largeCommunities)}`;
  const others = transit ? "if source = RTS_BGP then accept; " : "";
  return `${others}if source != RTS_STATIC then reject; ${tagged}accept;`;
}

function neighbourSection(plan: RouterPlan, neighbour: Neighbour): string[] {
  const exported = exportFilter(plan);
  const { gracefulRestart, multihop, password, holdTimeSeconds } = neighbour;
  const local = neighbour.localAddress === undefined ? "" : ` ${neighbour.localAddress}`;
  const port = plan.port === undefined ? "" : ` port ${plan.port}`;
  const remotePort = neighbour.port === undefined ? "" : ` port ${neighbour.port}`;
  return [
    `protocol bgp ${neighbour.name} {`,
    "  debug { states, events };",
    `  local${local}${port} as ${plan.asn};`,
    `  neighbor ${neighbour.address}${remotePort} as ${neighbour.asn};`,
    "  connect delay time 1; connect retry time 1; error wait time 1, 1; startup hold time 30;",
    ...(password === undefined ? [] : [`  password ${quoted(password)};`]),
    ...(multihop === undefined ? [] : [`  multihop ${multihop};`]),
    ...(neighbour.passive === true ? ["  passive;"] : []),
    ...(holdTimeSeconds === undefined ? [] : [`  hold time ${holdTimeSeconds};`]),
    ...(gracefulRestart === undefined
      ? []
      : [`  graceful restart ${gracefulRestart ? "on" : "off"};`]),
    ...(neighbour.families ?? ["ipv4", "ipv6"]).map(
      (family) => `  ${family} { import all; export filter { ${exported} }; };`,
    ),
    ...(neighbour.raw ?? []).map((line) => `  ${line}`),
    "}",
  ];
}

/** The whole configuration file. The kernel protocol is left out: no route leaves BIRD's own tables. */
export function birdConfig(plan: RouterPlan, logPath: string): string {
  return [
    `log ${quoted(logPath)} all;`,
    `router id ${plan.routerId};`,
    "timeformat protocol iso long us;",
    "timeformat route iso long us;",
    "protocol device { scan time 1; }",
    "protocol direct { ipv4; ipv6; }",
    ...staticRoutes(plan.networks ?? []),
    ...(plan.raw ?? []),
    ...plan.neighbours.flatMap((neighbour) => neighbourSection(plan, neighbour)),
    "",
  ].join("\n");
}
