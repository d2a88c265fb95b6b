/** The contract in a VRF with real routers, on every backend. The scenarios: vrf.ts. */
import { contract } from "./contract.ts";
import { IN_VRF } from "./vrf.ts";

contract(IN_VRF);
