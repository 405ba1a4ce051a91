/** Remembers backend choices and timings between visits, if the browser allows storage. */

import { BACKENDS, type BackendName, GPU_BACKENDS, type Race } from '../messages';

/** A property of the machine, not of the model: shared by all sites of one origin. */
const CHOICE_KEY = 'toolchain.backend.choice';
const RACE_KEY = 'toolchain.backend';

/** What is kept of a comparison. */
interface StoredRace extends Race {
  /** Another browser or another model may give another result. */
  readonly browser: string;
  readonly contract: string;
}

/** Remembers the visitor's choice and the last comparison. */
export class BackendMemory {
  readonly #storage: () => Storage;
  readonly #browser: string;
  readonly #contract: string;

  /**
   * @param storage - Called at each use, for windows without storage throw even when asked for it.
   * @param browser - Another browser's comparison says nothing.
   * @param contract - Nor does that of another model.
   */
  constructor(storage: () => Storage, browser: string, contract: string) {
    this.#storage = storage;
    this.#browser = browser;
    this.#contract = contract;
  }

  /** The backend that the visitor chose, or null if the page chooses. */
  get choice(): BackendName | null {
    const stored = this.#read(CHOICE_KEY);
    return BACKENDS.find((backend) => backend === stored) ?? null;
  }

  set choice(backend: BackendName | null) {
    this.#write(CHOICE_KEY, backend);
  }

  /** How the last comparison went, if it was of this browser and this model. */
  get race(): Race | null {
    const stored = this.#read(RACE_KEY);
    if (
      !isStoredRace(stored) ||
      stored.browser !== this.#browser ||
      stored.contract !== this.#contract
    ) {
      return null;
    }
    const { first, firstMs, gpu, gpuMs } = stored;
    return { first, firstMs, gpu, gpuMs };
  }

  set race(race: Race | null) {
    const facts = { browser: this.#browser, contract: this.#contract };
    this.#write(RACE_KEY, race && ({ ...race, ...facts } satisfies StoredRace));
  }

  #read(key: string): unknown {
    try {
      return JSON.parse(this.#storage().getItem(key) ?? 'null');
    } catch {
      // No storage, or something else in it.
      return null;
    }
  }

  #write(key: string, value: unknown): void {
    try {
      if (value === null) {
        this.#storage().removeItem(key);
      } else {
        this.#storage().setItem(key, JSON.stringify(value));
      }
    } catch {
      // Private windows may refuse to store; then nothing is remembered.
    }
  }
}

function isStoredRace(value: unknown): value is StoredRace {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const { first, firstMs, gpu, gpuMs } = value as Partial<StoredRace>;
  return (
    (first === 'wasm' || first === 'cpu') &&
    GPU_BACKENDS.some((backend) => backend === gpu) &&
    typeof firstMs === 'number' &&
    typeof gpuMs === 'number'
  );
}
