/** The listener for BMP: what bgpd sent is heard as news of sessions, and what nobody could have sent ends its connection alone. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createMonitor, type PeerNews } from "../../../backends/frr/io/bmp.ts";
import { until } from "../../live/until.ts";
import {
  DOWN_BEFORE_UP,
  DOWN_BY_CLOSE,
  DOWN_BY_NOTIFICATION,
  INITIATION,
  PEER_UP,
  PEER_UP_IPV6,
  STATISTICS,
} from "../watch/bmp/recorded.ts";

function listening() {
  const news: PeerNews[] = [];
  const warnings: unknown[] = [];
  const logger = {
    info: () => undefined,
    warn: (fields: object) => warnings.push(fields),
    error: () => undefined,
  };
  const monitor = createMonitor({ logger, heard: (one) => news.push(one) });
  onTestFinished(() => monitor.close());
  const dial = async (): Promise<Socket> => {
    const socket = connect((await monitor.port()) ?? 0, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  return { monitor, news, warnings, dial };
}

test("hears ups, and downs behind them, of each connection for itself", async () => {
  const { monitor, news, dial } = listening();
  expect(await monitor.port()).toBe(await monitor.port());
  const socket = await dial();
  const stream = Buffer.concat([INITIATION, DOWN_BEFORE_UP, PEER_UP, STATISTICS, DOWN_BY_CLOSE]);
  socket.write(stream.subarray(0, 100));
  socket.write(stream.subarray(100));
  // It is down already.
  socket.write(DOWN_BY_NOTIFICATION);
  const other = await dial();
  other.write(DOWN_BY_NOTIFICATION);
  other.write(PEER_UP_IPV6);
  await until(() => news.length === 3, { what: "the news", explain: () => JSON.stringify(news) });
  expect(news.filter(({ address }) => address === "192.168.77.2")).toEqual([
    { address: "192.168.77.2", reason: "" },
    { address: "192.168.77.2", reason: "the peer closed the connection" },
  ]);
  expect(news.filter(({ address }) => address === "fd77::2")).toEqual([
    { address: "fd77::2", reason: "" },
  ]);
});

test("hangs up on what is no BMP, says so once, and goes on listening", async () => {
  const { news, warnings, dial } = listening();
  const lie = async (): Promise<void> => {
    const liar = await dial();
    liar.resume();
    liar.write("GET / HTTP/1.1\r\n\r\n");
    await once(liar, "close");
  };
  await lie();
  await lie();
  expect(warnings).toEqual([{ reason: "BMP version 71, not 3" }]);
  const honest = await dial();
  honest.write(PEER_UP);
  await until(() => news.length === 1, { what: "the news" });
});

test("closed, it ends its connections and has no port", async () => {
  const { monitor, dial } = listening();
  const socket = await dial();
  socket.resume();
  monitor.close();
  await once(socket, "close");
  expect(await monitor.port()).toBeUndefined();
});
