#!/usr/bin/env node
try {
  await import("./node-version.ts");
  const { main } = await import("./main.ts");
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
