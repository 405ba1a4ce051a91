/** Takes photos from the visitor: chosen, dropped anywhere, or pasted. */

import { draggedAddress, pictureAddress } from './picture-address';

/** What happens with what was given. */
export interface Intake {
  /** @param files - At least one. */
  files(files: readonly File[]): void;
  /** Something was dropped that may hold folders. */
  entries(entries: readonly FileSystemEntry[]): void;
  address(address: string): void;
  /** Something was dropped that holds neither a file nor an address. */
  nothing(): void;
}

/**
 * Listens for photos.
 *
 * @param chooser - The page's file input.
 * @param dropMark - Carries `data-dropping` while a file hangs over the page.
 */
export function takePhotos(chooser: HTMLInputElement, dropMark: HTMLElement, intake: Intake): void {
  chooser.addEventListener('change', () => {
    const files = [...(chooser.files ?? [])];
    if (files.length > 0) {
      intake.files(files);
      // Otherwise choosing the same file again would fire no change event.
      chooser.value = '';
    }
  });

  // An inner element is entered before the outer one is left, so events are counted.
  let depth = 0;
  const hang = (change: number): void => {
    depth = Math.max(0, depth + change);
    dropMark.toggleAttribute('data-dropping', depth > 0);
  };
  document.addEventListener('dragenter', () => hang(1));
  document.addEventListener('dragleave', () => hang(-1));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    // A part of the page may have taken it.
    const isTaken = event.defaultPrevented;
    event.preventDefault();
    hang(-depth);
    if (event.dataTransfer && !isTaken) {
      drop(event.dataTransfer, intake);
    }
  });

  document.addEventListener('paste', (event) => {
    if (event.defaultPrevented) {
      return;
    }
    const files = [...(event.clipboardData?.files ?? [])];
    // Text that is pasted into a field belongs there.
    const isInField = event.target instanceof HTMLInputElement;
    const text = isInField ? '' : (event.clipboardData?.getData('text/plain') ?? '');
    const address = pictureAddress(text);
    if (files.length > 0) {
      event.preventDefault();
      intake.files(files);
    } else if (address) {
      event.preventDefault();
      intake.address(address);
    }
  });
}

function drop(transfer: DataTransfer, intake: Intake): void {
  const files = [...transfer.files];
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  if (entries.some(({ isDirectory }) => isDirectory)) {
    intake.entries(entries);
    return;
  }
  const address = files.length > 0 ? null : draggedAddress(transfer);
  if (files.length > 0) {
    intake.files(files);
  } else if (address) {
    intake.address(address);
  } else {
    intake.nothing();
  }
}
