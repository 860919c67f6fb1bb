// Counts which blocks of a module run: a source transform of the compiled JavaScript. Everything goes into the line where
// it belongs, so that stack traces and source maps stay right.
//
//   if (a) b(); else c();   ->   if (a) {__h[7]++; b();} else {__h[8]++; c();}
//   a && b                  ->   a && (__h[9]++, b)
//   new Uint8Array(count)   ->   new Uint8Array(__n(count))

import ts from "typescript";

/** A place to put text into the source. */
interface Insertion {
  readonly position: number;
  readonly text: string;
}

export interface Instrumented {
  readonly code: string;
  /** Counters that the module has. */
  readonly count: number;
}

const { SyntaxKind } = ts;

/** Instruments a module. Its counters are numbered from `first`; `fuzzProbe` on `globalThis` holds them. */
export function instrument(source: string, first: number): Instrumented {
  const file = ts.createSourceFile("module.js", source, ts.ScriptTarget.ES2023, true, ts.ScriptKind.JS);
  const insertions: Insertion[] = [];
  let next = first;
  const counter = (): string => `__h[${next++}]++`;
  const put = (position: number, text: string): void => void insertions.push({ position, text });

  const block = (node: ts.Block): void => put(node.getStart(file) + 1, `${counter()};`);
  const wrapped = (node: ts.Expression): void => {
    put(node.getStart(file), `(${counter()}, `);
    visit(node);
    put(node.getEnd(), ")");
  };
  const statement = (node: ts.Statement): void => {
    if (ts.isBlock(node)) {
      block(node);
      visit(node);
      return;
    }
    put(node.getStart(file), `{${counter()}; `);
    visit(node);
    put(node.getEnd(), "}");
  };

  function visit(node: ts.Node): void {
    if (ts.isIfStatement(node)) {
      visit(node.expression);
      statement(node.thenStatement);
      if (node.elseStatement === undefined) put(node.getEnd(), ` else {${counter()};}`);
      else statement(node.elseStatement);
    } else if (ts.isIterationStatement(node, false)) {
      ts.forEachChild(node, (child) => (child === node.statement ? statement(node.statement) : visit(child)));
    } else if (ts.isConditionalExpression(node)) {
      visit(node.condition);
      wrapped(node.whenTrue);
      wrapped(node.whenFalse);
    } else if (ts.isBinaryExpression(node) && isShortCircuit(node.operatorToken.kind)) {
      visit(node.left);
      wrapped(node.right);
    } else {
      enter(node);
      ts.forEachChild(node, visit);
    }
  }

  /** Puts a counter at the start of what runs as one, where this is a block already. */
  function enter(node: ts.Node): void {
    if (ts.isCaseOrDefaultClause(node)) put(colonOf(node) + 1, `${counter()};`);
    else if (ts.isCatchClause(node)) block(node.block);
    else if (ts.isFunctionLike(node) && "body" in node && node.body !== undefined && ts.isBlock(node.body)) {
      block(node.body);
    } else if (isSizedArray(node)) {
      const [size] = node.arguments ?? [];
      if (size === undefined) return;
      put(size.getStart(file), "__n(");
      put(size.getEnd(), ")");
    }
  }

  function colonOf(clause: ts.CaseOrDefaultClause): number {
    const colon = clause.getChildren(file).find(({ kind }) => kind === SyntaxKind.ColonToken);
    if (colon === undefined) throw new Error(`a case without a colon: ${clause.getText(file).slice(0, 40)}`);
    return colon.getStart(file);
  }

  ts.forEachChild(file, visit);
  return { code: HEADER + apply(source, insertions), count: next - first };
}

/** In the first line, in front of everything. */
const HEADER = "const {hits: __h, allocating: __n} = globalThis.fuzzProbe; ";

function isShortCircuit(kind: ts.SyntaxKind): boolean {
  return [
    SyntaxKind.AmpersandAmpersandToken,
    SyntaxKind.BarBarToken,
    SyntaxKind.QuestionQuestionToken,
  ].includes(kind);
}

function isSizedArray(node: ts.Node): node is ts.NewExpression {
  return (
    ts.isNewExpression(node) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === "Uint8Array" &&
    node.arguments?.length === 1
  );
}

/** Insertions at one position keep their order: what was visited first stands outside. */
function apply(source: string, insertions: readonly Insertion[]): string {
  const sorted = [...insertions].sort((a, b) => a.position - b.position);
  let code = "";
  let position = 0;
  for (const insertion of sorted) {
    code += source.slice(position, insertion.position) + insertion.text;
    position = insertion.position;
  }
  return code + source.slice(position);
}
