/** A graph model with its weights, without what TF.js' `GraphModel` has for other uses. */

import { graphStops, type Stop } from './graph-stops';
import { GraphExecutor, io, OperationMapper, type Tensor, tensor } from './tfjs';
import type { Weight } from './weight-assembly';

/** Runs on the backend that was current when its weights came. */
export class Graph {
  readonly #graph: ReturnType<OperationMapper['transformGraph']>;
  readonly #executor: GraphExecutor;
  readonly #input: string;

  /**
   * Reads the graph.
   *
   * @throws if it has other than one input and one output.
   */
  constructor({ modelTopology, signature }: io.ModelJSON) {
    const mapper = OperationMapper.Instance;
    this.#graph = mapper.transformGraph(modelTopology, signature);
    this.#executor = new GraphExecutor(this.#graph);
    const { inputNodes, outputNodes } = this.#executor;
    const [input] = inputNodes;
    if (input === undefined || inputNodes.length !== 1 || outputNodes.length !== 1) {
      throw new Error(
        `the graph has ${inputNodes.length} inputs and ${outputNodes.length} outputs instead of one each`,
      );
    }
    this.#input = input;
  }

  /** Puts a weight on the current backend. */
  add({ spec, data }: Weight): void {
    // What is floats already need not be copied once more.
    const weights =
      spec.dtype === 'float32' && !spec.quantization
        ? [tensor(new Float32Array(data), spec.shape)]
        : Object.values(io.decodeWeights(data, [spec]));
    this.#executor.weightMap = { ...this.#executor.weightMap, [spec.name]: weights };
  }

  /** Says whether all of some weights have come. */
  has(weights: ReadonlySet<string>): boolean {
    const { weightMap } = this.#executor;
    return [...weights].every((name) => name in weightMap);
  }

  /** Where the graph can be left, and entered again by {@link runFrom}. */
  stops(): readonly Stop[] {
    const { inputs, outputs } = this.#graph;
    const [input] = inputs;
    const [output] = outputs;
    return input && output ? graphStops(input, output) : [];
  }

  /**
   * Returns the output for an input, and what comes out at another node.
   *
   * @param more - The name of that node.
   */
  run(input: Tensor, more?: string): Tensor[] {
    const { outputNodes } = this.#executor;
    return this.#execute(this.#input, input, more ? [...outputNodes, more] : outputNodes);
  }

  /**
   * Returns what comes out at one stop for what came out at another.
   *
   * @param from - A stop, or null for the graph's input.
   * @param to - A later stop.
   */
  runFrom(from: Stop | null, tensor: Tensor, to: Stop): Tensor {
    const [output] = this.#execute(from?.name ?? this.#input, tensor, [to.name]);
    return output as Tensor;
  }

  /** Frees the weights. */
  dispose(): void {
    this.#executor.dispose();
  }

  #execute(from: string, tensor: Tensor, to: string[]): Tensor[] {
    return this.#executor.execute({ [from]: tensor }, to);
  }
}
