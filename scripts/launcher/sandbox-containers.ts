import type Docker from 'dockerode';
import { engineClient } from './engine-client.js';
import { hasStatus } from './engine-errors.js';

const STOP_GRACE_SECONDS = 10;
const CALL_TIMEOUT_MS = 60_000;
const INSTANCE_LABEL = 'berth.instance';
const HTTP_NOT_FOUND = 404;
const HTTP_NOT_MODIFIED = 304;

/** Stops the running containers of one instance, or all of an engine's where no instance is named. Returns how many. */
export async function stopContainers(dockerHost: string, instanceId: string | undefined): Promise<number> {
  const docker = engineClient(dockerHost, CALL_TIMEOUT_MS);
  const containers = await docker.listContainers({ filters: JSON.stringify(labelFilter(instanceId)) });
  await Promise.all(
    containers.map(async ({ Id }) => ignoreGone(docker.getContainer(Id).stop({ t: STOP_GRACE_SECONDS }))),
  );
  return containers.length;
}

/** Removes everything that an instance has left in an engine: containers, volumes and networks. For tests, whose state is wiped. */
export async function removeInstance(dockerHost: string, instanceId: string): Promise<void> {
  const docker = engineClient(dockerHost, CALL_TIMEOUT_MS);
  const filters = JSON.stringify(labelFilter(instanceId));
  const containers = await docker.listContainers({ all: true, filters });
  await Promise.all(
    containers.map(async ({ Id }) => ignoreGone(docker.getContainer(Id).remove({ force: true, v: true }))),
  );
  const { Volumes } = await docker.listVolumes({ filters });
  for (const { Name } of Volumes ?? []) await ignoreGone(docker.getVolume(Name).remove());
  const networks: Docker.NetworkInspectInfo[] = await docker.listNetworks({ filters });
  for (const { Id } of networks) await ignoreGone(docker.getNetwork(Id).remove());
}

function labelFilter(instanceId: string | undefined): { label?: string[] } {
  return instanceId === undefined ? {} : { label: [`${INSTANCE_LABEL}=${instanceId}`] };
}

async function ignoreGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!hasStatus(error, HTTP_NOT_FOUND) && !hasStatus(error, HTTP_NOT_MODIFIED)) throw error;
  }
}
