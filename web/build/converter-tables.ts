import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { type ESTree, parseAst, type Plugin, Visitor } from 'vite';

import { type Edit, edited } from './source-edits.ts';
import { packageFolder } from './packages.ts';

const CONVERTER = join(packageFolder('@tensorflow/tfjs-converter'), 'dist/operations');
const OP_LIST = /\/tfjs-converter\/dist\/operations\/op_list\/(\w+)\.js$/;
const EXECUTOR = /\/tfjs-converter\/dist\/operations\/executors\/(\w+)_executor\.js$/;
const DISPATCH = /\/tfjs-converter\/dist\/operations\/operation_(executor|mapper)\.js$/;

let operations: ReadonlyMap<string, string> | null = null;

/** The operations of TensorFlow that TF.js' converter knows, by the category of each. */
export function knownOps(): ReadonlyMap<string, string> {
  operations ??= readOps();
  return operations;
}

function readOps(): ReadonlyMap<string, string> {
  const folder = join(CONVERTER, 'op_list');
  const found = new Map<string, string>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.js'))) {
    const source = readFileSync(join(folder, file), 'utf8');
    for (const { op, category } of entries(source)) {
      found.set(op, category);
    }
  }
  return found;
}

/**
 * Leaves only the wanted operations in the converter's tables and `switch` statements.
 *
 * The converter hands all operations of the core to each executor as one object, so no
 * bundler can see which of them are called. Here they become direct references.
 *
 * @throws if TF.js has no such operation.
 */
export function converterTables(ops: ReadonlySet<string>): Plugin {
  const known = knownOps();
  const unknown = [...ops].filter((op) => !known.has(op));
  if (unknown.length > 0) {
    throw new Error(`TF.js' converter has no operation ${unknown.join(', ')}`);
  }
  const categories = new Set([...ops].map((op) => known.get(op) as string));
  return {
    name: 'toolchain:converter-tables',
    transform(source, id) {
      if (OP_LIST.test(id)) {
        return edited(
          source,
          entries(source).filter(({ op }) => !ops.has(op)),
        );
      }
      const executor = EXECUTOR.exec(id);
      if (executor) {
        const own = [...ops].filter((op) => known.get(op) === executor[1]);
        return edited(source, executorEdits(source, new Set(own), id));
      }
      if (DISPATCH.test(id)) {
        return edited(source, dispatchEdits(source, categories));
      }
      return null;
    },
  };
}

/** Finds the entries of an `op_list` file, each with the comma behind it. */
function entries(source: string): readonly (Edit & { op: string; category: string })[] {
  const found: (Edit & { op: string; category: string })[] = [];
  new Visitor({
    ObjectExpression(node) {
      const op = textOf(node, 'tfOpName');
      const category = textOf(node, 'category');
      if (op !== null && category !== null) {
        const comma = source.slice(node.end).match(/^\s*,/)?.[0].length ?? 0;
        found.push({ start: node.start, end: node.end + comma, op, category });
      }
    },
  }).visit(parseAst(source));
  return found;
}

function textOf(object: ESTree.ObjectExpression, key: string): string | null {
  for (const property of object.properties) {
    if (property.type === 'Property' && literal(property.key) === key) {
      return literal(property.value);
    }
  }
  return null;
}

function literal(node: ESTree.Node | null): string | null {
  return node?.type === 'Literal' && typeof node.value === 'string' ? node.value : null;
}

/** Drops the cases of other operations, and names the core's own functions directly. */
function executorEdits(source: string, wanted: ReadonlySet<string>, id: string): readonly Edit[] {
  const edits: Edit[] = [];
  const missing = new Set(wanted);
  new Visitor({
    AssignmentPattern(node) {
      if (node.right.type === 'Identifier' && node.right.name === 'tfOps') {
        edits.push({ ...span(node), text: '_ops' });
      }
    },
    MemberExpression(node) {
      if (node.object.type === 'Identifier' && node.object.name === 'ops') {
        edits.push({ ...span(node.object), text: 'tfOps' });
      }
    },
    SwitchStatement(node) {
      if (isOpOfNode(node.discriminant)) {
        edits.push(...caseEdits(node.cases, wanted, missing));
      }
    },
  }).visit(parseAst(source));
  if (missing.size > 0) {
    throw new Error(`${id} does not execute ${[...missing].join(', ')}, which TF.js lists there`);
  }
  return edits;
}

/** Several labels may share a body; it goes with the last of them. */
function caseEdits(
  cases: readonly ESTree.SwitchCase[],
  wanted: ReadonlySet<string>,
  missing: Set<string>,
): readonly Edit[] {
  const edits: Edit[] = [];
  let labels: ESTree.SwitchCase[] = [];
  for (const part of cases) {
    labels.push(part);
    if (part.consequent.length === 0) {
      continue;
    }
    const isWanted = (label: ESTree.SwitchCase): boolean => {
      const op = literal(label.test);
      missing.delete(op ?? '');
      return op === null || wanted.has(op);
    };
    if (!labels.map(isWanted).includes(true)) {
      edits.push({ start: (labels[0] as ESTree.SwitchCase).start, end: part.end });
    }
    labels = [];
  }
  return edits;
}

function isOpOfNode(node: ESTree.Expression): boolean {
  return (
    node.type === 'MemberExpression' &&
    node.property.type === 'Identifier' &&
    node.property.name === 'op'
  );
}

/** Drops whole categories from the files that bring the tables together. */
function dispatchEdits(source: string, categories: ReadonlySet<string>): readonly Edit[] {
  const isWanted = (name: string): boolean =>
    categories.has(name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
  const edits: Edit[] = [];
  new Visitor({
    SwitchCase(node) {
      const category = literal(node.test);
      if (category !== null && source.slice(...range(node)).includes('.executeOp(')) {
        if (!categories.has(category)) {
          edits.push(span(node));
        }
      }
    },
    VariableDeclarator(node) {
      const isList = node.id.type === 'Identifier' && node.id.name === 'ops';
      if (isList && node.init?.type === 'ArrayExpression') {
        const names = node.init.elements.map((element) => source.slice(...range(element)));
        edits.push({ ...span(node.init), text: `[${names.filter(isWanted).join(', ')}]` });
      }
    },
  }).visit(parseAst(source));
  return edits;
}

function span({ start, end }: Edit): Edit {
  return { start, end };
}

function range(node: Edit | null): [number, number] {
  return [node?.start ?? 0, node?.end ?? 0];
}
