/**
 * The link to a gobgpd: how often somebody hears that it is not there.
 */
import { expect, test } from "vitest";
import { BackendError } from "../../backends/backend.ts";
import type { GobgpClient } from "../../backends/gobgp/io/client.ts";
import { openLink } from "../../backends/gobgp/link.ts";
import { virtualClock } from "../virtual-clock.ts";

test("a gobgpd that is not there is tried again and again, and the log has one line of it until the reason is another", async () => {
  const clock = virtualClock();
  const lines: string[] = [];
  let tries = 0;
  let reason = "connect ENOENT";
  const client = {
    dialect: () => {
      tries += 1;
      return Promise.reject(new BackendError("SPEAKER_UNREACHABLE", reason));
    },
    forget: () => undefined,
  } as unknown as GobgpClient;
  const warn = (_: object, message: string): number => lines.push(message);
  const nothing = (): void => undefined;
  const link = openLink(
    client,
    clock,
    { info: nothing, warn, error: nothing },
    { onUp: () => Promise.resolve(), onDown: nothing, onEvent: nothing, onPeers: nothing },
  );
  const wait = async (): Promise<void> => {
    for (let seconds = 0; seconds < 10; seconds += 1) {
      clock.advance(1000);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
  };
  await wait();
  expect(tries).toBeGreaterThan(5);
  expect(lines).toEqual(["connect ENOENT"]);
  reason = "connect EACCES";
  await wait();
  expect(lines).toEqual(["connect ENOENT", "connect EACCES"]);
  link.close();
});
