/** The graphs of a program by entry. */
import { flopsOfNodes, type Graph, topological } from "../ir/graph/graph.ts";
import { bindingOf, type EntryId, entryNames, entryOf } from "../ir/program.ts";

/** An entry is there where the program has it. */
export type Graphs = Readonly<Partial<Record<EntryId, Graph>>>;

/** Entries binding by binding, and in the order in which a program goes through them. */
export const ordered = (graphs: Graphs): readonly { readonly entry: EntryId; readonly graph: Graph }[] =>
  (Object.keys(graphs) as EntryId[])
    .toSorted((a, b) => rank(a) - rank(b))
    .flatMap((entry) => (graphs[entry] ? [{ entry, graph: graphs[entry] }] : []));
const rank = (id: EntryId) => bindingOf(id) * entryNames.length + entryNames.indexOf(entryOf(id));

/** Floating-point operations of one run. */
export const flopsOf = (graph: Graph): number => flopsOfNodes(topological(graph));
