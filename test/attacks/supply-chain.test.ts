// What comes with the packages that people install: few others, of exact versions, and no script that has to run.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { ROOT } from "./src/rows.ts";

/** Packages of this repository that are published. */
const PUBLISHED = [
  "packages/codec",
  "packages/core",
  "packages/store-leveldb",
  "packages/heirloom",
  "test/conformance",
];

const MODULES = "node_modules/";

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(ROOT + path, "utf8"));
}

function isLock(value: unknown): value is { readonly packages: Readonly<Record<string, LockedPackage>> } {
  return typeof value === "object" && value !== null && "packages" in value;
}

/** Of CycloneDX, what is looked at here. */
interface Bill {
  readonly components: readonly {
    readonly purl: string;
    readonly properties?: readonly { readonly name: string }[];
  }[];
}

function isBill(value: unknown): value is Bill {
  return (
    typeof value === "object" && value !== null && "components" in value && Array.isArray(value.components)
  );
}

const lock = readJson("package-lock.json");
assert.ok(isLock(lock));
const installed = Object.entries(lock.packages).filter(
  ([path, { dev, link }]) => path.startsWith("node_modules/") && dev !== true && link !== true,
);

describe("what is installed with heirloom", () => {
  it("is of exact versions, in manifests and in the lock file, which has a hash of each - attack JS-05", () => {
    for (const folder of PUBLISHED) {
      const locked: LockedPackage | undefined = lock.packages[folder];
      const dependencies: Readonly<Record<string, string>> = locked?.dependencies ?? {};
      const manifest = readJson(`${folder}/package.json`);
      assert.ok(typeof manifest === "object" && manifest !== null);
      assert.deepEqual("dependencies" in manifest ? manifest.dependencies : {}, dependencies);
      for (const [name, version] of Object.entries(dependencies)) {
        assert.match(version, /^\d+\.\d+\.\d+$/, `${folder}: ${name}`);
      }
    }
    assert.ok(installed.length > 5);
    for (const [path, { integrity }] of installed) assert.match(integrity ?? "", /^sha512-/, path);
  });

  it("runs no script at installation but one that may be left out - attack JS-05", () => {
    const scripted = installed.filter(([, { hasInstallScript }]) => hasInstallScript === true);
    assert.deepEqual(
      scripted.map(([path]) => path),
      ["node_modules/classic-level"],
    );
    const manifest = readFileSync(`${ROOT}node_modules/classic-level/package.json`, "utf8");
    // It only looks whether one of the binaries that it brings along fits.
    assert.match(manifest, /"install": "node-gyp-build"/);
    assert.ok(existsSync(`${ROOT}node_modules/classic-level/prebuilds`));
  });

  it("runs no script when this repository is installed, so that all other tests show that none is needed - attack JS-05", () => {
    const script = readFileSync(`${ROOT}scripts/ensure.mjs`, "utf8");
    assert.match(script, /execute\("npm", \["ci", "--ignore-scripts"/);
  });

  it("is listed by the bill of materials of `npm run sbom`, apart from what is for development - attack JS-05", () => {
    const { stdout } = spawnSync("npm", ["run", "--silent", "sbom"], { cwd: ROOT, encoding: "utf8" });
    const bill: unknown = JSON.parse(stdout);
    assert.ok(isBill(bill));
    const listed = bill.components
      .filter(({ properties = [] }) => !properties.some(({ name }) => name === "cdx:npm:package:development"))
      .map(({ purl }) => decodeURIComponent(purl));
    for (const [path, { version }] of installed) {
      const name = `${path.slice(path.lastIndexOf(MODULES) + MODULES.length)}@${version}`;
      assert.ok(listed.includes(`pkg:npm/${name}`), name);
    }
    assert.ok(!listed.some((purl) => /typescript|eslint|prettier/.test(purl)));
  });

  it("says from which source it was built: it is published with provenance - attack JS-05", () => {
    for (const folder of PUBLISHED) {
      const manifest = readJson(`${folder}/package.json`);
      assert.ok(typeof manifest === "object" && manifest !== null && "publishConfig" in manifest, folder);
      assert.deepEqual(manifest.publishConfig, { access: "public", provenance: true }, folder);
    }
  });

  it("has no code that is made of text while it runs - attack JS-06", () => {
    for (const folder of PUBLISHED) {
      for (const path of readdirSync(`${ROOT}${folder}/src`, { encoding: "utf8", recursive: true })) {
        if (!path.endsWith(".ts")) continue;
        const source = readFileSync(`${ROOT}${folder}/src/${path}`, "utf8");
        assert.doesNotMatch(source, /\beval\(|new Function\(|node:(vm|repl|inspector)/, path);
      }
    }
  });
});
