import { incompleteTailBytes, Utf8Pieces } from './utf8.js';

const TEXT = 'aé€😀\u{10FFFF}z';

describe('text in pieces', () => {
  it('is the same however it is cut', () => {
    const bytes = Buffer.from(TEXT);
    for (let size = 1; size <= bytes.byteLength; size += 1) {
      const pieces = new Utf8Pieces();
      let text = '';
      for (let at = 0; at < bytes.byteLength; at += size) text += pieces.push(bytes.subarray(at, at + size));
      expect(text + pieces.end()).toBe(TEXT);
    }
  });

  it('goes on in a character that began before', () => {
    const bytes = Buffer.from(TEXT);
    for (let cut = 0; cut <= bytes.byteLength; cut += 1) {
      const before = bytes.subarray(0, cut);
      const first = new Utf8Pieces();
      const second = new Utf8Pieces(before.subarray(Math.max(0, cut - 4)));
      expect(first.push(before) + second.push(bytes.subarray(cut)) + second.end()).toBe(TEXT);
    }
  });

  it('shows bytes that are no text as U+FFFD and waits for none of them', () => {
    const pieces = new Utf8Pieces();
    expect(pieces.push(Uint8Array.of(0x61, 0xff, 0xc0, 0x80, 0x62))).toBe('a\ufffd\ufffd\ufffdb');
    expect(pieces.push(Uint8Array.of(0xe2, 0x82))).toBe('');
    expect(pieces.end()).toBe('\ufffd');
    expect(incompleteTailBytes(Uint8Array.of(0x80, 0x80, 0x80, 0x80))).toBe(0);
  });

  it('keeps a byte order mark, which is a character like any other', () => {
    expect(new Utf8Pieces().push(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe('\ufeffa');
  });
});
