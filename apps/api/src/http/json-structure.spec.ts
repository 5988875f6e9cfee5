import { structureOf } from './json-structure.js';

const DEPTH_MAX = 100;
const of = (text: string) => structureOf(text, DEPTH_MAX);

describe('the structure of a JSON text', () => {
  it.each([
    ['{"a":1,"b":1}', undefined],
    ['{"a":1,"a":1}', '/a'],
    ['{"a":{"a":{"a":1}}}', undefined],
    ['[{"a":1},{"a":1}]', undefined],
    ['[{"a":1},{"b":[0,{"c":1,"c":2}]}]', '/1/b/1/c'],
    ['{"a":"x","b":"x"}', undefined],
    ['{"a":"\\"a\\":1,","b":1}', undefined],
    ['{"a/b":1,"a~c":1,"a/b":2}', '/a~1b'],
    ['{"\\u0061":1,"a":2}', '/a'],
    ['{"a":["a","a","a"]}', undefined],
    ['{"":1,"":2}', '/'],
    ['{"a":1,"A":2}', undefined],
  ])('of %s repeats %s', (text, repeatedKey) => {
    expect(of(text).repeatedKey).toBe(repeatedKey);
  });

  it.each([
    ['1', 0],
    ['"[[["', 0],
    ['[]', 1],
    ['[{"a":[]}]', 3],
    ['[[],[],[]]', 2],
  ])('of %s is %i deep', (text, depth) => {
    expect(of(text).depth).toBe(depth);
  });

  it.each(['{"', '{"a', '{"a\\', '}', ']]]]', '{"a"', '{,,,', '{"a":{', '"\\', '{"\\x":1,"\\x":2}'])(
    'of %s, which is none, is left to the parser',
    (text) => {
      expect(() => of(text)).not.toThrow();
    },
  );

  it('does not look further than it has to', () => {
    expect(of('['.repeat(1_000_000)).depth).toBe(DEPTH_MAX + 1);
  });
});
