/**
 * One datagram to a Unix socket, which Node cannot send: what systemd's notification socket takes (unix(7), sd_notify(3)).
 *
 * Nothing is kept open, nothing is answered, and nothing blocks: a receiver whose queue is full misses the message.
 */
import { calls, check, closeFd, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from "./libc.ts";

const AF_UNIX = 1;
/** unix(7): sun_path has 108 octets, those of an abstract name among them. */
const PATH_OCTETS = 108;
const FAMILY_OCTETS = 2;
/** The receiver may be gone: that is an error and no SIGPIPE. */
const MSG_NOSIGNAL = 0x4000;

/** `path`: absolute, or `@` and an abstract name. Throws SystemError where nobody receives, RangeError for a path that is too long. */
export function sendDatagram(path: string, text: string): void {
  const name = unixAddress(path);
  const octets = new TextEncoder().encode(text);
  const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check(calls.socket(AF_UNIX, type, 0) as number, "socket");
  try {
    const sent: unknown = calls.sendto(fd, octets, octets.length, MSG_NOSIGNAL, name, name.length);
    check(Number(sent), `send to ${path}`);
  } finally {
    closeFd(fd);
  }
}

/** struct sockaddr_un (sys/un.h). An abstract name begins with NUL and ends with the address. */
function unixAddress(path: string): Uint8Array {
  const isAbstract = path.startsWith("@");
  const octets = new TextEncoder().encode(isAbstract ? `\0${path.slice(1)}` : `${path}\0`);
  if (octets.length > PATH_OCTETS) throw new RangeError(`${path} is too long for a socket's path`);
  const address = new Uint8Array(FAMILY_OCTETS + octets.length);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(octets, FAMILY_OCTETS);
  return address;
}
