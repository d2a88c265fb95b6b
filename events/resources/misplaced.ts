/**
 * Manifests as they are found in the wild: a name without `metadata:`, a spec nested one level too deep.
 *
 * Finds what was meant and says the correction. Whether that is an error or is followed with a warning is the caller's
 * (`--lenient`). Never touches what is in its place.
 */
import { type FieldComplaint, isFields } from "./reading.ts";

type Fields = Readonly<Record<string, unknown>>;
export type Straightened = { readonly document: Fields; readonly moves: readonly FieldComplaint[] };

export function straighten(document: Fields): Straightened {
  const named = nameIntoMetadata(document);
  const nested = specOutOfBgp(named.document);
  return { document: nested.document, moves: [...named.moves, ...nested.moves] };
}

const OF_METADATA = ["name", "namespace", "labels", "annotations"];

function nameIntoMetadata(document: Fields): Straightened {
  const stray = OF_METADATA.filter((key) => Object.hasOwn(document, key));
  const [first] = stray;
  if (first === undefined) return { document, moves: [] };
  const { metadata } = document;
  const rest = Object.entries(document).filter(([key]) => !stray.includes(key));
  const moved = Object.fromEntries(stray.map((key) => [key, document[key]]));
  const list = stray.join(" and ");
  return {
    document: {
      ...Object.fromEntries(rest),
      metadata: { ...moved, ...(isFields(metadata) ? metadata : {}) },
    },
    moves: [
      {
        path: [first],
        rule: "misplaced-field",
        message: `${list} ${stray.length === 1 ? "belongs" : "belong"} under metadata: write a line \`metadata:\` above and indent ${stray.length === 1 ? "it" : "them"}`,
      },
    ],
  };
}

const OF_LOAD_BALANCER = ["localASN", "peers", "peerSelector"];

function specOutOfBgp(document: Fields): Straightened {
  const { spec, kind } = document;
  const bgp = isFields(spec) ? spec["bgp"] : undefined;
  if (kind !== "BGPLoadBalancer" || !isFields(spec) || !isFields(bgp))
    return { document, moves: [] };
  const stray = OF_LOAD_BALANCER.filter((key) => Object.hasOwn(bgp, key));
  if (stray.length === 0) return { document, moves: [] };
  const rest = Object.entries(spec).filter(([key]) => key !== "bgp");
  return {
    document: { ...document, spec: { ...bgp, ...Object.fromEntries(rest) } },
    moves: [
      {
        path: ["spec", "bgp"],
        rule: "misplaced-field",
        message: `${stray.join(" and ")} belong${stray.length === 1 ? "s" : ""} under spec: remove the line \`bgp:\` and indent one level less`,
      },
    ],
  };
}
