import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parseAst, type Plugin, Visitor } from 'vite';

import { packageFolder } from './packages.ts';

const REGISTER = /\/(tfjs-backend-\w+)\/dist\/register_all_kernels\.js$/;
const KERNEL = /^\.\/kernels\/(\w+)$/;

/** Files that are not called after their kernel. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  BatchNorm: 'FusedBatchNorm',
  IsNaN: 'IsNan',
};

const kernels = new Map<string, ReadonlyMap<string, KernelImport>>();

/** The kernels that a backend has: the import of each, by the kernel's name. */
export function kernelsOf(backend: string): ReadonlyMap<string, KernelImport> {
  const found = kernels.get(backend) ?? readKernels(backend);
  kernels.set(backend, found);
  return found;
}

function readKernels(backend: string): ReadonlyMap<string, KernelImport> {
  const path = join(packageFolder(`@tensorflow/${backend}`), 'dist/register_all_kernels.js');
  const found = new Map<string, KernelImport>();
  new Visitor({
    ImportDeclaration({ source, specifiers: [specifier] }) {
      const file = KERNEL.exec(source.value)?.[1];
      if (file && specifier) {
        const name = OTHER_NAMES[file] ?? file;
        found.set(name, { config: specifier.local.name, file });
      }
    },
  }).visit(parseAst(readFileSync(path, 'utf8')));
  return found;
}

/** Where a kernel's entry in the registry comes from. */
export interface KernelImport {
  readonly config: string;
  readonly file: string;
}

/**
 * Registers the named kernels alone, on every backend that has them.
 *
 * @param isListing - Whether to export them as `kernelConfigs` instead.
 */
export function onlyKernels(names: ReadonlySet<string>, isListing = false): Plugin {
  return {
    name: 'toolchain:only-kernels',
    transform(_source, id) {
      const backend = REGISTER.exec(id)?.[1];
      if (!backend) {
        return null;
      }
      const wanted = [...kernelsOf(backend)].filter(([name]) => names.has(name));
      const imports = wanted.map(
        ([, { config, file }]) => `import { ${config} } from './kernels/${file}';`,
      );
      const list = `[${wanted.map(([, { config }]) => config).join(', ')}]`;
      const code = isListing
        ? [...imports, `export const kernelConfigs = ${list};`]
        : [
            "import { registerKernel } from '@tensorflow/tfjs-core';",
            ...imports,
            `${list}.forEach(registerKernel);`,
          ];
      return code.join('\n');
    },
  };
}
