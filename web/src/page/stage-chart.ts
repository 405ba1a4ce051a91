/** Shows the stages up to the first tag on one time axis that begins with the visit. */

import { type Span, type Stage, STAGES } from '../messages';
import { element } from './elements';
import { duration } from './format';

/** Fills the rows that the template lays out; that of the preview only where there is one. */
export class StageChart {
  readonly #spans = new Map<Stage, Span>();
  readonly #rows;
  readonly #end: HTMLElement;

  constructor(chart: HTMLElement, end: HTMLElement) {
    this.#end = end;
    const stages = STAGES.filter(
      (stage) => stage !== 'preview' || chart.querySelector('[data-stage="preview"]'),
    );
    this.#rows = stages.map((stage) => {
      const row = element(`[data-stage="${stage}"]`, HTMLElement, chart);
      return {
        stage,
        row,
        bar: element('[data-bar]', HTMLElement, row),
        time: element('[data-time]', HTMLElement, row),
      };
    });
  }

  /** Shows a stage that has ended, and the others on the axis that this may lengthen. */
  show(stage: Stage, span: Span): void {
    // The worker's clock and the page's have different zeros, hence times since the epoch.
    const start = span.start - performance.timeOrigin;
    this.#spans.set(stage, { start, end: span.end - performance.timeOrigin });
    const axis = Math.max(...[...this.#spans.values()].map(({ end }) => end));
    this.#end.textContent = duration(axis);
    for (const { stage: name, row, bar, time } of this.#rows) {
      const known = this.#spans.get(name);
      if (!known) {
        continue;
      }
      row.dataset['startMs'] = String(known.start);
      row.dataset['endMs'] = String(known.end);
      time.textContent = duration(known.end - known.start);
      bar.style.setProperty('left', `${(known.start / axis) * 100}%`);
      bar.style.setProperty('width', `${((known.end - known.start) / axis) * 100}%`);
    }
  }
}
