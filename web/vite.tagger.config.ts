import { readFileSync } from 'node:fs';

import { defineConfig } from 'vite';

import { shippedPackages } from './build/shipped-packages.ts';

const MODULES: Readonly<Record<string, string>> = {
  tagger: 'src/tagger/index.ts',
  'image-tagger': 'src/tagger/element.ts',
  'tagger-teach': 'src/tagger/teaching.ts',
};

/**
 * Makes a module of the component, one file, and copies its types beside it.
 *
 * The mode is the module's name: `tagger`; `image-tagger`, which imports that; or `tagger-teach`, which
 * `tagger` loads from sites whose model can be taught.
 */
export default defineConfig(({ mode }) => ({
  plugins: [
    ...(mode === 'tagger' ? [shippedPackages(mode).page] : []),
    {
      name: 'toolchain:tagger-types',
      generateBundle() {
        // Pages do not import it themselves.
        if (mode === 'tagger-teach') {
          return;
        }
        const fileName = `${mode}.d.ts`;
        const source = readFileSync(`src/tagger/${fileName}`);
        this.emitFile({ type: 'asset', fileName, source });
      },
    },
  ],
  build: {
    target: ['chrome95', 'firefox114', 'safari16'],
    emptyOutDir: false,
    // Left as it is, a library's white space would stay.
    minify: 'oxc',
    lib: { entry: MODULES[mode] ?? '', formats: ['es'], fileName: () => `${mode}.js` },
    rolldownOptions: {
      external: ['./tagger.js'],
      output: { codeSplitting: false, minify: true },
    },
  },
}));
