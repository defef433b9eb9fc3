/**
 * Where long pipelines are broken: in front of a layer, so that its normalisation and activation stay with it. The formatter
 * keeps these breaks and indents what follows them.
 */

const width = 108;

/** The lines of a statement without indentation. */
export function breakLine(statement: string): readonly string[] {
  if (statement.length <= width) return [statement];
  const [head, ...stages] = splitStages(statement);
  if (stages.length < 2) return [statement];
  const units: string[] = [];
  for (const stage of stages) {
    const begins = /^(\S+: (?!\w*Norm\b)|\w*pool\b)/.test(stage);
    if (begins || units.length === 0) units.push(`|> ${stage}`);
    else units[units.length - 1] += ` |> ${stage}`;
  }
  const indent = head!.length + 1;
  const lines = [`${head} ${units[0]}`];
  for (const unit of units.slice(1)) {
    const last = lines.at(-1)!;
    if (last.length + (lines.length > 1 ? indent : 0) + 1 + unit.length <= width) lines[lines.length - 1] = `${last} ${unit}`;
    else lines.push(unit);
  }
  return lines;
}

/** At the `|>` outside of brackets and strings. */
function splitStages(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"' && text[i - 1] !== "\\") quoted = !quoted;
    else if (quoted) continue;
    else if ("([{".includes(c)) depth++;
    else if (")]}".includes(c)) depth--;
    else if (c === "|" && text[i + 1] === ">" && depth === 0) {
      parts.push(text.slice(from, i).trimEnd());
      from = i + 3;
    }
  }
  return [...parts, text.slice(from)];
}
