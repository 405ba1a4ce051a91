/** The texts of the panel, which only pages have where visitors teach. */

import type english from '../../../../templates/strings/en.json';

/** What each text is called. */
export type TeachText = keyof typeof english.teach;

let spoken: Readonly<Record<TeachText, string>> | undefined;

/** Takes texts in place of the document's own. */
export function speakOfTeaching(texts: Readonly<Record<TeachText, string>>): void {
  spoken = texts;
}

/** Returns a text with its `{placeholders}` filled in. */
export function tell(
  name: TeachText,
  values: Readonly<Record<string, string | number>> = {},
): string {
  spoken ??= JSON.parse(
    document.querySelector<HTMLTemplateElement>('#teach-strings')?.content.textContent ?? '',
  ) as Readonly<Record<TeachText, string>>;
  return spoken[name].replace(/\{(\w+)\}/g, (placeholder, key: string) =>
    String(values[key] ?? placeholder),
  );
}
