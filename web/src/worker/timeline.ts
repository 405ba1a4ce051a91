/** Measures the worker's stages and reports what its requests cost. */

import type { Span, Stage, Transfer } from '../messages';
import { transferOf } from '../resource-timing';

/**
 * Does the work of a stage and reports how long it took, also as an entry in the
 * browser's performance tools.
 */
export async function timed<Result>(
  stage: Stage,
  report: (stage: Stage, span: Span) => void,
  work: () => Promise<Result>,
): Promise<Result> {
  const begin = `${stage}:begin`;
  performance.mark(begin);
  const result = await work();
  const { startTime, duration } = performance.measure(stage, begin);
  const start = performance.timeOrigin + startTime;
  report(stage, { start, end: start + duration });
  return result;
}

/** Reports every request of this worker, those before the call included. */
export function watchTransfers(report: (transfers: readonly Transfer[]) => void): void {
  const observer = new PerformanceObserver((list) => {
    report((list.getEntries() as PerformanceResourceTiming[]).map(transferOf));
  });
  observer.observe({ type: 'resource', buffered: true });
}
