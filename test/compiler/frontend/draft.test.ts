/** Drafts: statements elaborated one by one; and what elaboration tells about applications. */
import { expect, test } from "vitest";
import { newDraft } from "../../../compiler/frontend/draft.ts";
import type { Application } from "../../../compiler/frontend/elaborate/session.ts";
import { elaborate } from "../../../compiler/frontend/elaborate.ts";
import { ops } from "../../../ir/ops/index.ts";
import { printType } from "../../../ir/type.ts";
import { request } from "./elaborating.ts";

const image = { dtype: "f32", shape: [1, 3, 8, 8], layout: null } as const;
const typeOf = (draft: ReturnType<typeof newDraft>, name: string) => {
  const value = draft.valueOf(name);
  return value.kind === "tensor" ? printType(value.node.type) : value;
};

test("types and constants are known after each statement", () => {
  const draft = newDraft();
  draft.input("x", image);
  draft.run("y = layer1.0.conv1: Conv2d(x, 8, kernel=3)");
  expect(typeOf(draft, "y")).toBe("f32[1,8,6,6]");
  draft.run("a, b = split(relu(y), 2, axis=1)");
  expect(typeOf(draft, "b")).toBe("f32[1,4,6,6]");
  draft.run("n = y.shape[1] * 2");
  expect(typeOf(draft, "n")).toEqual({ kind: "int", value: 16 });
  draft.define("c", ops.dense({}, { data: [1, 2], dtype: "f32", shape: [2] }));
  draft.run("d = c + 1");
  expect(typeOf(draft, "d")).toBe("f32[2]");
});

test("a wrong statement is an error, and binds nothing", () => {
  const draft = newDraft();
  draft.input("x", image);
  expect(() => draft.run("y = matmul(x, reshape(x, [-1, 7]))")).toThrow(/error\[shape\]/);
  expect(() => draft.run("y = relu(x")).toThrow(/error\[syntax\]/);
  expect(() => draft.run("z = y")).toThrow(/error\[name\]/);
});

test("applications are told with their arguments, defaults and results, inner ones first", () => {
  const told: Application[] = [];
  const text = "layer Block(x: f32[N, C], k = 2) { return x |> fc: Linear(k) |> gelu }\nmodel M(x: f32[1, 4]) -> y { y = x |> b: Block }";
  const module = elaborate({ ...request(text), onApplication: (a) => told.push(a) });
  expect(told.map((a) => `${a.standard ? "std " : ""}${a.callee} at ${a.path}`)).toEqual(["std Linear at b.fc", "Block at b"]);
  expect(told[0]!.args.get("out")).toEqual({ kind: "int", value: 2 });
  expect(told[0]!.args.get("bias")).toEqual({ kind: "bool", value: true });
  expect(told[1]!.result).toEqual({ kind: "tensor", node: module.forward.outputs[0]!.value });
});
