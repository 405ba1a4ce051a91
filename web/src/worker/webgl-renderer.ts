/** Finds out what would draw here, without loading the WebGL backend. */

import type { BackendReason } from '../messages';

/** Drawing in software is slower than WebAssembly, whatever the first runs look like. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|swrast|lavapipe|software|basic render/i;

/** Says whether a renderer's name is that of drawing without a graphics processor. */
export function isSoftware(renderer: string): boolean {
  return SOFTWARE.test(renderer);
}

/** Returns why WebGL need not be tried here, or null if it should be. */
export function webglObstacle(): BackendReason | null {
  const renderer = webglRenderer();
  if (renderer === null) {
    return { code: 'no-webgl' };
  }
  return isSoftware(renderer) ? { code: 'software-renderer' } : null;
}

function webglRenderer(): string | null {
  if (typeof OffscreenCanvas === 'undefined') {
    return null;
  }
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (!gl) {
    return null;
  }
  const unmasked = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer: unknown = gl.getParameter(
    unmasked ? unmasked.UNMASKED_RENDERER_WEBGL : gl.RENDERER,
  );
  // The browser allows few contexts; this one has said all it had to say.
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return String(renderer);
}
