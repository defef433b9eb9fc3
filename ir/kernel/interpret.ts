/**
 * The meaning of a kernel, at every stage of lowering. Statements become closures over slots once per kernel; only a kernel
 * whose invocations wait for each other runs them as coroutines. Memory inside the kernel starts as NaN, that of a workgroup in
 * each one, so that a read before a write shows; an access outside a buffer throws.
 */
import { invariant } from "../diagnostic.ts";
import { fromFloat16, toFloat16 } from "../float16.ts";
import { bufferElements } from "./address.ts";
import type { Frame, Model, Subgroup, Thunk, TypedMemory } from "./arithmetic.ts";
import { checked, evaluate, offsetThunk, outside, type Scope } from "./evaluate.ts";
import { type Buffer, type Kernel, lanesOf, type Stmt } from "./kernel.ts";
import { bodyOf, visitStmts } from "./rewrite.ts";

export type { Model } from "./arithmetic.ts";

/** Physical elements of buffers, by name. */
export type Memory = Readonly<Record<string, TypedMemory>>;

/**
 * Runs `kernel` on `memory`: physical elements of its `in`, `out` and `inout` buffers, by name. `double` gives the ideal
 * meaning and is for kernels before `legalize`, as is `exact`; `single` rounds after every operation, as targets do.
 * `subgroup`: how many invocations are one; null: there are none.
 */
export function interpret(kernel: Kernel, memory: Memory, model: Model = "double", subgroup: number | null = null): void {
  const program = compiled(kernel, model);
  const bound = kernel.buffers.map((b): TypedMemory => {
    if (b.space === "scratch" || b.space === "workgroup" || b.space === "global")
      return new Float64Array(bufferElements(b)).fill(Number.NaN);
    const given = memory[b.name];
    invariant(given && given.length >= bufferElements(b), `kernel ${kernel.name}: ${b.name} needs ${bufferElements(b)} elements`);
    return given;
  });
  const outside = subgroup === null ? null : { size: subgroup, bits: Math.log2(subgroup), lane: Number.NaN, given: new Float64Array() };
  program.run({ slots: new Float64Array(program.slots), memory: bound, subgroup: outside });
}

type Run = (f: Frame) => void;
type Coroutine = (f: Frame) => Generator<void>;
interface Program {
  readonly slots: number;
  readonly run: Run;
}
const programs: Record<Model, WeakMap<Kernel, Program>> = { double: new WeakMap(), single: new WeakMap(), exact: new WeakMap() };

function compiled(k: Kernel, model: Model): Program {
  const known = programs[model].get(k);
  if (known) return known;
  const program = compile(k, model);
  programs[model].set(k, program);
  return program;
}
function compile(k: Kernel, model: Model): Program {
  const { slots, slot, lanes } = allocate(k);
  const memory = new Map(k.buffers.map((b, i) => [b.name, i]));
  const scope: Scope = {
    kernel: k.name,
    model,
    ranges: axisExtents(k),
    slot,
    lanes: (b) => lanes.get(b.name) ?? 1,
    memory: (b) => {
      const at = memory.get(b.name);
      invariant(at !== undefined, `kernel ${k.name}: ${b.name} is not one of its buffers`);
      return at;
    },
  };
  if (!k.body.some(waits)) return { slots, run: sequence(k.body, scope) };
  const own = k.buffers.filter((b) => b.space === "workgroup").map(scope.memory);
  const steps = coroutine(k.body, scope, (f) => {
    for (const m of own) f.memory[m]!.fill(Number.NaN);
  });
  const run: Run = (f) => {
    for (const _ of steps(f));
  };
  return { slots, run };
}
/** Extent of every axis: no two loops share a name. */
function axisExtents(k: Kernel): Map<string, number> {
  const extents = new Map<string, number>();
  visitStmts(k.body, (s) => {
    if (s.kind === "for") extents.set(s.axis, s.extent);
  });
  return extents;
}
/** A slot for every axis, variable lane, pointer and register element. */
function allocate(k: Kernel) {
  const table = new Map<string, number>();
  const lanes = new Map<string, number>();
  let slots = 0;
  const take = (name: string, size: number) => {
    table.set(name, slots);
    slots += size;
  };
  visitStmts(k.body, (s) => {
    if (s.kind === "for") take(s.axis, 1);
    if (s.kind === "var" || s.kind === "exchange") take(s.name, 4);
    if (s.kind === "pointer") take(s.name, 1);
    if (s.kind === "array") {
      take(s.buffer.name, bufferElements(s.buffer) * s.lanes);
      lanes.set(s.buffer.name, s.lanes);
    }
  });
  const slot = (name: string) => {
    const at = table.get(name);
    invariant(at !== undefined, `kernel ${k.name}: ${name} is undefined`);
    return at;
  };
  return { slots, slot, lanes };
}

