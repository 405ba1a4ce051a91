/** Finds the address of a picture in what was pasted, dropped or typed. */

/** Returns the address that a text is, or null where it is none that may be fetched. */
export function pictureAddress(text: string): string | null {
  const trimmed = text.trim();
  if (!/^(?:https?:\/\/|data:image\/)\S+$/i.test(trimmed)) {
    return null;
  }
  try {
    return new URL(trimmed).href;
  } catch {
    return null;
  }
}

/** What of a DataTransfer is needed here. */
export type TransferredText = Pick<DataTransfer, 'getData'>;

/** Returns the address of a picture or a link that was dragged from another page, or null. */
export function draggedAddress(transfer: TransferredText): string | null {
  // For a picture inside a link browsers give the link's address; the markup has the picture's.
  const markup = transfer.getData('text/html');
  const image = markup && new DOMParser().parseFromString(markup, 'text/html').images[0];
  const candidates = [
    image ? (image.getAttribute('src') ?? '') : '',
    // Lines that begin with # are comments (RFC 2483).
    ...transfer.getData('text/uri-list').split(/\r?\n/),
    transfer.getData('text/plain'),
  ];
  for (const candidate of candidates) {
    const address = pictureAddress(candidate);
    if (address) {
      return address;
    }
  }
  return null;
}
