/** Orders in which what is needed comes first. */

export type Order =
  | { readonly kind: "order"; readonly order: readonly number[] }
  | { readonly kind: "cycle"; readonly cycle: readonly number[] };

/**
 * An order of the items 0 to n - 1 in which everything comes behind what it needs, else as it was; or a cycle, each of whose
 * members needs the next and the last the first.
 */
export function topological(needs: readonly (readonly number[])[]): Order {
  const order: number[] = [];
  const state = new Uint8Array(needs.length);
  for (let start = 0; start < needs.length; start++) {
    const path: { readonly item: number; next: number }[] = [];
    const enter = (item: number) => {
      state[item] = visiting;
      path.push({ item, next: 0 });
    };
    if (state[start] === unseen) enter(start);
    while (path.length > 0) {
      const top = path.at(-1)!;
      const need = needs[top.item]![top.next++];
      if (need === undefined) {
        state[top.item] = done;
        order.push(top.item);
        path.pop();
      } else if (state[need] === visiting)
        return { kind: "cycle", cycle: path.slice(path.findIndex((p) => p.item === need)).map((p) => p.item) };
      else if (state[need] === unseen) enter(need);
    }
  }
  return { kind: "order", order };
}
const unseen = 0;
const visiting = 1;
const done = 2;
