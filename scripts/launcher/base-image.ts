import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LaunchContext } from './context.js';
import { engineClient } from './engine-client.js';
import { hasStatus } from './engine-errors.js';
import { findExecutable } from './executables.js';
import { importImage } from './image-import.js';
import { installPackages } from './packages.js';
import type { SayProgress, StepResult } from './reporter.js';
import { SetupProblem } from './setup-problem.js';
import { requireTool, runTool } from './tool.js';

export const BASE_IMAGE = 'berth/base:bookworm-1';
const SUITE = 'bookworm';
const ROOT_FILE_SYSTEM = 'rootfs.tar';
/** The label by which an image is known to be made by the current recipe. */
export const RECIPE_LABEL = 'berth.recipe';
const DEBOOTSTRAP_TIMEOUT_MS = 15 * 60 * 1000;
const TAR_TIMEOUT_MS = 5 * 60 * 1000;
const APT_QUERY_TIMEOUT_MS = 30_000;
const HTTP_NOT_FOUND = 404;
const USER_ID = 1000;

export type ImagePlace = Pick<LaunchContext, 'root' | 'cache' | 'state' | 'signal' | 'options'>;

/** Makes sure that the engine has the image that sandboxes use by default. It needs no image registry. */
export async function ensureBaseImage(
  place: ImagePlace,
  dockerHost: string,
  say: SayProgress,
): Promise<StepResult<string>> {
  const packages = readPackages(place.root);
  const recipe = createHash('sha256')
    .update(JSON.stringify([SUITE, packages, process.arch, USER_ID]))
    .digest('hex')
    .slice(0, 16);
  if (await hasImage(dockerHost, BASE_IMAGE, recipe))
    return { verb: 'found', detail: BASE_IMAGE, value: BASE_IMAGE };
  const cached = await place.cache.find('base-image', recipe, [ROOT_FILE_SYSTEM]);
  const directory =
    cached ??
    (await place.cache.create('base-image', recipe, [ROOT_FILE_SYSTEM], (aside) =>
      makeRootFileSystem(place, packages, aside, say),
    ));
  say('importing the image');
  await importImage(dockerHost, join(directory, ROOT_FILE_SYSTEM), BASE_IMAGE, [
    'CMD ["/bin/bash"]',
    'WORKDIR /workspace',
    'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8',
    `LABEL ${RECIPE_LABEL}=${recipe}`,
  ]);
  return { verb: cached === undefined ? 'built' : 'installed', detail: BASE_IMAGE, value: BASE_IMAGE };
}

/** The packages stand in a file that the Dockerfile beside it uses as well. */
function readPackages(root: string): string[] {
  return readFileSync(join(root, 'images/base/packages.txt'), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
}

export async function hasImage(dockerHost: string, tag: string, recipe: string): Promise<boolean> {
  try {
    const image = await engineClient(dockerHost).getImage(tag).inspect();
    return image.Config.Labels?.[RECIPE_LABEL] === recipe;
  } catch (error) {
    if (hasStatus(error, HTTP_NOT_FOUND)) return false;
    throw error;
  }
}

async function makeRootFileSystem(
  place: ImagePlace,
  packages: readonly string[],
  aside: string,
  say: SayProgress,
): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new SetupProblem(
      `The image ${BASE_IMAGE} is not there, and only root can make it without an image registry.`,
      'sandboxes use it unless another image is named.',
      `docker build -t ${BASE_IMAGE} images/base, or run npm start once as root`,
    );
  }
  if (findExecutable('debootstrap') === undefined) {
    const wanted = ['debootstrap', 'debian-archive-keyring'];
    await installPackages(place, 'the base image of sandboxes, made out of Debian packages', wanted, say);
  }
  const tree = join(aside, 'tree');
  mkdirSync(tree);
  const options = {
    signal: place.signal,
    logPath: join(place.state.logs, 'base-image.log'),
    verbose: place.options.verbose,
  };
  say(`debootstrap of Debian ${SUITE}, once`);
  const args = ['--variant=minbase', `--include=${packages.join(',')}`, SUITE, tree];
  await requireTool(findExecutable('debootstrap') ?? 'debootstrap', [...args, ...(await mirrorArguments())], {
    ...options,
    timeoutMs: DEBOOTSTRAP_TIMEOUT_MS,
  });
  finishTree(tree);
  say('packing the image');
  const tar = ['--numeric-owner', '--one-file-system', '-C', tree, '-cf', join(aside, ROOT_FILE_SYSTEM), '.'];
  await requireTool('tar', tar, { ...options, timeoutMs: TAR_TIMEOUT_MS });
  rmSync(tree, { recursive: true, force: true });
}

/** Leaves out what only apt needs, and gives the user of execs a name. */
function finishTree(tree: string): void {
  for (const path of ['var/cache/apt', 'var/lib/apt/lists', 'var/log']) {
    rmSync(join(tree, path), { recursive: true, force: true });
    mkdirSync(join(tree, path), { recursive: true });
  }
  const home = '/workspace';
  appendLine(join(tree, 'etc/passwd'), `berth:x:${USER_ID}:${USER_ID}::${home}:/bin/bash`);
  appendLine(join(tree, 'etc/group'), `berth:x:${USER_ID}:`);
  mkdirSync(join(tree, 'workspace'), { recursive: true });
}

function appendLine(path: string, line: string): void {
  writeFileSync(path, `${readFileSync(path, 'utf8').trimEnd()}\n${line}\n`);
}

/** The Debian mirror that this machine's own apt uses. Without one, debootstrap takes its default. */
async function mirrorArguments(): Promise<string[]> {
  const format = ['--format', '$(REPO_URI) $(CODENAME)', 'Created-By: Packages'];
  const { code, stdout } = await runTool('apt-get', ['indextargets', ...format], {
    timeoutMs: APT_QUERY_TIMEOUT_MS,
  });
  if (code !== 0) return [];
  const line = stdout.split('\n').find((text) => text.endsWith(` ${SUITE}`) && !text.includes('security'));
  const mirror = line?.split(' ')[0];
  return mirror === undefined ? [] : [mirror];
}
