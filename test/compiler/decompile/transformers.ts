/** Well-known transformers as sketches, labelled as their libraries label them. */
import { binary, bool, float, int, ints, list, type Sketch, text, value, word } from "../../../compiler/decompile/sketch.ts";
import { f32, i32 } from "../../../ir/type.ts";
import type { Options } from "./networks.ts";
import { type Pen, sketchOf } from "./sketching.ts";

type Net = (options?: Options) => Sketch;
const sum = (a: string, b: string) => binary("+", value(a), value(b));
const threeOf = (p: Pen, x: string) =>
  p.terms(3, { kind: "call", callee: "split", args: [value(x), int(3)], named: { axis: int(-1) }, label: null }) as [
    string,
    string,
    string,
  ];
const reshape = (p: Pen, x: string, shape: readonly number[]) => p.fn("reshape", [x, ints(shape)]);
const heads = (p: Pen, x: string, t: number, n: number, d: number) =>
  p.fn("permute", [reshape(p, x, [1, t, n, d / n]), ints([0, 2, 1, 3])]);

/** GPT-2: one product for queries, keys and values; a causal mask; the output shares no weights. */
export const gpt2: Net = (options) =>
  sketchOf({ name: "GPT2", doc: "Imported from gpt2.onnx.", inputs: { input_ids: i32(1, 64) }, ...options }, (p) => {
    const [t, d, n, depth] = [64, 768, 12, 12];
    const linear = (x: string, label: string, out: number) => p.layer(label, "Linear", [x, int(out)]);
    const places = p.fn("arange", [int(t)]);
    let x = p.term(
      sum(p.layer("wte", "Embedding", ["input_ids", int(50257), int(d)]), p.layer("wpe", "Embedding", [places, int(1024), int(d)])),
    );
    for (let i = 0; i < depth; i++) {
      const at = (name: string) => `h.${i}.${name}`;
      let y = p.layer(at("ln_1"), "LayerNorm", [x]);
      const [q, k, v] = threeOf(p, linear(y, at("attn.c_attn"), 3 * d));
      const mixed = p.fn("attention", [heads(p, q, t, n, d), heads(p, k, t, n, d), heads(p, v, t, n, d)], { causal: bool(true) });
      y = reshape(p, p.fn("permute", [mixed, ints([0, 2, 1, 3])]), [1, t, d]);
      x = p.term(sum(x, linear(y, at("attn.c_proj"), d)));
      y = linear(p.layer(at("ln_2"), "LayerNorm", [x]), at("mlp.c_fc"), 4 * d);
      y = p.fn("gelu", [y], { approximate: text("tanh") });
      x = p.term(sum(x, linear(y, at("mlp.c_proj"), d)));
    }
    x = p.layer("ln_f", "LayerNorm", [x]);
    return { logits: p.layer("lm_head", "Linear", [x, int(50257)], { bias: bool(false) }) };
  });

/** BERT: a mask for all blocks, normalisation behind each part, two outputs. */
export const bert: Net = (options) =>
  sketchOf({ name: "Bert", inputs: { input_ids: i32(1, 16), attention_mask: i32(1, 16) }, ...options }, (p) => {
    const [t, d, n, depth] = [16, 64, 4, 6];
    const linear = (x: string, label: string, out: number) => p.layer(label, "Linear", [x, int(out)]);
    const given = p.fn("cast", [p.fn("reshape", ["attention_mask", ints([1, 1, 1, t])]), word("f32")]);
    const mask = p.term(binary("*", binary("-", float(1), value(given)), float(-10000)));
    const words = p.layer("embeddings.word_embeddings", "Embedding", ["input_ids", int(1000), int(d)]);
    const placed = p.term(sum(words, p.variable("embeddings.position_embeddings", f32(1, t, d))));
    let x = p.layer("embeddings.LayerNorm", "LayerNorm", [placed]);
    for (let i = 0; i < depth; i++) {
      const at = (name: string) => `encoder.layer.${i}.${name}`;
      const [q, k, v] = ["query", "key", "value"].map((name) => heads(p, linear(x, at(`attention.self.${name}`), d), t, n, d));
      const scores = p.term(binary("/", value(p.term(binary("@", value(q!), value(p.fn("transpose", [k!]))))), float(Math.sqrt(d / n))));
      const weights = p.fn("softmax", [p.term(sum(scores, mask))]);
      const mixed = p.fn("permute", [p.term(binary("@", value(weights), value(v!))), ints([0, 2, 1, 3])]);
      const y = linear(reshape(p, mixed, [1, t, d]), at("attention.output.dense"), d);
      x = p.layer(at("attention.output.LayerNorm"), "LayerNorm", [p.term(sum(y, x))]);
      const inner = p.fn("gelu", [linear(x, at("intermediate.dense"), 4 * d)]);
      x = p.layer(at("output.LayerNorm"), "LayerNorm", [p.term(sum(linear(inner, at("output.dense"), d), x))]);
    }
    const first = p.term({ kind: "index", value: value(x), items: [{ kind: "all" }, int(0)] });
    return { last_hidden_state: x, pooler_output: p.fn("tanh", [linear(first, "pooler.dense", d)]) };
  });

