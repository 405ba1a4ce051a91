/** Tells browsers that run workers which are modules from older ones. */

/** Returns whether the browser reads the option that makes a worker a module. */
export function hasModuleWorkers(): boolean {
  let isRead = false;
  const options: WorkerOptions = {
    get type() {
      isRead = true;
      return 'module' as const;
    },
  };
  try {
    new Worker('data:,', options).terminate();
  } catch {
    // The page's policy forbids this worker; the options have been read by then.
  }
  return isRead;
}
