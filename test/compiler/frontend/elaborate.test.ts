import { expect, test } from "vitest";
import { build, headlines, lines, mistakes, modelOf, names, parameterCount, typeOf, variables } from "./elaborating.ts";

const lenet = `
## A LeNet-style digit classifier.
model LeNet(image: f32[N, 1, 28, 28], classes = 10) -> logits {
  x = image |> conv1: Conv2d(32, kernel=5, padding=2) |> relu |> max_pool(2)
  x = x     |> conv2: Conv2d(64, kernel=5, padding=2) |> relu |> max_pool(2)
  x = x     |> flatten |> fc1: Linear(512) |> relu |> dropout(0.5)
  logits = x |> fc2: Linear(classes)
}
`;

test("LeNet: parameters, signature and graph", () => {
  const module = build(lenet);
  expect(module).toMatchObject({ name: "LeNet", doc: "A LeNet-style digit classifier.", batch: "N", dims: { N: 1 }, training: null });
  expect(variables(module)).toEqual([
    "conv1.weight f32[32,1,5,5]",
    "conv1.bias f32[32]",
    "conv2.weight f32[64,32,5,5]",
    "conv2.bias f32[64]",
    "fc1.weight f32[512,3136]",
    "fc1.bias f32[512]",
    "fc2.weight f32[10,512]",
    "fc2.bias f32[10]",
  ]);
  expect(lines(module.forward)).toEqual([
    "%0 = conv2d(%image, @conv1.weight) {padding=[2,2,2,2]} : f32[1,32,28,28]",
    "%1 = reshape(@conv1.bias) {shape=[32,1,1]} : f32[32,1,1]",
    "%2 = add(%0, %1) : f32[1,32,28,28]",
    "%3 = relu(%2) : f32[1,32,28,28]",
    "%4 = max_pool2d(%3) {kernel=[2,2], stride=[2,2]} : f32[1,32,14,14]",
    "%5 = conv2d(%4, @conv2.weight) {padding=[2,2,2,2]} : f32[1,64,14,14]",
    "%6 = reshape(@conv2.bias) {shape=[64,1,1]} : f32[64,1,1]",
    "%7 = add(%5, %6) : f32[1,64,14,14]",
    "%8 = relu(%7) : f32[1,64,14,14]",
    "%9 = max_pool2d(%8) {kernel=[2,2], stride=[2,2]} : f32[1,64,7,7]",
    "%10 = reshape(%9) {shape=[1,3136]} : f32[1,3136]",
    "%11 = permute(@fc1.weight) {axes=[1,0]} : f32[3136,512]",
    "%12 = matmul(%10, %11) : f32[1,512]",
    "%13 = add(%12, @fc1.bias) : f32[1,512]",
    "%14 = relu(%13) : f32[1,512]",
    "%15 = permute(@fc2.weight) {axes=[1,0]} : f32[512,10]",
    "%16 = matmul(%14, %15) : f32[1,10]",
    "%17 = add(%16, @fc2.bias) : f32[1,10]",
    "return logits = %17",
  ]);
});

test("every node knows the user's line and the instance it belongs to", () => {
  const conv = build(lenet).forward.outputs[0]!.value.inputs[0]!;
  expect(conv.origin).toMatchObject({
    path: "fc2",
    span: { file: "net.dlm", start: { line: 7, column: 17 }, end: { line: 7, column: 37 } },
  });
});

test("dimensions come from outside, from defaults, or are 1", () => {
  const source = "model M(image: f32[N, 3, H = 8, 2 * H], k = 2) -> y { y = image[:, :, ::k] }";
  expect(build(source).dims).toEqual({ N: 1, H: 8 });
  expect(build(source, { dims: { N: 4, H: 6 } }).forward.inputs[0]!.type.shape).toEqual([4, 3, 6, 12]);
  expect(build(source, { batch: 16 }).dims).toEqual({ N: 16, H: 8 });
  expect(build(source, { batch: 16, dims: { N: 2 } }).dims).toEqual({ N: 2, H: 8 });
  expect(headlines(source, { dims: { W: 4 } })).toEqual(["error[flag]: dimension W=4: the program has no open dimension of this name"]);
  expect(headlines(source, { dims: { N: 0 } })).toEqual(["error[flag]: dimension N=0: a size is a positive int"]);
  const batchOf = (signature: string) => build(`const C = 3\nmodel M(${signature}) -> y { y = a }`).batch;
  expect(batchOf("a: f32[N, 2], b: i32[N]")).toBe("N");
  expect(batchOf("a: f32[N, 2], b: i32[M]")).toBe(null);
  expect(batchOf("a: f32[1, N], b: i32[N]")).toBe(null);
  expect(batchOf("a: f32[C, 2]")).toBe(null);
  expect(batchOf("a: f32[n, 2], n = 3")).toBe(null);
});

