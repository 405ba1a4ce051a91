/** The texts that the script shows: one file of `templates/strings` has those of a language. */

import type english from '../../../templates/strings/en.json';
import { element } from './elements';

/** What each text is called. */
export type TextName = keyof typeof english.script;

/** What the texts need of the document: its language, and the texts themselves. */
export interface Language {
  /** A language tag, by which numbers are written. */
  readonly tag: string;
  readonly texts: Readonly<Record<TextName, string>>;
}

let spoken: Language | undefined;

/** Takes a language in place of the document's own. */
export function speak(language: Language): void {
  spoken = language;
}

/** Returns the page's language; the template puts its texts into `<template id="strings">`. */
export function language(): Language {
  spoken ??= {
    tag: document.documentElement.lang,
    texts: JSON.parse(
      element('#strings', HTMLTemplateElement).content.textContent,
    ) as Language['texts'],
  };
  return spoken;
}

/** Returns a text with its `{placeholders}` filled in. */
export function say(
  name: TextName,
  values: Readonly<Record<string, string | number>> = {},
): string {
  return language().texts[name].replace(/\{(\w+)\}/g, (placeholder, key: string) =>
    String(values[key] ?? placeholder),
  );
}
