/**
 * The contract: all that the page has to know of its model besides the weights.
 *
 * The build writes it as JSON, compressed, beside the model. `toolchain/site/contract.py` defines
 * it; the types and the check are made from its JSON schema.
 */

import { checkContract, type Contract, CONTRACT_SCHEMA } from './schemas/contract';

export type { Contract, ContractNoneOfThese, ContractOutput, InputSpec } from './schemas/contract';

/** Why a contract was not accepted. */
export type ContractFault =
  | { readonly kind: 'schema'; readonly found: string; readonly known: number }
  | { readonly kind: 'field'; readonly path: string; readonly expected: string };

/** Thrown by {@link parseContract}. */
export class ContractError extends Error {
  override readonly name = 'ContractError';
  readonly fault: ContractFault;

  constructor(fault: ContractFault) {
    super(
      fault.kind === 'schema'
        ? `schema ${fault.found} is not ${fault.known}`
        : `${fault.path} is not ${fault.expected}`,
    );
    this.fault = fault;
  }
}

/**
 * Checks parsed JSON and returns it as a contract.
 *
 * @throws {@link ContractError} names the first fault.
 */
export function parseContract(json: unknown): Contract {
  const fault = checkContract(json, '');
  if (!fault) {
    return json as Contract;
  }
  if (fault.path === 'schema') {
    const { schema } = json as { readonly schema?: unknown };
    const found = schema === undefined ? 'missing' : JSON.stringify(schema);
    throw new ContractError({ kind: 'schema', found, known: CONTRACT_SCHEMA });
  }
  throw new ContractError({ kind: 'field', ...fault, path: fault.path || 'the contract' });
}
