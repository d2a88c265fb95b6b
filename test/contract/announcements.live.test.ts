/** The contract's announcements with real routers, on every backend. The scenarios: announcements.ts. */
import { contract } from "./contract.ts";
import { ANNOUNCEMENTS } from "./announcements.ts";

contract(ANNOUNCEMENTS);
