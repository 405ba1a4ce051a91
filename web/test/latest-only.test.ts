import { describe, expect, it } from 'vitest';

import { LatestOnly } from '../src/worker/latest-only';

/** A queue whose handler takes one turn of the event loop. */
function slowQueue() {
  const log: string[] = [];
  const queue = new LatestOnly<string>(async (item) => {
    log.push(`begin ${item}`);
    await turn();
    log.push(`end ${item}`);
  });
  return { queue, log };
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

async function turns(count: number) {
  for (let done = 0; done < count; done++) {
    await turn();
  }
}

describe('LatestOnly', () => {
  it('keeps only the newest item until it is opened', async () => {
    const { queue, log } = slowQueue();
    queue.put('a');
    queue.put('b');
    await turns(3);
    expect(log).toEqual([]);
    queue.open();
    await turns(5);
    expect(log).toEqual(['begin b', 'end b']);
  });

  it('drops what waits when something newer comes', async () => {
    const { queue, log } = slowQueue();
    queue.open();
    queue.put('a');
    expect(queue.hasNewer).toBe(false);
    expect(queue.put('b')).toBeUndefined();
    expect(queue.put('c')).toBe('b');
    expect(queue.hasNewer).toBe(true);
    await turns(6);
    expect(log).toEqual(['begin a', 'end a', 'begin c', 'end c']);
  });

  it('lets other work in only between items', async () => {
    const { queue, log } = slowQueue();
    queue.open();
    queue.put('a');
    const between = queue.between(async () => {
      log.push('begin other');
      queue.put('b');
      await turn();
      log.push('end other');
    });
    await between;
    await turns(5);
    expect(log).toEqual(['begin a', 'end a', 'begin other', 'end other', 'begin b', 'end b']);
  });
});
