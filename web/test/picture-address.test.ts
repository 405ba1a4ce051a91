import { describe, expect, it } from 'vitest';

import { nameOf } from '../src/page/photo-by-address';
import { draggedAddress, pictureAddress } from '../src/page/picture-address';

describe('pictureAddress', () => {
  it.each([
    [' https://example.org/a b.jpg ', null],
    [' https://example.org/a.jpg\n', 'https://example.org/a.jpg'],
    ['HTTP://EXAMPLE.ORG/A.jpg', 'http://example.org/A.jpg'],
    ['data:image/png;base64,AAAA', 'data:image/png;base64,AAAA'],
    ['data:text/html,<p>', null],
    ['javascript:alert(1)', null],
    ['file:///etc/passwd', null],
    ['https://', null],
    ['example.org/a.jpg', null],
    ['', null],
  ])('takes %j for %j', (text, address) => {
    expect(pictureAddress(text)).toBe(address);
  });
});

describe('draggedAddress', () => {
  const dragged = (texts: Readonly<Record<string, string>>) =>
    draggedAddress({ getData: (type) => texts[type] ?? '' });

  it('takes the first address of a list and passes over comments', () => {
    const list = '# from a page\r\nhttps://example.org/a.jpg\r\nhttps://example.org/b.jpg';
    expect(dragged({ 'text/uri-list': list })).toBe('https://example.org/a.jpg');
  });

  it('takes a text that is an address', () => {
    expect(dragged({ 'text/plain': 'https://example.org/a.jpg' })).toBe(
      'https://example.org/a.jpg',
    );
  });

  it('takes no other text', () => {
    expect(dragged({ 'text/plain': 'see https://example.org' })).toBeNull();
  });
});

describe('nameOf', () => {
  it.each([
    ['https://example.org/a/b%20c.jpg?size=3#x', 'b c.jpg'],
    ['https://example.org/%ff.jpg', '%ff.jpg'],
    ['https://example.org/', 'The photo you gave'],
    ['data:image/png;base64,AAAA', 'The photo you gave'],
  ])('calls %j %j', (address, name) => {
    expect(nameOf(address)).toBe(name);
  });
});
