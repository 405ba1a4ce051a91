import { describe, expect, it } from 'vitest';

import { ContractError, parseContract } from '../src/contract';

const good = () => ({
  schema: 4,
  model: {
    name: 'a model',
    source: 'somewhere',
    licence: 'Apache-2.0',
    sha256: '0123456789abcdef'.repeat(4),
    url: 'model/model.12.json',
    quantization: 'float16',
    weight_bytes: 934682,
  },
  input: {
    height: 224,
    width: 192,
    value_range: [-1, 1],
    crop_fraction: 0.875,
    mean: [0.5, 0.25, -0.125],
    std: [1, 2, 0.5],
    channels: 'bgr',
  },
  output: {
    label_offset: 1,
    activation: 'softmax',
    task: 'single-label',
    threshold: 0.5,
    labels: ['tench'],
    none_of_these: null,
    features: null,
  },
  graph: { modelTopology: {} },
});

function faultOf(json: unknown) {
  try {
    parseContract(json);
  } catch (error) {
    expect(error).toBeInstanceOf(ContractError);
    return (error as ContractError).fault;
  }
  throw new Error('it was accepted');
}

describe('parseContract', () => {
  it('reads what the build writes', () => {
    expect(parseContract(good())).toEqual(good());
  });

  it.each(['8 bits per channel', 'packed'])('takes %j for a quantization', (quantization) => {
    const contract = parseContract({ ...good(), model: { ...good().model, quantization } });
    expect(contract.model.quantization).toBe(quantization);
  });

  it('passes over keys that it does not know', () => {
    expect(() => parseContract({ ...good(), later: true })).not.toThrow();
  });

  it.each([1, '2', undefined])('refuses the schema %j before it looks at the rest', (schema) => {
    expect(faultOf({ schema })).toEqual({
      kind: 'schema',
      found: JSON.stringify(schema) ?? 'missing',
      known: 4,
    });
  });

  it.each([
    ['model.name', { model: { ...good().model, name: '' } }],
    ['model.sha256', { model: { ...good().model, sha256: 'ab' } }],
    ['model.quantization', { model: { ...good().model, quantization: '' } }],
    ['model.url', { model: { ...good().model, url: null } }],
    ['model.weight_bytes', { model: { ...good().model, weight_bytes: -1 } }],
    ['input', { input: [] }],
    ['input.height', { input: { ...good().input, height: 0 } }],
    ['input.width', { input: { ...good().input, width: 1.5 } }],
    ['input.value_range', { input: { ...good().input, value_range: [1, 1] } }],
    ['input.crop_fraction', { input: { ...good().input, crop_fraction: 1.1 } }],
    ['output.label_offset', { output: { ...good().output, label_offset: '0' } }],
    ['input.mean', { input: { ...good().input, mean: [0, 0] } }],
    ['input.std', { input: { ...good().input, std: [1, 1, 0] } }],
    ['input.channels', { input: { ...good().input, channels: 'grb' } }],
    ['output.activation', { output: { ...good().output, activation: 'tanh' } }],
    ['output.task', { output: { ...good().output, task: 'detection' } }],
    ['output.threshold', { output: { ...good().output, threshold: 0 } }],
    ['output.labels', { output: { ...good().output, labels: [] } }],
    ['output.labels', { output: { ...good().output, labels: ['a', 1] } }],
    ['graph', { graph: 'elsewhere' }],
  ])('names %s', (path, change) => {
    expect(faultOf({ ...good(), ...change })).toMatchObject({ kind: 'field', path });
  });

  it.each([null, [], 'text'])('refuses %j', (json) => {
    expect(faultOf(json)).toMatchObject({ kind: 'field', path: 'the contract' });
  });
});
