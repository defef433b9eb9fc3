/** What a train block amounts to: loss and metrics, who is trained how, and whether everything it names exists. */
import { diagnostic, type Span } from "../../../ir/diagnostic.ts";
import type { Graph, Node, Output } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import type { Train } from "../ast.ts";
import { noSettings, type Settings, type Training } from "../module.ts";
import { namesOf, walk } from "../walk.ts";
import { at, complain, type Frame, newScope } from "./frame.ts";
import { matches } from "./globs.ts";
import { safely } from "./model.ts";
import { isUpperCase } from "./paths.ts";
import type { GlobAt, Session } from "./session.ts";
import type { SourceFile } from "./source.ts";
import { executeBlock } from "./statement.ts";
import { nearest } from "./suggest.ts";
import { describe, float, isNumber, isUnknown, showType, type Value } from "./values.ts";

const settingNames: Readonly<Record<keyof Settings, string>> = {
  clipNorm: "clip_norm",
  clipValue: "clip_value",
  seed: "seed",
  accumulate: "accumulate",
  ema: "ema",
  gradientNoise: "gradient_noise",
};
const settings: readonly string[] = ["loss", "optimizer", ...Object.values(settingNames)];
type Losses = Training["losses"];

/** The block's value of a setting; null where it has none, or one that has an error. */
function settingValue(frame: Frame, name: string): { readonly value: Value; readonly span: Span } | null {
  const binding = frame.scope.names.get(name);
  if (!binding?.value || isUnknown(binding.value) || !binding.span) return null;
  return binding.value.kind === "none" ? null : { value: binding.value, span: binding.span };
}

const numberWhere = (holds: (x: number) => boolean) => (v: Value) =>
  isNumber(v) && Number.isFinite(v.value) && holds(v.value) ? v.value : undefined;
const positive = numberWhere((x) => x > 0);
const decay = numberWhere((x) => x >= 0 && x < 1);
const intFrom = (least: number) => (v: Value) => (v.kind === "int" && v.value >= least && v.value < 2 ** 31 ? v.value : undefined);

export function readSettings(frame: Frame): Settings {
  const read = <T>(name: string, expects: string, decode: (v: Value) => T | undefined): T | null => {
    const given = settingValue(frame, name);
    if (!given) return null;
    const value = decode(given.value);
    if (value !== undefined) return value;
    const message = `\`${name}\` must be ${expects}, got ${describe(given.value)}`;
    return safely(frame, null, () => complain(frame, "type", message, given.span));
  };
  return {
    clipNorm: read("clip_norm", "a positive number", positive),
    clipValue: read("clip_value", "a positive number", positive),
    accumulate: read("accumulate", "an int of at least 1", intFrom(1)) ?? 1,
    ema: read("ema", "a number from 0 to below 1", decay),
    gradientNoise: read("gradient_noise", "a variance of at least 0, or (variance, gamma)", noiseOf),
    seed: read("seed", "an int from 0 to 2 ** 31 - 1", intFrom(0)),
  };
}
/** `eta`, or `(eta, gamma)`; gamma as in the paper where it is left out. */
function noiseOf(v: Value): Settings["gradientNoise"] | undefined {
  const [eta, gamma, ...more] = (v.kind === "list" ? v.items : [v, float(0.55)]).map((x) => (isNumber(x) ? x.value : Number.NaN));
  const right = eta !== undefined && gamma !== undefined && more.length === 0 && eta >= 0 && gamma >= 0;
  return right && Number.isFinite(eta + gamma) ? { eta, gamma } : undefined;
}

/** The general loss and those of parameter groups. */
export function readLosses(frame: Frame, block: Train): Losses {
  const { losses } = frame.session.train;
  const general = settingValue(frame, "loss");
  if (!general && losses.length === 0) {
    const binding = frame.scope.names.get("loss");
    if (binding?.value && isUnknown(binding.value)) return [];
    const near = nearest("loss", frame.scope.names.keys());
    const name = block.name ?? block.model;
    return complain(
      frame,
      "train",
      `the train block of \`${name.name}\` has no \`loss\``,
      name.span,
      near ? { help: `did you mean \`loss\` by \`${near}\`?` } : {},
    );
  }
  const one = (globs: Losses[number]["globs"], value: Value, span: Span): Losses =>
    isUnknown(value) ? [] : safely(frame, [], () => [{ globs, value: lossNode(frame, value, span) }]);
  return [
    ...(general ? one(null, general.value, general.span) : []),
    ...losses.flatMap((l) =>
      one(
        l.globs.map((g) => g.text),
        l.value,
        l.span,
      ),
    ),
  ];
}
function lossNode(frame: Frame, value: Value, span: Span): Node {
  if (value.kind !== "tensor") return complain(frame, "type", `the loss must be a tensor, got ${describe(value)}`, span);
  const { type } = value.node;
  if (type.shape.length)
    complain(frame, "shape", `the loss must be a scalar, got ${showType(type)}`, span, { help: "reduce it: mean(x) or sum(x)" });
  if (type.dtype !== "f32") complain(frame, "type", `the loss must be f32, got ${showType(type)}`, span);
  return value.node;
}

/** `loss`, their sum, then the metrics. */
export function trainOutputs(frame: Frame, losses: Losses, span: Span): Output[] {
  const sum = losses.map((l) => l.value).reduce<Node | null>((a, b) => (a ? at(frame, span, () => ops.add({ a, b })) : b), null);
  const metrics = [...frame.session.train.metrics].map(([name, { value }]): Output => ({ name, value }));
  return sum ? [{ name: "loss", value: sum }, ...metrics] : metrics;
}

