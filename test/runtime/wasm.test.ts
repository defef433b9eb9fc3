/** WebAssembly programs: memory, the choice of module, traps, and threads. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import binaryen from "binaryen";
import { expect, test } from "vitest";
import type { Code, Program, Region } from "../../ir/program.ts";
import { regions } from "../../ir/program.ts";
import { load, writeSafetensors } from "../../runtime/index.ts";
import { floatEntry } from "./entries.ts";
import { bias, failure, field, gain, programOf, sizes, x, y } from "./fixtures.ts";

const bases = Object.fromEntries(regions.map((r, i) => [r, regions.slice(0, i).reduce((n, s) => n + sizes[s], 64)])) as Record<
  Region,
  number
>;
const bytes = bases.scratch + sizes.scratch;
const at = (f: { readonly region: Region; readonly offset: number }): number => bases[f.region] + f.offset;

function assemble(body: string, maximum = 16): Uint8Array<ArrayBuffer> {
  const module = binaryen.parseText(`(module (import "env" "memory" (memory 1 ${maximum})) ${body})`);
  const f = binaryen.Features;
  module.setFeatures(f.SIMD128 | f.RelaxedSIMD | f.Atomics | f.NontrappingFPToInt);
  const binary = module.emitBinary();
  module.dispose();
  return new Uint8Array(binary);
}
const importName = [3, ..."env"]
  .map((c) => (typeof c === "string" ? c.charCodeAt(0) : c))
  .concat([6, ...[..."memory"].map((c) => c.charCodeAt(0))], 2);
const limitsOf = (module: Uint8Array): number => {
  const start = module.findIndex((_, i) => importName.every((b, j) => module[i + j] === b));
  return start + importName.length;
};
const wasm = (module: Uint8Array<ArrayBuffer>, relaxed: Uint8Array<ArrayBuffer> | null = null, end = bytes): Code => ({
  kind: "wasm",
  module,
  relaxed,
  bases,
  bytes: end,
  limitsOffset: limitsOf(module),
});
const entry = (name: string, body: string): string => `(func (export "${name}") (param $t i32) (param $T i32) ${body})`;

/** y = gain * x + bias; prepare doubles the bias into the prepared region to show that it ran first. */
const affine = assemble(`
  ${entry("init", "")}
  ${entry("prepare", `(f32.store (i32.const ${bases.prepared}) (f32.mul (f32.const 2) (f32.load (i32.const ${at(bias)}))))`)}
  ${entry(
    "forward",
    `(local $i i32)
    (loop $l
      (f32.store offset=${at(y)} (local.get $i) (f32.add
        (f32.mul (f32.load offset=${at(gain)} (local.get $i)) (f32.load offset=${at(x)} (local.get $i)))
        (f32.load (i32.const ${bases.prepared}))))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 16))))`,
  )}`);
const weights = writeSafetensors([
  floatEntry("layer.gain", [4], Float32Array.of(1, 2, 3, 4)),
  floatEntry("layer.bias", [], Float32Array.of(5)),
]);
/** A program whose only entry is `forward` without inputs. */
const only = (code: Code, more: Partial<Program> = {}): Program =>
  programOf(code, { entries: [{ name: "forward", inputs: [], outputs: [y] }], variables: [], ...more });

test("a module runs prepare, then forward, on fields at their places", async () => {
  const net = await load(programOf(wasm(affine)), { weights });
  expect(await net.run({ x: [1, 1, 2, 2] })).toEqual({ y: Float32Array.of(11, 12, 16, 18) });
  expect(net.threads).toBe(1);
});

test("memory has exactly the pages needed, and at least what the module declares", async () => {
  const module = assemble(entry("forward", `(f32.store (i32.const ${at(y)}) (f32.convert_i32_u (memory.size)))`));
  const pages = async (end: number): Promise<number> => (await (await load(only(wasm(module, null, end)))).run({})).y![0]!;
  expect(await pages(bytes)).toBe(1);
  expect(await pages(65536)).toBe(1);
  expect(await pages(65537)).toBe(2);
  expect(await pages(16 * 65536)).toBe(16);
  const e = await failure(() => pages(16 * 65536 + 1));
  expect(e).toMatchObject({ code: "memory", message: "tiny needs 2 MiB of memory, its module allows 1 MiB" });
});

