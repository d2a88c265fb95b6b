/**
 * Kinds that are known and say nothing to a host, with the reason a user is told.
 *
 * Every other kind of a strict group is an error, and every other kind of any other group is not applicable (design §5).
 */

const STATUS = "status, which the agent makes itself: see `rutter status`";
const OPERATOR = "settings of another program";

/** By `group/Kind`. */
const KNOWN: Readonly<Record<string, string>> = {
  "metallb.io/ServiceBGPStatus": STATUS,
  "metallb.io/ServiceL2Status": STATUS,
  "metallb.io/ConfigurationState": STATUS,
  "metallb.io/MetalLB": OPERATOR,
  "frrk8s.metallb.io/FRRNodeState": STATUS,
  "frrk8s.metallb.io/BGPSessionState": STATUS,
  "frrk8s.metallb.io/FRRK8sConfiguration": OPERATOR,
  "networking.gke.io/BGPSession": STATUS,
  "networking.gke.io/BGPAdvertisedRoute": STATUS,
  "networking.gke.io/FlatIPMode": "routes of pods, of which a host has none",
  "/ConfigMap": "only the ConfigMap named bgpextras means something to this agent",
  "/Node": "a host knows itself: for labels write a rutter/v1 Node",
  "/Namespace": "a host has no namespaces to make",
  "/Endpoints": "a host's endpoints are its own: write a rutter/v1 ServiceEndpoint",
  "discovery.k8s.io/EndpointSlice":
    "a host's endpoints are its own: write a rutter/v1 ServiceEndpoint",
};

/** Kinds that upstream gave up, with what took their place. */
const GONE: Readonly<Record<string, string>> = {
  "metallb.io/AddressPool":
    "was taken out of MetalLB: write an IPAddressPool and a BGPAdvertisement",
};

export const reasonNotApplicable = (group: string, kind: string): string | undefined =>
  own(KNOWN, `${group}/${kind}`);
export const successorOf = (group: string, kind: string): string | undefined =>
  own(GONE, `${group}/${kind}`);

const own = (table: Readonly<Record<string, string>>, key: string): string | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;