export const graphOf = (name: string, session: Session, inputs: readonly Node[], outputs: readonly Output[]): Graph => ({
  name,
  inputs,
  outputs,
  updates: [...session.updates].map(([path, value]) => ({ target: session.world.variables.get(path)!.leaf, value })),
});

/** Complains about bindings that neither walk of the block used: a misspelt setting does not pass. */
export function checkUsed(step: Session, evaluation: Session, block: Train): void {
  // After an error, what the text uses counts as used: the walk may not have come that far.
  const written = step.world.problems.errors() > 0 ? namesIn(block) : new Set<string>();
  for (const [span, name] of [...step.bound, ...evaluation.bound]) {
    if (settings.includes(name) || name === "_" || step.used.has(span) || evaluation.used.has(span) || written.has(name)) continue;
    const near = nearest(name, settings);
    const help = near ? `did you mean \`${near}\`?` : `settings are ${settings.join(", ")}`;
    step.world.problems.report(diagnostic("train", `\`${name}\` is neither used nor a setting`, span, { help }));
  }
}

function namesIn(block: Train): ReadonlySet<string> {
  const names = new Set<string>();
  walk(block.body, (e) => {
    if (e.kind === "name") names.add(e.name);
    if (e.kind === "use") names.add(e.callee.name);
    if (e.kind === "bind" && e.op !== "=") for (const { name } of namesOf(e.pattern)) names.add(name);
  });
  return names;
}
/** The block makes parameters of its own. */
function makesParameters(block: Train): boolean {
  let found = false;
  walk(block.body, (s) => {
    const callee = (s.kind === "call" || s.kind === "pipe") && s.callee.kind === "name" ? s.callee.name : "";
    found ||= s.kind === "param" || s.kind === "state" || s.kind === "use" || isUpperCase(callee);
  });
  return found;
}

const paramsOf = ({ made, world }: Session): readonly string[] =>
  [...made.keys()].filter((p) => world.variables.get(p)?.declaration.kind === "param");

/** Every glob of the step matches something. */
function checkGlobs(frame: Frame): void {
  const { session } = frame;
  for (const g of session.train.freeze) checkGlob(frame, g, [...session.made.keys()], "parameter or state");
  for (const g of session.train.groups) checkGlob(frame, g, paramsOf(session), "parameter");
}
/** Every parameter is trained or frozen. */
function checkTrained(frame: Frame, losses: Losses, block: Train): void {
  const { session } = frame;
  const { train } = session;
  const params = paramsOf(session);
  const frozen = (p: string) => train.freeze.some((g) => matches(g.text, p));
  const trained = params.filter((p) => !frozen(p));
  const name = block.name ?? block.model;
  const without = (has: (p: string) => boolean) => trained.find((p) => !has(p));
  const unmoved = without((p) => train.optimizers.some((o) => o.globs === null || o.globs.some((g) => matches(g.text, p))));
  if (unmoved !== undefined) {
    const help = train.optimizers.length
      ? "give a general line first: optimizer = ..."
      : "write optimizer = sgd(lr=0.1), or freeze the parameter";
    complain(frame, "train", `the parameter \`${unmoved}\` has no optimizer`, name.span, { help });
  }
  const unloved = without((p) => losses.some((l) => l.globs === null || l.globs.some((g) => matches(g, p))));
  if (unloved !== undefined)
    complain(frame, "train", `the parameter \`${unloved}\` has no loss`, name.span, { help: "give a general one: loss = ..." });
}
function checkGlob(frame: Frame, g: GlobAt, paths: readonly string[], what: string): void {
  if (paths.some((p) => matches(g.text, p))) return;
  const near = nearest(g.text.replaceAll("*", ""), paths);
  const some = paths.slice(0, 5).join(", ");
  const help = near
    ? `did you mean "${near}"?`
    : paths.length
      ? `there are ${some}${paths.length > 5 ? `, ... (${paths.length} in all)` : ""}`
      : "the step has no parameters";
  frame.session.world.problems.report(diagnostic("train", `"${g.text}" matches no ${what} of the step`, g.span, { help }));
}

export interface Trained {
  readonly graph: Graph;
  readonly losses: Losses;
  readonly settings: Settings;
}
/** Walks the block over the final values of the model's body. */
export function runTrain(model: Frame, block: Train, file: SourceFile): Trained {
  const { session } = model;
  const frame: Frame = {
    ...model,
    kind: "train",
    name: (block.name ?? block.model).name,
    file,
    body: block.body,
    scope: newScope(model.scope),
    place: "train",
    loops: [],
    labels: new Map(model.labels),
  };
  const { problems } = session.world;
  const modelErrors = problems.errors();
  executeBlock(block.body, frame);
  // The parameters are known unless something that makes some went wrong.
  const known = modelErrors === 0 && (problems.errors() === 0 || !makesParameters(block));
  const losses = safely(frame, [], () => readLosses(frame, block));
  const settings = safely(frame, noSettings, () => readSettings(frame));
  if (session.training && problems.errors() === 0) safely(frame, undefined, () => checkTrained(frame, losses, block));
  if (session.training && known) checkGlobs(frame);
  const outputs = trainOutputs(frame, losses, block.span);
  return { graph: graphOf(frame.name, session, session.inputs, outputs), losses, settings };
}
