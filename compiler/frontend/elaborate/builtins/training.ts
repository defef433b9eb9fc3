/** Derivatives, and the parameters that a train block sees. */
import { ops } from "../../../../ir/ops/index.ts";
import { anyArg, type Builtin, builtin, stringArg, tensorArg } from "../builtin.ts";
import { complain } from "../frame.ts";
import { matches } from "../globs.ts";
import { tensorValue } from "../tensors.ts";
import { describe, list, showType, type Value } from "../values.ts";

/** The derivative of the scalar y by a tensor or by each of a list. */
const grad = builtin(
  "grad",
  "The derivative of the scalar y with respect to the tensor x, in its shape; of a list, a list.",
  { y: tensorArg, x: anyArg },
  ({ y, x }, c) => {
    if (y.type.shape.length) {
      complain(c.frame, "shape", `grad needs a scalar, got ${showType(y.type)}`, c.span, { help: "reduce it first: grad(sum(y), x)" });
    }
    const one = (v: Value): Value => {
      if (v.kind === "list") return list(v.items.map(one));
      if (v.kind !== "tensor") return complain(c.frame, "type", `grad is by a tensor, got ${describe(v)}`, c.span);
      if (v.node.type.dtype !== "f32") complain(c.frame, "type", `grad is by f32, got ${showType(v.node.type)}`, c.span);
      return tensorValue(c.frame, c.span, () => ops.gradient({ y, x: v.node }));
    };
    return one(x);
  },
);

/** Parameters made so far whose path a glob matches. */
const params = builtin(
  "params",
  "The parameters made so far whose path the glob matches, as a list of tensors; in train blocks only.",
  { glob: stringArg },
  ({ glob }, c) => {
    const { session } = c.frame;
    if (c.frame.kind !== "train") {
      complain(c.frame, "train", "`params` lists parameters in a train block only", c.span, {
        help: 'hand the list on: l2(params("*.weight"))',
      });
    }
    const found = [...session.made.keys()].flatMap((path) => {
      const variable = session.world.variables.get(path);
      return variable?.declaration.kind === "param" && matches(glob, path) ? [variable.leaf] : [];
    });
    if (found.length === 0 && session.training && session.world.problems.errors() === 0) {
      complain(c.frame, "train", `"${glob}" matches no parameter made so far`, c.span);
    }
    return list(found.map((node) => ({ kind: "tensor", node })));
  },
);

export const trainingFunctions: readonly Builtin[] = [grad, params];
