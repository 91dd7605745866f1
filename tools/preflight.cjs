// Runs before everything that npm runs here, on whatever Node the machine has: so in the JavaScript of 2009, and without
// packages. npm itself cannot do it: engine-strict would ask the engines of every package too, which need only fit the
// Node that npm ci brings, and a preinstall script runs when all is installed (npm 7 and newer).
// biome-ignore lint/style/useNodejsImportProtocol: Node 12 does not know the protocol.
var existsSync = require("fs").existsSync;
// biome-ignore lint/style/useNodejsImportProtocol: Node 12 does not know the protocol.
var join = require("path").join;

var NEEDED_MAJOR = 24;

function fault() {
  if (!existsSync(join(__dirname, "../node_modules/serverless"))) {
    return "The packages are missing: run `npm ci` first, with Node 22 or newer";
  }
  if (Number(process.versions.node.split(".")[0]) < NEEDED_MAJOR) {
    return [
      "This is Node ".concat(process.versions.node, ", and npm ci has brought no Node 24:"),
      "run it again, with Node 22 or newer and without --ignore-scripts",
    ].join(" ");
  }
}

var found = fault();
if (found) {
  process.stderr.write("\n".concat(found, "\n"));
  process.exitCode = 1;
}
