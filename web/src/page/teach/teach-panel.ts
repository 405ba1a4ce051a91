/** The panel "Your own tags": the visitor teaches them with a few photos, here and nowhere else. */

import type { Learned } from '../../teach/learn';
import type { TaughtHead } from '../../teach/head';
import solverUrl from '../../teach/solver.ts?worker&url';
import { saveFile } from '../save-file';
import type { Session } from '../session';
import { type Judgement, judgementOf } from './judgement';
import { changeBy } from './hand-over';
import { KeepChoice } from './keep-choice';
import { type CardEvents, LessonCard } from './lesson-card';
import { type Change, Lessons, type OwnTag } from './lessons';
import { button, checkbox, fileButton, made } from './make';
import { retagged } from './own-tags';
import { PhotoQueue } from './photo-queue';
import { SolverClient } from './solver-client';
import style from './teach.css?inline';
import { Suspects } from './suspects';
import { readTaughtFile, taughtFile, TaughtFileError, type TaughtModel } from './taught-file';
import { TaughtStore } from './taught-store';
import { tell } from './words';

/** As many confusions are named. */
const NAMED = 3;
/** With fewer photos of a tag the panel says that they are few. */
const FEW = 5;

/** What a panel works with. */
export interface PanelPlace {
  readonly section: HTMLElement;
  readonly session: Session;
}

/** All of the panel. */
export class TeachPanel {
  readonly #session: Session;
  readonly #lessons = new Lessons();
  readonly #model: TaughtModel;
  readonly #store: TaughtStore;
  readonly #choice: KeepChoice;
  readonly #cards = new Map<number, LessonCard>();
  readonly #list = made('ul', 'lessons');
  readonly #said = made('p', 'hint');
  readonly #alert = made('p', 'teach-alert');
  readonly #few = made('p', 'hint', tell('few'));
  readonly #judgement = made('p', 'teach-judgement');
  readonly #use = made('input');
  readonly #useLabel = checkbox(this.#use, tell('use'));
  readonly #keeps = made('input');
  readonly #undo = button(tell('undo'), () => this.#takeBack());
  readonly #export = button(tell('export'), () => void this.#save());
  readonly #forget = button(tell('forget'), () => void this.#forgetAll());
  readonly #suspects: Suspects;
  readonly #queue: PhotoQueue;
  readonly #solver: SolverClient;
  #head: TaughtHead | null = null;
  /** The tags that the head knows. */
  #labels: readonly string[] = [];
  #learning: readonly OwnTag[] = [];
  /** Whether photos get the visitor's tags. */
  #isTagging = false;
  #hasComplained = false;
  /** How many changes are being stored. */
  #storing = 0;

