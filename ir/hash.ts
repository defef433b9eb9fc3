/** Keys of random numbers: a number depends on the name of its place, not on other code. */

/** 32-bit FNV-1a over the UTF-8 bytes, finished with murmur3's mixer: the key of a place. */
export function hashText(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}
