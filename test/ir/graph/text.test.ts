import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { equalGraphs } from "../../../ir/graph/equal.ts";
import type { Graph, Node } from "../../../ir/graph/graph.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { printGraph } from "../../../ir/graph/print.ts";
import { verifyGraph } from "../../../ir/graph/verify.ts";
import { layout } from "../../../ir/layout.ts";
import { withOrigin } from "../../../ir/op.ts";
import { ops } from "../../../ir/ops/index.ts";
import { f32, type Shape } from "../../../ir/type.ts";
import { randomGraph } from "./random-graph.ts";

const input = (name: string, ...shape: number[]) => ops.input({}, { name, dtype: "f32", shape });
const graph = (inputs: readonly Node[], outputs: Record<string, Node>): Graph => ({
  name: "g",
  inputs,
  outputs: Object.entries(outputs).map(([name, value]) => ({ name, value })),
  updates: [],
});

const step = `graph step(%x: f32[1,3,32,32], %label: i32[1]) {
  @conv1.weight = param "conv1.weight" f32[16,3,3,3]
  @bn.mean = state "bn.mean" f32[16]
  @seed = counter "seed" i32[]
  %0 = conv2d(%x, @conv1.weight) {stride=[2,2]} : f32[1,16,15,15]{0 2 3 1}
  %1 = relu(%0) : f32[1,16,15,15]{0 2+1,1 3+1,1 1}
  %2 = full() {value=0.1, dtype="f32", shape=[]} : f32[]
  %3 = mul(@bn.mean, %2) : f32[16]
  return logits = %1, "odd name" = %0
  update @bn.mean = %3
}
`;

describe("text", () => {
  test("prints as it was read", () => {
    expect(printGraph(parseGraph(step))).toBe(step.replace('  @seed = counter "seed" i32[]\n', ""));
  });
  test("reads any white space, comments and written defaults", () => {
    const loose = parseGraph(`# first line
      graph g(%x:f32[2,3]){ # inputs
      %y=reduce_sum(%x){axes=[1],
        keepdims=false}:f32[2] return out=%y}`);
    expect(printGraph(loose)).toBe("graph g(%x: f32[2,3]) {\n  %0 = reduce_sum(%x) {axes=[1]} : f32[2]\n  return out = %0\n}\n");
  });
  test("unused inputs, empty graphs and odd names survive", () => {
    const g: Graph = { ...graph([input("a"), input("0"), input("x y", 2), input("x_y", 2)], {}), name: "my graph" };
    expect(printGraph(g)).toBe('graph "my graph"(%a: f32[], %_0 "0": f32[], %x_y "x y": f32[2], %x_y_1 "x_y": f32[2]) {\n  return\n}\n');
    expect(equalGraphs(parseGraph(printGraph(g)), g)).toBe(true);
  });
  test("an output may be called update", () => {
    const x = input("x");
    const g = { ...graph([x], { update: x }), updates: [{ target: ops.state({}, { name: "s", dtype: "f32", shape: [] }), value: x }] };
    expect(equalGraphs(parseGraph(printGraph(g)), g)).toBe(true);
  });
  test("numbers are exact", () => {
    const data = [0.1, -0, 1 / 3, 5e-324, 1.7976931348623157e308, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e21];
    const g = graph([], { y: ops.dense({}, { data, dtype: "f32", shape: [data.length] }) });
    expect(printGraph(g)).toContain("data=[0.1,-0,0.3333333333333333,5e-324,1.7976931348623157e+308,inf,-inf,nan,1e+21]");
    expect(parseGraph(printGraph(g)).outputs[0]!.value.attrs.data).toEqual(data);
  });
  test("origins are comments on request", () => {
    const at = { line: 3, column: 7 };
    const y = withOrigin({ path: "conv1", span: { file: "net.dlm", start: at, end: at } }, () => ops.relu({ x: input("x", 2) }));
    const g = graph([y.inputs[0]!], { y });
    expect(printGraph(g, { origins: true })).toContain("%0 = relu(%x) : f32[2]  # conv1 at net.dlm:3:7\n");
    expect(equalGraphs(parseGraph(printGraph(g, { origins: true })), g)).toBe(true);
    expect(printGraph(g)).not.toContain("#");
  });
  test("the same word for two kinds of variables", () => {
    const leaf = { name: "w", dtype: "f32", shape: [] };
    const g = graph([], { y: ops.add({ a: ops.param({}, leaf), b: ops.slot({}, leaf) }) });
    expect(printGraph(g)).toContain('@w = param "w" f32[]\n  @w_1 = slot "w" f32[]\n');
    expect(equalGraphs(parseGraph(printGraph(g)), g)).toBe(true);
  });
});

