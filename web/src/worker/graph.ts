/** A graph model with its weights, without what TF.js' `GraphModel` has for other uses. */

import { GraphExecutor, io, OperationMapper, type Tensor } from './tfjs';

type Topology = Parameters<OperationMapper['transformGraph']>[0];
type Signature = Parameters<OperationMapper['transformGraph']>[1];

/** Runs on the backend that was current when it was made. */
export class Graph {
  readonly #executor: GraphExecutor;

  /** Reads the graph and puts its weights on the current backend. */
  constructor({ modelTopology, signature, weightData, weightSpecs }: io.ModelArtifacts) {
    const mapper = OperationMapper.Instance;
    this.#executor = new GraphExecutor(
      mapper.transformGraph(modelTopology as Topology, signature as Signature),
    );
    const weights = io.decodeWeights(weightData ?? [], weightSpecs ?? []);
    this.#executor.weightMap = Object.fromEntries(
      Object.entries(weights).map(([name, weight]) => [name, [weight]]),
    );
  }

  /** Returns the outputs for the graph's one input. */
  run(input: Tensor): readonly Tensor[] {
    const { inputNodes, outputNodes } = this.#executor;
    const [name] = inputNodes;
    if (name === undefined || inputNodes.length !== 1) {
      throw new Error(`the graph has ${inputNodes.length} inputs instead of one`);
    }
    return this.#executor.execute({ [name]: input }, outputNodes);
  }

  /** Frees the weights. */
  dispose(): void {
    this.#executor.dispose();
  }
}
