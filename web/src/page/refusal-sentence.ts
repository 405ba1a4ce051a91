/** Says why a file could not be decoded, and what the visitor can do. */

import { formatOf, HEAD_BYTES } from './file-format';
import { say } from './language';

/** Formats that every browser decodes; of these a file is damaged. */
const DECODED_EVERYWHERE: readonly (string | null)[] = ['JPEG', 'PNG', 'GIF', 'WebP', 'BMP'];

/** Returns a sentence. */
export async function refusal(file: Blob): Promise<string> {
  const name = (file instanceof File && file.name) || say('unnamedPhoto');
  if (file.size === 0) {
    return say('refusedEmpty', { name });
  }
  let head: ArrayBuffer;
  try {
    head = await file.slice(0, HEAD_BYTES).arrayBuffer();
  } catch {
    // It was removed or changed since it was chosen; folders end here too.
    return say('refusedUnreadable', { name });
  }
  const format = formatOf(new Uint8Array(head));
  if (format === null) {
    return say('notAPicture');
  }
  return say(DECODED_EVERYWHERE.includes(format) ? 'refusedDamaged' : 'refusedFormat', {
    name,
    format,
  });
}
