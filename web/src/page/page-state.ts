/** What the page is about; shown to tests and to the style sheet as `<html data-state>`. */
export type PageState =
  /** The model is not there yet; a photo given now waits. */
  | 'loading'
  /** The model waits for a photo. */
  | 'ready'
  /** The photo last given is being looked at. */
  | 'tagging'
  /** The tags shown are the small model's; the full one is on its way. */
  | 'previewing'
  /** The tags shown are those of the photo last given. */
  | 'tagged'
  /** The tags shown are those of what the camera sees, again and again. */
  | 'live'
  /** What was last asked for did not work, and the alert says why. */
  | 'failed';

/** Shows the state. */
export function showState(state: PageState): void {
  document.documentElement.dataset['state'] = state;
}
