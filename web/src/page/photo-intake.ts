/** Takes photos from the visitor: chosen, dropped anywhere, or pasted. */

/** What happens with what was given. */
export interface Intake {
  photo(file: File): void;
  /** Something was dropped that holds no file. */
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
    const [file] = chooser.files ?? [];
    if (file) {
      intake.photo(file);
      // Else choosing the same file again would not count as a change.
      chooser.value = '';
    }
  });

  // Elements inside the page are entered before the last one is left, hence the count.
  let depth = 0;
  const hang = (change: number): void => {
    depth = Math.max(0, depth + change);
    dropMark.toggleAttribute('data-dropping', depth > 0);
  };
  document.addEventListener('dragenter', () => hang(1));
  document.addEventListener('dragleave', () => hang(-1));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    hang(-depth);
    const [file] = event.dataTransfer?.files ?? [];
    if (file) {
      intake.photo(file);
    } else {
      intake.nothing();
    }
  });

  document.addEventListener('paste', (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (file) {
      event.preventDefault();
      intake.photo(file);
    }
  });
}
