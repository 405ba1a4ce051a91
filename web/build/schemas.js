// `npm run schemas` writes src/schemas/ from the JSON schemas in docs/; with --check it compares.

import { readFileSync, writeFileSync } from 'node:fs';

import { format, resolveConfig } from 'prettier';
import { runnerImport } from 'vite';

const SCHEMAS = {
  contract: 'contract',
  networks: 'report.networks',
  packing: 'packing',
  tagger: 'tagger',
};

const { module } = await runnerImport('./build/schema-code.ts');
for (const [name, source] of Object.entries(SCHEMAS)) {
  const file = `src/schemas/${name}.ts`;
  const schema = JSON.parse(readFileSync(`../docs/${source}.schema.json`, 'utf8'));
  const options = { ...(await resolveConfig(file)), parser: 'typescript' };
  const code = await format(module.schemaCode(schema, `docs/${source}.schema.json`), options);
  const written = readable(file);
  if (written === code) {
    continue;
  }
  if (process.argv.includes('--check')) {
    console.error(`${file} is not what docs/${source}.schema.json says: run npm run schemas`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, code);
  }
}

function readable(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
