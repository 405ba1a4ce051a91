/** Asks for the camera, and says why there is none. */

import { say } from '../language';

/** More than a model sees: what is beyond that costs time in every frame. */
const WANTED = { width: { ideal: 640 }, height: { ideal: 480 } };

/** Why there is no camera, as a sentence. */
export class CameraError extends Error {
  override readonly name = 'CameraError';
}

/**
 * Returns the stream of a camera: of this one, or of the one that looks away from the visitor.
 *
 * @throws {@link CameraError} with a sentence for the visitor.
 */
export async function cameraStream(deviceId: string | null): Promise<MediaStream> {
  // Browsers offer it to pages by https and on the visitor's own machine alone.
  const devices = (navigator as Partial<Navigator>).mediaDevices;
  if (!devices) {
    throw new CameraError(say(isSecureContext ? 'cameraMissing' : 'cameraInsecure'));
  }
  // Its frames are cut out in the worker.
  if (typeof OffscreenCanvas === 'undefined') {
    throw new CameraError(say('cameraMissing'));
  }
  const which = deviceId
    ? { deviceId: { exact: deviceId } }
    : { facingMode: { ideal: 'environment' } };
  try {
    return await devices.getUserMedia({ audio: false, video: { ...WANTED, ...which } });
  } catch (error) {
    throw new CameraError(sentence(error), { cause: error });
  }
}

function sentence(error: unknown): string {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return say('cameraDenied');
    case 'NotFoundError':
    case 'OverconstrainedError':
      return say('cameraNone');
    case 'NotReadableError':
    case 'AbortError':
      return say('cameraBusy');
    default:
      return say('cameraFailed', { detail: message || name });
  }
}

/** Returns the camera after this one, in the browser's order; null where it is the only one. */
export async function otherCamera(stream: MediaStream): Promise<string | null> {
  const current = stream.getVideoTracks()[0]?.getSettings().deviceId;
  const devices = await navigator.mediaDevices.enumerateDevices();
  const ids = devices.filter(({ kind }) => kind === 'videoinput').map(({ deviceId }) => deviceId);
  const place = ids.findIndex((id) => id === current);
  const next = ids[(place + 1) % ids.length];
  return next && next !== current ? next : null;
}
