/** Which backends this browser has, as far as can be told without starting one. */

import { BACKENDS, type BackendName } from '../messages';

/** What backends stand on, in a window. */
export interface Surroundings {
  readonly WebAssembly?: unknown;
  readonly OffscreenCanvas?: unknown;
  readonly WebGL2RenderingContext?: unknown;
  readonly navigator: { readonly gpu?: unknown };
}

/** Returns the backends that may be available; some of them may still fail to start. */
export function availableBackends(window: Surroundings): ReadonlySet<BackendName> {
  const isOffered: Readonly<Record<BackendName, boolean>> = {
    // Only in windows that came over TLS or from this machine.
    webgpu: Boolean(window.navigator.gpu),
    // The worker draws on a canvas that is not in the page.
    webgl: Boolean(window.OffscreenCanvas && window.WebGL2RenderingContext),
    wasm: Boolean(window.WebAssembly),
    cpu: true,
  };
  return new Set(BACKENDS.filter((backend) => isOffered[backend]));
}
