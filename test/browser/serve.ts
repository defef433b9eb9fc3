/** A server for pages under test: HTML, a bundle of a module of pages/, files that the page fetches, and a place for its answer. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";

export type Files = Readonly<Record<string, string | Uint8Array>>;
export interface Visit {
  /** The module in `folder`. */
  readonly page: string;
  /** Default pages/. */
  readonly folder?: string;
  /** How the module is bundled, where it differs. */
  readonly build?: BuildOptions;
  /** Called with the name of each file that is fetched, the bundle's included. */
  readonly onFile?: (name: string, content: string | Uint8Array) => void;
  /** What the page fetches, by name. */
  readonly files: Files;
  /** Served with the headers that shared memory needs; default true. */
  readonly isolated?: boolean;
  /** Further directives of the policy, and others in place of these. */
  readonly policy?: Readonly<Record<string, string>>;
}
export interface Served {
  readonly url: string;
  /** What the page posted. */
  readonly answer: Promise<unknown>;
  readonly close: () => void;
}

/** Nothing that is not written here may run: no eval, no script in the page, nothing from elsewhere. */
const strict = {
  "default-src": "'none'",
  "script-src": "'self' 'wasm-unsafe-eval'",
  "connect-src": "'self'",
  "worker-src": "blob:",
};
const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

/** Serves one page until it is closed. */
export async function serve(visit: Visit): Promise<Served> {
  const { page, files, isolated = true, policy = {}, onFile = () => {} } = visit;
  const html = `<!doctype html><title>${page}</title><script type="module" src="${page}.js"></script>`;
  const all: Files = { ...files, ...(await bundle(visit)), "": html };
  const directives = Object.entries({ ...strict, ...policy }).map(([name, value]) => `${name} ${value}`);
  const headers = { "Content-Security-Policy": directives.join("; "), ...(isolated ? isolation : {}) };
  let answered: (text: string) => void;
  const answer = new Promise<string>((resolve) => {
    answered = resolve;
  });
  const server = createServer(async (request, response) => {
    if (request.method !== "POST") {
      const name = request.url!.slice(1);
      if (Object.hasOwn(all, name)) onFile(name, all[name]!);
      return send(response, all, name, headers);
    }
    answered(Buffer.concat(await request.toArray()).toString());
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    answer: answer.then((text): unknown => JSON.parse(text)),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const types: Readonly<Record<string, string>> = {
  js: "text/javascript",
  mjs: "text/javascript",
  json: "application/json",
  wasm: "application/wasm",
};
function send(response: ServerResponse, files: Files, name: string, headers: Readonly<Record<string, string>>): void {
  const file = files[name];
  const type = name === "" ? "text/html" : (types[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream");
  response.writeHead(file === undefined ? 404 : 200, { "Content-Type": type, ...headers }).end(file);
}

const bundles = new Map<string, Promise<Files>>();
function bundle({ page, folder = join(import.meta.dirname, "pages"), build: options = {} }: Visit): Promise<Files> {
  const entry = join(folder, `${page}.ts`);
  const made = bundles.get(entry) ?? bundled(entry, options);
  bundles.set(entry, made);
  return made;
}
/** As an app is built: with what is loaded later in files of its own. */
async function bundled(entry: string, options: BuildOptions): Promise<Files> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    // binaryen asks for it where there is a `process`.
    external: ["node:module"],
    outdir: "/",
    logLevel: "error",
    ...options,
    write: false,
  });
  return Object.fromEntries(outputFiles.map((f) => [f.path.slice(1), f.contents]));
}
