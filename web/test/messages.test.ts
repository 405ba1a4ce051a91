import { describe, expect, expectTypeOf, it } from 'vitest';

import type { Failure, FromWorker, Tagging, ToWorker } from '../src/messages';
import { backendReason, failureSentence } from '../src/page/sentences';

const tagging: Tagging = {
  tags: [{ classIndex: 3, label: 'a label', score: 0.12345678901234567 }],
  cosine: 0.7,
  view: { width: 640, height: 427, crop: { x: 133, y: 26, width: 374, height: 374 } },
  preprocessMs: 5,
  inferenceMs: 10,
  backend: 'wasm',
  tensors: 58,
  tensorBytes: 1_900_000,
};

const failures: readonly Failure[] = [
  { code: 'network', file: 'model.json' },
  { code: 'http', file: 'model.json', status: 404 },
  { code: 'html', file: 'model.json' },
  { code: 'compression', file: 'model.json', detail: 'it ends too soon' },
  { code: 'not-json', file: 'model.json' },
  { code: 'length', file: 'model.json', expected: 2, received: 1 },
  { code: 'contract', file: 'model.json', fault: { kind: 'schema', found: '9', known: 1 } },
  {
    code: 'contract',
    file: 'model.json',
    fault: { kind: 'field', path: 'x.y', expected: 'a text' },
  },
  { code: 'manifest', file: 'model.json' },
  { code: 'weight', weight: 'a/b', fault: { kind: 'schema', found: '2', known: 1 } },
  { code: 'weight', weight: 'a/b', fault: { kind: 'scales', most: 256 } },
  { code: 'weight', weight: 'a/b', fault: { kind: 'dtype', found: 'int32' } },
  { code: 'weight', weight: 'a/b', fault: { kind: 'channels', found: '5', values: 6 } },
  { code: 'weight', weight: 'a/b', fault: { kind: 'index', index: 9, scales: 3 } },
  { code: 'weight', weight: 'a/b', fault: { kind: 'encoding', found: '"br"' } },
  { code: 'damaged', file: 'a.bin' },
  { code: 'graph', file: 'model.json', detail: 'no such op.' },
  { code: 'outputs', expected: 1001, found: 1000 },
  { code: 'backend', backend: 'webgl', detail: 'it did not start.' },
  { code: 'worker', detail: 'out of memory.' },
];

describe('messages', () => {
  it('are told apart by their kind', () => {
    expectTypeOf<ToWorker['kind']>().toEqualTypeOf<
      'start' | 'piece' | 'complete' | 'compiled' | 'classify' | 'no-photo'
    >();
    expectTypeOf<Extract<FromWorker, { kind: 'tagged' }>['tagging']>().toEqualTypeOf<Tagging>();
  });

  it('cross to the other thread as they are', () => {
    const messages: readonly (FromWorker | ToWorker)[] = [
      {
        kind: 'start',
        files: { contract: 'contract.bin', weights: ['a.bin'], wasm: null },
        backend: { kind: 'compare' },
        simd: true,
        expectsPhoto: false,
      },
      { kind: 'piece', file: 'a.bin', bytes: Uint8Array.of(1, 2) },
      { kind: 'tagged', id: 1, tagging, thumbnail: null },
      { kind: 'passed-over', id: 2 },
      ...failures.map((failure) => ({ kind: 'failed', failure }) as const),
    ];
    expect(structuredClone(messages)).toEqual(messages);
  });
});

describe('failureSentence', () => {
  it.each(failures)('says $code in one sentence', (failure) => {
    const sentence = failureSentence(failure);
    expect(sentence).toMatch(/^[A-Za-z].*\.$/);
    if ('file' in failure) {
      expect(sentence).toContain(failure.file);
    }
    if ('weight' in failure) {
      expect(sentence).toContain(failure.weight);
    }
  });

  it('names the status of an answer', () => {
    expect(failureSentence({ code: 'http', file: 'a.bin', status: 503 })).toContain('503');
  });
});

describe('backendReason', () => {
  it('gives both times of a comparison, and says when it is an old one', () => {
    const times = { first: 'wasm', firstMs: 12, gpu: 'webgl', gpuMs: 3 } as const;
    const report = { active: 'webgl', simd: true } as const;
    expect(backendReason({ ...report, reason: { code: 'measured', ...times } })).toBe(
      'WebGL takes 3 ms, WebAssembly 12 ms',
    );
    expect(backendReason({ ...report, reason: { code: 'remembered', ...times } })).toContain(
      'earlier visit',
    );
  });
});
