import { describe, expect, test } from "vitest";
import { dlm, folder } from "./harness.ts";

describe("dlm", () => {
  test("--help lists the commands, on standard output", async () => {
    const { code, out, err } = await dlm(["--help"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatchInlineSnapshot(`
      "dlm 0.1.0: compiles .dlm models to WebAssembly and WGSL

      dlm COMMAND ...

        run      run a model once
        check    report mistakes
        fmt      format source files
        compile  write the compiled model to a folder
        inspect  show a stage of the compiler
        train    train a model on data
        eval     loss and metrics on data
        bench    measure an inference or a training step
        tune     measure schedules and keep the fastest
        diff     compare targets, find what differs
        import   read an ONNX model
        export   write a model as ONNX
        weights  list, change or compare weight files

      \`dlm COMMAND --help\` shows its options; docs/language.md in this package explains the language.
      "
    `);
  });
  test("without a command the same is a mistake", async () => {
    const { code, out, err } = await dlm([]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toBe((await dlm(["--help"])).out);
  });
  test("--version", async () => {
    expect(await dlm(["--version"])).toEqual({ code: 0, out: "0.1.0\n", err: "" });
  });
  test.each(["run", "check", "fmt", "compile", "inspect", "train", "eval"])("%s --help", async (command) => {
    const { code, out, err } = await dlm([command, "--help"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(new RegExp(`^dlm ${command} FILE`));
    expect(out).toContain("--help");
    expect(await dlm(["help", command])).toEqual({ code, out, err });
  });
  test("the help of one command", async () => {
    expect((await dlm(["fmt", "-h"])).out).toMatchInlineSnapshot(`
      "dlm fmt FILE...

      Formats files in place.

        --check     change nothing, list the files that are not formatted; exit 1 if there are any
        -h, --help  show this
      "
    `);
  });
});

describe("mistakes on the command line", () => {
  test.each([
    [["trian", "a.dlm"], "error[flag]: there is no command `trian`\n  help: did you mean `train`?\n"],
    [["frobnicate"], "error[flag]: there is no command `frobnicate`\n  help: `dlm --help` lists them\n"],
    [["constructor"], "error[flag]: there is no command `constructor`\n  help: `dlm --help` lists them\n"],
    [["studio", "a.dlm"], "error[flag]: `dlm studio` is not available yet\n  help: `dlm --help` lists what is\n"],
    [["fmt"], "error[flag]: `dlm fmt` needs a file\n  help: usage: dlm fmt FILE...\n"],
    [["eval", "a.dlm", "b.dlm"], "error[flag]: `dlm eval` takes one file, found `a.dlm` and `b.dlm`\n"],
    [["fmt", "--chekc", "a.dlm"], "error[flag]: `dlm fmt` has no option `--chekc`\n  help: did you mean `--check`?\n"],
    [["fmt", "--toString", "a.dlm"], "error[flag]: `dlm fmt` has no option `--toString`\n  help: `dlm fmt --help` lists them\n"],
    [["fmt", "--check=yes", "a.dlm"], "error[flag]: `--check` takes no value\n"],
    [["train", "a.dlm", "--data"], "error[flag]: `--data` needs a value\n  help: write --data SPEC\n"],
    [["train", "a.dlm", "--data", "--json"], "error[flag]: `--data` needs a value\n"],
    [["run", "a.dlm", "--target", "gpu"], "error[flag]: unknown target `gpu`\n  help: targets are: wasm, wgsl, reference\n"],
    [["run", "a.dlm", "--target", "webgpu"], "error[flag]: unknown target `webgpu`\n  help: did you mean `wgsl`?\n"],
    [["run", "a.dlm", "--target", "wgsl,wasm"], "error[flag]: `--target wgsl,wasm` names several targets, here there is one\n"],
    [["compile", "a.dlm", "-o", "d", "--target", "wgsl,wgsl"], "error[flag]: `--target wgsl,wgsl` names wgsl twice\n"],
    [["diff", "a.dlm", "--targets", "wgsl,wgsl"], "error[flag]: `--targets wgsl,wgsl` names wgsl twice\n"],
    [["run", "a.dlm", "--target", "reference", "--limits", "compat"], "note: --limits is about wgsl and does nothing on reference\n"],
    [["run", "a.dlm", "--storage", "half"], "error[flag]: `--storage` cannot be `half`\n  help: it is one of: f32, f16\n"],
    [["tune", "a.dlm", "--storage", "f16"], "error[flag]: `dlm tune` has no option `--storage`\n"],
    [["bench", "a.dlm", "--target", "wgsl", "--threads", "2"], "note: --threads is about wasm and does nothing on wgsl\n"],
    [["run", "a.dlm", "--dim", "N"], "error[flag]: `--dim N` must be NAME=VALUE\n"],
    [["run", "a.dlm", "--dim", "N=x"], "error[flag]: `--dim N` must be a whole number from 1 to 2147483647, found `x`\n"],
    [["run", "a.dlm", "--dim", "N=1", "--dim", "N=4"], "error[flag]: `--dim N` is given twice\n  help: keep one of them\n"],
    [["run", "a.dlm", "--input", "x=a", "--input", "x=b"], "error[flag]: `--input x` is given twice\n  help: keep one of them\n"],
    [["train", "a.dlm", "--plot", "p.png"], "error[flag]: the picture is written as .svg, not `.png`\n  help: write --plot p.svg\n"],
    [
      ["train", "a.dlm", "--out", "q.pth"],
      "error[flag]: weights are written as .safetensors, not `.pth`\n  help: write --out q.safetensors\n",
    ],
    [["run", "a.dlm", "--batch", "0"], "error[flag]: `--batch` must be a whole number from 1 to 2147483647, found `0`\n"],
    [["run", "a.dlm", "--seed", "1.5"], "error[flag]: `--seed` must be a whole number from -2147483648 to 4294967295, found `1.5`\n"],
    [["run", "a.dlm", "--relaxed", "--exact"], "error[flag]: `--relaxed` and `--exact` exclude each other\n"],
    [["train", "a.dlm", "--resume", "d", "--weights", "w"], "error[flag]: `--resume` and `--weights` exclude each other"],
    [["inspect", "a.dlm", "--emit", "kernel"], "error[flag]: `--emit` cannot be `kernel`\n  help: did you mean `kernels`?\n"],
    [["inspect", "a.dlm", "--html", "o.html"], "error[flag]: `--html` is not available yet\n"],
    [["compile", "a.dlm"], "error[flag]: `dlm compile` needs a folder to write to\n  help: add -o DIR\n"],
    [["compile", "a.dlm", "-o", "d", "--standalone"], "error[flag]: `--standalone` is not available yet\n"],
    [["compile", "a.dlm", "-o", "d", "--target", "wasm,reference"], "error[flag]: the reference target runs inside the compiler"],
  ])("%j", async (argv, message) => {
    const { code, out, err } = await dlm(argv);
    expect(err.slice(0, message.length)).toBe(message);
    expect({ code, out }).toEqual({ code: 1, out: "" });
  });
  test("files that are not there", async () => {
    const at = folder();
    expect(await dlm(["run", at("none.dlm")])).toEqual({
      code: 1,
      out: "",
      err: `error[file]: cannot read ${at("none.dlm")}: there is no such file or folder\n`,
    });
    expect((await dlm(["run", at("")])).err).toBe(`error[file]: cannot read ${at("")}: it is a folder\n`);
  });
  test("text that is not UTF-8", async () => {
    const at = folder({ "a.dlm": Uint8Array.of(0x6d, 0xff) });
    expect((await dlm(["run", at("a.dlm")])).err).toBe(`error[file]: ${at("a.dlm")} is not text in UTF-8\n`);
  });
});

describe("faults of ours", () => {
  const broken = {
    compileStages: async () => {
      throw new Error(`internal error: the plan is wrong\n${"line\n".repeat(100)}`);
    },
    load: async () => {
      throw new Error("unused");
    },
  };
  test("exit with 2, a short message and no stack", async () => {
    const at = folder({ "a.dlm": "model M(x: f32[N]) -> y {\n  y = x\n}\n" });
    const { code, out, err } = await dlm(["run", at("a.dlm")], { toolchain: broken });
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(/^internal error: the plan is wrong\nline\n/);
    expect(err).toContain("This is a fault of dlm, not of your input. DLM_DEBUG=1 shows where it happened.");
    expect(err).not.toContain("at ");
    expect(err.split("\n").length).toBeLessThan(20);
  });
  test("with DLM_DEBUG=1 the stack is shown", async () => {
    const at = folder({ "a.dlm": "model M(x: f32[N]) -> y {\n  y = x\n}\n" });
    const { err } = await dlm(["run", at("a.dlm")], { toolchain: broken, env: { DLM_DEBUG: "1" } });
    expect(err).toMatch(/\n {4}at .*command-line\.test\.ts/);
  });
});
