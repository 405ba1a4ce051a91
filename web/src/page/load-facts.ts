/** The load in a few figures: the first tag, bytes, backend and memory. */

import type { BackendReport, Tagging } from '../messages';
import { element } from './elements';
import { byteSize, duration, percent } from './number-format';
import { say } from './language';
import { backendName, backendReason } from './sentences';
import type { TransferCount } from './transfers';

/** What Chromium alone tells of the page's memory. */
interface MemoryTeller {
  readonly memory?: { readonly usedJSHeapSize: number };
}

/** Fills the figures that the template lays out; what is not known stays a dash. */
export class LoadFacts {
  readonly #panel: HTMLElement;

  constructor(panel: HTMLElement) {
    this.#panel = panel;
  }

  /** @param preview - Of the small model, if that answered first. */
  firstTag(fullMs: number | undefined, previewMs: number | undefined): void {
    const first = previewMs ?? fullMs;
    if (first === undefined) {
      return;
    }
    let note = say('sinceClick');
    if (previewMs !== undefined) {
      note =
        fullMs === undefined ? say('factPreview') : say('factFull', { time: duration(fullMs) });
    }
    this.#fill('first-tag', duration(first), note);
  }

  bytes(count: TransferCount): void {
    const { wireBytes, decodedBytes } = count.bytes('total');
    const files = count.files('total');
    const travelled = files.filter((file) => file.wireBytes > 0).length;
    this.#fill(
      'bytes',
      byteSize(wireBytes),
      say('factBytes', {
        decoded: byteSize(decodedBytes),
        share: percent(wireBytes / Math.max(1, decodedBytes)),
        network: travelled,
        cache: files.length - travelled,
      }),
    );
  }

  /** @param report - None while a backend starts. */
  backend(report: BackendReport | null): void {
    this.#fill('backend', report ? backendName(report) : '–', report ? backendReason(report) : '');
  }

  memory({ tensorBytes }: Pick<Tagging, 'tensorBytes'>): void {
    const { memory } = performance as MemoryTeller;
    const heap = memory ? byteSize(memory.usedJSHeapSize) : '–';
    this.#fill('memory', byteSize(tensorBytes), say('factMemory', { heap }));
  }

  #fill(fact: string, value: string, note: string): void {
    const place = element(`[data-fact="${fact}"]`, HTMLElement, this.#panel);
    element('strong', HTMLElement, place).textContent = value;
    element('small', HTMLElement, place).textContent = note;
  }
}
