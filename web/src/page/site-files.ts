/** What the template says of the site's own files. */

/** Addresses, absolute as requests name them. */
export interface SiteFiles {
  readonly contract: string;
  readonly weights: readonly string[];
  /** Of all files of weights, as they are stored. */
  readonly weightBytes: number;
  /** Whether a sample photo is to be tagged unasked. */
  readonly hasSamples: boolean;
}

/** Reads the addresses from the document's element. */
export function siteFiles({ dataset }: HTMLElement): SiteFiles {
  const { contract, weights, weightBytes, samples } = dataset;
  if (!contract || !weights || !weightBytes) {
    throw new Error("the page's template does not name the model's files");
  }
  return {
    contract: absolute(contract),
    weights: (JSON.parse(weights) as string[]).map(absolute),
    weightBytes: Number(weightBytes),
    hasSamples: Number(samples) > 0,
  };
}

/** Returns an address as requests name it. */
export function absolute(address: string): string {
  return new URL(address, document.baseURI).href;
}
