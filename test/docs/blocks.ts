/**
 * The code blocks of a page. Their language says what they are:
 *
 * - `dlm`: a whole file without mistakes, warnings or suggestions. One that begins with `# NAME.dlm` is the file that others
 *   of the page import as `./NAME.dlm`.
 * - `dlm-part`: statements.
 * - `dlm-error`: a whole file with mistakes; the `text` block behind it shows what `dlm check net.dlm` says about it.
 */
export interface CodeBlock {
  readonly language: string;
  readonly text: string;
  /** Of its first line, in the page. */
  readonly line: number;
}

export function codeBlocks(page: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { language: string; line: number; lines: string[] } | null = null;
  page.split("\n").forEach((text, i) => {
    const fence = /^```([\w-]*)$/.exec(text);
    if (open && fence) {
      blocks.push({ language: open.language, text: `${open.lines.join("\n")}\n`, line: open.line });
      open = null;
    } else if (open) open.lines.push(text);
    else if (fence) open = { language: fence[1]!, line: i + 2, lines: [] };
  });
  return blocks;
}
