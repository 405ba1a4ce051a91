/**
 * Everything that needs TF.js, as one file that loads beside the model.
 *
 * The worker's entry imports it dynamically, so that the model, the WebAssembly and this
 * code travel at the same time.
 */

export { Classifier } from './classifier';
export { Tagger } from './tagger';
export { startOther, startWasm } from './tfjs';
export { tryGpus } from './gpu-trial';
