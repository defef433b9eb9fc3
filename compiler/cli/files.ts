/** Reading and writing files, with the user's mistakes told apart and whole files or none written. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import type { Disk, FolderEntry } from "../formats/source.ts";

export function readBytes(path: string): Uint8Array {
  try {
    // a plain array: a Buffer's `slice` is a view, not a copy
    const { buffer, byteOffset, byteLength } = readFileSync(path);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (error) {
    return refuse("read", path, error);
  }
}

/** The first bytes of a file, at most so many. */
export function readHead(path: string, bytes: number): Uint8Array {
  try {
    const file = openSync(path, "r");
    try {
      const head = new Uint8Array(bytes);
      return head.subarray(0, readSync(file, head, 0, bytes, 0));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return refuse("read", path, error);
  }
}

/** Sorted by name, character by character. */
export function listFolder(path: string): readonly FolderEntry[] {
  try {
    return readdirSync(path)
      .sort()
      .map((name) => ({ name, isFolder: statSync(join(path, name), { throwIfNoEntry: false })?.isDirectory() ?? false }));
  } catch (error) {
    return refuse("read", path, error);
  }
}
export const disk: Disk = { read: readBytes, head: readHead, list: listFolder };

/** UTF-8, without the mark that some editors put at the start. */
export function readText(path: string): string {
  const bytes = readBytes(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return fail("file", `${path} is not text in UTF-8`, null);
  }
}

export const exists = (path: string): boolean => existsSync(path);
/** Not a folder, device or pipe. */
export const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

export const isLink = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
export const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** Whether two paths lead to one file, through whatever links. */
export const samePlace = (a: string, b: string): boolean => {
  const [real, other] = [realNameOf(a), realNameOf(b)];
  return real !== null && real === other;
};

export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    refuse("create", path, error);
  }
}

/** Makes the folder of a file that will be written, where it is missing. */
export const makeFolderOf = (path: string): void => makeFolder(dirname(path));

/** Fails where `writeAtomically` would: for results that take long to compute. Makes the file's folder. */
export function checkWritable(path: string): void {
  makeFolderOf(path);
  try {
    const target = targetOf(path);
    const before = statSync(target, { throwIfNoEntry: false });
    if (before?.isDirectory()) fail("file", `cannot write ${path}: ${causes.EISDIR}`, null);
    accessSync(before && !before.isFile() ? target : dirname(target), constants.W_OK);
  } catch (error) {
    refuse("write", path, error);
  }
}

let temporaries = 0;

/**
 * Writes a temporary file in the same folder, then renames it: readers see the old content or the new, never a part.
 * Links are followed and stay; an existing file's permissions too. Devices and pipes are written as they are.
 */
export function writeAtomically(path: string, content: string | Uint8Array): void {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  try {
    const target = targetOf(path);
    const before = statSync(target, { throwIfNoEntry: false });
    if (before && !before.isFile()) writeInPlace(target, bytes);
    else replace(target, bytes, before?.mode ?? null);
  } catch (error) {
    refuse("write", path, error);
  }
}

/** Where a path leads when its links are followed, also to a file that does not exist yet. */
function targetOf(path: string): string {
  const link = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink();
  if (!link) return path;
  if (existsSync(path)) {
    // of a pipe or deleted file, /proc has a name that leads nowhere
    const real = realNameOf(path);
    return real !== null && existsSync(real) ? real : path;
  }
  const next = resolve(dirname(path), readlinkSync(path));
  statSync(path, { throwIfNoEntry: false }); // throws where links go in circles
  return targetOf(next);
}
function realNameOf(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

function replace(path: string, bytes: Uint8Array, mode: number | null): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${temporaries++}.tmp`);
  try {
    writeDurably(temporary, bytes, mode);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** On disk when it returns. */
function writeDurably(path: string, bytes: Uint8Array, mode: number | null): void {
  const file = openSync(path, "wx");
  try {
    if (mode !== null) fchmodSync(file, mode & 0o7777);
    writeAll(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
function writeInPlace(path: string, bytes: Uint8Array): void {
  const file = openSync(path, "w");
  try {
    writeAll(file, bytes);
  } finally {
    closeSync(file);
  }
}
function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** Appends lines to a file that stays open. */
export interface LineWriter {
  readonly write: (line: string) => void;
  readonly close: () => void;
}
export function appendLines(path: string): LineWriter {
  try {
    const file = openSync(path, "a");
    const write = (line: string) => {
      try {
        writeSync(file, `${line}\n`);
      } catch (error) {
        refuse("write", path, error);
      }
    };
    return { write, close: () => closeSync(file) };
  } catch (error) {
    return refuse("write", path, error);
  }
}

export function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    refuse("remove", path, error);
  }
}

/** What the system's error codes mean to a user. */
const causes: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "no permission",
  EPERM: "no permission",
  EROFS: "the disk is read-only",
  EISDIR: "it is a folder",
  ENOTDIR: "it, or a part of the path, is not a folder",
  EEXIST: "a file with this name is in the way",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EPIPE: "nobody reads it any more",
  EFBIG: "it is too large for this disk",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "its links go in circles",
};

/** Errors of the file system become diagnostics; anything else is not ours to explain. */
function refuse(verb: "read" | "write" | "create" | "remove", path: string, error: unknown): never {
  const code = error instanceof Error && "code" in error ? String(error.code) : null;
  if (code === null || !/^E[A-Z]+$/.test(code)) throw error;
  return fail("file", `cannot ${verb} ${path}: ${causes[code] ?? code}`, null);
}
