/** Values that are made when first asked for, and kept while there is room. */

export interface Made<T> {
  readonly value: T;
  readonly bytes: number;
}
const roomBytes = 256 * 2 ** 20;

/** The value of a key; those that were asked for longest ago make room for new ones. */
export function cached<T>(make: (key: number) => Made<T>, room = roomBytes): (key: number) => T {
  // in order of their last use
  const kept = new Map<number, Made<T>>();
  let used = 0;
  return (key) => {
    const known = kept.get(key);
    const made = known ?? make(key);
    if (known) kept.delete(key);
    else used += made.bytes;
    kept.set(key, made);
    for (const [oldest, { bytes }] of kept) {
      if (used <= room || oldest === key) break;
      kept.delete(oldest);
      used -= bytes;
    }
    return made.value;
  };
}
