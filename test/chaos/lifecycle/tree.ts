import { createHash, type Hash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '../installation.js';
import { insistOn } from '../pause.js';

const MS_PER_SECOND = 1_000;

/** One hash of all that a workspace holds: names, kinds, bytes, modes, owners, times, links and what they lead to. */
export function hashTree(folder: string): string {
  const hash = createHash('sha256');
  addFolder(hash, folder, '', new Map());
  return hash.digest('hex');
}

function addFolder(hash: Hash, folder: string, prefix: string, links: Map<number, string>): void {
  for (const name of readdirSync(folder).toSorted()) {
    const path = join(folder, name);
    const shown = `${prefix}/${name}`;
    const found = lstatSync(path);
    const { mode, uid, gid, mtimeMs } = found;
    hash.update(JSON.stringify([shown, mode, uid, gid, Math.floor(mtimeMs / MS_PER_SECOND)]));
    if (found.isSymbolicLink()) hash.update(readlinkSync(path));
    if (found.isDirectory()) addFolder(hash, path, shown, links);
    if (!found.isFile()) continue;
    const first = links.get(found.ino);
    if (found.nlink > 1) links.set(found.ino, first ?? shown);
    hash.update(first === undefined ? readFileSync(path) : `as ${first}`);
  }
}

/** Where the workspace that a sandbox has lies on the disk of this machine: the one that its container sees, or the only one that is left. */
export async function findWorkspace(installation: Installation, sandboxId: string): Promise<string> {
  return await insistOn(() => lookForWorkspace(installation, sandboxId));
}

async function lookForWorkspace({ engine, instanceId }: Installation, sandboxId: string): Promise<string> {
  const containers = (await engine.containers(instanceId)).filter(
    ({ Labels, State }) =>
      Labels['berth.sandbox'] === sandboxId &&
      Labels['berth.generation'] !== undefined &&
      State === 'running',
  );
  const [running, ...others] = containers;
  if (running !== undefined && others.length === 0) {
    const { Mounts } = await engine.inspect(running.Id);
    const mount = Mounts.find(({ Destination }) => Destination === '/workspace');
    if (mount !== undefined) return mount.Source;
  }
  const volumes = (await engine.volumes(instanceId)).filter(
    ({ Labels }) => Labels?.['berth.sandbox'] === sandboxId && Labels['berth.kind'] === 'workspace',
  );
  const [only, ...more] = volumes;
  // One that was replaced goes with the next look at the engine.
  if (only === undefined || more.length > 0)
    throw new Error(`the sandbox ${sandboxId} does not run, and has ${volumes.length} workspaces`);
  return only.Mountpoint;
}
