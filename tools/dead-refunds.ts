import "./text-files.ts";

// The service's metrics are lines on standard output, which here belongs to a person.
process.env.POWERTOOLS_METRICS_DISABLED = "true";

const { main } = await import("./dead-refunds/main.ts");
process.exitCode = await main(process.argv.slice(2), process.env);
