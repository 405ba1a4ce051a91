/** Reads `tagger.json`, by which a site names its files to the component. */

import type { ModelFiles } from '../page/site-files';
import { HAS_SIMD, HAS_WASM } from '../page/simd-support';
import type { WorkerCode } from '../page/worker-client';
import {
  checkTaggerManifest,
  TAGGER_MANIFEST_SCHEMA,
  type TaggerFile,
  type TaggerManifest,
} from '../schemas/tagger';
import { TaggerError } from './tagger-error';

/** What a site says of itself; addresses are absolute. */
export interface NamedSite {
  readonly model: TaggerManifest['model'];
  readonly drop: TaggerManifest['drop'];
  readonly files: ModelFiles;
  readonly code: WorkerCode;
  readonly teaching: TeachingFiles | null;
}

/** The files with which a page teaches the model; addresses are absolute. */
export interface TeachingFiles {
  readonly width: number;
  readonly module: TaggerFile;
  readonly solver: TaggerFile;
}

/** Returns the address of a site's folder, which ends with a slash. */
export function folderOf(site: string | URL, base: string): string {
  const url = new URL(site, base);
  url.search = '';
  url.hash = '';
  if (!/\/(?:[^/]*\.[^/]*)?$/.test(url.pathname)) {
    url.pathname += '/';
  }
  return new URL('./', url).href;
}

/**
 * Checks a parsed `tagger.json`.
 *
 * @param folder - The site's address.
 * @throws {@link TaggerError} where it is none, or of another version.
 */
export function namedSite(json: unknown, folder: string): NamedSite {
  const { schema } = (json ?? {}) as { readonly schema?: unknown };
  if (typeof schema === 'number' && schema !== TAGGER_MANIFEST_SCHEMA) {
    throw new TaggerError(
      'model',
      `The site ${folder} has files of version ${schema} and this tagger.js those of version ${TAGGER_MANIFEST_SCHEMA}; import the tagger.js of that site.`,
    );
  }
  const fault =
    checkTaggerManifest(json, '') ??
    ((json as TaggerManifest).worker.length === 0
      ? { path: 'worker', expected: 'a script' }
      : null);
  if (fault) {
    const place = fault.path || 'the file';
    throw new TaggerError(
      'model',
      `${folder}tagger.json cannot be used, because ${place} is not ${fault.expected}; build and deploy the site again.`,
    );
  }
  const manifest = json as TaggerManifest;
  const {
    model,
    drop,
    contract,
    weights,
    worker,
    simd,
    plain,
    teaching,
    weight_bytes: weightBytes,
  } = manifest;
  const absolute = (file: TaggerFile): string => new URL(file.url, folder).href;
  const sealed = (files: readonly TaggerFile[]): Map<string, string> =>
    new Map(files.map((file) => [absolute(file), file.integrity]));
  const [script] = sealed(worker).keys();
  const located = (file: TaggerFile): TaggerFile => ({ ...file, url: absolute(file) });
  return {
    model,
    drop,
    teaching: teaching && {
      width: teaching.width,
      module: located(teaching.module),
      solver: located(teaching.solver),
    },
    files: {
      contract: absolute(contract),
      weights: weights.map(absolute),
      earlyWeights: weights.length,
      weightBytes,
    },
    code: {
      script: script ?? '',
      wasm: HAS_WASM ? absolute(HAS_SIMD ? simd : plain) : null,
      digests: {
        worker: sealed(worker),
        files: sealed([contract, ...weights, simd, plain]),
        features: new Map(),
      },
    },
  };
}
