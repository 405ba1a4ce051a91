/** Loads the panel "Your own tags", where the template has one, when the model is ready. */

import type { PageState } from './page-state';
import type { Session } from './session';

/** Returns what has to hear of the page's state. */
export function teachingWhenReady(session: Session): (state: PageState) => void {
  let place = document.querySelector<HTMLElement>('#teach');
  return (state) => {
    if (place && (state === 'tagged' || state === 'ready')) {
      const section = place;
      place = null;
      // Without its code the page still tags; the next visit tries again.
      void import('./teach/teach-panel').then(({ TeachPanel }) =>
        TeachPanel.open(section, session),
      );
    }
  };
}
