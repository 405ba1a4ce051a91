/** The panel of the load: what came, when, what it cost and what it would cost elsewhere. */

import type { BackendReport, Span, Stage, Tagging, Transfer } from '../messages';
import { copyWhenMade } from './clipboard';
import { Disclosure } from './disclosure';
import { element } from './elements';
import { say } from './language';
import { LoadFacts } from './load-facts';
import { PartTable } from './part-table';
import { type Addresses, type Side, TransferCount } from './transfers';
import { Waterfall } from './waterfall';

type LoadReport = typeof import('./load-report');

/** Turns success and failure into a truth. */
const TOLD = [() => true, () => false] as const;

/** The least time between two drawings while the model loads: drawing delays the first tag. */
const PAUSE_MS = 250;

/** Shows the load; what only some visitors ask for is loaded when they do. */
export class LoadPanel {
  readonly #count: TransferCount;
  readonly #facts: LoadFacts;
  readonly #parts: PartTable;
  readonly #waterfall: Waterfall;
  readonly #details: readonly Disclosure[];
  #fullTagMs: number | undefined;
  #drawing: ReturnType<typeof setTimeout> | undefined;

  constructor(panel: HTMLElement, addresses: Addresses) {
    this.#count = new TransferCount(addresses);
    this.#facts = new LoadFacts(panel);
    this.#parts = new PartTable(element('#parts', HTMLTableElement, panel));
    this.#waterfall = new Waterfall(panel, this.#count);
    this.#details = [
      new Disclosure(element('#files', HTMLDetailsElement, panel), async (place) => {
        const { showFiles } = await import('./file-table');
        showFiles(place, this.#count.files('total'), this.#waterfall.lengthMs);
      }),
      new Disclosure(element('#networks', HTMLDetailsElement, panel), async (place) => {
        const { showNetworkTable } = await import('./network-table');
        await showNetworkTable(place, this.#count.files('total'), this.#waterfall.firstTagMs);
      }),
    ];
    const copied = element('#copied', HTMLElement, panel);
    const offer = (button: string, act: (by: Promise<LoadReport>) => Promise<void>) => {
      element(button, HTMLButtonElement, panel).addEventListener('click', () => {
        act(import('./load-report')).catch(() => (copied.textContent = say('notLoaded')));
      });
    };
    offer('#copy-report', async (code) => {
      const text = code.then(({ reportOf }) => reportOf(panel));
      const isCopied = copyWhenMade(text).then(...TOLD);
      (await code).tell(panel, copied, await text, (await isCopied) ? say('reportCopied') : null);
    });
    offer('#share-link', async (code) => {
      const text = code.then(({ linkOf }) => linkOf(panel));
      // Where there is a way to share, nothing is copied.
      const isCopied = 'share' in navigator ? true : copyWhenMade(text).then(...TOLD);
      await (await code).share(await text);
      const done = 'share' in navigator ? '' : say('linkCopied');
      (await code).tell(panel, copied, await text, (await isCopied) ? done : null);
    });
  }

  transfers(transfers: readonly Transfer[], side: Side): void {
    this.#count.add(transfers, side);
    this.#drawSoon();
  }

  stage(stage: Stage, span: Span): void {
    this.#waterfall.add(stage, span);
    if (stage === 'first-tag') {
      this.#fullTagMs = span.end - performance.timeOrigin;
    }
    this.#drawSoon();
  }

  /** @param report - None while a backend starts. */
  backend(report: BackendReport | null): void {
    this.#facts.backend(report);
  }

  tagged(tagging: Tagging): void {
    this.#facts.memory(tagging);
  }

  #drawSoon(): void {
    const isTagged = this.#waterfall.firstTagMs !== undefined;
    if (this.#drawing !== undefined && !isTagged) {
      return;
    }
    clearTimeout(this.#drawing);
    this.#drawing = setTimeout(() => this.#draw(), isTagged ? 0 : PAUSE_MS);
  }

  #draw(): void {
    this.#drawing = undefined;
    this.#parts.show(this.#count);
    this.#facts.bytes(this.#count);
    const { firstTagMs } = this.#waterfall;
    this.#facts.firstTag(this.#fullTagMs, firstTagMs === this.#fullTagMs ? undefined : firstTagMs);
    this.#waterfall.show();
    this.#details.forEach((each) => each.refresh());
  }
}