test.each([
  [4, 400, "tiny needs 2 MiB of memory, its module allows 1 MiB: ask for at most 2 threads instead of 4"],
  [2, 1000, "tiny needs 2 MiB of memory, its module allows 1 MiB: ask for one thread instead of 2"],
])("%i threads with scratch of %i KiB do not fit", async (threads, kibibytes, message) => {
  const scratch = kibibytes * 1024;
  const code = wasm(assemble(entry("forward", "")), null, bases.scratch + scratch);
  const program = only(code, { sizes: { ...sizes, scratch } });
  expect(await failure(() => load(program, { threads }))).toMatchObject({ code: "memory", message });
  const fitting = Number(/at most (\d+)/.exec(message)?.[1] ?? 1);
  const net = await load(program, { threads: fitting });
  expect(net.threads).toBe(fitting);
  await net.dispose();
});

test("the relaxed module is taken exactly where the engine has relaxed SIMD", async () => {
  const store = (value: string): string => entry("forward", `(v128.store (i32.const ${at(y)}) ${value})`);
  const constant = (v: number): string => `(v128.const f32x4 ${v} ${v} ${v} ${v})`;
  const relaxed = assemble(store(`(f32x4.relaxed_madd ${constant(1)} ${constant(1)} ${constant(1)})`));
  const net = await load(only(wasm(assemble(store(constant(1))), relaxed)));
  const expected = WebAssembly.validate(relaxed) ? 2 : 1;
  expect((await net.run({})).y).toEqual(Float32Array.of(expected, expected, expected, expected));
});

test("a trap is an error with the entry's name", async () => {
  const net = await load(only(wasm(assemble(entry("forward", "unreachable")))));
  const e = await failure(() => net.run({}));
  expect(e).toMatchObject({ code: "trap" });
  expect(e.message).toContain("forward of tiny stopped: unreachable");
});

test("modules that cannot be used are refused", async () => {
  const broken = affine.slice();
  broken[0] = 1;
  expect(await failure(() => load(programOf(wasm(broken)), { weights }))).toMatchObject({ code: "artefact" });
  const elsewhere: Code = { ...(wasm(affine) as Extract<Code, { kind: "wasm" }>), limitsOffset: 4000 };
  expect((await failure(() => load(programOf(elsewhere), { weights }))).message).toContain("no memory limits at byte 4000");
  const empty = await load(only(wasm(assemble(""))));
  expect((await failure(() => empty.run({}))).message).toBe('the module of tiny does not export "forward"');
});

/**
 * Every thread adds (t + 1) to its quarter of y, waits for all, then thread t copies what the next thread wrote, and notes
 * itself in its scratch: wrong as soon as a thread is missing, late or has another's number.
 */
const barrier = (word: number, T: string): string => `
  (drop (i32.atomic.rmw.add (i32.const ${bases.control + word}) (i32.const 1)))
  (loop $w (br_if $w (i32.rem_u (i32.atomic.load (i32.const ${bases.control + word})) ${T})))`;
