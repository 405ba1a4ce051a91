// Runs TF.js models, of graphs or layers, on the unmodified WebAssembly backend, in Node.
//
// node tfjs_wasm.mjs NODE_MODULES < requests: on each line a folder with `model.json`, a file of
// float32 images and their shape, as JSON. For each it writes one line: {values} or {error}.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const modules = process.argv[2];
const require = createRequire(join(modules, 'x'));
const tf = require('@tensorflow/tfjs-core');
const { loadGraphModel } = require('@tensorflow/tfjs-converter');
const { loadLayersModel } = require('@tensorflow/tfjs-layers');
const wasm = require('@tensorflow/tfjs-backend-wasm');
wasm.setWasmPaths(join(modules, '@tensorflow/tfjs-backend-wasm/dist/'));
console.warn = () => {};

function artifacts(folder) {
  const model = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
  const files = model.weightsManifest.flatMap(({ paths }) => paths);
  const data = Buffer.concat(files.map((name) => readFileSync(join(folder, name))));
  return {
    modelTopology: model.modelTopology,
    signature: model.signature,
    weightSpecs: model.weightsManifest.flatMap(({ weights }) => weights),
    weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength),
  };
}

await tf.setBackend('wasm');
for await (const line of createInterface({ input: process.stdin })) {
  const { folder, images, shape } = JSON.parse(line);
  try {
    const stored = artifacts(folder);
    const load = stored.modelTopology.node ? loadGraphModel : loadLayersModel;
    const model = await load({ load: async () => stored });
    const bytes = readFileSync(images);
    const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    const output = model.predict(tf.tensor(floats, shape));
    const values = Array.from(await output.data(), (value) => String(value));
    console.log(JSON.stringify({ values, shape: output.shape }));
    model.dispose();
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.message) }));
  }
}
