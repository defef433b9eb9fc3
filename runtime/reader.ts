/** Readers of untrusted data: each checks a value and gives it its type, or names the place where something else was. */
import { fail } from "./errors.ts";

export type Reader<T> = (value: unknown, place: string) => T;

export const bad = (message: string): never => fail("artefact", `not a usable artefact: ${message}`);

/** A value with a test of its own; `expected` completes "x is 3, expected ...". */
const reader =
  <T>(expected: string, is: (x: unknown) => boolean): Reader<T> =>
  (x, place) =>
    is(x) ? (x as T) : bad(`${place} is ${JSON.stringify(x) ?? "missing"}, expected ${expected}`);

const isWhole = (x: unknown): boolean => Number.isSafeInteger(x) && (x as number) >= 0;
export const text = reader<string>("a text", (x) => typeof x === "string");
export const flag = reader<boolean>("true or false", (x) => typeof x === "boolean");
export const number = reader<number>("a number", (x) => typeof x === "number");
export const whole = reader<number>("a whole number", isWhole);
export const positive = reader<number>("a positive whole number", (x) => isWhole(x) && x !== 0);
export const oneOf = <const T extends string>(all: readonly T[]): Reader<T> => reader(all.join(", "), (x) => all.includes(x as T));
const isRecord = reader<Readonly<Record<string, unknown>>>("an object", (x) => typeof x === "object" && x !== null && !Array.isArray(x));
const isList = reader<readonly unknown[]>("a list", Array.isArray);

export const orNull =
  <T>(read: Reader<T>): Reader<T | null> =>
  (x, place) =>
    x === null ? null : read(x, place);

export const list =
  <T>(item: Reader<T>): Reader<readonly T[]> =>
  (x, place) =>
    isList(x, place).map((v, i) => item(v, `${place}[${i}]`));

/** Any keys that `key` accepts, values of one kind. */
export const recordOf =
  <K extends string, T>(key: Reader<K>, item: Reader<T>): Reader<Readonly<Partial<Record<K, T>>>> =>
  (x, place) =>
    Object.fromEntries(
      Object.entries(isRecord(x, place)).map(([k, v]) => [key(k, `a key of ${place}`), item(v, `${place}.${k}`)]),
    ) as Partial<Record<K, T>>;

/** An object with the properties named, others left out. Those in `optional` may be absent. */
export const record =
  <T, O = unknown>(
    properties: { readonly [K in keyof T]: Reader<T[K]> },
    optional?: { readonly [K in keyof O]: Reader<O[K]> },
  ): Reader<T & Partial<O>> =>
  (x, place) => {
    const given = isRecord(x, place);
    const read = ([key, item]: [string, unknown]): [string, unknown] => [key, (item as Reader<unknown>)(given[key], `${place}.${key}`)];
    const present = Object.entries(optional ?? {}).filter(([key]) => given[key] !== undefined);
    return Object.fromEntries([...Object.entries(properties), ...present].map(read)) as T & Partial<O>;
  };
