import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { BackendName, GpuBackend, Race } from '../src/messages';
import type { Answer } from '../src/worker/early-run';

/** How a backend behaves; the clock goes on by `ms` with each of its runs. */
interface Machine {
  readonly ms: number;
  readonly outputs?: readonly number[];
  readonly obstacle?: 'no-gpu' | 'software-renderer';
  readonly isStarting?: boolean;
  readonly isPrecise?: boolean;
  readonly fault?: string;
}

const machines = new Map<BackendName, Machine>();
const log: string[] = [];
let now = 0;

function machine(backend: BackendName): Machine {
  return machines.get(backend) ?? { ms: 0, obstacle: 'no-gpu' };
}

/** A classifier that does nothing but take its time. */
class Runner {
  readonly backend: BackendName;

  constructor(backend: BackendName) {
    this.backend = backend;
  }

  static load(backend: BackendName): Promise<Runner> {
    log.push(`load ${backend}`);
    return Promise.resolve(new Runner(backend));
  }

  run(): Promise<Answer> {
    const { ms, outputs, fault } = machine(this.backend);
    now += ms;
    return fault
      ? Promise.reject(new Error(fault))
      : Promise.resolve({ outputs: Float32Array.from(outputs ?? [1, 2]), features: null });
  }

  dispose(): void {
    log.push(`dispose ${this.backend}`);
  }
}

vi.mock('../src/worker/classifier', () => ({ Classifier: Runner }));
vi.mock('../src/worker/gpu-obstacle', () => ({
  gpuObstacle: (gpu: GpuBackend) => {
    const { obstacle } = machine(gpu);
    return Promise.resolve(obstacle ? { code: obstacle, gpu } : null);
  },
}));
vi.mock('../src/worker/tfjs', () => ({
  startOther: (gpu: GpuBackend) => Promise.resolve(machine(gpu).isStarting ?? true),
  isPrecise: (gpu: GpuBackend) => machine(gpu).isPrecise ?? true,
  stop: (gpu: GpuBackend) => log.push(`stop ${gpu}`),
}));

// Only now: what stands in for the backends has to be there first.
const { tryGpus } = await import('../src/worker/gpu-trial');

async function trial(remembered?: Race) {
  const first = new Runner('wasm') as unknown as Parameters<typeof tryGpus>[0];
  const files = {} as Parameters<typeof tryGpus>[1];
  const { reason, better } = await tryGpus(first, files, Float32Array.of(0), remembered);
  return { reason, better: better?.backend };
}

beforeEach(() => {
  machines.clear();
  machines.set('wasm', { ms: 10 });
  log.length = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});

describe('a comparison', () => {
  it('takes the first that is faster, and leaves the next alone', async () => {
    machines.set('webgpu', { ms: 4 }).set('webgl', { ms: 1 });
    expect(await trial()).toEqual({
      reason: { code: 'measured', first: 'wasm', firstMs: 10, gpu: 'webgpu', gpuMs: 4 },
      better: 'webgpu',
    });
    expect(log).toEqual(['load webgpu']);
  });

  it('frees what was slower, and goes on', async () => {
    machines.set('webgpu', { ms: 40 }).set('webgl', { ms: 5 });
    expect((await trial()).better).toBe('webgl');
    expect(log).toEqual(['load webgpu', 'dispose webgpu', 'stop webgpu', 'load webgl']);
  });

  it('says of the slower ones what was measured first', async () => {
    machines.set('webgpu', { ms: 40 }).set('webgl', { ms: 0, fault: 'out of memory' });
    expect(await trial()).toEqual({
      reason: { code: 'measured', first: 'wasm', firstMs: 10, gpu: 'webgpu', gpuMs: 40 },
      better: undefined,
    });
  });

  it.each<[string, Machine, object]>([
    ['software', { ms: 1, obstacle: 'software-renderer' }, { code: 'software-renderer' }],
    ['16 bits', { ms: 1, isPrecise: false }, { code: 'half-precision' }],
    ['another answer', { ms: 1, outputs: [2, 1] }, { code: 'other-answer' }],
    ['a fault', { ms: 1, fault: 'lost' }, { code: 'gpu-failed', detail: 'lost' }],
    ['no start', { ms: 1, isStarting: false }, { code: 'gpu-failed', detail: 'it did not start' }],
  ])('stays with the first backend for %s', async (_, webgl, reason) => {
    machines.set('webgl', webgl);
    expect(await trial()).toEqual({ reason: { ...reason, gpu: 'webgl' }, better: undefined });
  });

  it('says where there is nothing to compare with', async () => {
    expect(await trial()).toEqual({ reason: { code: 'no-gpu' }, better: undefined });
  });
});

describe('a comparison of an earlier visit', () => {
  const won: Race = { first: 'wasm', firstMs: 9, gpu: 'webgl', gpuMs: 2 };

  it('is taken at its word where the first backend won', async () => {
    machines.set('webgl', { ms: 1 });
    const lost = { ...won, gpuMs: 90 };
    expect(await trial(lost)).toEqual({
      reason: { code: 'remembered', ...lost },
      better: undefined,
    });
    expect(log).toEqual([]);
  });

  it('is not repeated where the other one won', async () => {
    machines.set('webgpu', { ms: 1 }).set('webgl', { ms: 99 });
    expect(await trial(won)).toEqual({
      reason: { code: 'remembered', ...won },
      better: 'webgl',
    });
    expect(log).toEqual(['load webgl']);
  });

  it('does not excuse another answer, and another backend gets its turn', async () => {
    machines.set('webgl', { ms: 1, outputs: [2, 1] }).set('webgpu', { ms: 3 });
    expect(await trial(won)).toEqual({
      reason: { code: 'measured', first: 'wasm', firstMs: 10, gpu: 'webgpu', gpuMs: 3 },
      better: 'webgpu',
    });
  });

  it('counts for nothing when it was with another first backend', async () => {
    machines.set('webgl', { ms: 99 });
    expect((await trial({ ...won, first: 'cpu' })).reason).toMatchObject({
      code: 'measured',
      gpuMs: 99,
    });
  });
});
