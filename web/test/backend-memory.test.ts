import { describe, expect, it } from 'vitest';

import { BackendMemory } from '../src/page/backend-memory';

const race = { first: 'wasm', firstMs: 12, gpu: 'webgl', gpuMs: 3 } as const;

/** A browser's storage, as far as it is used. */
function storage(): Storage {
  const items = new Map<string, string>();
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
    key: (index: number) => [...items.keys()][index] ?? null,
    clear: () => items.clear(),
    get length() {
      return items.size;
    },
  };
}

describe('BackendMemory', () => {
  it('keeps the choice for every model and browser, until it is taken back', () => {
    const kept = storage();
    const memory = new BackendMemory(() => kept, 'a browser', 'contract.1.bin');
    expect(memory.choice).toBe(null);
    memory.choice = 'cpu';
    expect(new BackendMemory(() => kept, 'its successor', 'contract.2.bin').choice).toBe('cpu');
    memory.choice = null;
    expect(memory.choice).toBe(null);
    expect(kept.length).toBe(0);
  });

  it('keeps a race for the same model in the same browser only', () => {
    const kept = storage();
    new BackendMemory(() => kept, 'a browser', 'contract.1.bin').race = race;
    expect(new BackendMemory(() => kept, 'a browser', 'contract.1.bin').race).toEqual(race);
    expect(new BackendMemory(() => kept, 'its successor', 'contract.1.bin').race).toBe(null);
    expect(new BackendMemory(() => kept, 'a browser', 'contract.2.bin').race).toBe(null);
  });

  it.each(['', 'not JSON', '"another"', '{"gpu": "webgl"}', '3'])(
    'passes over what is none of its own: %s',
    (text) => {
      const kept = storage();
      const memory = new BackendMemory(() => kept, 'a browser', 'contract.1.bin');
      memory.choice = 'cpu';
      memory.race = race;
      expect(kept.length).toBe(2);
      for (const key of [kept.key(0), kept.key(1)]) {
        kept.setItem(key ?? '', text);
      }
      expect(memory.choice).toBe(null);
      expect(memory.race).toBe(null);
    },
  );

  it('knows nothing where the browser lets nobody keep anything', () => {
    const memory = new BackendMemory(
      () => {
        throw new DOMException('no', 'SecurityError');
      },
      'a browser',
      'contract.1.bin',
    );
    memory.choice = 'cpu';
    memory.race = race;
    expect(memory.choice).toBe(null);
    expect(memory.race).toBe(null);
  });
});
