/**
 * What a NATS server lets each member of a fleet do, as the `authorization` block of its configuration.
 *
 * Pure text, made of the fleet's names alone. A host may write what is its own, read the feed by one consumer of its own
 * name, and nothing else; the server keeps that, whatever a host that was broken into sends. It guards delivery only: what is
 * believed of a change set is its signature (trust.ts). Reads next: subjects.ts.
 */
import { checkpointsOf, fleetNames, hostNames, keyToken, token } from "./subjects.ts";

export type Role = "host" | "publisher" | "reader";

/** `key` is the nkey (U…) that the member connects with. */
export type Member = { readonly role: Role; readonly name: string; readonly key: string };

/** Subjects, wildcards as NATS has them; what is not named is refused. */
export type Permissions = {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
};

/** Where the answers to a member come. */
export const inboxOf = (role: Role, name: string): string => `_INBOX.${role}.${token(name)}`;

export function permissionsOf(fleet: string, { role, name }: Omit<Member, "key">): Permissions {
  const publish = { host: ofHost, publisher: ofPublisher, reader: ofReader }[role](fleet, name);
  return { publish, subscribe: [`${inboxOf(role, name)}.>`] };
}

const API = "$JS.API";
/** One pull consumer of a stream: made, asked and taken away. */
const reading = (stream: string, consumer: string, filter = ""): readonly string[] => [
  `${API}.CONSUMER.CREATE.${stream}.${consumer}${filter === "" ? "" : `.${filter}`}`,
  `${API}.CONSUMER.DELETE.${stream}.${consumer}`,
  `${API}.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
];
const info = (...streams: readonly string[]): readonly string[] =>
  streams.map((stream) => `${API}.STREAM.INFO.${stream}`);
const bucket = (name: string): string => `KV_${name}`;

function ofHost(fleet: string, host: string): readonly string[] {
  const names = fleetNames(fleet);
  const own = hostNames(fleet, host);
  const readers = bucket(names.readersBucket);
  const lanes = [own.audit("desired"), own.audit("sessions"), own.audit("routes")];
  return [
    ...info(names.feedStream, names.auditStream),
    ...reading(names.feedStream, own.consumer),
    `${API}.DIRECT.GET.${names.feedStream}`,
    `${API}.DIRECT.GET.${names.feedStream}.${names.bases}`,
    ...lanes,
    ...lanes.flatMap((lane, at) =>
      reading(names.auditStream, own.consumer, lane).slice(0, at === 0 ? undefined : 1),
    ),
    own.checkpoint,
    own.dead,
    `${API}.DIRECT.GET.${names.auditStream}.rutter.${token(fleet)}.host.${token(host)}.>`,
    `$KV.${names.statusBucket}.${own.statusKey}`,
    ...reading(readers, own.consumer, `$KV.${names.readersBucket}.*.${own.statusKey}`),
  ];
}

function ofPublisher(fleet: string): readonly string[] {
  const names = fleetNames(fleet);
  const streams = [
    names.feedStream,
    names.auditStream,
    bucket(names.statusBucket),
    bucket(names.readersBucket),
  ];
  return [
    names.changes,
    names.bases,
    ...info(...streams),
    ...streams.map((stream) => `${API}.STREAM.CREATE.${stream}`),
    ...reading(names.feedStream, "*"),
    `${API}.DIRECT.GET.${names.feedStream}`,
    `${API}.DIRECT.GET.${names.feedStream}.${names.bases}`,
    // What hosts say that they have, before a history is begun.
    ...reading(bucket(names.statusBucket), "*", `$KV.${names.statusBucket}.*`),
    ...reading(names.auditStream, "*", checkpointsOf(fleet)),
    // Readers that are gone are a publisher's to remove.
    ...reading(bucket(names.readersBucket), "*", `$KV.${names.readersBucket}.*.*`),
    `$KV.${names.readersBucket}.*.*`,
  ];
}

function ofReader(fleet: string, reader: string): readonly string[] {
  const names = fleetNames(fleet);
  const status = bucket(names.statusBucket);
  const readers = bucket(names.readersBucket);
  return [
    ...info(names.feedStream, names.auditStream, status, readers),
    ...[names.feedStream, names.auditStream, status, readers].flatMap((stream) => [
      ...reading(stream, "*"),
      ...reading(stream, "*", ">").slice(0, 1),
      `${API}.DIRECT.GET.${stream}`,
      `${API}.DIRECT.GET.${stream}.>`,
    ]),
    `$KV.${names.readersBucket}.${keyToken(reader)}.*`,
  ];
}

/** Text that nats-server reads in its configuration: `include` it, or put it in. */
export function authorizationBlock(fleet: string, members: readonly Member[]): string {
  const users = members.map((member) => {
    const { publish, subscribe } = permissionsOf(fleet, member);
    return `    # ${member.role} ${member.name}
    {
      nkey: ${member.key}
      permissions: {
        publish: { allow: [
${publish.map((subject) => `          ${JSON.stringify(subject)}`).join("\n")}
        ] }
        subscribe: { allow: [
${subscribe.map((subject) => `          ${JSON.stringify(subject)}`).join("\n")}
        ] }
      }
    }
`;
  });
  return `authorization {\n  users: [\n${users.join("")}  ]\n}\n`;
}
