/** Draws what came when, and the stages, on one time axis from the click to the first tag. */

import { type Span, type Stage, STAGES, type Transfer } from '../messages';
import { element } from './elements';
import { duration } from './number-format';
import { say } from './language';
import { lanesOf, stepOf } from './time-axis';
import { bringers, type LoadedFile, PARTS, type TransferCount } from './transfers';

/** A bar: a stage, or a request, of which a part is waiting for the first byte. */
type Stretch = Span & Partial<Pick<Transfer, 'response' | 'url'>>;

/** Fills the rows that the template lays out; those of the preview only where there is one. */
export class Waterfall {
  readonly #panel: HTMLElement;
  readonly #axis: HTMLElement;
  readonly #end: HTMLElement;
  readonly #count: TransferCount;
  readonly #stages = new Map<Stage, Span>();
  readonly #partRows;
  readonly #stageRows;

  /** @param panel - What holds the rows. */
  constructor(panel: HTMLElement, count: TransferCount) {
    this.#panel = panel;
    this.#count = count;
    this.#axis = element('[data-axis]', HTMLElement, panel);
    this.#end = element('#stages-end', HTMLElement, panel);
    this.#partRows = present(PARTS, 'part', panel);
    this.#stageRows = present(STAGES, 'stage', panel);
  }

  /** Milliseconds from the click to the tags of any model; none before they are there. */
  get firstTagMs(): number | undefined {
    return (this.#stages.get('preview') ?? this.#stages.get('first-tag'))?.end;
  }

  /** Milliseconds from the click to the axis' end. */
  get lengthMs(): number {
    const last = this.#stages.get('first-tag');
    if (last) {
      return last.end;
    }
    const requests = this.#count.files('total').flatMap(({ requests: all }) => all);
    const ends = requests.map(({ end }) => end - performance.timeOrigin);
    return Math.max(1, ...ends, ...[...this.#stages.values()].map(({ end }) => end));
  }

  /** Takes a stage that has ended, and notes its times at its row. */
  add(stage: Stage, span: Span): void {
    // The worker's clock and the page's have different zeros, hence times since the epoch.
    const { start, end } = sinceClick(span);
    this.#stages.set(stage, { start, end });
    const shown = this.#stageRows.find(({ name }) => name === stage);
    if (shown) {
      Object.assign(shown.row.dataset, { startMs: start, endMs: end });
    }
  }

  /** Draws all that is known. */
  show(): void {
    const length = this.lengthMs;
    this.#showAxis(length);
    for (const { name, row } of this.#partRows) {
      drawFiles(row, this.#count.files(name), length);
    }
    for (const { name, row } of this.#stageRows) {
      const span = this.#stages.get(name);
      if (span) {
        element('[data-took]', HTMLElement, row).textContent = duration(span.end - span.start);
        element('[data-ended]', HTMLElement, row).textContent = duration(span.end);
        draw(row, [span], length);
      }
    }
  }

  #showAxis(length: number): void {
    const step = stepOf(length);
    this.#panel.style.setProperty('--step', String(step / length));
    this.#end.textContent = duration(length);
    const labels = [];
    // Later ones would stand where the end's own label does, in a narrow window.
    for (let time = 0; time <= 0.5 * length; time += step) {
      const label = document.createElement('span');
      label.textContent = time === 0 ? '0' : duration(time);
      label.style.setProperty('--from', String(time / length));
      labels.push(label);
    }
    this.#axis.replaceChildren(...labels);
    const preview = this.#stages.get('preview');
    if (preview) {
      this.#panel.dataset['previewed'] = '';
      this.#panel.style.setProperty('--preview', String(preview.end / length));
    }
  }
}

/** Draws the requests that brought some files into a row. */
export function drawFiles(row: HTMLElement, files: readonly LoadedFile[], lengthMs: number): void {
  const requests = files
    .flatMap(bringers)
    .map((request) => ({
      ...request,
      ...sinceClick(request),
      response: request.response - performance.timeOrigin,
    }))
    // What comes later did not keep the first tag waiting.
    .filter(({ start }) => start < lengthMs)
    .sort((one, two) => one.start - two.start);
  draw(row, requests, lengthMs);
}

/** Draws bars into a row's track, those at the same time one below the other. */
function draw(row: HTMLElement, stretches: readonly Stretch[], lengthMs: number): void {
  const lanes = lanesOf(stretches);
  const track = element('[data-track]', HTMLElement, row);
  track.style.setProperty('--lanes', String(1 + Math.max(0, ...lanes)));
  const when = document.createElement('span');
  when.className = 'spoken';
  const bars = stretches.map(({ start, end, response = start, url }, index) => {
    const bar = document.createElement('span');
    bar.className = 'fall-bar';
    bar.style.setProperty('--from', String(start / lengthMs));
    bar.style.setProperty('--to', String(end / lengthMs));
    bar.style.setProperty('--wait', String((response - start) / Math.max(end - start, 0.1)));
    bar.style.setProperty('--lane', String(lanes[index]));
    Object.assign(bar.dataset, { url, startMs: start, responseMs: response, endMs: end });
    return bar;
  });
  const [first] = stretches;
  if (first) {
    const end = Math.max(...stretches.map((stretch) => stretch.end));
    when.textContent = say('stretch', { start: duration(first.start), end: duration(end) });
  }
  track.replaceChildren(...bars, when);
}

function sinceClick({ start, end }: Span): Span {
  return { start: start - performance.timeOrigin, end: end - performance.timeOrigin };
}

/** Returns those rows that the template has. */
function present<Name extends string>(
  names: readonly Name[],
  attribute: string,
  panel: HTMLElement,
): readonly { readonly name: Name; readonly row: HTMLElement }[] {
  return names.flatMap((name) => {
    const row = panel.querySelector<HTMLElement>(`[data-${attribute}="${name}"]`);
    return row ? [{ name, row }] : [];
  });
}
