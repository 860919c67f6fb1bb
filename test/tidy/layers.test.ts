// Who may know whom: packages, and the layers inside the core. Cycles are errors, of types too. No file is dead.

import assert from "node:assert/strict";
import { it } from "node:test";
import { read, SOURCES, type SourceFile } from "./src/files.ts";
import { importsOf, knots, knotText, reachable } from "./src/import-graph.ts";

/** From below to above: a layer of the core knows those before it, and its own. */
const CORE_LAYERS = [["topics", "ports", "qos"], ["logs"], ["sessions"], ["handlers"], ["broker.ts"]];

/** Packages that know of no other but these. What is not listed (the server) may know all. */
const PACKAGE_LAYERS = new Map<string, readonly string[]>([
  ["codec", []],
  ["core", ["@heirloom/codec"]],
  ["client", ["@heirloom/codec", "@heirloom/core"]],
  ["store-leveldb", ["@heirloom/codec", "@heirloom/core"]],
  ["store-jetstream", ["@heirloom/codec", "@heirloom/core"]],
]);

/** Programs that people run by their path. */
const RUN_BY_HAND = ["packages/heirloom/src/config/write-page.ts"];

it("has no cycle of imports, of types neither", () => {
  assert.equal(
    knots(SOURCES)
      .map((knot) => knotText(SOURCES, knot))
      .join("\n"),
    "",
  );
});

it("lets each package know those below it only", () => {
  const faults = SOURCES.flatMap((file) => {
    const known = PACKAGE_LAYERS.get(packageOf(file));
    if (known === undefined) return [];
    return importsOf(file)
      .map(({ specifier }) => specifier)
      .filter((specifier) => /^(@heirloom\/|heirloom\b)/.test(specifier))
      .filter((specifier) => !known.includes(packageNameOf(specifier)))
      .map((specifier) => `${file.path} imports ${specifier}`);
  });
  assert.deepEqual(faults, []);
});

it("lets each package import what it depends on, and nothing else", () => {
  const faults = SOURCES.flatMap((file) => {
    const dependencies = Object.keys(manifestOf(packageOf(file)).dependencies ?? {});
    return importsOf(file)
      .filter(({ specifier, path }) => path === undefined && !specifier.startsWith("node:"))
      .filter(({ specifier }) => !dependencies.includes(packageNameOf(specifier)))
      .map(({ specifier }) => `${file.path} imports ${specifier}`);
  });
  assert.deepEqual(faults, []);
});

it("lets each layer of the core know those below it only", () => {
  const faults = SOURCES.flatMap((file) => {
    const layer = layerOf(file.path);
    return importsOf(file)
      .filter(({ path }) => layer >= 0 && path !== undefined && layerOf(path) > layer)
      .map(({ path }) => `${file.path} imports ${String(path)}`);
  });
  assert.deepEqual(faults, []);
});

it("has no source file that nothing needs", () => {
  const packages = new Set(SOURCES.map(packageOf));
  const alive = reachable(SOURCES, [...RUN_BY_HAND, ...[...packages].flatMap(entriesOf)]);
  assert.deepEqual(
    SOURCES.map(({ path }) => path).filter((path) => !alive.has(path)),
    [],
  );
});

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, { readonly default: string }>>;
}

function manifestOf(name: string): Manifest {
  const manifest: Manifest = JSON.parse(read(`packages/${name}/package.json`));
  return manifest;
}

/** The sources of what a package exports and runs. */
function entriesOf(name: string): string[] {
  const { bin = {}, exports } = manifestOf(name);
  const started = Object.values(bin).map((path) => startedBy(`packages/${name}/${path}`));
  return [...started, ...Object.values(exports).map((entry) => entry.default)].map((path) =>
    path.replace("./dist/", `packages/${name}/src/`).replace(/\.js$/, ".ts"),
  );
}

/** What a command in plain JavaScript, outside of `dist`, starts. */
function startedBy(path: string): string {
  const started = /"\.(\.\/dist\/[^"]+)"/.exec(read(path))?.[1];
  assert.ok(started !== undefined, `${path} starts nothing of dist`);
  return started;
}

function packageOf({ path }: Pick<SourceFile, "path">): string {
  return path.split("/")[1] ?? "";
}

/** Without what is behind the name: `@heirloom/core/testing` is of `@heirloom/core`. */
function packageNameOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** -1 for what is in no layer. */
function layerOf(path: string): number {
  const part = /^packages\/core\/src\/([^/]+)/.exec(path)?.[1] ?? "";
  return CORE_LAYERS.findIndex((layer) => layer.includes(part));
}
