/** The texts that the script shows: one file of `templates/strings` has those of a language. */

import type english from '../../../templates/strings/en.json';
import { element } from './elements';

/** What each text is called. */
export type TextName = keyof typeof english.script;

/** The texts of a language. */
export type Texts = Readonly<Record<TextName, string>>;

let spoken: Texts | undefined;

/** Takes a language's texts in place of the document's own. */
export function speak(texts: Texts): void {
  spoken = texts;
}

/** Returns the page's texts; the template puts them into `<template id="strings">`. */
function texts(): Texts {
  spoken ??= JSON.parse(element('#strings', HTMLTemplateElement).content.textContent) as Texts;
  return spoken;
}

/** Returns a text with its `{placeholders}` filled in. */
export function say(
  name: TextName,
  values: Readonly<Record<string, string | number>> = {},
): string {
  return texts()[name].replace(/\{(\w+)\}/g, (placeholder, key: string) =>
    String(values[key] ?? placeholder),
  );
}