test("signatures bind and compare dimensions", () => {
  const call = (layer: string, body: string) => headlines(`${layer}\n${modelOf(body)}`);
  build(`layer A(x: f32[N, C], y: f32[C, ...rest], k: f32[N, 1 + C]) { assert rest == [2, 3]; return x }
    model M(x: f32[4, 6]) -> y { y = A(x, zeros([6, 2, 3]), zeros([4, 7])) }`);
  build(`fn spread(x: f32[...s], y: f32[2, ...s]) { return y }\n${modelOf("y = spread(x, zeros([2, 4, 6]))")}`);
  build(`fn out(x: f32[N, n], n: int) { return x * n }\n${modelOf("y = out(x, 6)")}`);
  expect(call("fn f(x: f32[N, n], n: int) { return x }", "y = f(x, 5)")).toEqual([
    "error[shape]: f expects n = 5 in dimension 1, got 6 in f32[4, 6]",
  ]);
  expect(call("fn f(a: f32[N, C], b: f32[C]) { return a }", "y = f(x, zeros([4]))")).toEqual([
    "error[shape]: f: `b` expects C = 6 in dimension 0, got 4 in f32[4]",
  ]);
  expect(call("fn f(a: f32[..., 3]) { return a }", "y = f(x)")).toEqual(["error[shape]: f expects 3 in dimension 1, got 6 in f32[4, 6]"]);
  expect(call("fn f(a: f32[N, ..., C, H]) { return a }", "y = f(x)")).toEqual([
    "error[shape]: f expects at least 3 dimensions (N, ..., C, H), got f32[4, 6]",
  ]);
  expect(call("fn f(a: i32[...]) { return a }", "y = f(x)")).toEqual(["error[type]: f expects i32, got f32[4, 6]"]);
  expect(call("fn f(a: f32[...]) { return a }", "y = f([x])")).toEqual(["error[type]: f expects a tensor for `a`, got a list of 1"]);
  expect(call("fn f(a: f33[...]) { return a }", "y = f(x)")).toEqual(["error[type]: there is no element type `f33`"]);
});

test("defaults may use other parameters and dimensions", () => {
  build(`fn f(x: f32[N, C], k = 2 * C, s = k + 1, e = none) { assert s == 13 && e == none; return x }\n${modelOf("y = f(x)")}`);
  expect(headlines(`fn f(x, a = b, b = a) { return x }\n${modelOf("y = f(x)")}`)).toEqual([
    "error[name]: the default of `a` depends on itself",
  ]);
});

test("positional arguments, then named ones", () => {
  const f = "fn f(x, a, b = 2) { return x * (a - b) }\n";
  for (const call of ["f(x, 3)", "f(x, b=2, a=3)", "x |> f(3, 2)", "x |> f(a=3)", "f(a=3, x=x)"]) build(f + modelOf(`y = ${call}`));
  const wrong = (call: string) => headlines(f + modelOf(`y = ${call}`))[0];
  expect(wrong("f(x)")).toBe("error[argument]: f needs `a`");
  expect(wrong("f(x, 1, 2, 3)")).toBe("error[argument]: `f` takes 3 positional arguments (x, a, b), got 4");
  expect(wrong("f(x, 1, a=2)")).toBe("error[argument]: f gets `a` twice");
  expect(wrong("f(x, a=1, 2)")).toBe("error[argument]: a positional argument stands after `a=`");
  expect(wrong("f(x, 1, c=2)")).toBe("error[argument]: `f` has no parameter `c`");
});

