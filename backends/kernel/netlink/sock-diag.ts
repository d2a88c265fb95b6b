/**
 * Asking the kernel for the sockets that listen, as octets (sock_diag(7); linux/inet_diag.h, struct inet_diag_req_v2 and inet_diag_msg).
 *
 *  request after the netlink header     answer after the netlink header
 *   0      family, protocol, -, -        0      family, state, timer, retransmissions
 *   4      states, a bit each            4      own port, other port (network order)
 *   8..55  one socket; zero: all         8      own address: 4 octets or 16
 *
 * Only those in the asked states come, so a host with a hundred thousand connections pays nothing for them, and none of the
 * kernel's table of connections is walked, which /proc/net/tcp walks whole. Reads next: ../io/listening-sockets.ts.
 */
import { type Address, addressFromOctets, type Family } from "../../../events/address.ts";
import { encodeMessage, type Message, viewOf } from "./codec.ts";
import { NLM_F_DUMP, NLM_F_REQUEST } from "./numbers.ts";

export const SOCK_DIAG_BY_FAMILY = 20;
const REQUEST_OCTETS = 56;
const ADDRESS_AT = 8;
/** Of linux/socket.h and linux/in.h. */
const AF: Readonly<Record<Family, number>> = { ipv4: 2, ipv6: 10 };
const PROTOCOL = { TCP: 6, UDP: 17 } as const;
/** net/tcp_states.h: TCP_LISTEN; TCP_CLOSE, which is a UDP socket that is not connected and so takes datagrams from anybody. */
const STATE = { TCP: 10, UDP: 7 } as const;

export type Protocol = keyof typeof PROTOCOL;

export function listenersRequest(protocol: Protocol, family: Family): Uint8Array {
  const body = new Uint8Array(REQUEST_OCTETS);
  body[0] = AF[family];
  body[1] = PROTOCOL[protocol];
  viewOf(body).setUint32(4, 1 << STATE[protocol], true);
  return encodeMessage(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, body);
}

/** undefined: it says nothing of a socket that listens. An IPv4 address in an IPv6 socket is one of IPv4. */
export function listenerIn(
  { body }: Pick<Message, "body">,
  protocol: Protocol,
): { readonly port: number; readonly address: Address } | undefined {
  const [family, state] = body;
  const octets = family === AF.ipv4 ? 4 : 16;
  if (state !== STATE[protocol] || body.length < ADDRESS_AT + octets) return undefined;
  const own = body.slice(ADDRESS_AT, ADDRESS_AT + octets);
  const found = addressFromOctets(isMapped(own) ? own.slice(12) : own);
  return found && { port: viewOf(body).getUint16(4), address: found };
}

/** RFC 4291 §2.5.5.2. */
const isMapped = (octets: Uint8Array): boolean =>
  octets.length === 16 &&
  octets.subarray(0, 10).every((octet) => octet === 0) &&
  octets[10] === 0xff &&
  octets[11] === 0xff;
