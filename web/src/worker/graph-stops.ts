/** Finds where a graph can be left and entered again with one tensor. */

/** What is needed of a node of TF.js' graph. */
export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** Names of its inputs; those after a node's first output end with `:1`, `:2` and so on. */
  readonly inputNames: readonly string[];
  readonly inputs: readonly GraphNode[];
}

/** A node, and what has to be there to get to it from the stop before. */
export interface Stop {
  readonly name: string;
  /** Names of constants. */
  readonly weights: ReadonlySet<string>;
}

/** A constant may still name inputs: control dependencies. */
const CONSTANT = 'Const';

const FURTHER_OUTPUT = /:[1-9]\d*$/;

/**
 * Returns the nodes between a graph's input and its output that everything goes through, in
 * order and with the output; the first stop is the node behind the input.
 */
export function graphStops(input: GraphNode, output: GraphNode): readonly Stop[] {
  const order = orderedNodes(input, output);
  const place = new Map(order.map((node, index) => [node, index]));
  // How far each node's output is read.
  const readUntil = order.map((_, index) => index);
  const cannotStop = new Set<GraphNode>();
  for (const [index, node] of order.entries()) {
    for (const [which, from] of node.inputs.entries()) {
      const start = place.get(from);
      if (start !== undefined) {
        readUntil[start] = index;
        if (FURTHER_OUTPUT.test(node.inputNames[which] ?? '')) {
          cannotStop.add(from);
        }
      }
    }
  }
  const stops: Stop[] = [];
  let weights = new Set<string>();
  let read = 0;
  for (const [index, node] of order.entries()) {
    if (index > 0) {
      node.inputs.filter((from) => !place.has(from)).forEach((from) => addConstants(from, weights));
      if (read <= index && !cannotStop.has(node)) {
        stops.push({ name: node.name, weights });
        weights = new Set();
      }
    }
    read = Math.max(read, readUntil[index] as number);
  }
  return stops;
}

/** Returns the nodes that depend on the input and lead to the output, each after its inputs. */
function orderedNodes(input: GraphNode, output: GraphNode): readonly GraphNode[] {
  const depends = new Map<GraphNode, boolean>([[input, true]]);
  const order: GraphNode[] = [input];
  const visit = (node: GraphNode): boolean => {
    let known = depends.get(node);
    if (known === undefined) {
      // All inputs are visited, even behind the first that depends.
      known = node.op !== CONSTANT && node.inputs.map(visit).includes(true);
      depends.set(node, known);
      if (known) {
        order.push(node);
      }
    }
    return known;
  };
  visit(output);
  return order;
}

/** Adds the constants that a node is computed from. */
function addConstants(node: GraphNode, constants: Set<string>): void {
  if (node.op === CONSTANT) {
    constants.add(node.name);
  } else {
    node.inputs.forEach((from) => addConstants(from, constants));
  }
}
