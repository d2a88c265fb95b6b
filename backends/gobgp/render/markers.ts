/**
 * Markers: large communities that no route of a peer has, by which gobgpd tells own routes of one class from those of another.
 *
 * A class is everything that is told to the same neighbours with the same attributes. Its routes stand in gobgpd's table with
 * the class's marker, and the export policy puts the real communities in its place; a marker never leaves the host. So one more
 * prefix is one path and no change of policy. Why not a prefix set or a next hop: docs/decisions/013. Pure.
 */

/** From 1. */
export type Marker = number;

/** RFC 7300 §2: the last AS number is nobody's, so nobody's large community begins with it. The second number is a choice. */
const NOBODY = 0xffff_ffff;
const OURS = 21_109;

export const markerNumbers = (marker: Marker): readonly [number, number, number] => [
  NOBODY,
  OURS,
  marker,
];

/** As gobgpd's sets take it: exactly this one. */
export const markerText = (marker: Marker): string => `^${NOBODY}:${OURS}:${marker}$`;
export const ANY_MARKER = `^${NOBODY}:${OURS}:`;

/** Reads `global:local1:local2`, also as a set has it; undefined: it is none of ours. */
export function markerIn(text: string): Marker | undefined {
  const [, digits] = MARKER.exec(text) ?? [];
  const marker = Number(digits);
  return marker >= 1 && marker <= NOBODY ? marker : undefined;
}
const MARKER = new RegExp(`^\\^?${NOBODY}:${OURS}:(\\d{1,10})\\$?$`);
