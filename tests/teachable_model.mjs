// Writes a small model as Teachable Machine does, with TF.js' own layers, in Node.
//
// node teachable_model.mjs NODE_MODULES FOLDER SIDE LABEL …
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [modules, folder, side, ...labels] = process.argv.slice(2);
const require = createRequire(join(modules, 'x'));
const tf = require('@tensorflow/tfjs-core');
require('@tensorflow/tfjs-backend-cpu');
const { layers, model, sequential, initializers } = require('@tensorflow/tfjs-layers');
console.warn = () => {};
await tf.setBackend('cpu');

const seeded = (seed) => initializers.glorotNormal({ seed });
const image = tf.layers?.input ?? require('@tensorflow/tfjs-layers').input;
const photo = image({ shape: [Number(side), Number(side), 3] });
let x = layers.zeroPadding2d({ padding: [[0, 1], [0, 1]], name: 'Conv1_pad' }).apply(photo);
x = layers
  .conv2d({ filters: 8, kernelSize: 3, strides: 2, useBias: false, name: 'Conv1', kernelInitializer: seeded(1) })
  .apply(x);
x = layers.batchNormalization({ name: 'bn_Conv1', epsilon: 0.001, momentum: 0.999 }).apply(x);
x = layers.reLU({ maxValue: 6, name: 'Conv1_relu' }).apply(x);
const wide = layers
  .depthwiseConv2d({ kernelSize: 3, padding: 'same', useBias: false, name: 'depthwise', depthwiseInitializer: seeded(2) })
  .apply(x);
x = layers.add({ name: 'block_add' }).apply([x, wide]);
x = layers
  .conv2d({ filters: 16, kernelSize: 1, useBias: false, name: 'out_relu', activation: 'relu', kernelInitializer: seeded(3) })
  .apply(x);
const backbone = model({ inputs: photo, outputs: x, name: 'model1' });
const features = sequential({ layers: [backbone, layers.globalAveragePooling2d({ name: 'pooled' })], name: 'sequential_1' });
const head = sequential({
  layers: [
    layers.dense({ units: 12, activation: 'relu', inputShape: [16], name: 'dense_Dense1', kernelInitializer: seeded(4), biasInitializer: seeded(6) }),
    layers.dropout({ rate: 0.3, name: 'dropout' }),
    layers.dense({ units: labels.length, activation: 'softmax', useBias: false, name: 'dense_Dense2', kernelInitializer: seeded(5) }),
  ],
  name: 'sequential_3',
});
const whole = sequential({ layers: [features, head], name: 'sequential_4' });

mkdirSync(folder, { recursive: true });
await whole.save({
  save: async ({ modelTopology, weightSpecs, weightData }) => {
    const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
    const content = { modelTopology, weightsManifest };
    writeFileSync(join(folder, 'model.json'), JSON.stringify(content));
    writeFileSync(join(folder, 'weights.bin'), Buffer.from(weightData));
    const metadata = {
      tfjsVersion: '1.3.1',
      tmVersion: '2.4.7',
      packageVersion: '0.8.4-alpha2',
      packageName: '@teachablemachine/image',
      timeStamp: '2024-01-01T00:00:00.000Z',
      userMetadata: {},
      modelName: 'tm-my-image-model',
      labels,
      imageSize: Number(side),
    };
    writeFileSync(join(folder, 'metadata.json'), JSON.stringify(metadata));
    return { modelArtifactsInfo: {} };
  },
});
