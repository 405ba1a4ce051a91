/** What a gallery knows of its photos, and how it is written for other programs. */

import type { Tag } from '../../messages';

/** One photo. */
export interface PhotoRecord {
  readonly file: string;
  /** Best first; empty until it is tagged, and where it cannot be. */
  readonly tags: readonly Tag[];
  /** The nearest tag of a photo that shows none of the labels; null for others. */
  readonly nearest: Tag | null;
  /** Why it was not tagged, as a sentence; null where it was. */
  readonly error: string | null;
}

/** The model that tagged them. */
export interface ModelRecord {
  readonly name: string;
  readonly sha256: string;
}

/** The version of the JSON; one that older readers do not understand gets another number. */
const SCHEMA = 1;

/** Returns the JSON, as `web/README.md` describes it. */
export function jsonOf(model: ModelRecord, photos: readonly PhotoRecord[]): string {
  const record = {
    schema: SCHEMA,
    model,
    photos: photos.map(({ file, tags, nearest, error }) => ({
      file,
      tags: tags.map(plain),
      nearest: nearest && plain(nearest),
      error,
    })),
  };
  return `${JSON.stringify(record, null, 2)}\n`;
}

function plain({ label, classIndex, score }: Tag) {
  return { label, index: classIndex, score };
}

/**
 * Returns a table with a row for each photo, CSV by RFC 4180.
 *
 * It begins with a byte order mark, so that spreadsheets recognise UTF-8.
 */
export function csvOf(model: ModelRecord, photos: readonly PhotoRecord[]): string {
  const ranks = Math.max(0, ...photos.map(({ tags }) => tags.length));
  const header = ['file', 'model', 'sha256', 'error'];
  for (let rank = 1; rank <= ranks; rank++) {
    header.push(`label_${rank}`, `index_${rank}`, `score_${rank}`);
  }
  const hasNearest = photos.some(({ nearest }) => nearest);
  if (hasNearest) {
    header.push('nearest_label', 'nearest_index', 'nearest_score');
  }
  const rows = photos.map(({ file, tags, nearest, error }) => {
    const cells: (string | number)[] = [file, model.name, model.sha256, error ?? ''];
    const places = Array.from({ length: ranks }, (_, rank) => tags[rank]);
    for (const tag of hasNearest ? [...places, nearest] : places) {
      cells.push(tag?.label ?? '', tag?.classIndex ?? '', tag?.score ?? '');
    }
    return cells;
  });
  return `\ufeff${[header, ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('')}`;
}

function field(value: string | number): string {
  // A spreadsheet would compute a text that begins like a formula; the apostrophe says it is text.
  const text =
    typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
