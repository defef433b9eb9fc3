/** What runtime and compiler each say for themselves. */
import { expect, test } from "vitest";
import * as compiler from "../../ir/limits.ts";
import * as runtime from "../../runtime/webgpu/code.ts";

test("runtime and compiler align bindings alike", () => {
  expect(runtime.bindingAlignment).toBe(compiler.bindingAlignment);
});
