/** What the content security policy of all these pages is there to refuse. */
import { answer } from "./page.ts";

await answer<object>(async () => {
  try {
    return { evaluated: new Function("return 1")() };
  } catch (e) {
    return { error: (e as Error).name };
  }
});
