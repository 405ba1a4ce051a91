/** Changes source text at positions that its syntax tree tells. */

/** What comes in place of a stretch of source text. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  /** Left out, the stretch is only removed. */
  readonly text?: string;
}

/** Returns the source with all edits made; those inside another one are passed over. */
export function edited(source: string, edits: readonly Edit[]): string {
  const sorted = [...edits].sort((one, other) => one.start - other.start || other.end - one.end);
  let result = '';
  let at = 0;
  for (const { start, end, text = '' } of sorted) {
    if (start >= at) {
      result += source.slice(at, start) + text;
      at = end;
    }
  }
  return result + source.slice(at);
}
