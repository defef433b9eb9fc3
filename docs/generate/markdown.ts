/** Pieces of Markdown. */

export const banner = (from: string): string => `<!-- Written by \`npm run docs\` from ${from}; do not edit. -->`;

/** In a cell, `|` would end it and a line break the row. */
const cell = (text: string): string => text.replaceAll("|", "\\|").replace(/\s*\n\s*/g, " ");
const row = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
}
export const code = (text: string): string => `\`${text}\``;

/** Paragraphs, tables and headings with an empty line between them. */
export const page = (...parts: readonly string[]): string => `${parts.join("\n\n")}\n`;

/** Text of a source comment as Markdown: `*` and `<` stand for themselves. Code stays as it is. */
export const prose = (text: string): string =>
  text
    .split(/(`[^`]*`)/)
    .map((part, i) => (i % 2 ? part : part.replace(/[*<]/g, "\\$&")))
    .join("");
