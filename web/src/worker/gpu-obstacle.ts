/** Detects what a graphics backend would run on, without loading one. */

import type { BackendReason, GpuBackend } from '../messages';

/** Drawing in software is slower than WebAssembly, whatever the first runs look like. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|swrast|lavapipe|software|basic render/i;

/** Says whether a renderer's name is that of drawing without a graphics processor. */
export function isSoftware(renderer: string): boolean {
  return SOFTWARE.test(renderer);
}

/** Returns why a backend need not be tried here, or null if it should be. */
export async function gpuObstacle(gpu: GpuBackend): Promise<BackendReason | null> {
  const renderer = gpu === 'webgpu' ? await webgpuRenderer() : webglRenderer();
  if (renderer === null) {
    return { code: 'no-gpu' };
  }
  return isSoftware(renderer) ? { code: 'software-renderer', gpu } : null;
}

/** What this page reads of the browser's WebGPU. */
interface Gpu {
  requestAdapter(options: { powerPreference: 'high-performance' }): Promise<Adapter | null>;
}

interface Adapter {
  readonly isFallbackAdapter?: boolean;
  readonly info?: {
    readonly isFallbackAdapter?: boolean;
    readonly vendor: string;
    readonly architecture: string;
    readonly description: string;
  };
}

async function webgpuRenderer(): Promise<string | null> {
  const { gpu } = navigator as { readonly gpu?: Gpu };
  const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) {
    return null;
  }
  const { info } = adapter;
  const isFallback = info?.isFallbackAdapter ?? adapter.isFallbackAdapter;
  return isFallback ? 'software' : `${info?.vendor} ${info?.architecture} ${info?.description}`;
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
  // Browsers limit the number of contexts; this one is no longer needed.
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return String(renderer);
}
