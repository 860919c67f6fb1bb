// ESLint: what the compiler does not find. Layers, cycles and file headers are checked by test/tidy.

import js from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

const NODE_GLOBALS = {
  AbortSignal: "readonly",
  Buffer: "readonly",
  URL: "readonly",
  clearTimeout: "readonly",
  console: "readonly",
  fetch: "readonly",
  process: "readonly",
  setImmediate: "readonly",
  setTimeout: "readonly",
  performance: "readonly",
};

/** Time and randomness come into the codec and the core from outside: the simulation depends on it. */
const PURE = {
  "no-restricted-globals": [
    "error",
    { name: "Date", message: "Time comes from the World." },
    { name: "performance", message: "Time comes from the World." },
    { name: "crypto", message: "Randomness comes from the World." },
    { name: "process", message: "The codec and the core run anywhere." },
  ],
  "no-restricted-properties": [
    "error",
    { object: "Math", property: "random", message: "Randomness comes from the World." },
  ],
  "no-restricted-imports": [
    "error",
    { patterns: [{ group: ["node:*"], message: "The codec and the core run anywhere." }] },
  ],
};

export default defineConfig(
  globalIgnores(["**/dist/", "**/dist-*/", "**/node_modules/"]),
  js.configs.recommended,
  {
    files: ["**/*.js", "**/*.mjs"],
    languageOptions: { globals: NODE_GLOBALS },
  },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "no-restricted-exports": ["error", { restrictDefaultExports: { direct: true, named: true } }],
      // `isolatedDeclarations` wants the types of public fields and constants written out.
      "@typescript-eslint/no-inferrable-types": "off",
      "@typescript-eslint/consistent-generic-constructors": "off",
      // Nothing to do is something to say.
      "@typescript-eslint/no-empty-function": "off",
      // Numbers and booleans read well in templates.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      // The compiler proves less than we know about typed arrays; where it is not obvious, say why.
      "@typescript-eslint/no-non-null-assertion": "off",
      // A hook or a store may be quick or slow: `Promise<void> | void` saves a promise per message.
      "@typescript-eslint/no-invalid-void-type": "off",
      // An arrow function that returns what a void function returns is shorter, and harmless.
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  { files: ["packages/{codec,core}/src/**/*.ts"], rules: PURE },
  {
    files: ["**/test/**/*.ts"],
    rules: {
      // node:test returns promises that only matter inside other tests.
      "@typescript-eslint/no-floating-promises": [
        "error",
        { allowForKnownSafeCalls: [{ from: "package", package: "node:test", name: ["it", "describe", "test", "suite"] }] },
      ],
      "@typescript-eslint/explicit-module-boundary-types": "off",
    },
  },
);
