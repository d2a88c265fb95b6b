/**
 * What nftables tells of tables over netlink (linux/netfilter: nfnetlink.h, nf_tables.h): only whose they are, never what they say.
 *
 *  nfgenmsg  family, version, generation (2, changes with every change of anybody)
 *
 * The first attribute of every object names its table. Reads next: ../io/nft-watch.ts.
 */
import { attributesOf, cString, encodeAttributes, type Message, text } from "./codec.ts";

export const NFNLGRP_NFTABLES = 7;
const NFNL_SUBSYS_NFTABLES = 10;
export const NFT_MSG_GETTABLE = (NFNL_SUBSYS_NFTABLES << 8) | 1;
export const NFT_MSG_GETCHAIN = (NFNL_SUBSYS_NFTABLES << 8) | 4;
export const NFT_MSG_GETRULE = (NFNL_SUBSYS_NFTABLES << 8) | 7;
/** The end of a change, with who made it; names no table. */
const NFT_MSG_NEWGEN = (NFNL_SUBSYS_NFTABLES << 8) | 15;
const NFPROTO_INET = 1;
const HEADER_OCTETS = 4;
const TABLE = 1;

/** What a dump of chains or rules asks for: those of one table of the family inet, where the kernel filters by it. */
export function tableFilter(table: string): Uint8Array {
  const attributes = encodeAttributes([[TABLE, cString(table)]]);
  const out = new Uint8Array(HEADER_OCTETS + attributes.length);
  out[0] = NFPROTO_INET;
  out.set(attributes, HEADER_OCTETS);
  return out;
}

/** Whether it is of that table of the family inet. */
export const isOfTable = ({ type, body }: Message, table: string): boolean =>
  type >> 8 === NFNL_SUBSYS_NFTABLES &&
  type !== NFT_MSG_NEWGEN &&
  body[0] === NFPROTO_INET &&
  text(attributesOf(body, HEADER_OCTETS).get(TABLE)) === table;

export const isEndOfChange = ({ type }: Message): boolean => type === NFT_MSG_NEWGEN;

/** Everything that it says, which stays the same as long as nobody touches it. */
export const contentOf = ({ body }: Message): Uint8Array => body.subarray(HEADER_OCTETS);
