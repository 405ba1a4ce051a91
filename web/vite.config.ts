import { defineConfig } from 'vitest/config';

import { runtimeManifest } from './build/runtime-manifest.ts';
import { TFJS_NOTICE } from './build/tfjs-notice.ts';
import { withoutThreads } from './build/without-threads.ts';

const manifest = runtimeManifest();
const names = {
  entryFileNames: 'assets/[name]-[hash].js',
  chunkFileNames: 'assets/[name]-[hash].js',
  assetFileNames: 'assets/[name]-[hash][extname]',
};

export default defineConfig({
  // Relative addresses: the site must work from any sub-path.
  base: './',
  plugins: [manifest.page],
  worker: {
    format: 'es',
    plugins: () => [withoutThreads(), manifest.worker()],
    rolldownOptions: {
      output: {
        ...names,
        comments: { legal: false },
        postBanner: ({ moduleIds }) =>
          moduleIds.some((id) => /@tensorflow.*\.js$/.test(id)) ? TFJS_NOTICE : '',
        entryFileNames: 'assets/worker-[hash].js',
        // A chunk is named after the file it begins with, and every package of TF.js
        // begins with dist/index.js.
        chunkFileNames: ({ facadeModuleId }) =>
          facadeModuleId?.includes('tfjs-backend-webgl')
            ? 'assets/webgl-[hash].js'
            : names.chunkFileNames,
      },
    },
  },
  build: {
    target: ['chrome95', 'firefox114', 'safari16'],
    assetsInlineLimit: 0,
    sourcemap: false,
    // The site generator writes the page and what it loads early itself.
    modulePreload: false,
    rolldownOptions: { input: { page: 'src/page/main.ts' }, output: names },
  },
  test: {
    include: ['test/**/*.test.ts'],
  },
});
