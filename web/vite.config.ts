import { resolve } from 'node:path';

import { defineConfig, type ViteUserConfig } from 'vitest/config';

import { reach, reduced } from './build/reach.ts';
import { runtimeManifest } from './build/runtime-manifest.ts';
import { isRuntime, RUNTIMES } from './build/runtimes.ts';
import { shippedPackages } from './build/shipped-packages.ts';
import { TFJS_NOTICE } from './build/tfjs-notice.ts';
import { trimmedWasm } from './build/trimmed-wasm.ts';

const names = {
  entryFileNames: 'assets/[name]-[hash].js',
  chunkFileNames: 'assets/[name]-[hash].js',
  assetFileNames: 'assets/[name]-[hash][extname]',
};

const HANG_MS = 600_000;

const PACKAGE = /\/node_modules\/(?:@tensorflow\/tfjs-backend-)?([\w-]+)\/(?!.*\/node_modules\/)/;

/** `vite build --mode NAME` makes one of `build/runtimes.ts`. */
export default defineConfig(async ({ command, mode }): Promise<ViteUserConfig> => {
  if (command !== 'build') {
    return {
      test: {
        include: ['test/**/*.test.ts'],
        setupFiles: ['test/english.ts'],
        // Each file puts back what it changes; a process of its own for each takes half the time.
        isolate: false,
        // They only end a hang: a test that waits for something waits however long it takes.
        testTimeout: HANG_MS,
        hookTimeout: HANG_MS,
        coverage: {
          provider: 'v8',
          include: ['src/**/*.ts', 'build/**/*.ts'],
          // Where neither Prettier nor ESLint looks.
          reportsDirectory: 'node_modules/.coverage',
          reporter: ['text-summary'],
          // What these tests cover; the tests in Chromium cover the rest.
          thresholds: { statements: 45, branches: 52, functions: 48, lines: 44 },
        },
      },
    };
  }
  if (!isRuntime(mode)) {
    throw new Error(`there is no runtime ${mode}, but ${Object.keys(RUNTIMES).join(', ')}`);
  }
  const reached = await reach(RUNTIMES[mode](), mode === 'full');
  const manifest = runtimeManifest(mode, reached.ops);
  const shipped = shippedPackages(mode);
  return {
    // Relative addresses: the site must work from any sub-path.
    base: './',
    // The page chooses and fetches the WebAssembly for its worker.
    plugins: [
      trimmedWasm(reached.wasmFunctions, resolve('node_modules/.toolchain', mode)),
      manifest.page,
      // After the manifest, whose files go into the site.
      shipped.page,
    ],
    worker: {
      format: 'es',
      plugins: () => [...reduced(reached), manifest.worker(), shipped.worker()],
      rolldownOptions: {
        output: {
          ...names,
          comments: { legal: false },
          postBanner: ({ moduleIds }) =>
            moduleIds.some((id) => /@tensorflow.*\.js$/.test(id)) ? TFJS_NOTICE : '',
          entryFileNames: ({ name }) =>
            `assets/${name === 'solver' ? 'solver' : 'worker'}-[hash].js`,
          // A chunk is named after the file it begins with, and many packages begin with
          // dist/index.js.
          chunkFileNames: ({ facadeModuleId }) => {
            const named = PACKAGE.exec(facadeModuleId ?? '')?.[1];
            return named === undefined ? names.chunkFileNames : `assets/${named}-[hash].js`;
          },
        },
      },
    },
    build: {
      target: ['chrome95', 'firefox114', 'safari16'],
      assetsInlineLimit: 0,
      sourcemap: false,
      // The site generator writes the page and what it loads early itself.
      modulePreload: false,
      rolldownOptions: {
        input: { page: 'src/page/main.ts' },
        // By their names they are counted with the page (toolchain/report/schema.py).
        output: {
          ...names,
          chunkFileNames: 'assets/page-[name]-[hash].js',
          // What the entry shares with features would else be files of half a kilobyte, each of
          // which takes one of the six requests that browsers send at once over HTTP/1.1.
          codeSplitting: { groups: [{ name: 'main', tags: ['$initial'] }] },
        },
      },
    },
  };
});
