import { type ESTree, parseAst, type Plugin, Visitor } from 'vite';

import { type Edit, edited } from './source-edits.ts';

const LIBRARIES = /\/node_modules\/(@tensorflow|long|seedrandom)\//;

/** Files that do something when they are imported; all others of TF.js only declare. */
const ACTING = [
  /\/tfjs-core\/dist\/(index|engine|tensor|base_side_effects|flags)\.js$/,
  /\/tfjs-core\/dist\/platforms\/platform_browser\.js$/,
  /\/tfjs-converter\/dist\/flags\.js$/,
  /\/tfjs-backend-(cpu|wasm|webgl|webgpu)\/dist\/register_all_kernels\.js$/,
  /\/tfjs-backend-(cpu|webgl|webgpu)\/dist\/(index|base|flags_\w+)\.js$/,
];

/** Statements that prepare training or saving, by the call in them. */
const PREPARATIONS = /^(registerOptimizers\(\)|try \{\s*ModelStoreManagerRegistry\.)/;

/** Methods for graphs with control flow, which a page that wants its scores at once cannot run. */
const ASYNCHRONOUS = new Set([
  'executeAsync',
  '_executeAsync',
  'executeFunctionAsync',
  'executeWithControlFlow',
  'processStack',
  'processChildNodes',
]);

/**
 * Takes out of TF.js what only training, saving and control flow need.
 *
 * Bundlers leave out what nothing refers to; these references are there but are never
 * followed by a page that only runs a graph whose files it has fetched itself.
 */
export function inferenceOnly(): Plugin {
  return {
    name: 'toolchain:inference-only',
    transform(source, id) {
      if (!LIBRARIES.test(id)) {
        return null;
      }
      const moduleSideEffects = ACTING.some((pattern) => pattern.test(id));
      return { code: withoutUnneeded(source), moduleSideEffects };
    },
  };
}

/** Results by their sources: to find out what a runtime needs, TF.js is bundled several times. */
const results = new Map<string, string>();

function withoutUnneeded(source: string): string {
  const known = results.get(source);
  if (known !== undefined) {
    return known;
  }
  const result = edited(source, unneeded(source));
  results.set(source, result);
  return result;
}

function unneeded(source: string): readonly Edit[] {
  const edits: Edit[] = [];
  const program = parseAst(source);
  const drop = ({ start, end }: Edit, text = ''): void => void edits.push({ start, end, text });
  new Visitor({
    ExpressionStatement(node) {
      if (PREPARATIONS.test(source.slice(node.start, node.end))) {
        drop(node);
      }
    },
    TryStatement(node) {
      if (PREPARATIONS.test(source.slice(node.start, node.end))) {
        drop(node);
      }
    },
    MethodDefinition(node) {
      if (node.key.type === 'Identifier' && ASYNCHRONOUS.has(node.key.name)) {
        drop(node);
      }
    },
    VariableDeclarator({ id, init }) {
      // What an operation's gradient is, said where the operation is run.
      const isGradient = id.type === 'Identifier' && /^grad(Func)?$/.test(id.name);
      if (isGradient && init?.type === 'ArrowFunctionExpression') {
        drop(init, '() => null');
      }
    },
    BinaryExpression(node) {
      // Whether gradients forbid to fuse: `shouldFuse(…) === false`.
      if (isCallOf(node.left, 'shouldFuse')) {
        drop(node, 'false');
      }
    },
  }).visit(program);
  return [...edits, ...unpackedNamespaces(program)];
}

/**
 * Writes `const { a: b } = namespace` as `const b = namespace.a`.
 *
 * Of the first one bundlers keep everything, of the second one what is used.
 */
function unpackedNamespaces(program: ESTree.Program): readonly Edit[] {
  const edits: Edit[] = [];
  const imported = new Set<string>();
  for (const statement of program.body) {
    if (statement.type === 'ImportDeclaration') {
      statement.specifiers.forEach(({ local }) => imported.add(local.name));
    }
    if (statement.type !== 'VariableDeclaration') {
      continue;
    }
    for (const { id, init, start, end } of statement.declarations) {
      if (id.type === 'ObjectPattern' && init?.type === 'Identifier' && imported.has(init.name)) {
        const parts = id.properties.map((property) =>
          property.type === 'Property' &&
          property.key.type === 'Identifier' &&
          property.value.type === 'Identifier'
            ? `${property.value.name} = ${init.name}.${property.key.name}`
            : '',
        );
        if (!parts.includes('')) {
          edits.push({ start, end, text: parts.join(', ') });
        }
      }
    }
  }
  return edits;
}

function isCallOf(node: ESTree.Node, name: string): boolean {
  return (
    node.type === 'CallExpression' && node.callee.type === 'Identifier' && node.callee.name === name
  );
}
