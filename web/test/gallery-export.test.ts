import { describe, expect, it } from 'vitest';

import { csvOf, jsonOf } from '../src/page/gallery/gallery-export';

const MODEL = { name: 'small', sha256: 'ab12' };
const TAGGED = {
  file: 'a.jpg',
  tags: [
    { classIndex: 7, label: 'hen', score: 0.5 },
    { classIndex: 0, label: 'tench, fish', score: 1e-7 },
  ],
  nearest: null,
  error: null,
};
const FAR = {
  file: 'c.jpg',
  tags: [],
  nearest: { classIndex: 7, label: 'hen', score: 0.25, isNearest: true as const },
  error: null,
};
const REFUSED = { file: 'b.txt', tags: [], nearest: null, error: 'It is "no" picture.' };

/** Returns the fields of the first row below the header that is asked for by its first field. */
function line(csv: string, number: number): string | undefined {
  return csv.slice(1).split('\r\n')[number];
}

describe('csvOf', () => {
  it('begins with a byte order mark and has a row for each photo', () => {
    const csv = csvOf(MODEL, [TAGGED, REFUSED]);
    expect(csv.startsWith('\ufeff')).toBe(true);
    expect(line(csv, 0)).toBe(
      'file,model,sha256,error,label_1,index_1,score_1,label_2,index_2,score_2',
    );
    expect(line(csv, 1)).toBe('a.jpg,small,ab12,,hen,7,0.5,"tench, fish",0,1e-7');
    expect(line(csv, 2)).toBe('b.txt,small,ab12,"It is ""no"" picture.",,,,,,');
    expect(line(csv, 3)).toBe('');
  });

  it.each([
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-1.jpg', "'-1.jpg"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\tx', "'\tx"],
    ['=HYPERLINK("a","b")', '"\'=HYPERLINK(""a"",""b"")"'],
    ['a=1.jpg', 'a=1.jpg'],
  ])('writes %j as text that no spreadsheet computes', (file, field) => {
    expect(line(csvOf(MODEL, [{ ...REFUSED, file, error: null }]), 1)).toBe(`${field},small,ab12,`);
  });

  it('has columns for the nearest tag where a photo shows none of the labels', () => {
    const csv = csvOf(MODEL, [{ ...TAGGED, tags: TAGGED.tags.slice(0, 1) }, FAR]);
    expect(line(csv, 0)).toBe(
      'file,model,sha256,error,label_1,index_1,score_1,nearest_label,nearest_index,nearest_score',
    );
    expect(line(csv, 1)).toBe('a.jpg,small,ab12,,hen,7,0.5,,,');
    expect(line(csv, 2)).toBe('c.jpg,small,ab12,,,,,hen,7,0.25');
  });

  it('keeps line breaks inside a field', () => {
    const csv = csvOf(MODEL, [{ ...REFUSED, file: 'a\nb' }]);
    expect(csv).toContain('"a\nb",small');
  });

  it('has no columns of tags where there are none', () => {
    expect(line(csvOf(MODEL, [REFUSED]), 0)).toBe('file,model,sha256,error');
  });
});

describe('jsonOf', () => {
  it('says which model found what', () => {
    expect(JSON.parse(jsonOf(MODEL, [TAGGED, FAR, REFUSED]))).toEqual({
      schema: 1,
      model: MODEL,
      photos: [
        {
          file: 'a.jpg',
          tags: [
            { label: 'hen', index: 7, score: 0.5 },
            { label: 'tench, fish', index: 0, score: 1e-7 },
          ],
          nearest: null,
          error: null,
        },
        {
          file: 'c.jpg',
          tags: [],
          nearest: { label: 'hen', index: 7, score: 0.25 },
          error: null,
        },
        { file: 'b.txt', tags: [], nearest: null, error: 'It is "no" picture.' },
      ],
    });
  });
});
