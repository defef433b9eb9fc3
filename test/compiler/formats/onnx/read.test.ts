import { describe, expect, test } from "vitest";
import { encode } from "../../../../compiler/formats/onnx/encode.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel } from "../../../../compiler/formats/onnx/model.ts";
import { readOnnx, readTensorFile } from "../../../../compiler/formats/onnx/read.ts";
import type { Draft } from "../../../../compiler/formats/onnx/schema.ts";
import { writeOnnx } from "../../../../compiler/formats/onnx/write.ts";
import { callable, floats, graph, longs, model, node, value } from "./build.ts";

/** Written by the Python package of ONNX 1.23: y = x w, z = Clip(y, no lower end, high), t = Transpose(z). */
const official =
  "CAgSBGhhbmQaATE67AEKGgoBeAoBdxIBeRoHcHJvZHVjdCIGTWF0TXVsCiIKAXkKAAoEaGlnaBIBeiIEQ2xpcDIMbm8gbG93ZXIgZW5kCiAKAXoSAXQiCVRyYW5zcG9z" +
  "ZSoNCgRwZXJtQAFAAKABBxIEdGlueSojCAIIAxABIhgAAIA/AAAAQAAAQEAAAIBAAACgQAAAAL9CAXcqDhABQgRoaWdoSgQAAMBAKhUIARAHOgn//////////39CBGVu" +
  "ZHNaGAoBeBITChEIARINCgcSBWJhdGNoCgIIAmIRCgF0EgwKCggBEgYKAggDCgBqCQoBeRIECgIIAUIECgAQEQ==";

const written = (m: OnnxModel): OnnxModel => readOnnx(writeOnnx(m), "m.onnx");
const of = (draft: Draft<"model">): OnnxModel =>
  readOnnx(encode("model", { ir_version: 8n, opset_import: [{ version: 17n }], ...draft }), "m.onnx");
const names = (g: OnnxGraph): readonly string[] => g.nodes.map((n) => n.outputs[0]!);

test("a file of the reference implementation", () => {
  expect(readOnnx(Buffer.from(official, "base64"), "m.onnx")).toEqual(
    model(
      {
        name: "tiny",
        nodes: [
          { ...node("MatMul", ["x", "w"], ["y"]), name: "product" },
          { ...node("Clip", ["y", "", "high"], ["z"]), doc: "no lower end" },
          node("Transpose", ["z"], ["t"], [{ name: "perm", kind: "ints", value: [1, 0] }]),
        ],
        initializers: [floats("w", [2, 3], [1, 2, 3, 4, 5, -0.5]), floats("high", [], [6]), longs("ends", [2n ** 63n - 1n])],
        inputs: [value("x", "batch", 2)],
        outputs: [value("t", 3, null)],
        valueInfo: [{ name: "y", type: { kind: "tensor", dtype: "float", shape: null } }],
      },
      { producer: { name: "hand", version: "1" } },
    ),
  );
});

describe("what files may say in other ways", () => {
  test("ai.onnx is the standard domain, the highest version counts", () => {
    const opsets = [{ domain: "ai.onnx", version: 13n }, { version: 12n }, { domain: "com.example", version: 1n }];
    const m = of({ opset_import: opsets, graph: { node: [{ op_type: "Abs", domain: "ai.onnx" }] } });
    expect([...m.opsets]).toEqual([
      ["", 13],
      ["com.example", 1],
    ]);
    expect(m.graph.nodes[0]!.domain).toBe("");
  });
  test("kinds of attributes that are not said, values that are left out", () => {
    const attribute = [
      { name: "a", i: 3n },
      { name: "b", type: 2n },
      { name: "c", type: 3n },
      { name: "d", type: 7n },
    ];
    expect(of({ graph: { node: [{ op_type: "Abs", attribute }] } }).graph.nodes[0]!.attributes).toEqual([
      { name: "a", kind: "int", value: 3 },
      { name: "b", kind: "int", value: 0 },
      { name: "c", kind: "string", value: "" },
      { name: "d", kind: "ints", value: [] },
    ]);
  });
  test("the ends of 64 bits are no numbers", () => {
    const ints = BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n), 1n - 2n ** 63n, 2n ** 53n - 2n);
    const [a] = of({ graph: { node: [{ op_type: "Slice", attribute: [{ name: "ends", type: 7n, ints }] }] } }).graph.nodes[0]!.attributes;
    const most = Number.MAX_SAFE_INTEGER;
    expect(a).toEqual({ name: "ends", kind: "ints", value: [most, -most, -most, most - 1] });
  });
  test("documentation that is not UTF-8 is kept as far as it goes, an extent of -1 is not known", () => {
    const bytes = writeOnnx(model({ inputs: [value("x", 77)] }, { doc: "doc" }));
    const at = bytes.findIndex((b, i) => b === 100 && bytes[i + 1] === 111);
    bytes[at] = 0xff;
    expect(readOnnx(bytes, "m.onnx").doc).toBe("\ufffdoc");
    const dim = [{ dim_value: -1n }, { dim_param: "n" }, {}];
    const input = [{ name: "x", type: { tensor_type: { elem_type: 1n, shape: { dim } } } }];
    expect(of({ graph: { input } }).graph.inputs).toEqual([value("x", null, "n", null)]);
  });
});

