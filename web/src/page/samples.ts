/** The sample photos, each a button. */

/** One sample photo of the page. */
export interface Sample {
  readonly url: string;
  readonly alt: string;
}

/** Lists the page's samples and calls back when one is pressed. */
export function listenToSamples(
  container: ParentNode,
  pressed: (sample: Sample) => void,
): readonly Sample[] {
  return [...container.querySelectorAll<HTMLButtonElement>('button[data-sample]')].map((button) => {
    const sample = {
      url: button.dataset['sample'] ?? '',
      alt: button.querySelector('img')?.alt ?? '',
    };
    button.addEventListener('click', () => pressed(sample));
    return sample;
  });
}

/** Shows the samples' pictures, which wait until they no longer hold up the model. */
export function showThumbnails(container: ParentNode): void {
  for (const picture of container.querySelectorAll<HTMLImageElement>('img[data-src]')) {
    picture.src = picture.dataset['src'] ?? '';
    delete picture.dataset['src'];
  }
}

/**
 * Fetches a sample photo.
 *
 * @param isInDocument - Whether the document shows it, so that the browser has it or soon will.
 */
export async function fetchSample(
  { url }: Sample,
  isInDocument: boolean,
  signal: AbortSignal,
): Promise<Blob> {
  const response = await fetch(url, { cache: isInDocument ? 'force-cache' : 'default', signal });
  if (!response.ok) {
    throw new Error(`status ${response.status}`);
  }
  // Chromium's blob() sometimes never settles if the body comes slowly from a preload.
  const content = await response.arrayBuffer();
  return new Blob([content], { type: response.headers.get('content-type') ?? '' });
}