test("constant parameters have kinds; an int is taken for a float, nothing else changes", () => {
  build(`fn f(x, a: float, b: list, c: string, d: bool, e: int = none) { assert kind(a) == "float"; return x }
    ${modelOf('y = f(x, 1, (), "", true)')}`);
  const wrong = (type: string, value: string) => headlines(`fn f(x, a: ${type}) { return x }\n${modelOf(`y = f(x, ${value})`)}`)[0];
  expect(wrong("int", "1.0")).toBe("error[type]: f expects an int for `a`, got the float 1.0");
  expect(wrong("int", "true")).toBe("error[type]: f expects an int for `a`, got true");
  expect(wrong("int", "none")).toBe("error[type]: f expects an int for `a`, got none");
  expect(wrong("float", "x")).toBe("error[constant]: f needs a constant for `a` (float), got a tensor f32[4, 6]");
});

test("tensors of different types never mix, constants adapt", () => {
  expect(typeOf("y = x + 1")).toBe("f32[4,6]");
  expect(typeOf("y = 2 ** x")).toBe("f32[4,6]");
  expect(typeOf("i = cast(x, i32)\ny = i * 2")).toBe("i32[4,6]");
  expect(typeOf("i = cast(x, i32)\ny = i / 2")).toBe("f32[4,6]");
  expect(typeOf("i = cast(x, i32)\ny = i // 2 % 3")).toBe("i32[4,6]");
  expect(typeOf("y = x > 0 && !(x == 1) || true")).toBe("bool[4,6]");
  expect(typeOf("y = sum(x > 0)")).toBe("i32[]");
  expect(typeOf("y = mean(x > 0)")).toBe("f32[]");
  expect(typeOf("y = mean(cast(x, u8))")).toBe("f32[]");
  expect(typeOf("y = argmax(x)")).toBe("i32[4]");
  expect(typeOf("y = max(x)")).toBe("f32[]");
  const wrong = (body: string) => headlines(modelOf(`y = ${body}`))[0];
  expect(wrong("x + cast(x, i32)")).toBe("error[type]: `+` needs tensors of one type, got f32[4, 6] and i32[4, 6]");
  expect(wrong("cast(x, i32) + 1.5")).toBe("error[type]: `+`: the float 1.5 does not adapt to a tensor of type i32");
  expect(wrong("cast(x, u8) == 256")).toBe("error[type]: `==`: the int 256 does not adapt to a tensor of type u8");
  expect(wrong("cast(x, i32) + 3000000000")).toBe("error[type]: `+`: the int 3000000000 does not adapt to a tensor of type i32");
  expect(wrong("x * true")).toBe("error[type]: `*`: true does not adapt to a tensor of type f32");
  expect(wrong("x + [1]")).toBe("error[type]: `+`: a list of 1 does not adapt to a tensor of type f32");
  expect(wrong("x + zeros([4])")).toBe("error[shape]: add: the shapes of f32[4,6] and f32[4] do not broadcast");
});

test("indices and slices of tensors", () => {
  expect(typeOf("y = x[1]")).toBe("f32[6]");
  expect(typeOf("y = x[-1, 2:]")).toBe("f32[4]");
  expect(typeOf("y = x[:, ::4]")).toBe("f32[4,2]");
  expect(typeOf("y = x[..., 0]")).toBe("f32[4]");
  expect(typeOf("y = x[1:100, -3:-1]")).toBe("f32[3,2]");
  expect(typeOf("y = x[0, 0]")).toBe("f32[]");
  expect(lines(build(modelOf("y = x[:, 1:]")).forward)).toEqual([
    "%0 = slice(%x) {starts=[0,1], limits=[4,6], steps=[1,1]} : f32[4,5]",
    "return y = %0",
  ]);
  const wrong = (index: string) => headlines(modelOf(`y = x[${index}]`))[0];
  expect(wrong("4")).toBe("error[shape]: index 4 is outside of axis 0 of f32[4, 6]");
  expect(wrong("2:2")).toBe("error[shape]: this slice of axis 0 of f32[4, 6] is empty");
  expect(wrong("0, 0, 0")).toBe("error[shape]: 3 indices for a tensor f32[4, 6]");
  expect(wrong("x")).toBe("error[constant]: an index must be a constant, got a tensor f32[4, 6]");
});