/** Encoder and decoder: what the encoder gives goes into every block of the decoder. */
export const seq2seq: Net = (options) =>
  sketchOf({ name: "Transformer", inputs: { source: i32(1, 12), target: i32(1, 10) }, ...options }, (p) => {
    const d = 32;
    const linear = (x: string, label: string, out = d) => p.layer(label, "Linear", [x, int(out)]);
    const parts = (x: string) => p.fn("permute", [reshape(p, x, [1, -1, 4, d / 4]), ints([0, 2, 1, 3])]);
    const attention = (x: string, memory: string, at: string, causal: boolean) => {
      const [q, k, v] = [parts(linear(x, `${at}.q`)), parts(linear(memory, `${at}.k`)), parts(linear(memory, `${at}.v`))] as const;
      const mixed = p.fn("permute", [p.fn("attention", [q, k, v], causal ? { causal: bool(true) } : {}), ints([0, 2, 1, 3])]);
      return linear(reshape(p, mixed, [1, -1, d]), `${at}.out`);
    };
    const plus = (x: string, y: string, label: string) => p.layer(label, "LayerNorm", [p.term(sum(x, y))]);
    const forward = (x: string, at: string) => linear(p.fn("relu", [linear(x, `${at}.fc1`, 2 * d)]), `${at}.fc2`);
    let memory = p.layer("encoder.embed", "Embedding", ["source", int(100), int(d)]);
    for (let i = 0; i < 4; i++) {
      const at = `encoder.layers.${i}`;
      memory = plus(memory, attention(memory, memory, `${at}.self_attn`, false), `${at}.norm1`);
      memory = plus(memory, forward(memory, `${at}.ffn`), `${at}.norm2`);
    }
    let x = p.layer("decoder.embed", "Embedding", ["target", int(100), int(d)]);
    for (let i = 0; i < 4; i++) {
      const at = `decoder.layers.${i}`;
      x = plus(x, attention(x, x, `${at}.self_attn`, true), `${at}.norm1`);
      x = plus(x, attention(x, memory, `${at}.cross_attn`, false), `${at}.norm2`);
      x = plus(x, forward(x, `${at}.ffn`), `${at}.norm3`);
    }
    return { logits: linear(x, "project", 100) };
  });

/** Windows, every second time shifted; channels last; a table of biases in every block. */
export const swin: Net = (options) =>
  sketchOf({ name: "Swin", inputs: { image: f32(1, 56, 56, 48) }, ...options }, (p) => {
    const linear = (x: string, label: string, out: number) => p.layer(label, "Linear", [x, int(out)]);
    const roll = (x: string, by: number) => p.fn("roll", [x, ints([by, by]), ints([1, 2])]);
    const turned = (x: string, shape: readonly number[]) => p.fn("permute", [reshape(p, x, shape), ints([0, 2, 1, 3, 4])]);
    let x = linear("image", "embed", 96);
    [2, 2, 6].forEach((depth, i) => {
      const [c, side, n] = [96 << i, 56 >> i, 8 >> i];
      if (i > 0) {
        const every = (a: number, b: number) =>
          p.term({
            kind: "index",
            value: value(x),
            items: [
              { kind: "all" },
              { kind: "slice", from: int(a), to: null, step: 2 },
              { kind: "slice", from: int(b), to: null, step: 2 },
            ],
          });
        const merged = p.fn("concat", [list([every(0, 0), every(1, 0), every(0, 1), every(1, 1)].map(value))], { axis: int(-1) });
        const at = `layers.${i}.downsample`;
        x = p.layer(`${at}.reduction`, "Linear", [p.layer(`${at}.norm`, "LayerNorm", [merged]), int(c)], { bias: bool(false) });
      }
      for (let j = 0; j < depth; j++) {
        const at = (name: string) => `layers.${i}.blocks.${j}.${name}`;
        const shift = j % 2 === 1;
        let y = p.layer(at("norm1"), "LayerNorm", [x]);
        if (shift) y = roll(y, -3);
        y = reshape(p, turned(y, [n, 7, n, 7, c]), [n * n, 49, c]);
        const [q, k, v] = threeOf(p, linear(y, at("attn.qkv"), 3 * c));
        const scores = p.term(binary("@", value(p.term(binary("*", value(q), float(0.17)))), value(p.fn("transpose", [k]))));
        const weights = p.fn("softmax", [p.term(sum(scores, p.variable(at("attn.bias_table"), f32(49, 49))))]);
        y = linear(p.term(binary("@", value(weights), value(v))), at("attn.proj"), c);
        y = reshape(p, turned(y, [n, n, 7, 7, c]), [1, side, side, c]);
        if (shift) y = roll(y, 3);
        x = p.term(sum(x, y));
        y = p.fn("gelu", [linear(p.layer(at("norm2"), "LayerNorm", [x]), at("mlp.fc1"), 4 * c)]);
        x = p.term(sum(x, linear(y, at("mlp.fc2"), c)));
      }
    });
    return { logits: linear(p.fn("mean", [p.layer("norm", "LayerNorm", [x]), ints([1, 2])]), "head", 1000) };
  });
