/** JPEG in. The decoder is a package that is loaded when the first JPEG is met. */
import { fail } from "../../ir/diagnostic.ts";
import { mostPixels, type Picture } from "./image.ts";

/** Start of image, and the first byte of the next marker. */
export const isJpeg = (bytes: Uint8Array): boolean => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

/** Decodes a file; `name` is for messages. */
export type JpegReader = (bytes: Uint8Array, name: string) => Picture;

/** Megabytes that the decoder may use, and the megapixels that it takes. */
const limits = { maxMemoryUsageInMB: 2048, maxResolutionInMP: mostPixels / 1e6 };

export async function jpegReader(): Promise<JpegReader> {
  const { default: jpeg } = await import("jpeg-js");
  return (bytes, name) => {
    try {
      const { width, height, data } = jpeg.decode(bytes, { useTArray: true, formatAsRGBA: true, ...limits });
      const rgba = new Float32Array(data.length);
      for (let i = 0; i < data.length; i++) rgba[i] = data[i]! / 255;
      return { width, height, rgba };
    } catch (error) {
      const reason = error instanceof Error && /limit exceeded/.test(error.message) ? "it is too large" : "it is damaged or cut short";
      return fail("file", `${name} cannot be decoded: ${reason}`, null);
    }
  };
}

/** Width and height, from the first bytes of a file; null: they are further on. */
export function jpegSize(head: Uint8Array): readonly [width: number, height: number] | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  for (let at = 2; at + 9 <= head.length; ) {
    const marker = head[at + 1]!;
    if (head[at] !== 0xff) return null;
    if (isFrame(marker)) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    // fill bytes have no length
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return null;
}
/** Start of frame, but not the tables and arithmetic conditions among their numbers. */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