  private constructor({ section, session }: PanelPlace) {
    const { modelName = '', modelSha256 = '', width = '' } = section.dataset;
    this.#session = session;
    this.#model = { name: modelName, sha256: modelSha256, width: Number(width) };
    this.#store = new TaughtStore(modelSha256);
    this.#choice = new KeepChoice(modelSha256);
    this.#solver = new SolverClient(
      () => new Worker(new URL(solverUrl, import.meta.url), { type: 'module' }),
      (learned) => this.#hear(learned),
      (detail) => this.#complain(tell('solverFailed', { detail })),
    );
    this.#queue = new PhotoQueue(session, this.#model.width, {
      taught: ({ tag, ...given }) => {
        if (this.#lessons.tags.some(({ id }) => id === tag)) {
          const photo = { ...given, tag, id: this.#lessons.nextId() };
          this.#change({ putPhotos: [photo] });
        }
      },
      refused: (sentence) => this.#complain(sentence),
      left: (count) => this.#say(count > 0 ? tell('waiting', { count }) : this.#summary()),
    });
    this.#suspects = new Suspects({
      takeOut: (photo) => this.#change({ dropPhotos: [photo] }),
      move: (photo, tag) => this.#change({ putPhotos: [{ ...photo, tag }] }),
    });
    this.#build(section);
  }

  /** Shows the panel, with what the browser has kept. */
  static async open(section: HTMLElement, session: Session): Promise<TeachPanel> {
    if ('adoptedStyleSheets' in document) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(style);
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    }
    const panel = new TeachPanel({ section, session });
    await panel.#readKept();
    section.dataset['teach'] = 'ready';
    return panel;
  }

  #build(section: HTMLElement): void {
    this.#said.setAttribute('role', 'status');
    this.#alert.setAttribute('role', 'alert');
    this.#judgement.setAttribute('role', 'status');

    const form = made('form', 'teach-new');
    const field = made('input', 'lesson-name');
    field.setAttribute('aria-label', tell('newTag'));
    field.placeholder = tell('newTag');
    field.autocomplete = 'off';
    const add = made('button', 'button primary', tell('addTag'));
    form.append(field, add);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const name = field.value.trim();
      if (name) {
        this.#addTag(name);
        field.value = '';
      }
      field.focus();
    });

    this.#use.checked = true;
    this.#use.addEventListener('change', () => this.#tagByHead());
    this.#keeps.checked = this.#choice.read();
    this.#keeps.addEventListener('change', () => this.#keepOrNot());
    const controls = made('div', 'give');
    const take = fileButton(tell('import'), '.zip,application/zip', false, ([file]) => {
      void this.#load(file);
    });
    take.classList.add('teach-import');
    controls.append(this.#undo, this.#export, take, this.#forget);
    this.#list.setAttribute('aria-label', tell('tags'));
    section.append(
      form,
      this.#alert,
      this.#said,
      this.#useLabel,
      this.#few,
      this.#judgement,
      this.#suspects.element,
      this.#list,
      checkbox(this.#keeps, tell('keepPhotos')),
      controls,
    );
  }

  async #readKept(): Promise<void> {
    try {
      const { tags, photos } = await this.#store.read();
      // Photos whose tag is gone would belong to none.
      const known = new Set(tags.map(({ id }) => id));
      const whole = photos.filter(({ tag }) => known.has(tag));
      this.#lessons.make({ putTags: tags, putPhotos: whole }, false);
      if (tags.length > 0) {
        this.#say(tell('welcomeBack', { tags: tags.length, count: whole.length }));
      }
    } catch (error) {
      this.#notStored(error);
    }
    this.#show();
    this.#learn();
  }

  #addTag(name: string): void {
    const known = this.#lessons.named(name);
    if (known) {
      this.#complain(tell('sameName', { tag: known.name }));
    } else {
      this.#change({ putTags: [{ id: this.#lessons.nextId(), name }] });
    }
  }

  #change(change: Change): void {
    this.#alert.textContent = '';
    this.#lessons.make(change);
    this.#changed(change);
  }

  #takeBack(): void {
    const change = this.#lessons.undo();
    if (change) {
      this.#changed(change);
    }
  }

  /** Keeps, shows and learns what has changed. */
  #changed(change: Change): void {
    void this.#keep(change);
    this.#show();
    this.#learn();
  }

  #show(): void {
    const { tags } = this.#lessons;
    const ids = new Set(tags.map(({ id }) => id));
    for (const [id, card] of this.#cards) {
      if (!ids.has(id)) {
        card.end();
        this.#cards.delete(id);
      }
    }
    for (const tag of tags) {
      let card = this.#cards.get(tag.id);
      if (!card) {
        card = new LessonCard(tag, this.#events);
        this.#cards.set(tag.id, card);
        this.#list.append(card.item);
      }
      const others = tags.flatMap(({ id, name }) => (id === tag.id ? [] : [name]));
      card.show(tag, this.#lessons.of(tag.id), others);
    }
    this.#undo.disabled = !this.#lessons.canUndo;
    this.#forget.disabled = tags.length === 0;
    this.#few.hidden = !tags.some(({ id }) => this.#lessons.of(id).length < FEW);
    this.#list.hidden = tags.length === 0;
    this.#useLabel.hidden = tags.length === 0;
  }

  get #events(): CardEvents {
    return {
      files: (tag, files) => this.#queue.files(tag, files, this.#keeps.checked),
      frame: (tag, frame) => this.#queue.frame(tag, frame, this.#keeps.checked),
      takeOut: (photo) => this.#change({ dropPhotos: [photo] }),
      rename: (tag, name) => this.#change(this.#lessons.renamed(tag, name)),
      remove: ({ id }) => this.#change(this.#lessons.withoutTag(id)),
      alert: (sentence) => this.#complain(sentence),
    };
  }

  /** Learns from all photos; tags without photos do not take part. */
  #learn(): void {
    this.#export.disabled = true;
    this.#list.dataset['learned'] = 'no';
    const { tags, photos } = this.#lessons.learnable();
    this.#learning = tags;
    if (tags.length === 0) {
      this.#solver.end();
      this.#head = null;
      this.#judge(null);
      this.#tagByHead();
      return;
    }
    this.#solver.learn(photos, tags.length);
  }

  #hear({ head, judged, isFinal }: Learned): void {
    this.#head = head;
    this.#labels = this.#learning.map(({ name }) => name);
    this.#judge(judgementOf(judged));
    this.#isTagging = this.#use.checked;
    this.#session.retag(this.#isTagging ? retagged(head, this.#labels) : null);
    this.#list.dataset['learned'] = isFinal ? 'final' : 'quick';
    this.#export.disabled = !isFinal;
    if (isFinal && this.#isTagging) {
      this.#tagAgain();
    }
  }

  #judge(found: Judgement | null): void {
    const nameOf = (tag: number): string => this.#learning[tag]?.name ?? '';
    this.#judgement.textContent = found
      ? [
          tell('accuracy', { right: found.right, count: found.count }),
          ...found.confusions
            .slice(0, NAMED)
            .map(({ tag, found: other, count }) =>
              tell('confusion', { count, tag: nameOf(tag), found: nameOf(other) }),
            ),
        ].join(' · ')
      : '';
    this.#suspects.show(found?.mistaken ?? [], this.#learning, this.#lessons.photos);
  }

  #tagByHead(): void {
    const by = this.#head && this.#use.checked ? retagged(this.#head, this.#labels) : null;
    this.#session.retag(by);
    if (by || this.#isTagging) {
      this.#tagAgain();
    }
    this.#isTagging = by !== null;
  }

  /** Tags the photo on show again; the camera's next picture comes anyway. */
  #tagAgain(): void {
    const { photo } = this.#session;
    if (photo) {
      this.#session.tag(photo, false);
    }
  }

  /** Keeps the photos that are there, or forgets them. */
  #keepOrNot(): void {
    try {
      this.#choice.write(this.#keeps.checked);
    } catch (error) {
      this.#notStored(error);
    }
    void this.#keep({ putPhotos: this.#lessons.photos });
  }

  async #keep(change: Change): Promise<void> {
    const { dataset } = this.#list;
    this.#storing++;
    dataset['stored'] = 'no';
    try {
      await this.#store.keep(change, this.#keeps.checked);
    } catch (error) {
      this.#notStored(error);
    }
    this.#storing--;
    dataset['stored'] = this.#storing === 0 ? 'yes' : 'no';
  }

  async #forgetAll(): Promise<void> {
    const count = this.#lessons.photos.length;
    if (!confirm(tell('forgetSure', { count }))) {
      return;
    }
    this.#queue.stop();
    this.#lessons.clear();
    this.#show();
    this.#learn();
    try {
      await this.#store.forget();
      this.#say(tell('forgotten'));
    } catch (error) {
      this.#notStored(error);
    }
  }

  async #save(): Promise<void> {
    if (this.#head) {
      const { photos } = this.#lessons;
      const withPhotos = this.#keeps.checked;
      const file = taughtFile(this.#model, this.#learning, photos, this.#head, withPhotos);
      saveFile('taught.zip', await file);
    }
  }

  async #load(file: File | undefined): Promise<void> {
    if (!file) {
      return;
    }
    try {
      const found = await readTaughtFile(file, this.#model);
      this.#change(changeBy(found, this.#lessons));
      this.#say(tell('imported', { tags: found.tags.length, count: found.photos.length }));
    } catch (error) {
      const { other = null, message = '' } = error instanceof TaughtFileError ? error : {};
      this.#complain(
        other === null
          ? tell('notImported', { file: file.name, detail: message || nameOf(error) })
          : tell('otherModel', { file: file.name, other, model: this.#model.name }),
      );
    }
  }

  #summary(): string {
    return this.#learning
      .map(({ id, name }) => tell('added', { tag: name, count: this.#lessons.of(id).length }))
      .join(' ');
  }

  #say(sentence: string): void {
    this.#said.textContent = sentence;
  }

  #complain(sentence: string): void {
    this.#alert.textContent = sentence;
  }

  #notStored(error: unknown): void {
    if (!this.#hasComplained) {
      this.#hasComplained = true;
      this.#complain(tell('notStored', { detail: nameOf(error) }));
    }
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.name : String(error);
}
