import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import type { Plugin, Rolldown } from 'vite';

/** Something of others that visitors get, and its terms. */
export interface ShippedPackage {
  readonly name: string;
  /** Missing for what is compiled into another package's binary. */
  readonly version?: string;
  /** An SPDX expression. */
  readonly licence: string;
  /** As package-lock.json has it: the digest of the package's archive. */
  readonly integrity?: string;
  /** The name of the package that holds it. */
  readonly within?: string;
  readonly text: string;
}

/** What the site generator has to know of a runtime's parts. */
export interface Shipped {
  readonly schema: 1;
  /** The terms of this project. */
  readonly own: string;
  readonly packages: readonly ShippedPackage[];
}

const TEXTS = 'build/licences';
const OWN_LICENCE = '../LICENSE';
// Not the folders of tools, which begin with a full stop.
const PACKAGE = /^(.*\/node_modules\/((?:@[^/]+\/)?[^./][^/]*))\//;

const WASM = '@tensorflow/tfjs-backend-wasm';
/** What TF.js' WORKSPACE and Emscripten link into the binary; their terms lie in TEXTS. */
const WITHIN_WASM: readonly (readonly [name: string, licence: string])[] = [
  ['XNNPACK', 'BSD-3-Clause'],
  ['pthreadpool', 'BSD-2-Clause'],
  ['cpuinfo', 'BSD-2-Clause'],
  ['FP16', 'MIT'],
  ['FXdiv', 'MIT'],
  ['psimd', 'MIT'],
  ['Emscripten', 'MIT'],
  ['musl', 'MIT'],
  ['LLVM', 'Apache-2.0 WITH LLVM-exception'],
];

/**
 * Writes `packages-RUNTIME.json`: whose code is in a runtime, by the bundler's own list.
 *
 * Vite's `build.license` looks at the page alone, and nearly all of it is in the worker.
 */
export function shippedPackages(runtime: string): {
  readonly page: Plugin;
  readonly worker: () => Plugin;
} {
  const folders = new Map<string, string>();
  const note = (bundle: Rolldown.OutputBundle): void => {
    for (const output of Object.values(bundle)) {
      for (const id of output.type === 'chunk' ? output.moduleIds : []) {
        const [, folder, name] = PACKAGE.exec(id) ?? [];
        if (folder !== undefined && name !== undefined) {
          folders.set(name, folder);
        }
      }
    }
  };
  return {
    worker: () => ({
      name: 'toolchain:shipped-packages-worker',
      generateBundle: (_options, bundle) => note(bundle),
    }),
    page: {
      name: 'toolchain:shipped-packages',
      enforce: 'post',
      generateBundle(_options, bundle) {
        note(bundle);
        const packages = [...folders].map(([name, folder]) => described(name, folder));
        const all = [...packages, ...(folders.has(WASM) ? withinWasm() : [])].sort(byName);
        const shipped: Shipped = { schema: 1, own: text(OWN_LICENCE), packages: all };
        this.emitFile({
          type: 'asset',
          fileName: `packages-${runtime}.json`,
          source: `${JSON.stringify(shipped, null, 1)}\n`,
        });
      },
    },
  };
}

function byName(one: ShippedPackage, other: ShippedPackage): number {
  return one.name < other.name ? -1 : 1;
}

interface PackageFacts {
  readonly version: string;
  readonly license: string;
  readonly integrity?: string;
}

function described(name: string, folder: string): ShippedPackage {
  const { version, license } = json(join(folder, 'package.json')) as PackageFacts;
  const lock = json('package-lock.json') as { packages: Record<string, PackageFacts> };
  const { integrity } = lock.packages[`node_modules/${name}`] ?? {};
  if (integrity === undefined) {
    throw new Error(`package-lock.json has no digest of ${name}`);
  }
  return { name, version, licence: license, integrity, text: terms(name, folder, license) };
}

/**
 * Returns a package's terms: its licence file, or the part of its README of that heading.
 *
 * @throws if there is neither, and its licence is not the one that this project has too.
 */
function terms(name: string, folder: string, licence: string): string {
  const file = readdirSync(folder).find((entry) => /^(?:licen[cs]e|copying)/i.test(entry));
  if (file !== undefined) {
    return text(join(folder, file));
  }
  const readme = join(folder, 'README.md');
  const [, said] = existsSync(readme) ? text(readme).split(/^LICENSE.*\n-+\n/m) : [];
  if (said !== undefined) {
    return said.trim();
  }
  if (licence !== 'Apache-2.0') {
    throw new Error(`${name} (${licence}) does not say its terms; add them to ${TEXTS}`);
  }
  return text(OWN_LICENCE);
}

function withinWasm(): ShippedPackage[] {
  return WITHIN_WASM.map(([name, licence]) => ({
    name,
    licence,
    within: WASM,
    text: text(join(TEXTS, `${name}.txt`)),
  }));
}

function text(path: string): string {
  return readFileSync(resolve(path), 'utf8').replace(/^\n+/, '').trimEnd();
}

function json(path: string): unknown {
  return JSON.parse(text(path));
}
