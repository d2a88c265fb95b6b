/** The lines that make bgpd tell by BMP: where they are wanted, how they change, and when they go. */
import { expect, test } from "vitest";
import { difference } from "../../../backends/frr/config/difference.ts";
import { hasMonitor, withMonitor } from "../../../backends/frr/config/monitor.ts";
import { judge } from "../../../backends/frr/config/scope.ts";
import { NO_LINES } from "../../../backends/frr/config/tree.ts";
import { speaker } from "../intents.ts";
import { treeOf } from "../text.ts";

const MODULES = `Module Name  Version                   Description

libfrr       8.4.4                     libfrr core module
bgpd         8.4.4                     bgpd daemon
bgpd_bmp     8.4.4                     bgpd BMP module
\tfrom: /usr/lib/x86_64-linux-gnu/frr/modules/bgpd_bmp.so
pid: 18735
`;
const connect = (port: number): string =>
  `bmp connect 127.0.0.1 port ${port} min-retry 100 max-retry 60000`;
/** As bgpd prints it, in a router that is somebody else's. */
const running = (...targets: readonly string[]): string => `router bgp 64512
 neighbor 10.99.0.77 remote-as 64999
 !
 bmp targets theirs
  bmp stats interval 60000
 exit
${targets.map((line) => ` ${line}`).join("\n")}
exit
`;
const OURS = ["bmp targets rutter", ` ${connect(40_001)}`, "exit"];

const scope = (text: string) => {
  const nobody = { bgpd: NO_LINES, withheld: new Map() };
  const ownership = { ours: new Set<never>(), takeOver: "none" as const };
  return judge(treeOf(text), nobody, speaker([]), ownership).scope;
};
const change = (from: string, to: string) =>
  difference(treeOf(from), treeOf(to), scope(from)).routers.map(({ path, line }) =>
    [...path, line].join(" / "),
  );

test("the module is found among bgpd's, by its name", () => {
  expect(hasMonitor(MODULES)).toBe(true);
  expect(hasMonitor(MODULES.replace("bgpd_bmp ", "bgpd_bump"))).toBe(false);
});

test("every router that is wanted has them, and nothing else", () => {
  const wanted = treeOf("router bgp 1\nexit\nrouter bgp 2 vrf red\nexit\nroute-map a permit 1\n");
  const made = withMonitor(wanted, 40_001);
  const target = new Map([["bmp targets rutter", new Map([[connect(40_001), NO_LINES]])]]);
  expect(made).toEqual(
    new Map([
      ["router bgp 1", target],
      ["router bgp 2 vrf red", target],
      ["route-map a permit 1", NO_LINES],
    ]),
  );
});

test("another port takes the place of the one before", () => {
  const other = [...OURS].with(1, ` ${connect(40_002)}`);
  expect(change(running(...OURS), running(...other))).toEqual([
    `router bgp 64512 / bmp targets rutter / no ${connect(40_001)}`,
    `router bgp 64512 / bmp targets rutter / ${connect(40_002)}`,
  ]);
});

test("they go as a whole, empty or not; other targets stay", () => {
  const gone = ["router bgp 64512 / no bmp targets rutter"];
  expect(change(running(...OURS), running())).toEqual(gone);
  expect(change(running("bmp targets rutter", "exit"), running())).toEqual(gone);
  expect(change(running(...OURS), "")).toEqual(gone);
  expect(change(running(), "router bgp 64512\nexit\n")).toEqual([]);
});
