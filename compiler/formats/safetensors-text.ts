/** The strict reading of a safetensors header's text: what `JSON.parse` lets pass and the format does not. */

/** The first key that an object has twice, or number of a shape or range that is not spelled as a whole one; null: none. The text is valid JSON. */
export function headerFault(text: string): string | null {
  const open: Set<string>[] = [];
  let key = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "{") open.push(new Set());
    else if (c === "}") open.pop();
    else if (c === '"') {
      const end = endOfString(text, i);
      if (nextSign(text, end) === ":") {
        key = JSON.parse(text.slice(i, end)) as string;
        const keys = open.at(-1)!;
        if (keys.has(key)) return `its header has the key ${JSON.stringify(key)} twice`;
        keys.add(key);
      }
      i = end - 1;
    } else if (/[-\d]/.test(c)) {
      const number = numberAt(text, i);
      if (wholeKeys.includes(key) && !/^\d+$/.test(number)) return `the number ${number} of a ${key} is not spelled as a whole number`;
      i += number.length - 1;
    }
  }
  return null;
}
const wholeKeys = ["shape", "data_offsets"];

/** The place behind the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}

/** The first character from a place on that is no space. */
function nextSign(text: string, from: number): string | undefined {
  let i = from;
  while (text[i] === " " || text[i] === "\n" || text[i] === "\r" || text[i] === "\t") i++;
  return text[i];
}

function numberAt(text: string, start: number): string {
  const number = /[-+.\deE]+/y;
  number.lastIndex = start;
  return number.exec(text)![0];
}