describe("random graphs", () => {
  test("read back equal, print the same, and verify", () => {
    fc.assert(
      fc.property(randomGraph, (g) => {
        const text = printGraph(g);
        const again = parseGraph(text);
        expect(verifyGraph(g)).toEqual([]);
        expect(equalGraphs(again, g)).toBe(true);
        expect(printGraph(again)).toBe(text);
      }),
      { numRuns: 300 },
    );
  });
});

describe("equality", () => {
  const build = (f: (x: Node) => Node) => {
    const x = input("x", 4, 4);
    return graph([x], { y: f(x) });
  };
  const base = build((x) => ops.reduceSum({ x }, { axes: [1] }));
  test.each<[string, Graph, boolean]>([
    ["the same again", build((x) => ops.reduceSum({ x }, { axes: [1] })), true],
    ["another attribute", build((x) => ops.reduceSum({ x }, { axes: [0] })), false],
    ["another operation", build((x) => ops.reduceMax({ x }, { axes: [1] })), false],
    ["another layout", build((x) => ({ ...ops.reduceSum({ x }, { axes: [1] }), type: { ...f32(4), layout: layout("0") } })), false],
    ["another name", { ...base, name: "h" }, false],
    ["another output name", { ...base, outputs: [{ name: "z", value: base.outputs[0]!.value }] }, false],
    ["one more input", { ...base, inputs: [...base.inputs, input("z")] }, false],
  ])("%s", (_, other, equal) => {
    expect(equalGraphs(base, other)).toBe(equal);
  });
  test("sharing counts", () => {
    const shared = build((x) => {
      const e = ops.exp({ x });
      return ops.add({ a: e, b: e });
    });
    const copied = build((x) => ops.add({ a: ops.exp({ x }), b: ops.exp({ x }) }));
    expect(equalGraphs(shared, copied)).toBe(false);
  });
});

describe("mistakes name the line", () => {
  const body = (line: string) => `graph g(%x: f32[2,3]) {\n  ${line}\n  return\n}`;
  test.each([
    ["graph g(%x: f64[2]) { return }", "line 1: there is no element type f64"],
    ["graph g(%x: f32[0]) { return }", "line 1: extents must be positive integers"],
    ["graph g(%x: f32[2]{0/a}) { return }", 'line 1: "0/a" is not a physical dimension'],
    ["graph g(%x: f32[2], %x: f32[2]) { return }", "line 1: %x is defined twice"],
    ["graph g() { return } more", "line 1: expected the end of the text"],
    ["graph g() {\n\n", "line 3: expected return, found the end"],
    ["grph g() { return }", 'line 1: expected graph, found "grph"'],
    [body("%0 = frobnicate(%x) : f32[2,3]"), "line 2: there is no operation frobnicate"],
    [body("%0 = relu(%y) : f32[2,3]"), "line 2: %y is not defined above"],
    [body("%0 = relu(%x, %x) : f32[2,3]"), "line 2: relu takes (x), got 2 operands"],
    [body("%0 = relu(%x) : f32[3,2]"), "line 2: relu gives f32[2,3], not f32[3,2]"],
    [body("%0 = relu(%x) {a=1} : f32[2,3]"), "line 2: relu has no attribute a"],
    [body("%0 = softmax(%x) : f32[2,3]"), "line 2: softmax needs the attribute axis"],
    [body("%0 = softmax(%x) {axis=0, axis=1} : f32[2,3]"), "line 2: attribute axis is given twice"],
    [body("%0 = relu(%x) {constructor=1} : f32[2,3]"), "line 2: relu has no attribute constructor"],
    [body("%0 = softmax(%x) {axis=0.5} : f32[2,3]"), "line 2: attribute axis must be int"],
    [body("%0 = reduce_sum(%x) {axes=[0], keepdims=1} : f32[3]"), 'line 2: expected true or false, found "1}"'],
    [body("%0 = softmax(%x) {axis=7} : f32[2,3]"), "line 2: error[shape]: softmax: axis 7 does not exist, f32[2,3] has 0 to 1"],
    [body('@w = parameter "w" f32[2]'), "line 2: expected param, state, slot, counter, prepared, found parameter"],
    [body("@w = param w f32[2]"), 'line 2: expected a string, found "w"'],
    ["graph g(%x: f32[2]) {\n  return\n  update %x = %x\n}", "line 3: only variables are updated"],
  ])("%s", (text, message) => {
    expect(() => parseGraph(text)).toThrow(new SyntaxError(message));
  });
  test("no text crashes the parser", () => {
    const pieces = fc.constantFrom(...'graph g ( ) { } %x @w : f32[2] = relu , [ ] 1 "s" return update # \n {0 1} -inf'.split(" "));
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (words) => {
        try {
          parseGraph(words.join(" "));
        } catch (e) {
          expect(e).toBeInstanceOf(SyntaxError);
        }
      }),
    );
  });
});

