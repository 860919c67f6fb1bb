// Stub replaced below.
import type { Target } from "../target.ts";
export function connectionTarget(): Target { throw new Error("later"); }
