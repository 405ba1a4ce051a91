/** What the template says of the site's own files. */

/** Which of the site's models: the small one that answers first, or the one it is about. */
export type Role = 'preview' | 'full';

/** A model's addresses, absolute as requests name them. */
export interface ModelFiles {
  readonly contract: string;
  readonly weights: readonly string[];
  /** How many of the first files the document preloads; the others wait for the first paint. */
  readonly earlyWeights: number;
  /** Of all files of weights, as they are stored. */
  readonly weightBytes: number;
}

/** Points of top-1 that a model loses, with their 95 % interval. */
export interface Drop {
  readonly points: number;
  readonly low: number;
  readonly high: number;
  /** By photos whose right label is known; else expected, from the scores. */
  readonly isCounted: boolean;
}

/** One of the ways in which the site stores the full model's weights. */
export interface Variant extends ModelFiles {
  readonly name: string;
  /** Null if it was not evaluated. */
  readonly drop: Drop | null;
}

/** Those of the full model, and what else there is. */
export interface SiteFiles extends ModelFiles {
  readonly preview: ModelFiles | null;
  /** The first is the one above; empty where there is no other. */
  readonly variants: readonly Variant[];
  /** Whether a sample photo is tagged at the start. */
  readonly hasSamples: boolean;
}

/** Reads the addresses from the document's element. */
export function siteFiles({ dataset }: HTMLElement): SiteFiles {
  const { contract, weights, earlyWeights, weightBytes, samples, variants } = dataset;
  const { previewContract, previewWeights, previewEarlyWeights, previewWeightBytes } = dataset;
  const full = modelFiles(contract, weights, earlyWeights, weightBytes);
  if (!full) {
    throw new Error("the page's template does not name the model's files");
  }
  return {
    ...full,
    preview: modelFiles(previewContract, previewWeights, previewEarlyWeights, previewWeightBytes),
    variants: variants ? (JSON.parse(variants) as Variant[]).map(located) : [],
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

function located(variant: Variant): Variant {
  const { contract, weights } = variant;
  return { ...variant, contract: absolute(contract), weights: weights.map(absolute) };
}

/** Returns an address as requests name it. */
export function absolute(address: string): string {
  return new URL(address, document.baseURI).href;
}
