/**
 * The intent of somebody who wants nothing of the kernel: what is left after an orderly end.
 *
 * Reads next: kernel.ts.
 */
import { PersistentMap } from "../../events/persistent-map.ts";
import type { KernelIntent } from "./intent.ts";

export const nothing: KernelIntent = {
  addresses: PersistentMap.empty(),
  routes: PersistentMap.empty(),
  rules: PersistentMap.empty(),
  sourceNats: PersistentMap.empty(),
  imports: [],
  exports: [],
};
