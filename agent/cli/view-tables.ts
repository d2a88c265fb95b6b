/**
 * What `-o table` shows of status kinds and of the generated FRRConfiguration: one table for each kind, as its users know it.
 *
 * Pure. What a status lacks is an empty cell. Reads next: tables.ts.
 */
import type { ViewJson } from "../api/view-json.ts";
import { manifestName, type Screen } from "./tables.ts";
import { table } from "./terminal.ts";

type Columns = readonly (readonly [heading: string, of: (view: ViewJson) => string])[];

const status =
  (field: string) =>
  (view: ViewJson): string => {
    const value = view.status?.[field];
    return Array.isArray(value) ? value.join(",") : typeof value === "string" ? value : "";
  };
const name = ({ metadata }: ViewJson): string => metadata.name;
const namespace = ({ metadata }: ViewJson): string => metadata.namespace ?? "";

const COLUMNS: Readonly<Record<string, Columns>> = {
  FRRNodeState: [
    ["NAME", name],
    ["CONVERSION", status("lastConversionResult")],
    ["RELOAD", status("lastReloadResult")],
  ],
  BGPSessionState: [
    ["NODE", status("node")],
    ["PEER", status("peer")],
    ["VRF", status("vrf")],
    ["BGP", status("bgpStatus")],
    ["BFD", status("bfdStatus")],
  ],
  ServiceBGPStatus: [
    ["NODE", status("node")],
    ["NAMESPACE", status("serviceNamespace")],
    ["SERVICE", status("serviceName")],
    ["PEERS", status("peers")],
  ],
  ConfigurationState: [
    ["NAME", name],
    ["RESULT", status("result")],
    ["ERRORS", status("errorSummary")],
  ],
};
const OTHERS: Columns = [
  [
    "RESOURCE",
    ({ apiVersion, kind }) => manifestName(apiVersion.split("/")[0] ?? "", kind, "", ""),
  ],
  ["NAMESPACE", namespace],
  ["NAME", name],
  ["NOTES", ({ metadata }) => Object.values(annotationsOf(metadata)).join("; ")],
];

const annotationsOf = ({ annotations }: ViewJson["metadata"]): object =>
  typeof annotations === "object" && annotations !== null ? annotations : {};

/** Views of one kind. */
export function viewsTable(views: readonly ViewJson[], screen: Screen): string {
  const [first] = views;
  if (first === undefined) return "nothing of this kind\n";
  const columns = COLUMNS[first.kind] ?? OTHERS;
  return table(
    columns.map(([heading]) => heading),
    views.map((view) => columns.map(([, of]) => of(view))),
    screen.width,
  );
}
