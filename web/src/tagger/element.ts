/**
 * The element `<image-tagger>`; `image-tagger.d.ts` is its interface.
 *
 * It is a file of its own, and loads `tagger.js`, which lies beside it, with the first photo.
 */

import type { Backend, Progress, Tagger, TaggerPhoto, Tagging, TagOptions } from './tagger.js';

const NAME = 'image-tagger';

const STYLE = `
  :host { display: block; }
  [hidden] { display: none !important; }
  [part=button] { display: inline-block; min-height: 24px; padding: .6em 1em;
    border: 1px solid; border-radius: .4em; cursor: pointer; }
  [part=button]:focus-within { outline: 2px solid; outline-offset: 2px; }
  input { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  [part=photo], ::slotted(img) { display: block; max-width: 100%; height: auto; margin: .6em 0; }
  progress { display: block; width: 100%; }
  ol { list-style: none; margin: .6em 0; padding: 0; }
  li { display: grid; grid-template-columns: 1fr auto; gap: 0 1em; margin: .3em 0; }
  [part=bar] { grid-column: 1 / -1; height: 3px; background: currentColor;
    transform-origin: 0 0; transform: scaleX(var(--score)); }
`;

const CONTENT = `
  <label part="button"><slot>Choose a photo</slot><input type="file" accept="image/*"></label>
  <slot name="photo"><img part="photo" hidden></slot>
  <div id="loading" hidden>
    <span id="words"><slot name="loading">Loading the model</slot></span>
    <progress part="progress" aria-labelledby="words"></progress>
  </div>
  <div role="status">
    <ol part="tags" hidden></ol>
    <p part="none" hidden><slot name="none">None of these</slot></p>
    <p part="error" hidden></p>
  </div>
`;

/** Tags a photo that the visitor chooses or drops, or that the page puts into it. */
export class ImageTagger extends HTMLElement {
  static readonly observedAttributes = ['src', 'backend'];

  readonly #root = this.attachShadow({ mode: 'open' });
  #loading: Promise<Tagger> | undefined;
  #ending = new AbortController();
  /** Numbers photos, so that only the newest one's tags are shown. */
  #newest = 0;
  #address = '';