describe("order", () => {
  const inputs = [value("x")];
  test("stays where it is right", () => {
    const nodes = [node("A", ["x"], ["a"]), node("B", ["x"], ["b"]), node("C", ["a", "b"], ["c"]), node("D", ["a"], ["d"])];
    expect(names(written(model({ inputs, nodes })).graph)).toEqual(["a", "b", "c", "d"]);
  });
  test("is made where it is missing, and nothing else moves", () => {
    const nodes = [node("C", ["b", "a"], ["c"]), node("A", ["x"], ["a"]), node("E", ["x"], ["e"]), node("B", ["a"], ["b"])];
    expect(names(written(model({ inputs, nodes })).graph)).toEqual(["a", "b", "c", "e"]);
  });
  test("holds for what subgraphs read of the graphs around", () => {
    const inner = graph({ nodes: [node("Neg", ["late"], ["n"])], outputs: [value("n")] });
    const outer = graph({
      nodes: [node("If", ["x"], ["o"], [{ name: "then_branch", kind: "graph", value: inner }])],
      outputs: [value("o")],
    });
    const nodes = [node("If", ["x"], ["y"], [{ name: "then_branch", kind: "graph", value: outer }]), node("Abs", ["x"], ["late"])];
    expect(names(written(model({ inputs, nodes })).graph)).toEqual(["late", "y"]);
  });
  test("of a long chain from its end", () => {
    const nodes = Array.from({ length: 20_000 }, (_, i) => node("Abs", [i === 19_999 ? "x" : `v${i + 1}`], [`v${i}`]));
    expect(names(written(model({ inputs, nodes })).graph).slice(0, 2)).toEqual(["v19999", "v19998"]);
  });
});

