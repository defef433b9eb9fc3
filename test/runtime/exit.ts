/** A script on its own: starts two threads while nothing else keeps the process alive, and ends without disposing them. */
import { load } from "../../runtime/index.ts";
import { programOf, y } from "./fixtures.ts";

const name = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];
const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content];
const types = section(1, 1, 0x60, 2, 0x7f, 0x7f, 0);
const imports = section(2, 1, ...name("env"), ...name("memory"), 2, 1, 1, 16);
const rest = [...section(3, 1, 0), ...section(7, 1, ...name("forward"), 0, 0), ...section(10, 1, 2, 0, 0x0b)];
const head = [0, 97, 115, 109, 1, 0, 0, 0, ...types, ...imports];

const net = await load(
  programOf(
    {
      kind: "wasm",
      module: Uint8Array.from([...head, ...rest]),
      relaxed: null,
      bases: { control: 0, parameters: 1024, optimizer: 2048, state: 3072, prepared: 4096, io: 5120, arena: 8192, scratch: 9216 },
      bytes: 10240,
      limitsOffset: head.length - 3,
    },
    { entries: [{ name: "forward", inputs: [], outputs: [y] }], variables: [] },
  ),
  { threads: 2 },
);
await net.run({});
console.log(`ran on ${net.threads} threads`);
