import { afterEach, expect, test, vi } from 'vitest';

import { hasModuleWorkers } from '../src/page/module-workers';

afterEach(() => vi.unstubAllGlobals());

test('a browser that reads the option runs module workers', () => {
  const terminate = vi.fn();
  vi.stubGlobal(
    'Worker',
    class {
      constructor(_address: string, options: WorkerOptions) {
        expect(options.type).toBe('module');
      }
      terminate = terminate;
    },
  );
  expect(hasModuleWorkers()).toBe(true);
  expect(terminate).toHaveBeenCalledOnce();
});

test('one that does not read it is older', () => {
  vi.stubGlobal(
    'Worker',
    class {
      terminate(): void {
        // There is nothing to end.
      }
    },
  );
  expect(hasModuleWorkers()).toBe(false);
});

test('a policy that forbids the worker says nothing of the option', () => {
  vi.stubGlobal(
    'Worker',
    class {
      constructor(_address: string, options: WorkerOptions) {
        throw new Error(`a worker of the kind ${options.type} is forbidden`);
      }
    },
  );
  expect(hasModuleWorkers()).toBe(true);
});