const wrongGraphs: Readonly<Record<string, readonly [OnnxModel, string]>> = {
  "a name that nothing makes": [model({ nodes: [node("Abs", ["x"], ["y"])] }), 'm.onnx: node 0 (Abs) reads "x", which nothing makes'],
  "an output that nothing makes": [model({ outputs: [value("y")] }), 'm.onnx: an output is "y", which nothing makes'],
  "two nodes that make a name": [
    model({ inputs: [value("x")], nodes: [node("Abs", ["x"], ["y"]), { ...node("Neg", ["x"], ["y"]), name: "n" }] }),
    'm.onnx: node 1 "n" (Neg) makes "y", which node 0 (Abs) makes too',
  ],
  "a node that makes an input": [
    model({ inputs: [value("x")], nodes: [node("Abs", ["x"], ["x"])] }),
    'm.onnx: node 0 (Abs) makes "x", which is an input or initializer too',
  ],
  "two inputs": [model({ inputs: [value("x"), value("x")] }), 'm.onnx: there are two inputs "x"'],
  "two initializers": [model({ initializers: [floats("w", [], [1]), longs("w", [])] }), 'm.onnx: there are two initializers "w"'],
  "a cycle": [
    model({ nodes: [node("Abs", ["b"], ["a"]), node("Neg", ["a"], ["b"])] }),
    "m.onnx: nodes need each other: node 0 (Abs) reads from node 1 (Neg)",
  ],
  "a cycle through a subgraph": [
    model({
      inputs: [value("x")],
      nodes: [node("If", ["x"], ["y"], [{ name: "else_branch", kind: "graph", value: graph({ outputs: [value("y")] }) }])],
    }),
    "m.onnx: nodes need each other: node 0 (If)",
  ],
  "a name that a graph around has": [
    model({
      inputs: [value("x")],
      nodes: [node("If", ["x"], ["y"], [{ name: "b", kind: "graph", value: graph({ nodes: [node("Abs", ["x"], ["x"])] }) }])],
    }),
    'm.onnx: node 0 (If): b: node 0 (Abs) makes "x", which a graph around it defines too',
  ],
  "a name of a subgraph read outside": [
    model({
      inputs: [value("x")],
      nodes: [
        node("If", ["x"], ["y"], [{ name: "b", kind: "graph", value: graph({ nodes: [node("Abs", ["x"], ["in"])] }) }]),
        node("Abs", ["in"], ["z"]),
      ],
    }),
    'm.onnx: node 1 (Abs) reads "in", which nothing makes',
  ],
  "a function that reads what is outside": [
    model({ inputs: [value("x")] }, { functions: [callable("F", { nodes: [node("Abs", ["x"], ["y"])] })] }),
    'm.onnx: function "F": node 0 (Abs) reads "x", which nothing makes',
  ],
  "functions in a circle": [
    model(
      {},
      {
        functions: [
          callable("F", { nodes: [{ ...node("G", [], ["y"]), domain: "own" }] }),
          callable("G", {
            nodes: [
              node("If", [], ["y"], [{ name: "b", kind: "graph", value: graph({ nodes: [{ ...node("F", [], []), domain: "own" }] }) }]),
            ],
          }),
        ],
      },
    ),
    'm.onnx: functions call each other in a circle: "F" calls "G"',
  ],
  "two functions": [model({}, { functions: [callable("F", {}), callable("F", {})] }), 'm.onnx: there are two functions "F"'],
  "a reference outside of functions": [
    model({ nodes: [node("Elu", [], ["y"], [{ name: "alpha", kind: "reference", value: "a", of: "float" }])] }),
    'm.onnx: node 0 (Elu): attribute "alpha" is that of a call, "a", but no function is around it',
  ],
  "a reference to nothing": [
    model(
      {},
      { functions: [callable("F", { nodes: [node("Elu", [], ["y"], [{ name: "alpha", kind: "reference", value: "a", of: "float" }])] })] },
    ),
    'm.onnx: function "F": node 0 (Elu): attribute "alpha" is that of a call, "a", which the function does not declare',
  ],
  "an attribute twice": [
    model({ nodes: [node("Abs", [], ["y"], Array<OnnxAttribute>(2).fill({ name: "a", kind: "int", value: 1 }))] }),
    "m.onnx: node 0 (Abs) has two attributes of the same name",
  ],
  "an initializer without a name": [model({ initializers: [floats("", [], [1])] }), "m.onnx: initializer 0 has no name"],
  "an input without a name": [model({ inputs: [value("")] }), "m.onnx: input 0 has no name"],
  "no operator set": [model({}, { opsets: new Map() }), "m.onnx does not say which operator set it uses"],
  "a name of many letters": [
    model({ outputs: [value("long".repeat(100))] }),
    `m.onnx: an output is "${"long".repeat(20).slice(0, 79)}…", which`,
  ],
};
test.each(Object.entries(wrongGraphs))("%s is refused", (_, [wrong, message]) => {
  expect(() => written(wrong)).toThrow(`error[onnx]: ${message}`);
});

