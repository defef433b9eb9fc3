import { describe, expect, test } from "vitest";
import { terms } from "../../../codegen/wgsl/repeated.ts";
import { names } from "../../../ir/kernel/build.ts";

/** Axes `v_i` and `v_k`, and the term `long` of v_i, long enough for a name where it occurs four times. */
function printed() {
  const t = terms();
  t.axis("v_i");
  t.axis("v_k");
  const binary = (a: string, op: string, b: string) => t.term(`(${a} ${op} ${b})`, [a, b]);
  const long = () => binary(binary(binary("v_i", "/", "196i"), "*", "123456789i"), "+", binary("v_i", "%", "(-1234567i)"));
  const fresh = names();
  return { binary, long, named: (lines: readonly string[]) => t.named(lines, () => fresh("at")) };
}
const head = ["let v_i = i32(workgroup.x);", "for (var v_k = 0i; v_k < 4i; v_k++) {"];

describe("names for index arithmetic", () => {
  test("stand behind the last axis of the term, whatever loop repeats it", () => {
    const { binary, long, named } = printed();
    const term = long();
    for (const _ of "abc") long();
    const line = `  b_y[${binary(long(), "+", "v_k")}] = b_x[${term}];`;
    expect(named([...head, line, line, "}"])).toEqual([
      head[0],
      `let at = ${term};`,
      head[1],
      "  b_y[(at + v_k)] = b_x[at];",
      "  b_y[(at + v_k)] = b_x[at];",
      "}",
    ]);
  });
  test("of longer terms are made of those of shorter ones, which come first", () => {
    const { binary, long, named } = printed();
    const sum = () => binary(binary(long(), "*", "v_k"), "+", "1000000000i");
    const lines = "abcd".split("").map((b) => `  b_${b}[${sum()}] = b_x[${long()}];`);
    expect(named([...head, ...lines, "}"])).toEqual([
      head[0],
      `let at = ${long()};`,
      head[1],
      "  let at_1 = ((at * v_k) + 1000000000i);",
      ..."abcd".split("").map((b) => `  b_${b}[at_1] = b_x[at];`),
      "}",
    ]);
  });
  test("are not worth it for little, and not allowed for what a load gives", () => {
    const { binary, named } = printed();
    const loaded = () => binary(`b_x_with_a_name_that_is_long_enough_for_anything_at_all[${binary("v_i", "*", "4i")}]`, "+", "v_i");
    const line = `  b_y[${loaded()}] = f32(${loaded()});`;
    expect(named([...head, line, line, "}"])).toEqual([...head, line, line, "}"]);
  });
});
