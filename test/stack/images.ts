import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BASE_IMAGE, hasImage, RECIPE_LABEL } from '../../scripts/launcher/base-image.js';
import { Cache } from '../../scripts/launcher/cache.js';
import { importClient } from '../../scripts/launcher/engine-client.js';
import { requireGo } from '../../scripts/launcher/executables.js';
import { importImage } from '../../scripts/launcher/image-import.js';
import { requireTool } from '../../scripts/launcher/tool.js';

const ROOT = resolve(import.meta.dirname, '../..');
const PROBE_SOURCES = join(ROOT, 'test/stack/probe');
const BUILD_TIMEOUT_MS = 2 * 60 * 1000;
const QUERY_TIMEOUT_MS = 20_000;

/** One static program, /probe, and nothing else. Its commands run as 1000, because the image names no user. */
export const SHELL_LESS_IMAGE = 'berth-test/shell-less:1';
/** The same with a user of its own, who stands in no /etc/passwd. */
export const SHELL_LESS_USER_IMAGE = 'berth-test/shell-less-user:1';
export const SHELL_LESS_USER = '4242:4343';
/** The base image with the Go toolchain of this machine. */
export const TOOLCHAIN_IMAGE = 'berth-test/toolchain:1';
/** How long the build takes at least, however fast the machine is. */
export const TOOLCHAIN_BUILD_SECONDS = 31;
/** Compiles Go's whole standard library and says each package as it comes, without a network; a fast machine does it again from nothing. */
export const TOOLCHAIN_BUILD_COMMAND = [
  'set -e; start=$(date +%s)',
  `while [ $(($(date +%s) - start)) -le ${TOOLCHAIN_BUILD_SECONDS} ]; do`,
  '  GOCACHE=$(mktemp -d) go build -a -v std',
  'done',
].join('\n');

/** Makes both images without a shell, if the engine does not have them. */
export async function ensureShellLessImages(dockerHost: string): Promise<void> {
  const source = readFileSync(join(PROBE_SOURCES, 'main.go'));
  const recipe = createHash('sha256').update(source).update(process.arch).digest('hex').slice(0, 16);
  const label = `LABEL ${RECIPE_LABEL}=${recipe}`;
  const wanted = [
    { tag: SHELL_LESS_IMAGE, changes: [label] },
    { tag: SHELL_LESS_USER_IMAGE, changes: [label, `USER ${SHELL_LESS_USER}`] },
  ];
  for (const { tag, changes } of wanted) {
    if (await hasImage(dockerHost, tag, recipe)) continue;
    await importImage(dockerHost, join(await buildProbe(recipe), 'probe.tar'), tag, changes);
  }
}

/** Makes the toolchain image, if the engine does not have it. The base image must be there. */
export async function ensureToolchainImage(dockerHost: string): Promise<void> {
  const go = await requireGo("the toolchain image's layer");
  const { stdout } = await requireTool(go, ['env', 'GOROOT', 'GOVERSION'], { timeoutMs: QUERY_TIMEOUT_MS });
  const [goRoot = '', version = ''] = stdout.trim().split('\n');
  const docker = importClient(dockerHost);
  const { Id: baseId } = await docker.getImage(BASE_IMAGE).inspect();
  const recipe = createHash('sha256').update(`${version} on ${baseId}`).digest('hex').slice(0, 16);
  if (await hasImage(dockerHost, TOOLCHAIN_IMAGE, recipe)) return;
  const container = await docker.createContainer({ Image: BASE_IMAGE, NetworkDisabled: true });
  try {
    await copyGoRoot(goRoot, async (tar) => {
      await container.putArchive(tar, { path: '/usr/local' });
    });
    const [repo, tag] = TOOLCHAIN_IMAGE.split(':');
    const changes = [
      'ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin GOTOOLCHAIN=local CGO_ENABLED=0',
      `LABEL ${RECIPE_LABEL}=${recipe}`,
    ];
    await container.commit({ repo, tag, changes: changes.join('\n') });
  } finally {
    await container.remove({ force: true });
  }
}

async function buildProbe(recipe: string): Promise<string> {
  const cache = Cache.fromEnvironment(process.env);
  const files = ['probe.tar'];
  const go = await requireGo('the program of the test images without a shell');
  return (
    (await cache.find('probe', recipe, files)) ??
    (await cache.create('probe', recipe, files, async (aside) => {
      mkdirSync(join(aside, 'tree'));
      await requireTool(go, ['build', '-trimpath', '-o', join(aside, 'probe'), '.'], {
        cwd: PROBE_SOURCES,
        env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
        timeoutMs: BUILD_TIMEOUT_MS,
      });
      renameSync(join(aside, 'probe'), join(aside, 'tree/probe'));
      const tar = [
        '--owner=0',
        '--group=0',
        '-C',
        join(aside, 'tree'),
        '-cf',
        join(aside, 'probe.tar'),
        'probe',
      ];
      await requireTool('tar', tar, { timeoutMs: QUERY_TIMEOUT_MS });
    }))
  );
}

async function copyGoRoot(goRoot: string, use: (tar: NodeJS.ReadableStream) => Promise<void>): Promise<void> {
  const kept = ['bin/go', 'pkg/include', 'pkg/tool', 'src', 'VERSION', 'go.env'].map((path) => `./${path}`);
  const transform = ['--transform', 's,^\\.,go,', '--owner=0', '--group=0'];
  const tar = spawn('tar', ['-C', goRoot, ...transform, '-c', ...kept], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(tar, 'close');
  await use(tar.stdout);
  const [code] = (await ended) as [number];
  if (code !== 0) throw new Error(`tar of ${goRoot} ended with code ${code}`);
}
