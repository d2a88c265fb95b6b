/** The contract's receiving with real routers, on every backend. The scenarios: receiving.ts. */
import { contract } from "./contract.ts";
import { RECEIVING } from "./receiving.ts";

contract(RECEIVING);
