/**
 * Whether the devices of VRFs exist, looked at twice a second: sockets that are bound to one that is gone are silent for ever.
 *
 * One that was made anew under the same name counts as gone and come, because sockets are bound to its number. Never makes or
 * changes a device. Reads next: libc.ts, ../native-backend.ts (what follows).
 */
import type { Clock } from "../../clock.ts";
import { deviceIndex } from "./libc.ts";

export type VrfDevices = {
  /** Those that are looked at from now on; the answer of exists() is of now. */
  follow(vrfs: Iterable<string>): void;
  /** The default VRF needs no device. */
  exists(vrf: string): boolean;
  close(): void;
};

export const noDevice = (vrf: string): string => `VRF device ${vrf} does not exist on this host`;

/** A session is there within about a second after its device. */
const LOOK_MILLIS = 500;

/** Calls back with what is not as it was at the last look; gone and come in one look is called back twice. */
export function watchVrfDevices(
  clock: Pick<Clock, "after">,
  changed: (vrf: string, exists: boolean) => void,
): VrfDevices {
  const known = new Map<string, number>();
  let cancel: (() => void) | undefined;

  const look = (): void => {
    for (const [vrf, before] of known) {
      const now = deviceIndex(vrf);
      if (now === before) continue;
      known.set(vrf, now);
      if (before !== 0) changed(vrf, false);
      if (now !== 0) changed(vrf, true);
    }
    cancel = known.size === 0 ? undefined : clock.after(LOOK_MILLIS, look);
  };

  return {
    follow(vrfs) {
      const wanted = new Set(vrfs);
      wanted.delete("");
      for (const vrf of known.keys()) if (!wanted.has(vrf)) known.delete(vrf);
      for (const vrf of wanted) if (!known.has(vrf)) known.set(vrf, deviceIndex(vrf));
      if (known.size > 0) cancel ??= clock.after(LOOK_MILLIS, look);
    },
    exists: (vrf) => vrf === "" || (known.get(vrf) ?? 0) !== 0,
    close() {
      known.clear();
      cancel?.();
    },
  };
}
