/** Copies a text that is still being made. */

/**
 * Copies a text.
 *
 * Call it within a click, before anything is awaited: WebKit lets a page copy only then, and takes
 * a promise of the text.
 *
 * @throws if the browser does not let the page copy.
 */
export async function copyWhenMade(text: Promise<string>): Promise<void> {
  if (typeof ClipboardItem === 'function') {
    const made = text.then((content) => new Blob([content], { type: 'text/plain' }));
    try {
      await navigator.clipboard.write([new ClipboardItem({ 'text/plain': made })]);
      return;
    } catch {
      // Older browsers take no promise there.
    }
  }
  await navigator.clipboard.writeText(await text);
}
