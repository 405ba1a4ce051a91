/** Fetches a photo that the visitor has named by its address. */

import { say } from './language';

/** Why there is no photo, as a sentence. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/**
 * Fetches a photo without cookies and without a referrer.
 *
 * @throws {@link AddressError} with a sentence for the visitor.
 */
export async function fetchPhoto(address: string, signal: AbortSignal): Promise<Blob> {
  const { host, protocol } = new URL(address);
  if (protocol === 'http:' && location.protocol === 'https:') {
    throw new AddressError(say('addressInsecure'));
  }
  let response: Response;
  let file: Blob;
  try {
    response = await fetch(address, {
      mode: 'cors',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      signal,
    });
    file = await response.blob();
  } catch (error) {
    // Browsers do not tell pages whether CORS or the connection was the cause.
    throw new AddressError(say(protocol === 'data:' ? 'addressDamaged' : 'addressCors', { host }), {
      cause: error,
    });
  }
  if (!response.ok) {
    throw new AddressError(say('addressStatus', { host, status: response.status }));
  }
  const type = file.type.split(';')[0] ?? '';
  // Many hosts declare a wrong type, so the decoder decides.
  if (type && !type.startsWith('image/') && type !== 'application/octet-stream') {
    throw new AddressError(say(type === 'text/html' ? 'addressPage' : 'addressType', { type }));
  }
  return new File([file], nameOf(address), { type });
}

/** Returns what to call the photo: the last part of its address. */
export function nameOf(address: string): string {
  const { protocol, pathname } = new URL(address);
  const last = protocol === 'data:' ? '' : (pathname.split('/').at(-1) ?? '');
  try {
    return decodeURIComponent(last) || say('unnamedPhoto');
  } catch {
    return last;
  }
}
