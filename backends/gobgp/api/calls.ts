/**
 * The calls of GoBGP's API that are used, with their requests and answers, for the compiler.
 *
 * Pure data. Reads next: gobgp.proto, messages.ts.
 */
import type {
  DefinedSet,
  Destination,
  FamilyMessage,
  Global,
  ListedPeer,
  PeerMessage,
  Policy,
  PolicyAssignment,
  Statement,
} from "./messages.ts";

type Named = { readonly name: string };
type NamedPolicy = Named & { readonly statements: readonly Named[] };

/** The calls that answer with one message. */
export type Unary = {
  StartBgp: [{ readonly global: Global }, object];
  StopBgp: [object, object];
  GetBgp: [object, { readonly global: Global | null }];
  AddPeer: [{ readonly peer: PeerMessage }, object];
  UpdatePeer: [{ readonly peer: PeerMessage }, object];
  DeletePeer: [{ readonly address: string }, object];
  ResetPeer: [
    { readonly address: string; readonly soft: boolean; readonly direction: number },
    object,
  ];
  EnablePeer: [{ readonly address: string }, object];
  DisablePeer: [{ readonly address: string; readonly communication: string }, object];
  AddStatement: [{ readonly statement: Statement }, object];
  DeleteStatement: [{ readonly statement: Named; readonly all: true }, object];
  AddPolicy: [{ readonly policy: NamedPolicy; readonly refer_existing_statements: true }, object];
  DeletePolicy: [
    { readonly policy: NamedPolicy; readonly preserve_statements: true; readonly all: boolean },
    object,
  ];
  AddDefinedSet: [{ readonly defined_set: DefinedSet }, object];
  DeleteDefinedSet: [{ readonly defined_set: DefinedSet; readonly all: boolean }, object];
  SetPolicyAssignment: [{ readonly assignment: PolicyAssignment }, object];
};

/** The calls that answer with a stream that ends. */
export type Streamed = {
  ListPeer: [{ readonly enable_advertised: boolean }, { readonly peer: ListedPeer | null }];
  ListStatement: [Named, { readonly statement: Statement | null }];
  ListPolicy: [Named, { readonly policy: Policy | null }];
  ListDefinedSet: [
    { readonly defined_type: number; readonly name: string },
    { readonly defined_set: DefinedSet | null },
  ];
  ListPolicyAssignment: [
    { readonly name: string; readonly direction: number },
    { readonly assignment: PolicyAssignment | null },
  ];
  ListPath: [
    {
      readonly table_type: number;
      readonly name: string;
      readonly family: FamilyMessage;
      readonly prefixes: readonly { readonly prefix: string; readonly type: number }[];
      readonly enable_filtered: boolean;
      readonly enable_only_binary: true;
    },
    { readonly destination: Destination | null },
  ];
};
