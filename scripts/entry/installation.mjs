// Brings node_modules and dist to the state that the lockfile and the sources ask for. Node's built-ins only: nothing else
// may be installed yet when this runs.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NODE_VERSION_MIN = [20, 20];
const INSTALL_TIMEOUT_MS = 15 * 60 * 1000;
const BUILD_TIMEOUT_MS = 10 * 60 * 1000;
const OUTPUT_TAIL_LINES = 25;

/** Thrown for what a person has to put right; it is printed without a stack. */
export class SetupProblem extends Error {}

export function assertNodeVersion() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [majorMin, minorMin] = NODE_VERSION_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  throw new SetupProblem(
    `Node ${process.versions.node} is too old: Berth needs ${NODE_VERSION_MIN.join('.')} or newer, because it uses what that version brought.\n` +
      '  Fix: install a newer Node, for example with your version manager: nvm install 20 && nvm use 20',
  );
}

/** True when each package that the lockfile asks for on this platform is there in that version. */
export function dependenciesMatch(root) {
  const installedPath = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedPath)) return false;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || entry.link) continue;
    const found = installed[path];
    if (found ? found.version !== entry.version : !entry.optional) return false;
  }
  return Object.keys(installed).every((path) => path in wanted);
}

export async function installDependencies(root, options) {
  if (dependenciesMatch(root)) return;
  await runStep('dependencies', 'npm', ['ci', '--no-audit', '--no-fund'], root, INSTALL_TIMEOUT_MS, options);
}

/** Compiles one stage if its sources differ from those of its last build. */
export async function buildStage(root, stage, options) {
  const stampPath = join(root, 'dist', `.stamp-${stage.name}`);
  const stamp = hashSources(root, stage.sources);
  if (existsSync(stampPath) && readFileSync(stampPath, 'utf8') === stamp) return;
  const [command, ...args] = stage.command;
  await runStep(`build ${stage.name}`, command, args, root, BUILD_TIMEOUT_MS, options);
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(stampPath, stamp);
}

function hashSources(root, sources) {
  const hash = createHash('sha256');
  for (const source of sources) hashPath(hash, root, source);
  return hash.digest('hex');
}

function hashPath(hash, root, path) {
  const entries = readEntries(join(root, path));
  if (entries === undefined) {
    if (existsSync(join(root, path))) hash.update(`${path}\0`).update(readFileSync(join(root, path)));
    return;
  }
  for (const entry of entries) {
    if (entry.isDirectory()) hashPath(hash, root, `${path}/${entry.name}`);
    else if (isBuildSource(entry.name)) hashPath(hash, root, `${path}/${entry.name}`);
  }
}

function isBuildSource(name) {
  return /\.(ts|json)$/.test(name) && !/\.(int-|e2e-)?spec\.ts$/.test(name);
}

function readEntries(path) {
  try {
    return readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (error.code === 'ENOTDIR' || error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function runStep(name, command, args, cwd, timeoutMs, { verbose }) {
  const started = Date.now();
  const output = [];
  const child = spawn(command, args, {
    cwd,
    timeout: timeoutMs,
    stdio: verbose ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => output.push(chunk));
  const code = await new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new SetupProblem(`${command} could not be run: ${error.message}`)));
    child.once('close', (exitCode, signal) => resolve(exitCode ?? signal));
  });
  if (code !== 0) {
    const tail = Buffer.concat(output)
      .toString('utf8')
      .trimEnd()
      .split('\n')
      .slice(-OUTPUT_TAIL_LINES)
      .join('\n');
    throw new SetupProblem(`${name} failed (${code}): ${command} ${args.join(' ')}\n${tail}`);
  }
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  const verb = name === 'dependencies' ? 'installed' : 'built';
  process.stderr.write(`  ${name.padEnd(14)} ${verb.padEnd(10)} ${seconds.padStart(7)} s\n`);
}
