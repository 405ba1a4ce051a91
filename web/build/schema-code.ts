/**
 * Writes TypeScript types, and checks of `src/schemas/checks.ts`, for a JSON schema.
 *
 * It knows what pydantic writes for the records of this project and refuses the rest, so that no
 * keyword is passed over in silence. Two libraries were measured: Ajv's standalone code for the
 * contract takes 1.4 kB more behind Brotli than these checks' predecessor, and
 * json-schema-to-typescript makes `unknown` of the items of a tuple (`prefixItems`).
 */

/** A part of a JSON schema (draft 2020-12). */
interface Schema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** How TypeScript says one part. */
interface Code {
  readonly type: string;
  readonly check: string;
  /** A condition of `value`, where the check is no more than that. */
  readonly holds: string | null;
  /** In words, for messages. */
  readonly expected: string;
}

/** What `src/schemas/checks.ts` has. */
const CHECKS = [
  'check',
  'isList',
  'isNumber',
  'isObject',
  'isText',
  'isWhole',
  'list',
  'nullable',
  'object',
];

const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  string: ['minLength', 'pattern'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems', 'uniqueItems'],
  object: ['properties', 'required'],
};

/** Those that say nothing, or that newer builds may add keys, which is allowed. */
const SILENT = ['type', 'title', 'description', 'default', 'additionalProperties'];

const LIMITS = [
  ['minimum', '>=', 'from'],
  ['exclusiveMinimum', '>', 'above'],
  ['maximum', '<=', 'up to'],
  ['exclusiveMaximum', '<', 'below'],
] as const;

/**
 * Returns the content of a module with an interface and a check for each object of a schema.
 *
 * @param source - Where the schema lies, for the module's first line.
 * @throws if the schema says something that this does not know.
 */
export function schemaCode(schema: object, source: string): string {
  const root = schema as Schema;
  const done = new Set<string>();
  const parts = Object.keys(root.$defs ?? {}).flatMap((name) => definition(root, name, done));
  if (root.properties) {
    parts.push(objectCode(nameOf(root), root));
  }
  const body = parts.join('\n');
  const used = CHECKS.filter((name) => new RegExp(`\\b${name}[(,<]`).test(body));
  return [
    `// Made from ${source} by \`npm run schemas\`; do not edit.`,
    '',
    `import { ${used.join(', ')} } from './checks';`,
    '',
    body,
  ].join('\n');
}

/** Returns the code of a definition after that of those it refers to. */
function definition(root: Schema, name: string, done: Set<string>): readonly string[] {
  const schema = root.$defs?.[name];
  if (!schema || done.has(name)) {
    return [];
  }
  done.add(name);
  const inner = [...JSON.stringify(schema).matchAll(/"#\/\$defs\/(\w+)"/g)].map(([, its]) => its);
  return [...inner.flatMap((its) => definition(root, its ?? '', done)), objectCode(name, schema)];
}

function objectCode(name: string, schema: Schema): string {
  const {
    description,
    properties,
    required = [],
  } = known(schema, [...SILENT, ...['$schema', '$defs', 'properties', 'required']]);
  const fields = Object.entries(properties ?? {}).map(([key, its]) => {
    if (!required.includes(key)) {
      throw new Error(`${name}.${key} is not required`);
    }
    return [key, its, codeOf(its)] as const;
  });
  const constants = fields
    .filter(([key, its]) => key === 'schema' && its.const !== undefined)
    .map(([, its]) => [
      `/** The one schema number of ${name} that this page understands. */`,
      `export const ${constantCase(name)}_SCHEMA = ${JSON.stringify(its.const)};`,
    ]);
  return [
    ...constants.flat(),
    comment(description ?? name),
    `export interface ${name} {`,
    ...fields.map(([key, , { type }]) => `readonly ${key}: ${type};`),
    '}',
    `/** Checks a {@link ${name}}. */`,
    `export const check${name} = object<${name}>({`,
    ...fields.map(([key, , its]) => `${key}: ${its.check},`),
    '});',
    '',
  ].join('\n');
}

function codeOf(schema: Schema): Code {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace('#/$defs/', '');
    return { type: name, check: `check${name}`, holds: null, expected: 'an object' };
  }
  if (schema.anyOf) {
    return nullableCode(known(schema, ['anyOf', ...SILENT]).anyOf ?? []);
  }
  const values = schema.const === undefined ? schema.enum : [schema.const];
  if (values) {
    known(schema, ['const', 'enum', ...SILENT]);
    const literals = values.map((value) => JSON.stringify(value));
    return checkCode(
      literals.join(' | '),
      literals.map((literal) => `value === ${literal}`).join(' || '),
      literals.join(' or '),
    );
  }
  known(schema, [...SILENT, ...(KEYWORDS[schema.type ?? ''] ?? [])]);
  switch (schema.type) {
    case 'string':
      return textCode(schema);
    case 'number':
    case 'integer':
      return numberCode(schema);
    case 'array':
      return listCode(schema);
    case 'object':
      if (!schema.properties) {
        return checkCode('Readonly<Record<string, unknown>>', 'isObject(value)', 'an object');
      }
  }
  throw new Error(`cannot write code for ${JSON.stringify(schema)}`);
}

