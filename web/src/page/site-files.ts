/** What the template says of the site's own files. */

/** Which of the site's models: the small one that answers first, or the one it is about. */
export type Role = 'preview' | 'full';

/** A model's addresses, absolute as requests name them. */
export interface ModelFiles {
  readonly contract: string;
  readonly weights: readonly string[];
  /** How many of these, the first, the document asks for; the others wait for the first paint. */
  readonly earlyWeights: number;
  /** Of all files of weights, as they are stored. */
  readonly weightBytes: number;
}

/** Those of the full model, and what else there is. */
export interface SiteFiles extends ModelFiles {
  readonly preview: ModelFiles | null;
  /** Whether a sample photo is to be tagged unasked. */
  readonly hasSamples: boolean;
}

/** Reads the addresses from the document's element. */
export function siteFiles({ dataset }: HTMLElement): SiteFiles {
  const { contract, weights, earlyWeights, weightBytes, samples } = dataset;
  const { previewContract, previewWeights, previewEarlyWeights, previewWeightBytes } = dataset;
  const full = modelFiles(contract, weights, earlyWeights, weightBytes);
  if (!full) {
    throw new Error("the page's template does not name the model's files");
  }
  return {
    ...full,
    preview: modelFiles(previewContract, previewWeights, previewEarlyWeights, previewWeightBytes),
    hasSamples: Number(samples) > 0,
  };
}

function modelFiles(
  contract: string | undefined,
  weights: string | undefined,
  earlyWeights: string | undefined,
  weightBytes: string | undefined,
): ModelFiles | null {
  return contract && weights && weightBytes
    ? {
        contract: absolute(contract),
        weights: (JSON.parse(weights) as string[]).map(absolute),
        earlyWeights: Number(earlyWeights),
        weightBytes: Number(weightBytes),
      }
    : null;
}

/** Returns an address as requests name it. */
export function absolute(address: string): string {
  return new URL(address, document.baseURI).href;
}