  constructor() {
    super();
    this.#root.innerHTML = CONTENT;
    // A style sheet that a page's policy allows; without it the element works, unstyled.
    if ('adoptedStyleSheets' in this.#root) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      this.#root.adoptedStyleSheets = [sheet];
    }
    const input = this.#find('input') as HTMLInputElement;
    // The model comes while the visitor chooses.
    input.addEventListener('click', () => void this.#load().catch(() => undefined));
    input.addEventListener('change', () => {
      const [file] = input.files ?? [];
      // The same file may be chosen again.
      input.value = '';
      this.#give(file);
    });
    this.addEventListener('dragover', (event) => event.preventDefault());
    this.addEventListener('drop', (event) => {
      event.preventDefault();
      this.#give(event.dataTransfer?.files[0]);
    });
    const slot = this.#find('slot[name=photo]') as HTMLSlotElement;
    slot.addEventListener('slotchange', () => {
      const image = slot.assignedElements().find((each) => each instanceof HTMLImageElement);
      if (image) {
        void this.tag(image);
      }
    });
  }

  attributeChangedCallback(): void {
    this.#end();
  }

  disconnectedCallback(): void {
    // An element that is only moved is there again at once.
    queueMicrotask(() => {
      if (!this.isConnected) {
        this.#end();
      }
    });
  }

  async tag(photo: TaggerPhoto): Promise<Tagging | null> {
    const number = ++this.#newest;
    const isNewest = (): boolean => number === this.#newest;
    for (const part of ['tags', 'none', 'error']) {
      this.#part(part).hidden = true;
    }
    try {
      const tagger = await this.#load();
      const tagging = isNewest() ? await tagger.tag(photo, this.#options()) : null;
      if (!tagging || !isNewest()) {
        return null;
      }
      this.#show(tagging);
      this.#tell('tags', tagging);
      return tagging;
    } catch (error) {
      if (isNewest()) {
        const place = this.#part('error');
        place.textContent = (error as Error).message;
        place.hidden = false;
        this.#tell('error', error);
      }
      return null;
    }
  }

  /** Tags a file and shows it. */
  #give(file: File | undefined): void {
    if (!file) {
      return;
    }
    URL.revokeObjectURL(this.#address);
    this.#address = URL.createObjectURL(file);
    const image = document.createElement('img');
    image.src = this.#address;
    image.alt = file.name;
    image.setAttribute('part', 'photo');
    const slot = this.#find('slot[name=photo]') as HTMLSlotElement;
    // The visitor's photo takes the place of the page's.
    slot.assignedElements().forEach((each) => each.remove());
    slot.replaceChildren(image);
    void this.tag(file);
  }

  #load(): Promise<Tagger> {
    const { signal } = this.#ending;
    return (this.#loading ??= this.#begin(signal).catch((error: unknown) => {
      // The next photo tries again.
      if (!signal.aborted) {
        this.#loading = undefined;
      }
      throw error;
    }));
  }

  async #begin(signal: AbortSignal): Promise<Tagger> {
    const site = this.getAttribute('src');
    if (site === null) {
      throw new RangeError(`<${NAME}> has no src; give it the address of a site.`);
    }
    const place = this.#find('#loading');
    const bar = this.#part('progress') as HTMLProgressElement;
    bar.removeAttribute('value');
    place.hidden = false;
    try {
      const { load } = await import('./tagger.js');
      return await load(site, {
        backend: (this.getAttribute('backend') ?? 'auto') as Backend,
        signal,
        onProgress: (progress: Progress) => {
          bar.value = progress.total ? progress.received / progress.total : 1;
          this.#tell('progress', progress);
        },
      });
    } finally {
      if (!signal.aborted) {
        place.hidden = true;
      }
    }
  }

  /** Ends the model that is there or on its way; the next photo loads the one of `src`. */
  #end(): void {
    const loading = this.#loading;
    this.#loading = undefined;
    this.#newest++;
    this.#ending.abort();
    this.#ending = new AbortController();
    this.#find('#loading').hidden = true;
    loading?.then((tagger) => tagger.close()).catch(() => undefined);
  }

  #options(): TagOptions {
    const [top, threshold] = [this.getAttribute('top'), this.getAttribute('threshold')];
    return {
      ...(top !== null && { top: Number(top) }),
      ...(threshold !== null && { threshold: Number(threshold) }),
    };
  }

  #show({ tags }: Tagging): void {
    const language = this.closest<HTMLElement>('[lang]')?.lang || undefined;
    const percent = new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 });
    const items = tags.map(({ label, score }) => {
      const item = piece('li', 'tag');
      const bar = piece('span', 'bar');
      bar.style.setProperty('--score', String(Math.min(Math.max(score, 0), 1)));
      item.append(
        piece('span', 'label', label),
        piece('span', 'score', percent.format(score)),
        bar,
      );
      return item;
    });
    const list = this.#part('tags');
    list.replaceChildren(...items);
    list.hidden = items.length === 0;
    this.#part('none').hidden = items.length > 0;
  }

  #tell(type: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #part(name: string): HTMLElement {
    return this.#find(`[part=${name}]`);
  }

  #find(selector: string): HTMLElement {
    const found = this.#root.querySelector<HTMLElement>(selector);
    if (!found) {
      throw new Error(`<${NAME}> has lost ${selector}`);
    }
    return found;
  }
}

function piece(name: string, part: string, text = ''): HTMLElement {
  const element = document.createElement(name);
  element.setAttribute('part', part);
  element.textContent = text;
  return element;
}

if (!customElements.get(NAME)) {
  customElements.define(NAME, ImageTagger);
}

// What the types promise is what there is.
({ ImageTagger }) satisfies typeof import('./image-tagger.js');