const attribute = (a: Draft<"attribute">): Draft<"model"> => ({ graph: { node: [{ op_type: "Op", attribute: [a] }] } });
const wrongFields: readonly (readonly [Draft<"model">, string])[] = [
  [{}, "m.onnx is an ONNX model without a graph"],
  [{ graph: { node: [{ input: ["x"] }] } }, "m.onnx: node 0 does not name an operator"],
  [attribute({ i: 1n }), "m.onnx: node 0 (Op): an attribute has no name"],
  [attribute({ name: "a" }), 'm.onnx: node 0 (Op): attribute "a" has no value'],
  [attribute({ name: "a", type: 4n }), 'm.onnx: node 0 (Op): attribute "a" has no value'],
  [attribute({ name: "a", type: 15n }), 'm.onnx: node 0 (Op): attribute "a" has the kind 15, which ONNX does not define'],
  [attribute({ name: "a", type: -1n }), 'm.onnx: node 0 (Op): attribute "a" has the kind -1, which ONNX does not define'],
  [attribute({ name: "a", type: 1n, i: 1n }), 'm.onnx: node 0 (Op): attribute "a" has a value of kind int, expected float'],
  [attribute({ name: "a", type: 2n, i: 2n ** 53n }), 'm.onnx: node 0 (Op): attribute "a" is 9007199254740992, which is too large'],
  [
    attribute({ name: "a", type: 7n, ints: BigInt64Array.of(0n, -(2n ** 60n)) }),
    'm.onnx: node 0 (Op): attribute "a": element 1 is -1152921504606846976, which is too large',
  ],
  [
    { graph: { input: [{ name: "x", type: { tensor_type: { elem_type: 99n } } }] } },
    'm.onnx: input 0 "x" has the element type 99, which ONNX does not define',
  ],
  [
    { graph: { input: [{ name: "x", type: { tensor_type: { elem_type: 1n, shape: { dim: [{ dim_value: -2n }] } } } }] } },
    'm.onnx: input 0 "x": extent 0 is -2, expected a number from 0 to 2^53',
  ],
];
test.each(wrongFields)("wrong fields %#", (draft, message) => {
  expect(() => of(draft)).toThrow(`error[onnx]: ${message}`);
});

describe("files of other kinds", () => {
  const latin = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
  test.each([
    [
      "PK\x03\x04\x00\x00\x08\x08\x00\x00archive/data.pkl",
      "is a PyTorch file (.pt), expected an ONNX model\n  help: export the model with torch.onnx.export",
    ],
    ["PK\x03\x04\x14\x00weight.npy", "is an .npz file of NumPy"],
    ["PK\x03\x04\x14\x00model.onnx", "is a zip file"],
    ["\x80\x02\x8a\x0a\x6c\xfc\x9c\x46", "is a Python pickle"],
    ['\x40\x00\x00\x00\x00\x00\x00\x00{"w":{"dtype":"F32"', "is a safetensors file"],
    ["<!DOCTYPE html><html>", "is a web page, expected an ONNX model\n  help: download the file itself"],
    ["\n <html>", "is a web page"],
    ["version https://git-lfs.github.com/spec/v1\noid sha256:", "is a pointer of Git LFS"],
    ['{"model": 1}', "is JSON"],
    ["\x1f\x8b\x08\x00", "is a gzip file"],
    ["\x1c\x00\x00\x00TFL3", "is a TensorFlow Lite model"],
    ["\x89HDF\r\n\x1a\n\x00", "is an HDF5 file"],
    ["", "is empty, expected an ONNX model"],
    ["\x08\x08", "is an ONNX model without a graph"],
    ["anything else", "is not a readable ONNX model"],
  ])("%j", (head, message) => {
    expect(() => readOnnx(latin(head), "m.onnx")).toThrow(`error[onnx]: m.onnx ${message}`);
  });
  test("a tensor is no model, and a model no tensor", () => {
    const tensor = encode("tensor", { dims: BigInt64Array.of(1n), data_type: 1n, float_data: Float32Array.of(5) });
    expect(readTensorFile(tensor, "t.pb")).toEqual(floats("", [1], [5]));
    expect(() => readOnnx(tensor, "t.pb")).toThrow(
      "error[onnx]: t.pb is not a readable ONNX model: producer_name: expected a text or message",
    );
    expect(() => readTensorFile(writeOnnx(model({})), "m.onnx")).toThrow("error[onnx]: m.onnx is not a readable ONNX tensor: data_type");
  });
});
