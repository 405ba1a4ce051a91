import { describe, expect, it, vi } from 'vitest';

import type { Retag } from '../src/page/session';
import type { SolverWorker } from '../src/page/teach/solver-client';
import { Teaching } from '../src/tagger/teaching';
import type { Learned, LearnOrder } from '../src/teach/learn';

const MODEL = { name: 'tiny', sha256: 'ab'.repeat(32), width: 2 };

/** Returns a model's lessons, with a worker that learns nothing, twice. */
function taught() {
  const retag = vi.fn<(by: Retag | null) => void>();
  const worker: SolverWorker = {
    postMessage: ({ id, tags }: LearnOrder) => {
      const weights = new Float32Array(tags * MODEL.width);
      const head = { weights, biases: new Float32Array(tags), rule: null };
      for (const isFinal of [false, true]) {
        const data = { id, head, isFinal, judged: [] };
        queueMicrotask(() => worker.onmessage?.({ data } as unknown as MessageEvent<Learned>));
      }
    },
    terminate: () => undefined,
    onmessage: null,
    onerror: null,
  };
  return { teaching: new Teaching({ retag }, MODEL, () => worker), retag };
}

const RED = [1, 0.1, 0.9, 0.2, 1.2, 0.1].flatMap((red, at, all) =>
  at % 2 === 0 ? [Float32Array.of(red, all[at + 1] ?? 0)] : [],
);
const GREEN = RED.map(([red = 0, green = 0]) => Float32Array.of(green, red));

describe('lessons of another page', () => {
  it('are taught, exported, forgotten and imported', async () => {
    const { teaching, retag } = taught();
    for (const row of RED) {
      await teaching.teach('red', row);
    }
    await Promise.all(GREEN.map((row) => teaching.teach('green', row)));
    expect(teaching.taught).toEqual([
      { label: 'red', photos: 3 },
      { label: 'green', photos: 3 },
    ]);
    const file = await teaching.export();
    await teaching.forget('red');
    expect(teaching.taught.map(({ label }) => label)).toEqual(['green']);
    await teaching.forget();
    expect(retag).toHaveBeenLastCalledWith(null);
    expect(await teaching.export()).toBeNull();
    await teaching.import(file ?? new Blob());
    expect(teaching.taught).toHaveLength(2);
    teaching.end();
  });

  it('fail where the worker fails', async () => {
    const retag = vi.fn();
    const worker: SolverWorker = {
      postMessage: () =>
        worker.onerror?.({ message: 'no', preventDefault: () => undefined } as ErrorEvent),
      terminate: () => undefined,
      onmessage: null,
      onerror: null,
    };
    const teaching = new Teaching({ retag }, MODEL, () => worker);
    await expect(teaching.teach('red', Float32Array.of(1, 2))).rejects.toThrow('no');
  });
});
