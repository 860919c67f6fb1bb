// A command for maintainers: writes docs/reference/configuration.md.

import { writeFile } from "node:fs/promises";
import { configurationPage } from "./page.ts";

await writeFile(new URL("../../../../docs/reference/configuration.md", import.meta.url), configurationPage());
