/** The kinds of data: `idx:images.gz,labels.gz`, `text:book.txt?unit=word`, `synthetic:digits?count=1000`. */
import { fail } from "../../ir/diagnostic.ts";
import { openCsv, openIdx, openNpz } from "./array-sources.ts";
import { openCifar10 } from "./cifar.ts";
import { openImages } from "./image-folder.ts";
import type { Data, Disk } from "./source.ts";
import { parseSpec, type Spec } from "./spec.ts";
import { openSynthetic, syntheticNames } from "./synthetic.ts";
import { openText } from "./text.ts";

interface Opener {
  readonly form: string;
  /** What stands behind the colon. */
  readonly rest: "file" | "folder" | "kind of examples";
  readonly options: readonly string[];
  readonly open: (spec: Spec, disk: Disk) => Data;
}
const openers: ReadonlyMap<string, Opener> = new Map([
  ["idx", { form: "idx:IMAGES,LABELS", rest: "file", options: ["scale"], open: openIdx }],
  ["cifar10", { form: "cifar10:DIR", rest: "folder", options: [], open: openCifar10 }],
  ["images", { form: "images:DIR", rest: "folder", options: [], open: openImages }],
  ["csv", { form: "csv:FILE", rest: "file", options: [], open: openCsv }],
  ["npz", { form: "npz:FILE", rest: "file", options: ["scale"], open: openNpz }],
  ["text", { form: "text:FILE", rest: "file", options: ["unit", "length", "window"], open: openText }],
  ["synthetic", { form: `synthetic:${syntheticNames.join("|")}`, rest: "kind of examples", options: ["count"], open: openSynthetic }],
]);
export const dataForms: string = [...openers.values()].map((o) => o.form).join(", ");

/** Reads what the spec names and finds its mistakes; examples are made when a program is known. */
export function openData(text: string, disk: Disk): Data {
  const spec = parseSpec(text);
  const opener = openers.get(spec.kind);
  if (!opener) return unknownKind(spec);
  for (const option of spec.options.keys())
    if (!opener.options.includes(option))
      fail("data", `\`${spec.kind}:\` has no option \`${option}\``, null, {
        help: opener.options.length ? `its options are: ${opener.options.join(", ")}` : "it has none",
      });
  if (spec.rest === "") fail("data", `\`${text}\` names no ${opener.rest}`, null, { help: `write ${opener.form}` });
  return opener.open(spec, disk);
}

function unknownKind({ text, kind, rest }: Spec): never {
  const ending = /\.(npz|csv|txt)$/.exec(rest)?.[1];
  const meant = ending === "txt" ? "text" : ending;
  return fail("data", kind ? `unknown kind of data \`${kind}:\`` : `\`${text}\` does not say what kind of data it is`, null, {
    help: meant ? `write ${meant}:${kind ? `${kind}:` : ""}${rest}` : `available are: ${dataForms}`,
  });
}