/* ---- statements ------------------------------------------------------------------------------------------------ */

function sequence(body: readonly Stmt[], scope: Scope): Run {
  const [first, second, ...rest] = body.map((s) => statement(s, scope));
  if (!first) return () => {};
  if (!second) return first;
  const after = rest.length === 0 ? null : rest;
  return (f) => {
    first(f);
    second(f);
    if (after) for (const run of after) run(f);
  };
}
function statement(s: Stmt, scope: Scope): Run {
  switch (s.kind) {
    case "for":
      return loop(scope.slot(s.axis), s.extent, s.while ? evaluate(s.while, 0, scope) : null, sequence(s.body, scope));
    case "if": {
      const cond = evaluate(s.cond, 0, scope);
      const body = sequence(s.body, scope);
      return (f) => {
        if (cond(f)) body(f);
      };
    }
    case "var":
      return s.init ? assign(scope.slot(s.name), lanesIn(s.init, scope)) : undefine(scope.slot(s.name), s.lanes);
    case "set":
      return assign(scope.slot(s.name), lanesIn(s.value, scope));
    case "array":
      return undefine(scope.slot(s.buffer.name), bufferElements(s.buffer) * s.lanes);
    case "store":
      return storing(s, scope);
    case "pointer":
      return pointing(s, scope);
    case "outline":
      return sequence(s.body, scope);
    case "barrier":
    case "exchange":
      return () => {};
  }
}
const lanesIn = (e: Parameters<typeof lanesOf>[0], scope: Scope): Thunk[] =>
  Array.from({ length: lanesOf(e) }, (_, lane) => evaluate(e, lane, scope));

const loop =
  (slot: number, extent: number, holds: Thunk | null, body: Run): Run =>
  (f) => {
    for (let i = 0; i < extent; i++) {
      f.slots[slot] = i;
      if (holds && !holds(f)) return;
      body(f);
    }
  };
const undefine =
  (slot: number, size: number): Run =>
  (f) => {
    f.slots.fill(Number.NaN, slot, slot + size);
  };
/** All lanes are computed before one is written. */
function assign(slot: number, [value, ...more]: readonly Thunk[]): Run {
  if (more.length === 0)
    return (f) => {
      f.slots[slot] = value!(f);
    };
  return (f) => {
    const values = [value!, ...more].map((v) => v(f));
    values.forEach((x, lane) => {
      f.slots[slot + lane] = x;
    });
  };
}
function storing(s: Extract<Stmt, { kind: "store" }>, scope: Scope): Run {
  const { buffer } = s;
  const at = offsetThunk(buffer, s.base, s.index, scope);
  const values = lanesIn(s.value, scope);
  if (buffer.space === "register") return storeRegister(buffer, at, values, scope);
  const m = scope.memory(buffer);
  const [value] = values;
  const write = (f: Frame, i: number, x: number) => {
    const memory = f.memory[m]!;
    if (!(i >= 0 && i < memory.length)) outside(i, memory.length, buffer, scope);
    memory[i] = inMemory(buffer, x);
  };
  if (values.length === 1) return (f) => write(f, at(f), value!(f));
  return (f) => {
    const first = at(f);
    values.map((v) => v(f)).forEach((x, lane) => void write(f, first + lane, x));
  };
}
const inMemory = ({ type, stored }: Buffer, x: number): number => (stored ? fromFloat16(toFloat16(x)) : type === "u8" ? x & 255 : x);
function storeRegister(b: Buffer, at: Thunk, values: readonly Thunk[], scope: Scope): Run {
  const slot = scope.slot(b.name);
  const size = bufferElements(b);
  const lanes = scope.lanes(b);
  return (f) => {
    const first = slot + checked(at(f), size, b, scope) * lanes;
    values
      .map((v) => v(f))
      .forEach((x, lane) => {
        f.slots[first + lane] = x;
      });
  };
}
/** A pointer is an element offset into its buffer. */
function pointing(s: Extract<Stmt, { kind: "pointer" }>, scope: Scope): Run {
  const slot = scope.slot(s.name);
  const from = s.from === null ? null : scope.slot(s.from);
  const offset = evaluate(s.offset, 0, scope);
  return (f) => {
    f.slots[slot] = (from === null ? 0 : f.slots[from]!) + offset(f);
  };
}

