/** Chromium without a window. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { dawnWithout } from "../../compiler/cli/gpu.ts";
import { serve, type Visit } from "./serve.ts";

const executable = process.env.CHROMIUM ?? "/usr/bin/chromium";
const args = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const software = "--use-webgpu-adapter=swiftshader";
/** `quick` starts programs several times faster than `software`, which is as users have it. */
const adapters = {
  quick: [software, `--disable-dawn-features=${dawnWithout.join(",")}`],
  software: [software],
  hardware: ["--enable-features=Vulkan"],
} as const;
export type AdapterKind = keyof typeof adapters;

export interface Visitor {
  /** Opens the page and waits for its answer; whatever goes wrong in the page is an error here. */
  readonly visit: <T>(visit: Visit) => Promise<T>;
  readonly close: () => Promise<void>;
}

/** null: there is no Chromium; that is an error where CI promises one. */
export async function openChromium(adapter: AdapterKind = "quick"): Promise<Visitor | null> {
  if (!existsSync(executable)) {
    if (process.env.CI === "true") throw new Error(`no Chromium at ${executable}: pages cannot be tested`);
    console.warn(`skipped in browsers: no Chromium at ${executable} (install Debian's chromium, or set CHROMIUM to where one is)`);
    return null;
  }
  const browser = await chromium.launch({ executablePath: executable, args: [...args, ...adapters[adapter]] });
  return { visit: <T>(visit: Visit) => open(browser, visit) as Promise<T>, close: () => browser.close() };
}

async function open(browser: Browser, visit: Visit): Promise<unknown> {
  const served = await serve(visit);
  const page = await browser.newPage();
  const failure = new Promise<never>((_, reject) => {
    page.on("pageerror", reject);
    page.on("crash", () => reject(new Error(`the page ${visit.page} crashed`)));
  });
  try {
    await Promise.race([page.goto(served.url, { waitUntil: "commit" }), failure]);
    return answerOf(await Promise.race([served.answer, failure]));
  } finally {
    await page.close();
    served.close();
  }
}

function answerOf(posted: unknown): unknown {
  const { value, error } = posted as { readonly value?: unknown; readonly error?: string };
  if (error !== undefined) throw new Error(`in the page: ${error}`);
  return value;
}
