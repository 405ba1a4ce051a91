/** What the template says of the site's own files. */

/** Addresses relative to the document. */
export interface SiteFiles {
  readonly contract: string;
  /** The `model.json` and the files of weights. */
  readonly model: readonly string[];
}

/** Reads the addresses from the document's element. */
export function siteFiles({ dataset }: HTMLElement): SiteFiles {
  const { contract, model } = dataset;
  if (!contract) {
    throw new Error("the page's template names no contract");
  }
  return { contract, model: model ? (JSON.parse(model) as string[]) : [] };
}

/** Returns an address as requests name it. */
export function absolute(address: string): string {
  return new URL(address, document.baseURI).href;
}
