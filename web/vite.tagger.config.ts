import { readFileSync } from 'node:fs';

import { defineConfig } from 'vite';

import { shippedPackages } from './build/shipped-packages.ts';

const TYPES = 'src/tagger/tagger.d.ts';

/** Makes `tagger.js`, one file without imports, and copies its types beside it. */
export default defineConfig({
  plugins: [
    shippedPackages('tagger').page,
    {
      name: 'toolchain:tagger-types',
      generateBundle() {
        this.emitFile({ type: 'asset', fileName: 'tagger.d.ts', source: readFileSync(TYPES) });
      },
    },
  ],
  build: {
    target: ['chrome95', 'firefox114', 'safari16'],
    emptyOutDir: false,
    // Left as it is, a library's white space would stay.
    minify: 'oxc',
    lib: { entry: 'src/tagger/index.ts', formats: ['es'], fileName: () => 'tagger.js' },
    rolldownOptions: { output: { codeSplitting: false, minify: true } },
  },
});
