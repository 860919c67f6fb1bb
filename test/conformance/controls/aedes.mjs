// Controls for Aedes: starts one process for each configuration that a case asks for.
//   node dist/main.js --controls controls/aedes.mjs ...
import { fileURLToPath } from "node:url";
import { SkipError } from "@heirloom/conformance";
import { withBrokerProcess } from "./broker-process.mjs";

const server = fileURLToPath(new URL("aedes-server.mjs", import.meta.url));

/** What its hooks can do. Its state is in memory; those of its stores that outlive a process need a database. */
const KNOWN = ["deniedTopics", "deniedFilters", "slowTopics", "passwords"];

export const controls = {
  async withBroker(config, use) {
    const unknown = Object.keys(config).filter((name) => !KNOWN.includes(name));
    if (unknown.length > 0)
      throw new SkipError(`Aedes alone has no option for this: ${JSON.stringify(config)}`);
    await withBrokerProcess(
      (place) => [process.execPath, server, JSON.stringify({ ...config, ...place })],
      use,
    );
  },
};
