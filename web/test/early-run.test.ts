import '@tensorflow/tfjs-backend-cpu';

import { memory, type Tensor, tensor1d } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';

import { EarlyRun } from '../src/worker/early-run';
import { Graph } from '../src/worker/graph';
import { type GraphNode, graphStops } from '../src/worker/graph-stops';
import type { Weight } from '../src/worker/weight-assembly';

const node = (name: string, op: string, ...inputs: (GraphNode | [GraphNode, number])[]) => {
  const pairs = inputs.map((input) => ('name' in input ? ([input, 0] as const) : input));
  return {
    name,
    op,
    inputs: pairs.map(([from]) => from),
    inputNames: pairs.map(([from, output]) => (output ? `${from.name}:${output}` : from.name)),
  };
};

describe('graphStops', () => {
  const input = node('input', 'Placeholder');
  const weight = (name: string) => node(name, 'Const');
  const found = (output: GraphNode) =>
    graphStops(input, output).map(({ name, weights }) => [name, [...weights].sort()]);

  it('stops behind every layer of a chain', () => {
    const one = node('one', 'Mul', input, weight('a'));
    const two = node('two', 'AddV2', one, node('b/read', 'Identity', weight('b')));
    expect(found(two)).toEqual([
      ['one', ['a']],
      ['two', ['b']],
    ]);
  });

  it('does not stop beside a branch', () => {
    const left = node('left', 'Mul', input, weight('a'));
    const right = node('right', 'Mul', left, weight('b'));
    const sum = node('sum', 'AddV2', right, left);
    const last = node('last', 'Relu', sum);
    expect(found(last)).toEqual([
      ['left', ['a']],
      ['sum', ['b']],
      ['last', []],
    ]);
  });

  it('does not stop where the input is read again', () => {
    const one = node('one', 'Mul', input, weight('a'));
    expect(found(node('sum', 'AddV2', one, input))).toEqual([['sum', ['a']]]);
  });

  it('does not stop at a node of which more than its first output is read', () => {
    const split = node('split', 'Split', input);
    const one = node('one', 'Relu', [split, 1]);
    expect(found(one)).toEqual([['one', []]]);
  });

  it('takes a constant for one even where it has to wait for the input', () => {
    const late = node('late', 'Const', input);
    expect(found(node('one', 'Mul', input, late))).toEqual([['one', ['late']]]);
  });
});

describe('EarlyRun', () => {
  const attr = { T: { type: 'DT_FLOAT' }, dtype: { type: 'DT_FLOAT' } };
  const shape = { shape: { dim: [{ size: '2' }] } };
  const json = {
    modelTopology: {
      node: [
        { name: 'in', op: 'Placeholder', attr: { ...attr, shape } },
        { name: 'a', op: 'Const', attr },
        { name: 'b', op: 'Const', attr },
        { name: 'scaled', op: 'Mul', input: ['in', 'a'], attr },
        { name: 'moved', op: 'AddV2', input: ['scaled', 'b'], attr },
        { name: 'out', op: 'AddV2', input: ['moved', 'b'], attr },
      ],
    },
    signature: {
      inputs: { in: { name: 'in:0', dtype: 'DT_FLOAT', tensorShape: shape.shape } },
      outputs: { out: { name: 'out:0' } },
    },
  };
  const weight = (name: string, ...values: number[]): Weight => ({
    spec: { name, shape: [values.length], dtype: 'float32' },
    data: Float32Array.from(values).buffer,
  });
  const a = weight('a', 2, 3);
  const b = weight('b', 10, 20);
  const made = () => new Graph(json as never);

  it('gives the outputs of a whole run, whenever the weights come', async () => {
    const before = memory().numTensors;
    const graph = made();
    const run = new EarlyRun(graph, tensor1d([1, 1]));
    run.advance();
    graph.add(a);
    run.advance();
    graph.add(b);
    const { outputs, features } = await run.finish();
    expect([...outputs]).toEqual([22, 43]);
    expect(features).toBeNull();
    const input = tensor1d([1, 1]);
    const [output] = graph.run(input);
    expect([...(await (output as Tensor).data())]).toEqual([22, 43]);
    // Nothing is left of the run but what was asked for.
    expect(memory().numTensors - before).toBe(2 + 2);
  });

  it.each([
    ['scaled', [2, 3]],
    ['moved', [12, 23]],
  ])('keeps the features at %s, whenever the weights come', async (feature, expected) => {
    for (const isLate of [true, false]) {
      const before = memory().numTensors;
      const graph = made();
      const run = new EarlyRun(graph, tensor1d([1, 1]), feature);
      graph.add(a);
      if (isLate) {
        run.advance();
      }
      graph.add(b);
      const { outputs, features } = await run.finish();
      expect([...outputs]).toEqual([22, 43]);
      expect([...(features ?? [])]).toEqual(expected);
      const input = tensor1d([1, 1]);
      const whole = graph.run(input, feature);
      expect(whole).toHaveLength(2);
      expect([...((await whole[1]?.data()) ?? [])]).toEqual(expected);
      expect(memory().numTensors - before).toBe(2 + 3);
    }
  });

  it('does at once what the weights there allow', () => {
    const graph = made();
    graph.add(a);
    const run = new EarlyRun(graph, tensor1d([1, 1]));
    run.advance();
    const seen = memory().numTensors;
    // The weights for the next stop are not there, so nothing more is computed.
    run.advance();
    expect(memory().numTensors).toBe(seen);
    expect(graph.has(new Set(['a']))).toBe(true);
    expect(graph.has(new Set(['a', 'b']))).toBe(false);
  });

  it('refuses a graph with more than one output', () => {
    const outputs = { out: { name: 'out:0' }, moved: { name: 'moved:0' } };
    const two = { ...json, signature: { ...json.signature, outputs } };
    expect(() => new Graph(two as never)).toThrow('1 inputs and 2 outputs');
  });
});