test("powers by small whole numbers are products", () => {
  const ops = (e: string) =>
    lines(build(modelOf(`y = ${e}`)).forward)
      .map((l) => / = (\w+)\(/.exec(l)?.[1])
      .filter((o) => o && o !== "full");
  expect(ops("x ** 3")).toEqual(["mul", "mul"]);
  expect(ops("x ** 0.5")).toEqual(["sqrt"]);
  expect(ops("x ** -1")).toEqual(["div"]);
  expect(ops("x ** 0.3")).toEqual(["pow"]);
  expect(ops("-x ** 2")).toEqual(["mul", "neg"]);
});

test("a branch that is not taken is not evaluated, and binds nothing", () => {
  build(modelOf("if false { a = nothing.at.all(1 / 0) }\ny = x"));
  expect(mistakes(modelOf("if false { a = 1 }\ny = x * a"))).toContain("note: it is bound in a branch that is not taken at net.dlm:2:12");
  expect(mistakes(modelOf("for i in [] { a = 1 }\ny = x * a"))).toContain("note: it is bound in a loop over an empty list at net.dlm:2:15");
  expect(headlines(modelOf("if false { relu = 1 }\ny = relu(x)"))).toEqual(["error[name]: `relu` has no value here"]);
});

test("fn and layer return from inside blocks; several values are a list", () => {
  build(`fn f(x, n: int) {
      for i in range(10) { if i == n { return x, i } }
      return x, -1
    }
    ${modelOf("_, i = f(x, 3)\n_, j = f(x, 20)\nassert i == 3 && j == -1\ny = x")}`);
  expect(headlines(`fn f(x) { y = x }\n${modelOf("y = f(x)")}`)).toEqual(["error[type]: `f` ends without `return`"]);
});

test("a model is a layer: inputs first, outputs as a list", () => {
  const module = build(
    `model Inner(a: f32[N, 3], width = 4) -> p, q: f32[N, width] { p = a; q = a |> fc: Linear(width) }
    model M(x: f32[2, 3]) -> y { p, q = x |> inner: Inner(width=5); y = q |> _: Other }
    model Other(a: f32[N, 5]) -> b { b = a }`,
    { model: "M" },
  );
  expect(variables(module)).toEqual(["inner.fc.weight f32[5,3]", "inner.fc.bias f32[5]"]);
});

test("outputs are checked", () => {
  const wrong = (outputs: string, body: string) => headlines(`model M(x: f32[N, 3]) -> ${outputs} { ${body} }`);
  expect(wrong("y", "z = x")).toEqual(["error[name]: the output `y` of `M` is never bound"]);
  expect(wrong("y", "y = [x]")).toEqual(["error[type]: the output `y` must be a tensor, got a list of 1"]);
  expect(wrong("y: f32[N, 4]", "y = x")).toEqual(["error[shape]: the output `y` expects 4 in dimension 1, got 3 in f32[1, 3]"]);
  expect(wrong("y", "return x")).toEqual(["error[name]: the output `y` of `M` is never bound", "error[syntax]: a model has no `return`"]);
});

test("imports: names of other files and of std, never the caller's", () => {
  const files = {
    "lib/blocks.dlm": 'import { twice } from "../util.dlm"\nconst width = 4\nlayer Block(x) { return twice(x) |> fc: Linear(width) }',
    "util.dlm": "fn twice(x) { return x * 2 }",
    "std/extra.dlm": "layer Extra(x) { return x |> fc: Linear(2) }",
  };
  const source = 'import { Block as Deep, width } from "./lib/blocks.dlm"\nimport { Extra } from "std/extra.dlm"\n';
  const module = build(`${source}model M(x: f32[N, 3]) -> y { assert width == 4; y = x |> a: Deep |> b: Extra }`, { files });
  expect(variables(module)).toEqual(["a.fc.weight f32[4,3]", "a.fc.bias f32[4]", "b.fc.weight f32[2,4]", "b.fc.bias f32[2]"]);
  expect([...module.sources.keys()]).toEqual(["net.dlm", "lib/blocks.dlm", "util.dlm", "std/extra.dlm"]);
  build("layer Linear(x) { return x * 2 }\nmodel M(x: f32[N, 3]) -> y { y = x |> Linear |> Embed }\nlayer Embed(x) { return x }");
  expect(headlines("fn f() { return local }\nmodel M(x: f32[N, 3]) -> y { local = 3; y = x * f() }")).toEqual([
    "error[name]: unknown name `local`",
  ]);
});

test("imports that lead nowhere", () => {
  const wrong = (text: string, files = {}) => headlines(`${text}\nmodel M(x: f32[N]) -> y { y = x }`, { files });
  expect(wrong('import { A } from "./a.dlm"')).toEqual(['error[file]: there is no file "a.dlm"']);
  expect(wrong('import { A } from "a.dlm"')).toEqual(['error[file]: "a.dlm" is not a path to import from']);
  expect(wrong('import { Blok } from "./a.dlm"', { "a.dlm": "layer Block(x) { return x }" })).toEqual([
    'error[name]: "a.dlm" declares no `Blok`',
  ]);
  const cycle = {
    "a.dlm": 'import { B } from "./b.dlm"\nlayer A(x) { return x }',
    "b.dlm": 'import { A } from "./a.dlm"\nlayer B(x) { return x }',
  };
  expect(wrong('import { A } from "./a.dlm"', cycle)).toEqual(["error[file]: imports form a cycle: a.dlm -> b.dlm -> a.dlm"]);
  expect(wrong('import { A } from "./a.dlm"', { "a.dlm": "layer A(x { return x }" })[0]).toMatch(/^error\[syntax\]/);
});

test("constants: any order, evaluated once, no cycles", () => {
  build(`const a = b + 1\nconst b = 2\nconst f = [i * a for i in range(3)]\n${modelOf("assert f == [0, 3, 6]\ny = x")}`);
  expect(headlines(`const a = b\nconst b = a\n${modelOf("y = x * a")}`)).toEqual(["error[name]: the constant `a` depends on itself"]);
});

test("grad is a node by identity, for one tensor or a list", () => {
  const module = build(modelOf("z = x * x\ng, h = grad(sum(z * z), [x, z])\ny = g + h"));
  expect(lines(module.forward).filter((l) => l.includes("gradient"))).toEqual([
    "%3 = gradient(%2, %x) : f32[4,6]",
    "%4 = gradient(%2, %0) : f32[4,6]",
  ]);
  expect(headlines(modelOf("y = grad(x, x)"))).toEqual(["error[shape]: grad needs a scalar, got f32[4, 6]"]);
});

test("which model is meant", () => {
  const two = "model A(x: f32[1]) -> y { y = x }\nmodel B(x: f32[2]) -> y { y = x }";
  expect(build(two, { model: "B" }).name).toBe("B");
  expect(headlines(two)).toEqual(['error[flag]: "net.dlm" declares several models']);
  expect(headlines(two, { model: "C" })).toEqual(['error[flag]: there is no model `C` in "net.dlm"']);
  expect(headlines("fn f() { return 1 }")).toEqual(['error[flag]: "net.dlm" declares no model']);
});

test("an optional tensor of the model is none", () => {
  const module = build("model M(x: f32[N, 2], mask: f32[N] = none) -> y { assert mask == none; y = x }");
  expect(module.forward.inputs.length).toBe(1);
});

test("a ResNet by hand has torchvision's number of parameters", () => {
  const source = `
    layer BasicBlock(x: f32[N, C, H, W], channels: int, stride = 1) {
      y = x |> conv1: Conv2d(channels, kernel=3, stride=stride, padding=1, bias=false) |> bn1: BatchNorm |> relu
            |> conv2: Conv2d(channels, kernel=3, padding=1, bias=false) |> bn2: BatchNorm
      skip = if stride != 1 || C != channels {
        x |> downsample.0: Conv2d(channels, kernel=1, stride=stride, bias=false) |> downsample.1: BatchNorm
      } else { x }
      return relu(y + skip)
    }
    model ResNet(image: f32[N, 3, 224, 224], Block = BasicBlock, depths = [2, 2, 2, 2], classes = 1000) -> logits {
      x = image |> conv1: Conv2d(64, kernel=7, stride=2, padding=3, bias=false) |> bn1: BatchNorm |> relu |> max_pool(3, stride=2, padding=1)
      for i, depth in enumerate(depths) {
        for j in range(depth) { x = x |> layer{i + 1}.{j}: Block(64 * 2 ** i, stride = if j == 0 && i > 0 { 2 } else { 1 }) }
      }
      logits = x |> global_avg_pool |> flatten |> fc: Linear(classes)
    }
    model ResNet34(image: f32[N, 3, 224, 224], classes = 1000) -> logits {
      logits = image |> _: ResNet(depths=[3, 4, 6, 3], classes=classes)
    }`;
  const resnet18 = build(source, { model: "ResNet" });
  expect(parameterCount(resnet18)).toBe(11_689_512);
  expect(names(resnet18)).toContain("layer2.0.downsample.1.running_var");
  expect(parameterCount(build(source, { model: "ResNet34" }))).toBe(21_797_672);
});