const big = field("z", "io", 0, [64]);
const crew = assemble(
  entry(
    "forward",
    `(local $i i32) (local $end i32)
    (local.set $i (i32.shl (i32.div_u (i32.mul (i32.const 64) (local.get $t)) (local.get $T)) (i32.const 2)))
    (local.set $end (i32.shl (i32.div_u (i32.mul (i32.const 64) (i32.add (local.get $t) (i32.const 1))) (local.get $T)) (i32.const 2)))
    (loop $l
      (f32.store offset=${bases.arena} (local.get $i) (f32.mul (f32.convert_i32_u (local.get $i)) (f32.const 0.25)))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (local.get $end))))
    ${barrier(0, "(local.get $T)")}
    (local.set $i (i32.shl (i32.div_u (i32.mul (i32.const 64) (local.get $t)) (local.get $T)) (i32.const 2)))
    (loop $l
      (f32.store offset=${at(big)} (local.get $i) (f32.add
        (f32.load offset=${bases.arena} (i32.sub (i32.const 252) (local.get $i)))
        (f32.load offset=${at(big)} (local.get $i))))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (local.get $end))))
    (f32.store (i32.add (i32.const ${bases.scratch}) (i32.mul (local.get $t) (i32.const ${sizes.scratch}))) (f32.const 1))`,
  ),
);
const crewProgram = (): Program => only(wasm(crew), { entries: [{ name: "forward", inputs: [big], outputs: [big] }] });

test.each([1, 2, 3, 4])("%i threads give the same result, call after call", async (threads) => {
  const net = await load(crewProgram(), { threads });
  expect(net.threads).toBe(threads);
  expect(net.memory.scratch).toBe(threads * sizes.scratch);
  for (let call = 0; call < 20; call++) {
    const z = Float32Array.from({ length: 64 }, (_, i) => i * call);
    expect((await net.run({ z })).z).toEqual(Float32Array.from({ length: 64 }, (_, i) => 63 - i + i * call));
  }
  await net.dispose();
});

test("a trap on any thread ends the call, and the threads go on", async () => {
  const trapping = assemble(
    entry("forward", `(if (i32.eq (local.get $t) (i32.trunc_f32_s (f32.load (i32.const ${at(x)})))) (then unreachable))`),
  );
  const net = await load(only(wasm(trapping), { entries: [{ name: "forward", inputs: [x], outputs: [y] }] }), { threads: 3 });
  for (const thread of [0, 1, 2]) expect(await failure(() => net.run({ x: [thread, 0, 0, 0] }))).toMatchObject({ code: "trap" });
  expect((await net.run({ x: [9, 0, 0, 0] })).y).toHaveLength(4);
  await net.dispose();
});

test.each([1, 2])("a module that wants more than memory is refused, with %i threads", async (threads) => {
  const needy = assemble(`(import "env" "more" (func)) ${entry("forward", "")}`);
  const e = await failure(() => load(only(wasm(needy)), { threads }));
  expect(e).toMatchObject({ code: "artefact" });
  expect(e.message).toContain("the module of tiny cannot be linked");
});

test.each([
  [{ flops: 1e9, bytes: 1e6, calls: 1 }, 2],
  [{ flops: 1e4, bytes: 1e4, calls: 1 }, 1],
  [{ flops: 1e7, bytes: 1e4, calls: 1000 }, 1],
])("of two threads, a run of %j has %i", async (work, threads) => {
  const counting = assemble(entry("forward", `(f32.store (i32.const ${at(y)}) (f32.convert_i32_s (local.get $T)))`));
  const counted = only(wasm(counting), { entries: [{ name: "forward", inputs: [x], outputs: [y] }] });
  const net = await load({ ...counted, stats: { ...counted.stats, work: { forward: work } } }, { threads: 2 });
  expect((await net.run({ x: [0, 0, 0, 0] })).y![0]).toBe(threads);
  await net.dispose();
});

test("outputs of a shared memory are copies", async () => {
  const net = await load(crewProgram(), { threads: 2 });
  const { z } = await net.run({ z: new Float32Array(64) });
  expect(z!.buffer).toBeInstanceOf(ArrayBuffer);
  const before = z!.slice();
  await net.run({ z: new Float32Array(64).fill(7) });
  expect(z).toEqual(before);
  await net.dispose();
});

test("a process waits for its threads to start, and ends while they sleep", async () => {
  const script = join(import.meta.dirname, "exit.ts");
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", script]);
  expect(stdout).toBe("ran on 2 threads\n");
});
