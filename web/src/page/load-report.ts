/** Exports what the load panel shows: as text, or as a link to this page. */

import { addressWithBackend } from './backend-preference';
import { element } from './elements';
import { say } from './language';

/** What a report says. */
export interface ReportFacts {
  readonly title: string;
  readonly address: string;
  /** Names with their values. */
  readonly facts: readonly (readonly [string, string])[];
  /** Rows of cells, the head's first. */
  readonly tables: readonly (readonly (readonly string[])[])[];
}

/** Returns a report as Markdown, which reads well as plain text too. */
export function reportText({ title, address, facts, tables }: ReportFacts): string {
  const list = facts.map(([name, value]) => `- ${name}: ${value}`).join('\n');
  return `${[`## ${title}`, address, list, ...tables.map(markdownTable)].join('\n\n')}\n`;
}

function markdownTable(rows: readonly (readonly string[])[]): string {
  const lines = rows.map((cells) => `| ${cells.map(escaped).join(' | ')} |`);
  const rule = `| ${(rows[0] ?? []).map((_, column) => (column ? '---:' : '---')).join(' | ')} |`;
  return [...lines.slice(0, 1), rule, ...lines.slice(1)].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** Returns what the panel shows, as text. */
export function reportOf(panel: HTMLElement): string {
  const { dataset } = element('#copy-report', HTMLButtonElement, panel);
  return reportText({
    title: document.title,
    address: linkOf(panel),
    facts: [
      ...Object.entries(JSON.parse(dataset['facts'] ?? '{}') as Record<string, string>),
      ...[...panel.querySelectorAll('[data-fact]')].map(factOf),
      [say('browser'), navigator.userAgent],
    ],
    tables: ['#parts', '#stages'].map((name) => cellsOf(element(name, HTMLTableElement, panel))),
  });
}

/** Offers an address to other programs, where the browser can. */
export async function share(url: string): Promise<void> {
  if ('share' in navigator) {
    // The visitor may cancel it, which is not a failure.
    await navigator.share({ title: document.title, url }).catch(() => undefined);
  }
}

/** Returns this page's address, with the backend that was asked for by address or switch. */
export function linkOf(panel: HTMLElement): string {
  const { value } = element('#backend-choice', HTMLSelectElement, panel.ownerDocument);
  return addressWithBackend(location.href, value);
}

/**
 * Says that a text was copied, or shows it to be copied by the visitor.
 *
 * @param done - What to say; null if the browser did not let the page copy.
 */
export function tell(
  panel: HTMLElement,
  said: HTMLElement,
  text: string,
  done: string | null,
): void {
  const area = element('#report-text', HTMLTextAreaElement, panel);
  area.hidden = done !== null;
  said.textContent = done ?? say('copyYourself');
  if (done === null) {
    area.value = text;
    area.select();
  }
}

function factOf(fact: Element): readonly [string, string] {
  const value = [...fact.querySelectorAll('strong, small')].map(({ textContent }) => textContent);
  return [
    fact.previousElementSibling?.textContent ?? '',
    value.filter((text) => text !== '').join('; '),
  ];
}

/** Returns a table's texts, but for the bars. */
function cellsOf(table: HTMLTableElement): readonly (readonly string[])[] {
  return [...table.rows].map((row) =>
    [...row.cells]
      .filter((cell) => !cell.classList.contains('track'))
      .map(({ textContent }) => textContent.trim()),
  );
}
