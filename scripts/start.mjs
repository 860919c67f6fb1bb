// Starts the server from a clone: installs and builds when that is needed, then runs the command line in this process.
// Quiet unless it has something to do.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuilt, ensureInstalled, root } from "./ensure.mjs";

/** What the server is made of. Its tests are built by `npm test`. */
const SERVER = "packages/heirloom";
const PACKAGES = ["packages/codec", "packages/core", "packages/store-leveldb", SERVER];

ensureInstalled();
ensureBuilt(SERVER, PACKAGES);
await import(pathToFileURL(join(root, SERVER, "dist/cli/main.js")).href);
