/** What a shader declares before `main`, each when it is first used. */
import type { Lanes, ScalarType } from "../../ir/kernel/kernel.ts";
import type { Value } from "../translate.ts";

type Special = "infinity" | "minus_infinity" | "not_a_number" | "minus_zero";
const specials: Record<Special, string> = {
  minus_zero: "0x80000000u",
  infinity: "0x7f800000u",
  minus_infinity: "0xff800000u",
  not_a_number: "0x7fc00000u",
};

export interface Prelude {
  readonly lines: () => readonly string[];
  /** An f32 that a constant expression may not have, or cannot keep. */
  readonly bits: (name: Special) => string;
  /** Names of functions. */
  readonly extreme: (op: "min" | "max", of: Value) => string;
  readonly exp: (lanes: Lanes) => string;
  readonly zip: (half: "low" | "high", type: ScalarType) => string;
  readonly reduce: (op: "add" | "min" | "max", type: ScalarType) => string;
  readonly divide: (op: "div" | "mod", lanes: Lanes) => string;
  readonly saturate: (to: "i32" | "u32", lanes: Lanes) => string;
}

export function prelude(): Prelude {
  const declared = new Map<string, readonly string[]>();
  const declare = (name: string, lines: () => readonly string[]): string => {
    if (!declared.has(name)) declared.set(name, lines());
    return name;
  };
  const perLane = (name: string, scalar: string, from: string, to: string, parameters: readonly string[]) =>
    declare(name, () => {
      const lane = (l: string) => `${scalar}(${parameters.map((p) => `${p}.${l}`).join(", ")})`;
      const list = parameters.map((p) => `${p}: vec4<${from}>`).join(", ");
      return [`fn ${name}(${list}) -> vec4<${to}> {`, `  return vec4<${to}>(${[..."xyzw"].map(lane).join(", ")});`, "}"];
    });
  const extreme: Prelude["extreme"] = (op, { type, lanes }) => {
    const t = lanes === 4 ? `vec4<${type}>` : type;
    // A comparison with NaN is false, so that a NaN in `a` stays.
    const better = op === "max" ? "a < b" : "b < a";
    return declare(`${op}_${type}x${lanes}`, () => [
      `fn ${op}_${type}x${lanes}(a: ${t}, b: ${t}) -> ${t} {`,
      `  return select(a, b, ${better});`,
      "}",
    ]);
  };
  return {
    lines: () => [...declared.values()].flat(),
    bits: (name) => {
      declare(name, () => [`var<private> ${name}: u32 = ${specials[name]};`]);
      return `bitcast<f32>(${name})`;
    },
    extreme,
    // The language promises nothing for NaN; a software adapter gives infinity.
    exp: (lanes) => {
      const t = lanes === 4 ? "vec4<f32>" : "f32";
      return declare(`exp_f32x${lanes}`, () => [`fn exp_f32x${lanes}(a: ${t}) -> ${t} {`, "  return select(a, exp(a), a == a);", "}"]);
    },
    zip: (half, type) => {
      const t = `vec4<${type}>`;
      const lanes = half === "low" ? "a.x, b.x, a.y, b.y" : "a.z, b.z, a.w, b.w";
      return declare(`zip_${half}_${type}`, () => [`fn zip_${half}_${type}(a: ${t}, b: ${t}) -> ${t} {`, `  return ${t}(${lanes});`, "}"]);
    },
    reduce: (op, type) => {
      const join = (a: string, b: string) => (op === "add" ? `(${a} + ${b})` : `${extreme(op, { type, lanes: 1 })}(${a}, ${b})`);
      const sum = join(join("v.x", "v.z"), join("v.y", "v.w"));
      return declare(`reduce_${op}_${type}`, () => [`fn reduce_${op}_${type}(v: vec4<${type}>) -> ${type} {`, `  return ${sum};`, "}"]);
    },
    divide: (op, lanes) => {
      const scalar = declare(`floor_${op}`, () => divisions[op]);
      return lanes === 1 ? scalar : perLane(`floor_${op}x4`, scalar, "i32", "i32", ["a", "b"]);
    },
    saturate: (to, lanes) => {
      const scalar = declare(`to_${to}`, () => saturations[to]);
      return lanes === 1 ? scalar : perLane(`to_${to}x4`, scalar, "f32", to, ["a"]);
    },
  };
}

/** i32, rounded down; 0 for a divisor of 0. The language itself gives a / 0 = a and -2^31 / -1 = -2^31. */
const divisions: Record<"div" | "mod", readonly string[]> = {
  div: [
    "fn floor_div(a: i32, b: i32) -> i32 {",
    "  if (b == 0i) { return 0i; }",
    "  let down = (a % b != 0i) & ((a ^ b) < 0i);",
    "  return a / b - select(0i, 1i, down);",
    "}",
  ],
  mod: [
    "fn floor_mod(a: i32, b: i32) -> i32 {",
    "  if (b == 0i) { return 0i; }",
    "  let rest = a % b;",
    "  return select(rest, rest + b, (rest != 0i) & ((rest ^ b) < 0i));",
    "}",
  ],
};
/** NaN is on the side of `!(...)`. */
const saturations: Record<"i32" | "u32", readonly string[]> = {
  i32: [
    "fn to_i32(a: f32) -> i32 {",
    "  if (!(a < 2147483648.0f)) { return select(0i, 2147483647i, a >= 2147483648.0f); }",
    "  if (a <= -2147483648.0f) { return i32(-2147483648); }",
    "  return i32(a);",
    "}",
  ],
  u32: [
    "fn to_u32(a: f32) -> u32 {",
    "  if (!(a > 0.0f)) { return 0u; }",
    "  if (a >= 4294967296.0f) { return 4294967295u; }",
    "  return u32(a);",
    "}",
  ],
};
