/** Slots of the step, and what variables hold after it. */
import type { Node, Update } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import type { TensorType } from "../../ir/type.ts";
import { where } from "./scalars.ts";

/** Memory of the training step: the leaf `slot` of this name. */
export interface Slot {
  readonly name: string;
  readonly type: TensorType;
  readonly initial: Node;
}
/** Says what a variable holds after the step; gives what to go on with in place of `value`. */
export type Keep = (target: Node, value: Node) => Node;
/** Collects slots and updates of a step while it is built. */
export interface Memory {
  readonly slots: Slot[];
  readonly updates: Update[];
  /** The leaf of a new slot. */
  readonly slot: (name: string, initial: Node) => Node;
  /** Moves with every micro-step. */
  readonly set: Keep;
  /** Moves with the last micro-step of an update, otherwise it stays. */
  readonly settle: Keep;
  /** Settles `target` by a value whose making settles others, and lists it before them. */
  readonly settleFirst: (target: Node, make: (settle: Keep) => Node) => Node;
}

/** `isLast`: whether the micro-step ends an update; null: all do. */
export function newMemory(isLast: Node | null): Memory {
  const slots: Slot[] = [];
  const updates: Update[] = [];
  const kept: Keep = (target, value) => (isLast ? where(isLast, value, target) : value);
  const set: Keep = (target, value) => {
    updates.push({ target, value });
    return value;
  };
  return {
    slots,
    updates,
    slot: (name, initial) => {
      const { dtype, shape } = initial.type;
      slots.push({ name, type: initial.type, initial });
      return ops.slot({}, { name, dtype, shape });
    },
    set,
    settle: (target, value) => set(target, kept(target, value)),
    settleFirst: (target, make) => {
      const others: Update[] = [];
      const value = kept(
        target,
        make((slot, x) => {
          const settled = kept(slot, x);
          others.push({ target: slot, value: settled });
          return settled;
        }),
      );
      updates.push({ target, value }, ...others);
      return value;
    },
  };
}

export const constantOf = (value: number, { dtype, shape }: TensorType): Node => ops.full({}, { value, dtype, shape });
