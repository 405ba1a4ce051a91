/** Hands the visitor a file. */

/** Lets the browser save a text. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser begins to read it after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
