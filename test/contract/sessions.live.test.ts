/** The contract's sessions with real routers, on every backend. The scenarios: sessions.ts. */
import { contract } from "./contract.ts";
import { SESSIONS } from "./sessions.ts";

contract(SESSIONS);
