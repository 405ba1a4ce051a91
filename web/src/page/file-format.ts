/** Detects a file's format by its first bytes, because names and declared types are often wrong. */

/** Enough for {@link formatOf}. */
export const HEAD_BYTES = 256;

/** The brands of ISO base media files; the pictures among them stand in for their codec. */
const BRANDS: readonly (readonly [RegExp, string])[] = [
  [/^avi[fs]/, 'AVIF'],
  [/^(?:hei[cmsx]|hev[cmsx]|mif1|msf1)/, 'HEIC'],
  [/^jx/, 'JPEG XL'],
];

/** What files begin with, each character one byte. */
const BEGINNINGS: readonly (readonly [RegExp, string])[] = [
  [/^\xff\xd8\xff/, 'JPEG'],
  [/^\x89PNG/, 'PNG'],
  [/^GIF8/, 'GIF'],
  [/^RIFF[^]{4}WEBP/, 'WebP'],
  [/^(?:II\*\0|MM\0\*)/, 'TIFF'],
  [/^(?:\xff\x0a|\0\0\0\x0cJXL )/, 'JPEG XL'],
  [/^%PDF/, 'PDF'],
  [/^8BPS/, 'Photoshop'],
  [/^BM[^]{4}\0\0\0\0/, 'BMP'],
  [/^\s*(?:<\?xml[^]*)?(?:<!--[^]*)?<svg/, 'SVG'],
];

/** Returns the name of a file's format, or null for one that is not known. */
export function formatOf(head: Uint8Array): string | null {
  const text = String.fromCharCode(...head.subarray(0, HEAD_BYTES));
  if (text.slice(4, 8) === 'ftyp') {
    // The first brand may be the container's; more follow to the end of the box.
    const brand = text.slice(8, 12);
    return text.slice(16, head[3]).includes('avif') ? 'AVIF' : named(brand, BRANDS);
  }
  return named(text, BEGINNINGS);
}

function named(text: string, table: readonly (readonly [RegExp, string])[]): string | null {
  return table.find(([pattern]) => pattern.test(text))?.[1] ?? null;
}
