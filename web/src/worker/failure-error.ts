import type { Failure } from '../messages';

/** An error whose cause the page can put into one clear sentence. */
export class FailureError extends Error {
  override readonly name = 'FailureError';
  readonly failure: Failure;

  constructor(failure: Failure, cause?: unknown) {
    super(JSON.stringify(failure), { cause });
    this.failure = failure;
  }
}

/** Returns what an unknown thrown value says. */
export function detailOf(thrown: unknown): string {
  if (thrown instanceof Error) {
    return thrown.message || thrown.name;
  }
  // The wasm backend rejects with a bare object that carries a message.
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown) {
    return String(thrown.message);
  }
  return String(thrown);
}

/** Returns the failure that a thrown value carries, or the one it then is. */
export function failureOf(thrown: unknown): Failure {
  return thrown instanceof FailureError
    ? thrown.failure
    : { code: 'worker', detail: detailOf(thrown) };
}
