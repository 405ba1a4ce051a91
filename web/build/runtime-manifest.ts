import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Plugin, Rolldown } from 'vite';

/** What the site generator has to know of the built runtimes. */
export interface RuntimeManifest {
  readonly schema: 4;
  /** From the smallest up. */
  readonly runtimes: readonly RuntimeFacts[];
}

/** One of the runtimes; paths are from dist. */
export interface RuntimeFacts {
  readonly name: string;
  /** The operations that a graph may have. */
  readonly ops: readonly string[];
  readonly entry: string;
  /** What the entry imports. */
  readonly imports: readonly string[];
  /** The worker's script, and what that imports. */
  readonly worker: readonly string[];
  readonly styles: readonly string[];
  readonly wasm: { readonly simd: string; readonly plain: string };
  /** Parts of the page that load when a visitor asks for what they do. */
  readonly features: readonly string[];
  /** Those of them that only pages need where visitors teach their own tags. */
  readonly teaching: readonly string[];
  readonly files: readonly string[];
}

/** The panel, and the worker that learns. */
const TEACHING = /\/(?:page-teach-panel|solver)-/;

/** Where there is a service worker to keep it, the browser computes digests itself. */
const WITHOUT_TLS = /\/page-plain-sha256-/;

/** The two halves of one plugin: Vite builds the page and its worker apart. */
export interface RuntimeManifestPlugins {
  readonly page: Plugin;
  readonly worker: () => Plugin;
}

/**
 * Adds a runtime to `runtime.json`, by which the site generator copies and names its files.
 *
 * Where the folder was not emptied, the runtimes that are there already stay.
 */
export function runtimeManifest(runtime: string, ops: ReadonlySet<string>): RuntimeManifestPlugins {
  let workerFiles: readonly string[] = [];
  return {
    worker: () => ({
      name: 'toolchain:runtime-manifest-worker',
      generateBundle(_options, bundle) {
        const entry = only(
          chunks(bundle).filter((chunk) => chunk.isEntry),
          'worker entry',
        );
        // The other worker is part of a feature.
        if (TEACHING.test(entry.fileName)) {
          return;
        }
        // What it imports dynamically is for other backends and old browsers.
        workerFiles = [entry.fileName, ...staticImports(entry.fileName, bundle)];
      },
    }),
    page: {
      name: 'toolchain:runtime-manifest',
      enforce: 'post',
      generateBundle({ dir }, bundle) {
        const names = Object.keys(bundle).sort();
        const entry = only(
          chunks(bundle).filter((chunk) => chunk.isEntry),
          'page entry',
        );
        const simd = only(
          names.filter((name) => /-simd-[^/]+\.wasm$/.test(name)),
          'SIMD wasm',
        );
        const plain = only(
          names.filter((name) => name.endsWith('.wasm') && name !== simd),
          'plain wasm',
        );
        const imported = staticImports(entry.fileName, bundle);
        const features = names
          .filter((name) => bundle[name]?.type === 'chunk' || TEACHING.test(name))
          .filter((name) => name !== entry.fileName && !imported.includes(name))
          .filter((name) => !WITHOUT_TLS.test(name));
        const facts: RuntimeFacts = {
          name: runtime,
          ops: [...ops].sort(),
          entry: entry.fileName,
          imports: imported,
          worker: workerFiles,
          styles: names.filter((name) => name.endsWith('.css')),
          wasm: { simd, plain },
          features,
          teaching: features.filter((name) => TEACHING.test(name)),
          files: names,
        };
        const others = presentRuntimes(dir).filter(({ name }) => name !== runtime);
        const manifest: RuntimeManifest = { schema: 4, runtimes: [...others, facts] };
        this.emitFile({
          type: 'asset',
          fileName: 'runtime.json',
          source: `${JSON.stringify(manifest, null, 2)}\n`,
        });
      },
    },
  };
}

function presentRuntimes(folder = ''): readonly RuntimeFacts[] {
  const path = join(folder, 'runtime.json');
  return existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as RuntimeManifest).runtimes
    : [];
}

function chunks(bundle: Rolldown.OutputBundle): readonly Rolldown.OutputChunk[] {
  return Object.values(bundle).filter((output) => output.type === 'chunk');
}

/** Returns the files that a chunk needs before it runs, nearest first. */
function staticImports(entry: string, bundle: Rolldown.OutputBundle): readonly string[] {
  const found = new Set([entry]);
  for (const name of found) {
    const output = bundle[name];
    if (output?.type === 'chunk') {
      output.imports.forEach((imported) => found.add(imported));
    }
  }
  found.delete(entry);
  return [...found];
}

function only<Item>(items: readonly Item[], what: string): Item {
  const [item] = items;
  if (item === undefined || items.length !== 1) {
    throw new Error(`the bundle has ${items.length} files that could be the ${what}`);
  }
  return item;
}