/* ---- barriers -------------------------------------------------------------------------------------------------- */

const waits = (s: Stmt): boolean => s.kind === "barrier" || s.kind === "exchange" || bodyOf(s).some(waits);

/** Yields where the invocation waits for others. `begin` is done where a workgroup begins; null inside of one. */
function coroutine(body: readonly Stmt[], scope: Scope, begin: Run | null): Coroutine {
  const steps = body.map((s) => (waits(s) ? { wait: waiting(s, scope, begin) } : { run: statement(s, scope) }));
  return function* (f) {
    for (const step of steps) {
      if ("wait" in step) yield* step.wait(f);
      else step.run(f);
    }
  };
}
function waiting(s: Stmt, scope: Scope, begin: Run | null): Coroutine {
  const isWorkgroup = s.kind === "for" && s.loop === "thread";
  const body = coroutine(bodyOf(s), scope, isWorkgroup ? null : begin);
  switch (s.kind) {
    case "barrier":
      return function* () {
        yield;
      };
    case "exchange":
      return exchanging(s, scope);
    case "if": {
      const cond = evaluate(s.cond, 0, scope);
      return function* (f) {
        if (cond(f)) yield* body(f);
      };
    }
    case "for": {
      const slot = scope.slot(s.axis);
      if (isWorkgroup) return invocations(slot, s.extent, body, scope, begin);
      const holds = s.while ? evaluate(s.while, 0, scope) : null;
      return function* (f) {
        for (let i = 0; i < s.extent; i++) {
          f.slots[slot] = i;
          if (holds && !holds(f)) return;
          yield* body(f);
        }
      };
    }
    default:
      return body;
  }
}
function exchanging({ name, value, bit }: Extract<Stmt, { kind: "exchange" }>, scope: Scope): Coroutine {
  const slot = scope.slot(name);
  const own = evaluate(value, 0, scope);
  const number = evaluate(bit, 0, scope);
  return function* (f) {
    const mask = 2 ** number(f);
    invariant(f.subgroup && mask < f.subgroup.size, `kernel ${scope.kernel}: ${name} is exchanged without such subgroups`);
    const { lane, given } = f.subgroup;
    given[lane] = own(f);
    yield;
    f.slots[slot] = given[lane ^ mask]!;
    yield;
  };
}
/** Subgroups of a workgroup: what is near is not in one, so that reliance on that shows. */
function groupsOf(extent: number, outside: Subgroup | null): (i: number) => Subgroup | null {
  if (outside === null || extent % outside.size !== 0) return () => outside;
  const { size } = outside;
  const count = extent / size;
  const given = Array.from({ length: count }, () => new Float64Array(size));
  return (i) => ({ ...outside, lane: Math.floor(i / count), given: given[i % count]! });
}
/** Runs all invocations up to where they wait, again and again. */
function invocations(slot: number, extent: number, body: Coroutine, scope: Scope, begin: Run | null): Coroutine {
  return function* (f) {
    begin?.(f);
    const groupOf = groupsOf(extent, f.subgroup);
    const running = Array.from({ length: extent }, (_, i) => {
      const slots = f.slots.slice();
      slots[slot] = i;
      return body({ slots, memory: f.memory, subgroup: groupOf(i) });
    });
    for (;;) {
      const done = running.filter((r) => r.next().done).length;
      if (done === extent) return;
      invariant(done === 0, `kernel ${scope.kernel}: ${done} of ${extent} invocations miss a barrier`);
      yield;
    }
  };
}
