/** Source NAT as a program for nft: whole each time, and by the devices that traffic leaves by. */
import { expect, test } from "vitest";
import { newHost } from "../../backends/kernel/host.ts";
import { nftProgram, placedNats } from "../../backends/kernel/nft.ts";
import { address } from "../../events/address.ts";
import { prefix } from "../../events/prefix.ts";

test("source NAT is one transaction that makes our table anew", () => {
  const nats = [
    {
      name: "a",
      sources: [prefix("10.1.0.0/16"), prefix("fd00::/8")],
      to: address("192.0.2.1"),
      outgoing: ["eth0"],
    },
  ];
  const { nftables }: { nftables: readonly object[] } = JSON.parse(nftProgram(nats));
  expect(nftables.map((one) => Object.keys(one)[0])).toEqual([
    "add",
    "delete",
    "add",
    "add",
    "add",
  ]);
  expect(nftProgram(nats)).toContain('{"snat":{"family":"ip","addr":"192.0.2.1"}}');
  expect(nftProgram(nats)).not.toContain("fd00::");
  expect(JSON.parse(nftProgram([]))).toMatchObject({ nftables: [{ add: {} }, { delete: {} }] });
});

test("what leaves by a VRF leaves by its ports, what leaves by any device not by the loopback", () => {
  const host = newHost();
  const link = (index: number, name: string, master = 0, vrfTable?: number) =>
    host.links.set(index, { index, name, up: true, loopback: false, master, vrfTable });
  link(2, "red", 0, 10);
  link(3, "red1", 2);
  link(4, "eth0");
  link(5, "red0", 2);
  link(6, "blue", 0, 11);
  const nat = (outgoing: string) => {
    const sources = [prefix("10.1.0.0/16")];
    const one = { name: outgoing, sources, to: "masquerade", outgoing, provenance: [] } as const;
    const [placed] = placedNats(host, [one]);
    return [placed?.outgoing, nftProgram(placed === undefined ? [] : [placed])];
  };
  const key = '"left":{"meta":{"key":"oifname"}}';
  const [ports, program] = nat("red");
  expect(ports).toEqual(["red0", "red1"]);
  expect(program).toContain(`{"op":"==","right":{"set":["red0","red1"]},${key}}`);
  expect(nat("eth0")).toEqual([["eth0"], expect.stringContaining(`"right":"eth0",${key}`)]);
  // Without a port nothing leaves; nor by a device that is not there.
  expect(nat("blue")[0]).toEqual(["blue"]);
  expect(nat("gone")[0]).toEqual(["gone"]);
  expect(nat("")).toEqual([[], expect.stringContaining(`{"op":"!=","right":"lo",${key}}`)]);
});
