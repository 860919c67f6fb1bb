// What comes with the packages that people install: few others, of exact versions, and no script that has to run.

import assert from "node:assert/strict";
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
