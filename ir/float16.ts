/** Floating-point formats of 16 bits, as their bits: IEEE 754 half precision and bfloat16. */

/** The single nearest to a number in half precision, ties to even; what is too large becomes infinity. */
export function toFloat16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Below 2^-14 a half counts in units of 2^-24: scaled exactly, then rounded.
  if (magnitude < 0x38800000) return sign | roundEven(Math.abs(scratch.getFloat32(0)) * 2 ** 24);
  return sign | ((magnitude - 0x38000000 + 0x0fff + ((magnitude >>> 13) & 1)) >>> 13);
}

export function fromFloat16(bits: number): number {
  const magnitude = bits & 0x7fff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (magnitude >= 0x7c00) return magnitude > 0x7c00 ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (magnitude < 0x0400) return sign * magnitude * 2 ** -24;
  // The exponents of singles begin 112 earlier.
  scratch.setUint32(0, (magnitude << 13) + 0x38000000);
  return sign * scratch.getFloat32(0);
}

/** The single nearest to a number in bfloat16, ties to even: its upper half. */
export function toBfloat16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

export function fromBfloat16(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

const scratch = new DataView(new ArrayBuffer(4));
const roundEven = (x: number): number => {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
};
