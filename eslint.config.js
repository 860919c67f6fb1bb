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
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/consistent-type-imports": "error",
      "no-restricted-exports": ["error", { restrictDefaultExports: { direct: true, named: true } }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/only-throw-error": ["error", { allowThrowingUnknown: true }],
      // Numbers and booleans read well in templates.
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      // `return handle(packet);` in a function without a result is short, and harmless.
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],

      // Off, each for a reason of its own.
      // `bytes[index]!`: the compiler proves less about typed arrays than the check above the line.
      "@typescript-eslint/no-non-null-assertion": "off",
      // A hook or a store may be quick or slow: `Promise<void> | void` saves a promise per message.
      "@typescript-eslint/no-invalid-void-type": "off",
      // What implements an asynchronous port may have nothing to wait for.
      "@typescript-eslint/require-await": "off",
      // `isolatedDeclarations` wants the types of public fields and constants written out.
      "@typescript-eslint/no-inferrable-types": "off",
      "@typescript-eslint/consistent-generic-constructors": "off",
      // Nothing to do is something to say.
      "@typescript-eslint/no-empty-function": "off",
      // `{}` bounds a type parameter to everything but null and undefined.
      "@typescript-eslint/no-generated-empty-object-type": "off",
      // A lost `this` fails at once in classes with `#private` names; plain objects may be taken apart.
      "@typescript-eslint/unbound-method": "off",
      // Both ways are clear; the shorter one depends on the line.
      "@typescript-eslint/prefer-optional-chain": "off",
      "@typescript-eslint/consistent-indexed-object-style": "off",
    },
  },
  { files: ["packages/{codec,core}/src/**/*.ts"], rules: PURE },
  {
    files: ["**/test/**/*.ts"],
    rules: {
      // What Node gives as `any` (`once`, `JSON.parse`) fails the test when it is something else.
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      // node:test returns promises that only matter inside other tests.
      "@typescript-eslint/no-floating-promises": [
        "error",
        {
          allowForKnownSafeCalls: [
            { from: "package", package: "node:test", name: ["it", "describe", "test", "suite"] },
          ],
        },
      ],
    },
  },
);
