// Reads YAML, or JSON (which is YAML), and tells on which line of the text an option stands.

import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from "yaml";
import { ConfigError, messageOf } from "../errors.ts";
import type { OptionPath } from "./findings.ts";

/** A text that was read. */
export interface YamlText {
  /** Maps are `Map`s, so that names such as `__proto__` are names like all others. */
  readonly root: unknown;
  /** The line of an option, from 1; the line of what it belongs to when the option itself is not in the text. */
  locate(path: OptionPath): number | undefined;
}

/** @param file - its name in messages. @throws ConfigError when the text is not YAML. */
export function readYaml(source: string, file: string): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const broken = document.errors[0];
  if (broken !== undefined) {
    const line = lines.linePos(broken.pos[0]).line;
    throw new ConfigError([{ option: "", message: `is not YAML: ${broken.message}`, line }], file);
  }
  return { root: valuesOf(document, file), locate: (path) => lineOf(document, lines, path) };
}

function valuesOf(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS({ mapAsMap: true });
  } catch (error) {
    // An alias without its anchor, or aliases that multiply without end.
    throw new ConfigError([{ option: "", message: `is not YAML: ${messageOf(error)}` }], file);
  }
}

function lineOf(document: Document.Parsed, lines: LineCounter, path: OptionPath): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const offset = offsetOf(document, path.slice(0, length));
    if (offset !== undefined) return lines.linePos(offset).line;
  }
  return undefined;
}

/** Where an option's name stands, or an item of a list. */
function offsetOf(document: Document.Parsed, path: OptionPath): number | undefined {
  const last = path[path.length - 1];
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (isMap(parent)) {
    const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === last);
    return isNode(pair?.key) ? pair.key.range?.[0] : undefined;
  }
  const node = document.getIn(path, true);
  return isNode(node) ? node.range?.[0] : undefined;
}