describe("verify", () => {
  const x = input("x", 2, 3);
  const relu = ops.relu({ x });
  const w = ops.param({}, { name: "w", dtype: "f32", shape: [2, 3] });
  const w2 = ops.param({}, { name: "w", dtype: "f32", shape: [2, 3] });
  const z = input("z", 3, 2);
  const retyped = (n: Node, shape: Shape): Node => ({ ...n, type: f32(...shape) });
  test.each<[string, Graph, string[]]>([
    ["a good graph", { ...graph([x], { y: relu }), updates: [{ target: w, value: relu }] }, []],
    ["a wrong type", graph([x], { y: retyped(relu, [6]) }), ["%0 = relu: should be f32[2,3], is f32[6]"]],
    [
      "a rule that complains",
      graph([x], { y: { ...relu, op: ops.softmax, attrs: { axis: 5 } } }),
      ["%0 = softmax: error[shape]: softmax: axis 5 does not exist, f32[2,3] has 0 to 1"],
    ],
    ["another operand", graph([z], { y: { ...relu, inputs: [z] } }), ["%0 = relu: should be f32[3,2], is f32[2,3]"]],
    ["too many operands", graph([x], { y: { ...relu, inputs: [x, x] } }), ["%0 = relu: takes (x), has 2 operands"]],
    ["an unknown attribute", graph([x], { y: { ...relu, attrs: { a: 1 } } }), ["%0 = relu: has no attribute a"]],
    [
      "a wrong attribute",
      graph([x], { y: { ...relu, op: ops.softmax, attrs: { axis: "1" } } }),
      ["%0 = softmax: attribute axis must be int, is 1"],
    ],
    [
      "a layout of another rank",
      graph([x], { y: { ...relu, type: { ...relu.type, layout: layout("0 2") } } }),
      ["%0 = relu: the layout of f32[2,3]{0 2} must mention each axis and no other"],
    ],
    ["two leaves of one name", graph([], { y: ops.add({ a: w, b: w2 }) }), ['param "w" occurs as several nodes']],
    ["an input that is not listed", graph([], { y: relu }), ['input "x" is not in the signature']],
    ["an input listed twice", graph([x, x], { y: relu }), ["the signature lists an input twice"]],
    ["a parameter in the signature", graph([w], { y: w }), ["the signature lists a param"]],
    [
      "outputs of one name",
      {
        ...graph([x], {}),
        outputs: [
          { name: "y", value: x },
          { name: "y", value: relu },
        ],
      },
      ['output "y" occurs twice'],
    ],
    ["an update of no variable", { ...graph([x], {}), updates: [{ target: relu, value: x }] }, ["update of relu, which is no variable"]],
    [
      "an update of another type",
      { ...graph([x], {}), updates: [{ target: w, value: ops.permute({ x }, { axes: [1, 0] }) }] },
      ['update of param "w": f32[3,2] into f32[2,3]'],
    ],
    [
      "two updates",
      {
        ...graph([x], {}),
        updates: [
          { target: w, value: x },
          { target: w, value: relu },
        ],
      },
      ['param "w" is updated twice'],
    ],
  ])("%s", (_, g, problems) => {
    expect(verifyGraph(g)).toEqual(problems);
  });
  test("what was sound once is looked at again where something about it changed; mistakes are found every time", () => {
    expect(verifyGraph(graph([x], { y: relu }))).toEqual([]);
    const wrong = graph([z], { y: { ...relu, inputs: [z] } });
    for (const _ of [1, 2]) expect(verifyGraph(wrong)).toEqual(["%0 = relu: should be f32[3,2], is f32[2,3]"]);
  });
});
