// Controls for heirloom: starts one process for each configuration that a case asks for.
//   node dist/main.js --controls controls/heirloom.mjs ...
import { fileURLToPath } from "node:url";
import { withBrokerProcess } from "./broker-process.mjs";

const server = fileURLToPath(new URL("heirloom-server.mjs", import.meta.url));

export const controls = {
  async withBroker(config, use) {
    await withBrokerProcess(
      (place) => [process.execPath, server, JSON.stringify({ ...config, ...place })],
      use,
    );
  },
};
