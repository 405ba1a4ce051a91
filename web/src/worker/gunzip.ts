/**
 * Decompresses files that the build stored as gzip streams without a header, while they come in.
 *
 * With one, some hosts would take them for files to be sent with a Content-Encoding.
 */

import { detailOf, FailureError } from './failure-error';
import { type ByteStream, forEachPiece } from './incoming-files';

/** RFC 1952: deflate, no flags, no time, best compression, unknown system. */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff);

/**
 * Calls back with the bytes of one gzip stream that is spread over some files.
 *
 * @param name - What to call the files in a message.
 * @throws {@link FailureError} if the stream is damaged, cut off, or followed by more.
 */
export async function gunzip(
  streams: readonly ByteStream[],
  name: string,
  take: (bytes: Uint8Array) => void,
): Promise<void> {
  const { readable, writable } = await gunzipper();
  const writer = writable.getWriter();
  // The reader below gets its error.
  writer.write(HEADER).catch(() => undefined);
  // The reader below gets the error too.
  const writing = forEachPiece(streams, (piece) => writer.write(piece)).then(
    () => writer.close(),
    (error: unknown) => writer.abort(error),
  );
  writing.catch(() => undefined);
  const reader = readable.getReader();
  for (;;) {
    let piece: ReadableStreamReadResult<Uint8Array>;
    try {
      piece = await reader.read();
    } catch (error) {
      throw error instanceof FailureError
        ? error
        : new FailureError({ code: 'compression', file: name, detail: detailOf(error) }, error);
    }
    if (piece.done) {
      return;
    }
    take(piece.value);
  }
}

async function gunzipper(): Promise<GenericTransformStream> {
  if ('DecompressionStream' in globalThis) {
    return new DecompressionStream('gzip');
  }
  // Safari before 16.4.
  const { Gunzip } = await import('fflate');
  const inflater = new Gunzip();
  return new TransformStream<Uint8Array, Uint8Array>({
    start(controller) {
      inflater.ondata = (bytes) => controller.enqueue(bytes);
    },
    transform(bytes) {
      inflater.push(bytes);
    },
    flush() {
      inflater.push(new Uint8Array(0), true);
    },
  });
}
