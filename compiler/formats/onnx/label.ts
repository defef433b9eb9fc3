/** How messages call things of a file. */

/** A name: without control characters, and not longer than a line. */
export const quoted = (name: string): string => JSON.stringify(name.length > 80 ? `${name.slice(0, 79)}…` : name);

/** A node: its place in the list, its name where it has one, its operator. */
export const nodeLabel = (index: number, name: string, opType: string): string =>
  `node ${index}${name === "" ? "" : ` ${quoted(name)}`}${opType === "" ? "" : ` (${quoted(opType).slice(1, -1)})`}`;
