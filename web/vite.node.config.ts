import { defineConfig } from 'vite';

/** Makes `worker-host.mjs`, by which the build runs a site's worker in Node. */
export default defineConfig({
  build: {
    ssr: 'src/node/worker-host.ts',
    target: 'node20',
    emptyOutDir: false,
    rolldownOptions: { output: { entryFileNames: 'worker-host.mjs' } },
  },
});
