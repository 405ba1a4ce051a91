/** Says which backend runs and why. */

import type { BackendReport } from '../messages';
import { say } from './language';
import { backendName, backendReason } from './sentences';

/** Shows the backend in use. */
export function showBackend(line: HTMLElement, report: BackendReport): void {
  line.dataset['backend'] = report.active;
  line.dataset['reason'] = report.reason.code;
  const name = document.createElement('strong');
  name.textContent = backendName(report);
  line.replaceChildren(name, say('backendLine', { reason: backendReason(report) }));
}

/** Says that none runs yet. */
export function clearBackend(line: HTMLElement): void {
  delete line.dataset['backend'];
  delete line.dataset['reason'];
  line.textContent = say('startingBackend');
}
