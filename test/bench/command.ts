/** Runs a script: what the user did wrong is one line and exit code 1, Ctrl-C ends it. */
export async function command(main: () => Promise<void>): Promise<void> {
  process.once("SIGINT", () => process.exit(130));
  try {
    await main();
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
