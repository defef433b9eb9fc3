/** Picture files of every known format. */
import type { Picture } from "./image.ts";
import { isJpeg, jpegReader, jpegSize } from "./jpeg.ts";
import { isPng, pngSize, readPng } from "./png.ts";

export const isPicture = (bytes: Uint8Array): boolean => isPng(bytes) || isJpeg(bytes);
/** Names that picture files have. */
export const pictureName = /\.(png|jpe?g)$/i;
export const pictureNames = ".png, .jpg or .jpeg";

/** Decodes a file; `name` is for messages. */
export type PictureReader = (bytes: Uint8Array, name: string) => Picture;

/** `jpeg`: whether there may be JPEG files among the pictures. */
export async function pictureReader(jpeg: boolean): Promise<PictureReader> {
  const read = jpeg ? await jpegReader() : null;
  return (bytes, name) => (read && isJpeg(bytes) ? read(bytes, name) : readPng(bytes, name));
}

/** Decodes one file. */
export const readPicture = async (bytes: Uint8Array, name: string): Promise<Picture> => (await pictureReader(isJpeg(bytes)))(bytes, name);

/** Bytes that tell the size of most pictures; a JPEG may have more before it. */
export const headBytes = 65536;
/** Width and height of a picture; null: `head` is too short to tell. */
export const pictureSize = (head: Uint8Array): readonly [width: number, height: number] | null =>
  isPng(head) ? pngSize(head) : jpegSize(head);
