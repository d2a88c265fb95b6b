/** All groups of contract scenarios, in the order of the page. */
import { ANNOUNCEMENTS } from "./announcements.ts";
import { RECEIVING } from "./receiving.ts";
import { RESTARTS } from "./restarts.ts";
import type { Group } from "./scenario.ts";
import { SESSIONS } from "./sessions.ts";
import { IN_VRF } from "./vrf.ts";

export const GROUPS: readonly Group[] = [SESSIONS, ANNOUNCEMENTS, RECEIVING, RESTARTS, IN_VRF];
