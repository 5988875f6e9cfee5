import { existsSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { ERROR_CODES } from '#domain';
import { STATUS_BY_CODE } from '../../apps/api/src/http/problem.js';
import { rowOf } from './may-import.mjs';
import { filesBelow, jsonOf, textOf } from './project-files.js';

/** What the linter cannot see because it needs more than one file. A failure lists the files to change. */
const GO_LINES_MAX = 400;
const FOLDERS_WITHOUT_MEANING = /(^|\/)(utils?|helpers?|common|shared|managers?|base|misc|lib)\//;
const FILES_WITHOUT_MEANING = /(^|[/.-])(utils?|helpers?|common|shared|manager|misc)\.(ts|mjs|go)$/;
const KEBAB_NAME = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*\.(ts|mjs)$/;

/** Who carries this mark has this role, and says so in its name. */
const ROLE_BY_MARK: readonly (readonly [RegExp, string])[] = [
  [/^@Controller\(/m, '.controller.ts'],
  [/^@Module\(/m, '.module.ts'],
  [/^@Catch\(/m, '.filter.ts'],
  [/^@WebSocketGateway\(/m, '.gateway.ts'],
  [/implements CanActivate\b/, '.guard.ts'],
  [/^@Entity\(/m, '.entity.ts'],
  [/implements MigrationInterface\b/, '.migration.ts'],
];

const sources = ['apps', 'libs', 'scripts', 'test']
  .flatMap(filesBelow)
  .filter((file) => /\.(ts|mjs)$/.test(file));
const goSources = filesBelow('runner').filter((file) => file.endsWith('.go'));
const packageJson = jsonOf<{
  imports: Record<string, Record<string, string>>;
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  bin: Record<string, string>;
}>('package.json');

describe('the layout', () => {
  test('every folder with sources has a row in the import table', () => {
    expect(sources.filter((file) => rowOf(file) === undefined)).toEqual([]);
  });

  test('no folder and no file has a name without meaning', () => {
    const nameless = [...sources, ...goSources].filter(
      (file) => FOLDERS_WITHOUT_MEANING.test(file) || FILES_WITHOUT_MEANING.test(file),
    );
    expect(nameless).toEqual([]);
  });

  test('every file name is kebab-case with its role as a suffix', () => {
    const misnamed = sources.filter((file) => !KEBAB_NAME.test(file.split('/').at(-1) ?? ''));
    expect(misnamed).toEqual([]);
  });

  test('what is decorated with a role carries it in its file name', () => {
    const misnamed = sources
      .filter((file) => !file.endsWith('spec.ts'))
      .flatMap((file) => {
        const text = textOf(file);
        return ROLE_BY_MARK.filter(([mark, role]) => mark.test(text) && !file.endsWith(role)).map(
          ([, role]) => `${file} should end in ${role}`,
        );
      });
    expect(misnamed).toEqual([]);
  });

  test('the Go sources are as short as the others', () => {
    const long = goSources
      .filter((file) => !file.endsWith('_test.go'))
      .map((file) => `${file}: ${textOf(file).split('\n').length} lines`)
      .filter((line) => Number(/: (\d+) lines$/.exec(line)?.[1]) > GO_LINES_MAX);
    expect(long).toEqual([]);
  });

  test('every package says on top of its index what it is for', () => {
    const indexes = sources.filter((file) => /^libs\/[^/]+\/src\/index\.ts$/.test(file));
    expect(indexes.filter((file) => !textOf(file).startsWith('/**'))).toEqual([]);
    expect(indexes.length).toBeGreaterThan(4);
  });
});

describe('the configuration', () => {
  test('every entry of the imports map leads to a source and to its own output', () => {
    const broken = Object.entries(packageJson.imports).filter(([, target]) => {
      const source = target['@berth/source'] ?? '';
      const output = `./dist/${source.slice(2).replace(/\.ts$/, '.js')}`;
      return !existsSync(source) || target['default'] !== output;
    });
    expect(broken).toEqual([]);
  });

  test('nest-cli.json names projects that exist', () => {
    const nest = jsonOf<{ projects: Record<string, { sourceRoot: string; entryFile: string }> }>(
      'nest-cli.json',
    );
    const missing = Object.values(nest.projects)
      .map((project) => `${project.sourceRoot}/${project.entryFile}.ts`)
      .filter((file) => !existsSync(file));
    expect(missing).toEqual([]);
  });

  test('every dependency is pinned to one version', () => {
    const all = { ...packageJson.dependencies, ...packageJson.devDependencies };
    expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual(
      [],
    );
  });

  test('every program of the package exists', () => {
    expect(Object.values(packageJson.bin).filter((file) => !existsSync(file))).toEqual([]);
  });
});

describe('the documents', () => {
  test('every script stands in CONTRIBUTING.md', () => {
    const text = textOf('CONTRIBUTING.md');
    const undocumented = Object.keys(packageJson.scripts).filter((name) => {
      const call = ['start', 'test'].includes(name) ? `npm ${name}` : `npm run ${name}`;
      return !text.includes(`\`${call}\``);
    });
    expect(undocumented).toEqual([]);
  });

  test('every error code is explained, with its HTTP status', () => {
    const text = textOf('docs/guides/error-codes.md');
    const unexplained = ERROR_CODES.filter(
      (code) => !new RegExp(`^\\| \`${code}\` +\\| ${STATUS_BY_CODE[code]} `, 'm').test(text),
    );
    expect(unexplained).toEqual([]);
  });

  test('every relative link leads somewhere', () => {
    const documents = ['README.md', 'CONTRIBUTING.md', ...filesBelow('docs')].filter((file) =>
      file.endsWith('.md'),
    );
    const dead = documents.flatMap((file) =>
      [...textOf(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
        .map((match) => new URL(match[1] ?? '', `file:///${file}`).pathname.slice(1))
        .filter((target) => !existsSync(target))
        .map((target) => `${file} → ${target}`),
    );
    expect(dead).toEqual([]);
  });

  test('every test that the table of faults names is there', () => {
    const tests = ['apps', 'libs', 'scripts', 'test']
      .flatMap((folder) => filesBelow(folder))
      .filter((file) => file.endsWith('spec.ts'));
    const goTests = filesBelow('runner').filter((file) => file.endsWith('_test.go'));
    const known = [...tests, ...goTests].map((file) => `/${file.replace(/\.ts$/, '')}`);
    const named = [
      ...textOf('docs/operations/faults.md').matchAll(/`([\w./-]+(?:spec|_test\.go)|attacks\/[\w-]+)`/g),
    ].map(([, name]) => (name?.startsWith('attacks/') ? `${name}.e2e-spec` : name));
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((name) => !known.some((file) => file.endsWith(`/${name}`)))).toEqual([]);
    const goText = goTests.map((file) => textOf(file)).join('\n');
    const goNames = [...textOf('docs/operations/faults.md').matchAll(/Test[A-Z]\w+/g)].map(([name]) => name);
    expect(goNames.filter((name) => !goText.includes(`func ${name}`))).toEqual([]);
  });

  test('nothing names a path of the machine that it was written on', () => {
    const written = [
      ...sources,
      ...goSources,
      ...filesBelow('docs'),
      'README.md',
      'CONTRIBUTING.md',
      'package.json',
    ];
    const absolute = /(^|[\s'"`(=])\/(work|root|home\/[a-z]+|Users)\/(?!\.\.\.)[\w.-]/;
    expect(
      written.filter((file) => !file.startsWith('test/architecture/') && absolute.test(textOf(file))),
    ).toEqual([]);
  });
});
