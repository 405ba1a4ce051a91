import { describe, expect, it } from 'vitest';

import { formatOf } from '../src/page/file-format';
import { refusal } from '../src/page/refusal-sentence';

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

const HEIC = '\0\0\0\x18ftypheic\0\0\0\0mif1heic';

describe('formatOf', () => {
  it.each([
    ['\xff\xd8\xff\xe0', 'JPEG'],
    ['\x89PNG\r\n', 'PNG'],
    ['RIFF\x01\x02\x03\x04WEBPVP8 ', 'WebP'],
    [HEIC, 'HEIC'],
    ['\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf', 'HEIC'],
    ['\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf', 'AVIF'],
    ['\0\0\0\x18ftypavif\0\0\0\0mif1miaf', 'AVIF'],
    ['\0\0\0\x18ftypisom\0\0\0\0avc1mp41', null],
    ['II*\0', 'TIFF'],
    ['\0\0\0\x0cJXL \r\n', 'JPEG XL'],
    ['<?xml version="1.0"?>\n<svg xmlns=', 'SVG'],
    ['%PDF-1.7', 'PDF'],
    ['not a picture', null],
    ['', null],
  ])('takes %j for %j', (head, format) => {
    expect(formatOf(bytes(head))).toBe(format);
  });
});

describe('refusal', () => {
  it.each([
    ['', /is empty/],
    ['\xff\xd8\xff\xe0', /“a\.jpg” is damaged/],
    [HEIC, /“a\.jpg” is a HEIC file/],
    ['hello', /not a picture/],
  ])('says of %j what %s matches', async (content, sentence) => {
    expect(await refusal(new File([bytes(content)], 'a.jpg'))).toMatch(sentence);
  });

  it('says that a file is gone', async () => {
    const file = new File(['x'], 'a.jpg');
    file.slice = () => ({ arrayBuffer: () => Promise.reject(new Error('gone')) }) as never;
    expect(await refusal(file)).toMatch(/“a\.jpg” cannot be read/);
  });
});
