import type { Plugin, Rolldown } from 'vite';

/** What the site generator has to know of the built runtime; paths are from dist. */
export interface RuntimeManifest {
  readonly schema: 1;
  readonly entry: string;
  readonly worker: string;
  readonly styles: readonly string[];
  readonly wasm: { readonly simd: string; readonly plain: string };
  /** What is needed before the first tag on WebAssembly with SIMD, besides the entry. */
  readonly preload: readonly string[];
  readonly files: readonly string[];
}

/** The two halves of one plugin: Vite builds the page and its worker apart. */
export interface RuntimeManifestPlugins {
  readonly page: Plugin;
  readonly worker: () => Plugin;
}

/** Writes `runtime.json`, by which the site generator copies and names the runtime. */
export function runtimeManifest(): RuntimeManifestPlugins {
  let workerFiles: readonly string[] = [];
  return {
    worker: () => ({
      name: 'toolchain:runtime-manifest-worker',
      generateBundle(_options, bundle) {
        const entry = only(
          chunks(bundle).filter((chunk) => chunk.isEntry),
          'worker entry',
        );
        // What the entry imports dynamically it imports at once, to load it beside the
        // model; what those files import dynamically is for later.
        const early = entry.dynamicImports.flatMap((name) => [
          name,
          ...staticImports(name, bundle),
        ]);
        workerFiles = [
          ...new Set([entry.fileName, ...staticImports(entry.fileName, bundle), ...early]),
        ];
      },
    }),
    page: {
      name: 'toolchain:runtime-manifest',
      enforce: 'post',
      generateBundle(_options, bundle) {
        const names = Object.keys(bundle).sort();
        const entry = only(
          chunks(bundle).filter((chunk) => chunk.isEntry),
          'page entry',
        );
        const [worker = ''] = workerFiles;
        const simd = only(
          names.filter((name) => /-simd-[^/]+\.wasm$/.test(name)),
          'SIMD wasm',
        );
        const plain = only(
          names.filter((name) => name.endsWith('.wasm') && name !== simd),
          'plain wasm',
        );
        const manifest: RuntimeManifest = {
          schema: 1,
          entry: entry.fileName,
          worker,
          styles: names.filter((name) => name.endsWith('.css')),
          wasm: { simd, plain },
          preload: [...staticImports(entry.fileName, bundle), ...workerFiles, simd],
          files: names,
        };
        this.emitFile({
          type: 'asset',
          fileName: 'runtime.json',
          source: `${JSON.stringify(manifest, null, 2)}\n`,
        });
      },
    },
  };
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