function nullableCode(options: readonly Schema[]): Code {
  const [one, ...more] = options.filter(({ type }) => type !== 'null');
  if (!one || more.length > 0) {
    throw new Error(`cannot choose among ${JSON.stringify(options)}`);
  }
  const { type, check, expected } = codeOf(one);
  return {
    type: `${type} | null`,
    check: `nullable(${check})`,
    holds: null,
    expected: `${expected} or null`,
  };
}

function textCode({ minLength = 0, pattern }: Schema): Code {
  if (minLength > 1) {
    throw new Error(`cannot check for ${minLength} characters`);
  }
  const conditions = [
    'isText(value)',
    ...(minLength ? ["value !== ''"] : []),
    ...(pattern === undefined ? [] : [`/${pattern}/.test(value)`]),
  ];
  const expected = pattern === undefined ? 'a text' : `a text that matches ${pattern}`;
  return checkCode('string', conditions.join(' && '), expected);
}

function numberCode(schema: Schema): Code {
  const isWhole = schema.type === 'integer';
  const limits = LIMITS.filter(([key]) => schema[key] !== undefined);
  const conditions = limits.map(([key, operator]) => `value ${operator} ${schema[key]}`);
  const words = limits.map(([key, , word]) => ` ${word} ${schema[key]}`);
  return checkCode(
    'number',
    [isWhole ? 'isWhole(value)' : 'isNumber(value)', ...conditions].join(' && '),
    `a ${isWhole ? 'whole ' : ''}number${words.join(' and')}`,
  );
}

function listCode({ items, prefixItems, minItems, maxItems, uniqueItems }: Schema): Code {
  const [first, ...others] = prefixItems ?? [items ?? {}];
  if (!first || others.some((other) => JSON.stringify(other) !== JSON.stringify(first))) {
    throw new Error(`cannot check a list of ${JSON.stringify(prefixItems)}`);
  }
  const each = codeOf(first);
  const least = prefixItems?.length ?? minItems ?? 0;
  const most = prefixItems?.length ?? maxItems ?? Infinity;
  const conditions = [
    ...(least === most ? [`value.length === ${least}`] : []),
    ...(least > 0 && least !== most ? [`value.length >= ${least}`] : []),
    ...(most < Infinity && least !== most ? [`value.length <= ${most}`] : []),
    ...(uniqueItems ? ['new Set(value).size === value.length'] : []),
  ];
  const count =
    least === most
      ? ` of ${least}`
      : (least > 0 ? ` of at least ${least}` : '') + (most < Infinity ? ` of at most ${most}` : '');
  const expected = `a list${count}, each ${each.expected}${uniqueItems ? ', no two the same' : ''}`;
  const tuple = prefixItems?.map(() => each.type).join(', ');
  const type = tuple === undefined ? `readonly (${each.type})[]` : `readonly [${tuple}]`;
  if (each.holds !== null) {
    const every = `value.every((item) => ${each.holds.replace(/\bvalue\b/g, 'item')})`;
    return checkCode(type, ['isList(value)', ...conditions, every].join(' && '), expected);
  }
  if (conditions.length > 0) {
    throw new Error(`cannot count objects in a list of ${each.type}`);
  }
  return { type, check: `list(${each.check})`, holds: null, expected };
}

function checkCode(type: string, holds: string, expected: string): Code {
  const [, bare] = /^(\w+)\(value\)$/.exec(holds) ?? [];
  const condition = bare ?? `(value) => ${holds}`;
  return { type, check: `check(${condition}, ${JSON.stringify(expected)})`, holds, expected };
}

/** Returns a schema that has no other keywords than these. */
function known(schema: Schema, keywords: readonly string[]): Schema {
  const other = Object.keys(schema).find((key) => !keywords.includes(key));
  if (other !== undefined) {
    throw new Error(`unknown keyword ${other} in ${JSON.stringify(schema)}`);
  }
  return schema;
}

function comment(text: string): string {
  const lines = text.split('\n').map((line) => ` * ${line}`.trimEnd());
  return lines.length === 1 ? `/** ${text} */` : ['/**', ...lines, ' */'].join('\n');
}

function nameOf({ title }: Schema): string {
  if (title === undefined || !/^\w+$/.test(title)) {
    throw new Error(`${title} is no name for a type`);
  }
  return title;
}

function constantCase(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
}
