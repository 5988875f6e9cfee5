import { searchText, searchWordsOf } from './search-words.js';

describe('the words of a text', () => {
  it.each([
    ['Error: cannot open /var/log/App.log', 'error cannot open var log app log'],
    ['npm-install_v2.10', 'npm install v2 10'],
    ['ÄRGER über Straße', 'ärger über straße'],
    ['日本語 テスト', '日本語 テスト'],
    ['a\0b\r\n\tc', 'a b c'],
    ['\u001b[31mERR\u001b[0mOR', 'error'],
    ['\u001b]0;title\u0007text', 'text'],
    ['', ''],
    ['--- ***', ''],
  ])('%j are %j', (text, words) => expect(searchText(text)).toBe(words));

  it('are cut where they are longer than anybody searches for', () => {
    expect(searchText('x'.repeat(1_000))).toHaveLength(64);
  });

  it('take no longer for text that is nearly a terminal sequence', () => {
    expect(searchText('\u001b]'.repeat(50_000))).toBe('');
  });
});

describe('the words of a query', () => {
  it('are the same words, and may be beginnings', () => {
    expect(searchWordsOf('Make* /app.LOG')).toEqual([
      { word: 'make', prefix: true },
      { word: 'app', prefix: false },
      { word: 'log', prefix: false },
    ]);
  });

  it.each(['', '*', "'; --", '& | ! <->'])('%j has none', (query) =>
    expect(searchWordsOf(query)).toEqual([]),
  );

  it('are bounded', () => {
    expect(searchWordsOf('a '.repeat(100))).toHaveLength(16);
  });
});
