"""Scripts that run before the page's own: machines as a test wants them."""

from __future__ import annotations

# The page asks the browser whether it understands a module with a vector in it.
WITHOUT_VECTORS = "WebAssembly.validate = () => false"
WITHOUT_WASM = "delete globalThis.WebAssembly"
WITHOUT_WEBGPU = "delete Navigator.prototype.gpu"

# For the worker: WebGL on SwiftShader, which the page would pass over, under another name; and a
# way to lose the graphics processor as when a driver restarts.
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
# Pauses between attempts; nothing else that the page waits for is made of time.
HASTE = "const wait = setTimeout; globalThis.setTimeout = (run, ms) => wait(run, ms / 50);"
# For the worker: all memory that WebAssembly has is taken, and there is no more.
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
