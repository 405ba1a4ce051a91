/** The digests that the site's files are checked against. */

import { absolute } from './site-files';

/** Digests by address, as the W3C's Subresource Integrity writes them. */
export type Digests = ReadonlyMap<string, string>;

/** Digests of the files that the page itself checks. */
export interface SiteDigests {
  /** The worker's script, and what that imports. */
  readonly worker: Digests;
  /** Of models, and the WebAssembly. */
  readonly files: Digests;
  /** Scripts of features, loaded on demand. */
  readonly features: Digests;
}

let known: SiteDigests | undefined;

/** Takes digests in place of the document's own. */
export function setSiteDigests(digests: SiteDigests): void {
  known = digests;
}

/** Returns what the template says on the document's element. */
export function siteDigests(): SiteDigests {
  if (!known) {
    const { integrity = '' } = document.documentElement.dataset;
    const { worker, files, features } = JSON.parse(integrity) as Listed;
    known = { worker: located(worker), files: located(files), features: located(features) };
  }
  return known;
}

type Listed = Readonly<Record<keyof SiteDigests, Readonly<Record<string, string>>>>;

function located(digests: Readonly<Record<string, string>>): Digests {
  return new Map(Object.entries(digests).map(([file, digest]) => [absolute(file), digest]));
}
