// Imported first, so that an older Node.js gets this line and not the first error of code that it cannot run.
if (Number.parseInt(process.versions.node, 10) < 22) {
  throw new Error(`eventbridge-scheduler-local needs Node.js 22 or newer; this is ${process.version}.`);
}
