/**
 * Runs a built site's worker in Node, for the build to see what a visitor would.
 *
 * It plays the page: hands the worker the site's own files and pictures as pixels, and prints
 * what they are tagged with as JSON. The worker, its WebAssembly and the model's files are those of the site.
 *
 * Usage: `node worker-host.mjs ORDER.json`, where the order is a {@link Order}.
 */

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

import type { Failure, FromWorker, Tagging, ToWorker } from '../messages';

/** What to run; all paths are absolute. */
interface Order {
  readonly worker: string;
  readonly wasm: string;
  readonly contract: string;
  readonly weights: readonly string[];
  readonly pictures: readonly Picture[];
}

/** A file of rows of RGBA bytes. */
interface Picture {
  readonly path: string;
  readonly width: number;
  readonly height: number;
}

type Answer = Pick<Tagging, 'tags' | 'cosine'>;

/** What is printed: an answer for each picture, or why there are none. */
type Outcome = { readonly answers: readonly Answer[] } | { readonly failure: Failure };

const [, , path] = process.argv;
if (path === undefined) {
  throw new Error('give the path of an order');
}
const order = JSON.parse(readFileSync(path, 'utf-8')) as Order;
const found: Answer[] = [];
const listeners: ((event: { data: ToWorker }) => void)[] = [];

// What a worker finds around it. Messages pass as they are: both sides run in one thread.
Object.assign(globalThis, {
  self: globalThis,
  // By this TF.js knows that it is in a worker.
  WorkerGlobalScope: class {},
  addEventListener: (kind: string, listener: (event: { data: ToWorker }) => void) => {
    if (kind === 'message') {
      listeners.push(listener);
    }
  },
  postMessage: (message: FromWorker) => setImmediate(hear, message),
});

await import(pathToFileURL(order.worker).href);

function hear(message: FromWorker): void {
  switch (message.kind) {
    case 'listening':
      void start();
      break;
    case 'ready':
      next();
      break;
    case 'tagged':
      found.push({ tags: message.tagging.tags, cosine: message.tagging.cosine });
      next();
      break;
    case 'failed':
      end({ failure: message.failure });
      break;
    case 'refused':
    case 'pixels-wanted':
    case 'passed-over':
      end({ failure: { code: 'worker', detail: `it answered ${message.kind}` } });
      break;
    default:
    // It also tells of its progress.
  }
}

async function start(): Promise<void> {
  const { contract, weights, wasm } = order;
  say({
    kind: 'start',
    files: { contract, weights, wasm },
    backend: { kind: 'forced', backend: 'wasm', reason: { code: 'forced' } },
    simd: true,
    expectsPhoto: false,
  });
  const compiled = await WebAssembly.compile(readFileSync(wasm));
  say({ kind: 'compiled', file: wasm, module: compiled });
  for (const file of [contract, ...weights]) {
    say({ kind: 'piece', file, bytes: new Uint8Array(readFileSync(file)) });
    say({ kind: 'complete', file, digest: null, isWanted: false });
  }
}

function next(): void {
  const picture = order.pictures[found.length];
  if (!picture) {
    end({ answers: found });
    return;
  }
  const { width, height } = picture;
  const data = new Uint8ClampedArray(readFileSync(picture.path));
  const view = { width, height, crop: { x: 0, y: 0, width, height } };
  const pixels = { width, height, data, colorSpace: 'srgb' } as ImageData;
  say({ kind: 'classify', id: found.length, photo: { kind: 'pixels', pixels, view } });
}

function say(message: ToWorker): void {
  listeners.forEach((listener) => listener({ data: message }));
}

function end(outcome: Outcome): void {
  process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0));
}
