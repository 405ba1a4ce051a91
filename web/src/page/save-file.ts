/** Hands the visitor a file. */

/** Lets the browser save a file. */
export function saveFile(name: string, file: Blob): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser begins to read it after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
