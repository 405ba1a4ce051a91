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

/** Copies the report. */
export async function copyReport(panel: HTMLElement, said: HTMLElement): Promise<void> {
  const { dataset } = element('#copy-report', HTMLButtonElement, panel);
  const text = reportText({
    title: document.title,
    address: linkOf(panel),
    facts: [
      ...Object.entries(JSON.parse(dataset['facts'] ?? '{}') as Record<string, string>),
      ...[...panel.querySelectorAll('[data-fact]')].map(factOf),
      [say('browser'), navigator.userAgent],
    ],
    tables: ['#parts', '#stages'].map((name) => cellsOf(element(name, HTMLTableElement, panel))),
  });
  await copy(panel, text, said, say('reportCopied'));
}

/** Offers the page's address to other programs, or copies it. */
export async function shareLink(panel: HTMLElement, said: HTMLElement): Promise<void> {
  const url = linkOf(panel);
  if ('share' in navigator) {
    // The visitor may cancel it, which is not a failure.
    await navigator.share({ title: document.title, url }).catch(() => undefined);
    return;
  }
  await copy(panel, url, said, say('linkCopied'));
}

/** Returns this page's address, with the backend that was asked for by address or switch. */
function linkOf(panel: HTMLElement): string {
  const { value } = element('#backend-choice', HTMLSelectElement, panel.ownerDocument);
  return addressWithBackend(location.href, value);
}

/** Copies a text, or shows it to be copied where the browser does not let a page do so. */
async function copy(
  panel: HTMLElement,
  text: string,
  said: HTMLElement,
  done: string,
): Promise<void> {
  const area = element('#report-text', HTMLTextAreaElement, panel);
  try {
    await navigator.clipboard.writeText(text);
    area.hidden = true;
    said.textContent = done;
  } catch {
    area.value = text;
    area.hidden = false;
    area.select();
    said.textContent = say('copyYourself');
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
