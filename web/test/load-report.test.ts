import { describe, expect, it } from 'vitest';

import { reportText } from '../src/page/load-report';

describe('reportText', () => {
  it('is Markdown with the address, the facts and the tables', () => {
    const text = reportText({
      title: 'Tag photos',
      address: 'https://example.org/?backend=wasm',
      facts: [
        ['Model', 'a|b'],
        ['First tag', '1.2 s; after the click'],
      ],
      tables: [
        [
          ['Part', 'On the wire'],
          ['a|b', '12 kB'],
        ],
        [['Stage', 'Took', 'Ended at']],
      ],
    });
    expect(text).toBe(`## Tag photos

https://example.org/?backend=wasm

- Model: a|b
- First tag: 1.2 s; after the click

| Part | On the wire |
| --- | ---: |
| a\\|b | 12 kB |

| Stage | Took | Ended at |
| --- | ---: | ---: |
`);
  });
});
