"""Scripts that run before the page's own, and imitate other machines."""

from __future__ import annotations

# The page tests for WebAssembly SIMD by validating a module that contains a vector.
WITHOUT_VECTORS = "WebAssembly.validate = () => false"
WITHOUT_WASM = "delete globalThis.WebAssembly"
WITHOUT_WEBGPU = "delete Navigator.prototype.gpu"

# For the worker: WebGL on SwiftShader under another name, because the page does not use
# SwiftShader; and a way to lose the graphics device, as when a driver restarts.
AS_HARDWARE = """
const { getParameter } = WebGL2RenderingContext.prototype;
WebGL2RenderingContext.prototype.getParameter = function (name) {
  return name === 0x9246 ? 'A graphics processor' : getParameter.call(this, name);
};
const { getContext } = OffscreenCanvas.prototype;
let lose;
OffscreenCanvas.prototype.getContext = function (...wanted) {
  const context = getContext.apply(this, wanted);
  lose = () => context.getExtension('WEBGL_lose_context').loseContext();
  return context;
};
const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = async function (...wanted) {
  const device = await requestDevice.apply(this, wanted);
  lose = () => device.destroy();
  return device;
};
addEventListener('message', ({ data }) => data.kind === 'lose' && lose());
"""
WITH_WORKER_AT_HAND = """
globalThis.Worker = class extends Worker {
  constructor(...given) {
    super(...given);
    globalThis.lastWorker = this;
  }
};
"""
# Shortens the pauses between retries, the only thing that the page waits for by time.
HASTE = "const wait = setTimeout; globalThis.setTimeout = (run, ms) => wait(run, ms / 50);"
# For the worker: takes all of WebAssembly's memory, which cannot grow.
OUT_OF_MEMORY = """
WebAssembly.Memory.prototype.grow = () => { throw new RangeError('no more'); };
const { instantiate } = WebAssembly;
WebAssembly.instantiate = async (...given) => {
  const instance = await instantiate(...given);
  setTimeout(() => {
    try {
      for (;;) instance.exports.malloc(1 << 16);
    } catch (error) {
      console.info('taken', String(error));
    }
  });
  return instance;
};
"""
