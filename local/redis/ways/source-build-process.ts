import { RedisBinary } from "redis-memory-server";

const [version, downloadDir] = process.argv.slice(2);
if (version === undefined || downloadDir === undefined) throw new Error("usage: source-build-process version folder");

try {
  process.stdout.write(`\n${await RedisBinary.getPath({ version, downloadDir })}\n`);
} catch (error) {
  // Its last line is what the person reads, so no stack trace here.
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
