/** Names of ONNX as names of the language: of values, of models, and paths of parameters. */

/** Characters that names cannot have become `_`, and a digit at the start gets one before it. */
export function identifierOf(name: string): string {
  const text = name.replace(/[^A-Za-z0-9_]/g, "_");
  return /^[A-Za-z_]/.test(text) ? text : `_${text}`;
}

/** `resnet18-v1.onnx` to `Resnet18V1`: the name of a model begins with a capital. */
export function modelNameOf(text: string): string {
  const words = text.split(/[^A-Za-z0-9]+/).filter((w) => w !== "");
  const name = words.map((w) => w[0]!.toUpperCase() + w.slice(1)).join("");
  return /^[A-Z]/.test(name) ? name : `Model${name}`;
}

/** Parts of letters, digits and `_`, joined by dots; null where nothing is left. */
function pathOf(parts: readonly string[]): string | null {
  const clean = parts.map((p) => p.replace(/[^A-Za-z0-9_]/g, "_")).filter((p) => p !== "" && !/^_+$/.test(p));
  return clean.length ? clean.join(".") : null;
}
/** Numbered by a tool, not named by a person. */
const generated = /^(onnx::|_v_|val_)|^\W*\d+$|(^|\/)(Constant|const_fold_opt)|_output_\d+$/;

/** What layers call their parameters, at the end of a path. */
const ownWords =
  /[./_](weights?|bias(es)?|kernel|gamma|beta|scale|mean|var|running_mean|running_var|moving_mean|moving_variance|embeddings?|alpha|[wbWB]|weight_[ih]h_l\d+(_reverse)?|bias_[ih]h_l\d+(_reverse)?)(_\d+)?$/;

/** The path of an initializer: `layer1/conv/kernel:0` to `layer1.conv.kernel`; null: a tool made the name up. */
export function variablePath(name: string): string | null {
  if (generated.test(name)) return null;
  return pathOf(name.replace(/:\d+$/, "").split(/[./]/));
}
/** What modules of PyTorch call tables that they keep and do not train, and exporters tables of no name, at the end of a path. */
const bufferWords = [
  "masked_bias|(\\w+_)?masks?|tril|triu",
  "(relative_)?position(s|_ids?|_index)|relative_coords_table",
  "anchors?|anchor_(grid|points)|strides|priors",
  "(pixel_|image_)?(mean|std)|(inv_)?freqs?(_cis)?|(cos|sin)_(cached?|table)",
  "running_(mean|var)|num_batches_tracked",
  "_?(lifted_)?tensor_constant|(c_)?lifted_tensor|constants?",
];
const buffer = new RegExp(`(^|[./])(${bufferWords.join("|")})_?\\d*$`);
/** An initializer that is certainly no parameter. */
export const isBuffer = (name: string): boolean => buffer.test(name);
/** The label of a layer by the name of one of its parameters: `layer1.0.conv1.weight` to `layer1.0.conv1`. */
export function labelOfParameter(name: string | null): string | null {
  const path = name === null || generated.test(name) ? null : `.${name.replace(/:\d+$/, "")}`;
  return path !== null && ownWords.test(path) ? pathOf(path.replace(ownWords, "").split(/[./]/)) : null;
}
/** The name of a parameter that does not say which layer it is of: `embedding_table`. */
export const labelByName = (name: string | null): string | null => (name === null || ownWords.test(`.${name}`) ? null : variablePath(name));
/** The label of a layer by the name of its node: `/layer1/layer1.0/conv1/Conv` to `layer1.0.conv1`. */
export function labelOfNode(name: string, opType: string): string | null {
  const steps = name.split("/").filter((s) => s !== "");
  const last = steps.at(-1);
  if (last === undefined || generated.test(name)) return null;
  const ownName = new RegExp(`^${opType}(_\\d+)?$`, "i").test(last);
  const scopes = ownName ? steps.slice(0, -1) : steps;
  const path: string[] = [];
  for (const scope of scopes) {
    if (path.length > 0 && scope.startsWith(`${path.at(-1)}.`)) path.pop();
    path.push(scope);
  }
  return pathOf(path.flatMap((s) => s.split(".")));
}

/** Hands out names that are not taken. */
export interface Names {
  /** `name`, or `name_2`, `name_3`, ... */
  readonly fresh: (name: string) => string;
  /** `name`, `name_`, `name__`, ... */
  readonly claim: (name: string) => string;
}
export function newNames(taken: ReadonlySet<string>): Names {
  const used = new Set(taken);
  const next = new Map<string, number>();
  const take = (name: string): string => {
    used.add(name);
    return name;
  };
  return {
    fresh: (name) => {
      if (!used.has(name)) return take(name);
      let n = next.get(name) ?? 2;
      while (used.has(`${name}_${n}`)) n++;
      next.set(name, n + 1);
      return take(`${name}_${n}`);
    },
    claim: (name) => {
      let free = name;
      while (used.has(free)) free += "_";
      return take(free);
    },
  };
}
