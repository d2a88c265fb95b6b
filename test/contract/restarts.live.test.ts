/** The contract's restarts with real routers, on every backend. The scenarios: restarts.ts. */
import { contract } from "./contract.ts";
import { RESTARTS } from "./restarts.ts";

contract(RESTARTS);
