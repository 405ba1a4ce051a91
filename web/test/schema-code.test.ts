import { describe, expect, it } from 'vitest';

import { schemaCode } from '../build/schema-code';

const schemaOf = (property: object, required = ['it']) => ({
  title: 'Thing',
  type: 'object',
  properties: { it: property },
  required,
});

describe('schemaCode', () => {
  it('writes an interface and its check', () => {
    const code = schemaCode(schemaOf({ type: 'integer', exclusiveMinimum: 0 }), 'thing.json');
    expect(code).toContain('// Made from thing.json');
    expect(code).toContain("import { check, isWhole, object } from './checks';");
    expect(code).toContain('export interface Thing {\nreadonly it: number;\n}');
    expect(code).toContain(
      'check((value) => isWhole(value) && value > 0, "a whole number above 0")',
    );
  });

  it('writes what others refer to first', () => {
    const code = schemaCode(
      {
        ...schemaOf({ $ref: '#/$defs/B' }),
        $defs: {
          A: schemaOf({ type: 'string' }),
          B: schemaOf({ items: { $ref: '#/$defs/A' }, type: 'array' }),
        },
      },
      'thing.json',
    );
    const places = ['A', 'B', 'Thing'].map((name) => code.indexOf(`export const check${name} `));
    expect(places).toEqual([...places].sort((one, other) => one - other));
    expect(places[0]).toBeGreaterThan(0);
  });

  it.each([
    ['unknown keyword multipleOf', { type: 'number', multipleOf: 2 }],
    ['cannot choose among', { anyOf: [{ type: 'string' }, { type: 'number' }] }],
    ['cannot write code for', { type: 'boolean' }],
    ['cannot write code for', { type: 'object', properties: {} }],
    ['cannot check a list of', { type: 'array', prefixItems: [{ type: 'string' }, {}] }],
  ])('refuses %s', (message, property) => {
    expect(() => schemaCode(schemaOf(property), 'thing.json')).toThrow(message);
  });

  it('refuses a property that may be missing', () => {
    expect(() => schemaCode(schemaOf({ type: 'string' }, []), 'thing.json')).toThrow(
      'Thing.it is not required',
    );
  });
});
