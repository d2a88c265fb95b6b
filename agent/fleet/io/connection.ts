/**
 * What the fleet's ends know of NATS JetStream: our own small types, so that only nats.ts knows the client's.
 *
 * A connection is for ever: it comes and goes by itself, and whoever asks something of it while it is away is told so at once.
 * Nothing here decides what is read or published. Reads next: nats.ts.
 */

/** The connection of one program. Files are read again at each attempt to connect. */
export type FleetAccess = {
  /** `nats://host:port`, `tls://host:port`. Only these are ever tried, whatever a cluster tells of its members. */
  readonly servers: readonly string[];
  /** As the server's operator sees it. */
  readonly name: string;
  /** What answers are asked to: `<inbox>.…`, the only subjects that this program need be allowed to read. */
  readonly inbox: string;
  /** File with a JWT and its seed, as `nsc` writes it. */
  readonly credentials?: string | undefined;
  /** File with the seed of an nkey (SU…). */
  readonly seed?: string | undefined;
  /** Files in PEM. undefined: as the server wants it. */
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly certificate?: string | undefined;
        readonly key?: string | undefined;
      }
    | undefined;
};

export type ConnectionState = {
  readonly connected: boolean;
  /** Of the last change of `connected`; monotonic milliseconds (Clock). */
  readonly sinceMillis: number;
  /** The server's address, or why there is none. */
  readonly reason: string;
};

export type StoredMessage = {
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** In its stream, from 1. */
  readonly sequence: number;
};

/** A message as a reading hands it over. */
export type ReadMessage = StoredMessage & {
  /** How many more the stream had for this reading when this one was sent. */
  readonly pending: number;
  /** RFC 3339, the server's clock. */
  readonly storedAt: string;
};

export type StreamInfo = {
  /** RFC 3339; another stream of the same name has another one. */
  readonly created: string;
  /** 0 where it never held a message. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly messages: number;
  /** Its own rules (age, octets, count) let messages go. */
  readonly isLimited: boolean;
};

export type Reading = {
  readonly stream: string;
  /** The pull consumer's name: one that this program may make. Of two readings with one name the older ends. */
  readonly consumer: string;
  /** One subject, wildcards allowed; undefined: all of the stream's. */
  readonly filter?: string;
  /** The first sequence to read, from 1; or the newest message of each subject, and then what follows. */
  readonly from: number | "newest-of-each-subject";
  /** Bodies stay with the server: they are empty. */
  readonly headersOnly?: boolean;
  /** Before the first message: how many there are to read now. */
  readonly onStart?: (pending: number) => void;
  /** In order of sequence; the next message waits for it. Where it rejects, the reading ends with that error. */
  readonly onMessage: (message: ReadMessage) => Promise<void> | void;
};

export type StreamSpec = {
  readonly name: string;
  readonly subjects: readonly string[];
  /** 1, 3 or 5 servers that hold it. */
  readonly replicas: number;
  /** Oldest messages go beyond this many octets; undefined: nothing goes. */
  readonly maxOctets?: number;
};

export type FleetErrorCode =
  /** Not connected, or not any more. */
  | "FLEET_NOT_CONNECTED"
  /** The server does not allow it to this program. */
  | "FLEET_FORBIDDEN"
  /** There is no such stream. */
  | "FLEET_NO_STREAM"
  /** A publication with `expected`: another message came first. */
  | "FLEET_SEQUENCE_MOVED"
  /** No answer, or nobody there to give one (no leader, no such stream, no JetStream): it may have happened or not. */
  | "FLEET_NO_ANSWER"
  /** A reading was broken off: its consumer is gone, or a message was missed. It can be begun anew. */
  | "FLEET_READING_ENDED"
  /** Anything else that the server said, or a file that cannot be read. */
  | "FLEET_REFUSED";

export class FleetError extends Error {
  override readonly name = "FleetError";
  readonly code: FleetErrorCode;
  constructor(code: FleetErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Every method that asks the server rejects with FleetError. */
export type FleetConnection = {
  state(): ConnectionState;
  /** Calls back after each change of state; the returned function stops it. */
  onState(listener: (state: ConnectionState) => void): () => void;
  /** Resolves when connected; rejects when `signal` is aborted. */
  connected(signal?: AbortSignal): Promise<void>;
  /** Octets of headers and body that one message may have; 0 while it was never connected. */
  maxPayload(): number;
  /**
   * Resolves with the sequence when the stream has it on its servers' disks. `expected`: only if that is the stream's last
   * sequence (0: an empty stream).
   */
  publish(message: {
    readonly stream: string;
    readonly subject: string;
    readonly body: Uint8Array | string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly expected?: number;
  }): Promise<{ readonly sequence: number }>;
  /** Resolves when `signal` is aborted; rejects when it cannot go on, and what was handed over is all that was read. */
  read(reading: Reading, signal: AbortSignal): Promise<void>;
  /** undefined: the stream has none of that subject. */
  lastOfSubject(stream: string, subject: string): Promise<StoredMessage | undefined>;
  /** undefined: there is none of that sequence (any more). */
  at(stream: string, sequence: number): Promise<StoredMessage | undefined>;
  streamInfo(stream: string): Promise<StreamInfo>;
  /** Of the newest message that there is, by the stream's leader; 0: there is none. Readings may come from a server that lags. */
  newestSequence(stream: string): Promise<number>;
  /** Makes the stream unless there is one of that name; one that is there is left as it is. */
  ensureStream(spec: StreamSpec): Promise<void>;
  ensureBucket(spec: { readonly name: string; readonly replicas: number }): Promise<void>;
  kvPut(bucket: string, key: string, value: Uint8Array | string): Promise<void>;
  /** The key has no value afterwards; one that is not there is none already. */
  kvDelete(bucket: string, key: string): Promise<void>;
  /** Ends all readings and the connection; nothing is tried again. Idempotent. */
  close(): Promise<void>;
};
