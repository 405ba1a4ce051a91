/** Says which backend runs and why. */

import type { BackendReport } from '../messages';
import { backendName, backendReason, STRINGS } from './strings';

/** Shows the backend in use. */
export function showBackend(line: HTMLElement, report: BackendReport): void {
  line.dataset['backend'] = report.active;
  line.dataset['reason'] = report.reason.code;
  const name = document.createElement('strong');
  name.textContent = backendName(report);
  line.replaceChildren(name, ` – ${backendReason(report)}.`);
}

/** Says that none runs yet. */
export function clearBackend(line: HTMLElement): void {
  delete line.dataset['backend'];
  delete line.dataset['reason'];
  line.textContent = STRINGS.startingBackend;
}
