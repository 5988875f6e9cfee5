import type Docker from 'dockerode';
import {
  DomainError,
  isDomainError,
  parseSandboxId,
  type ContainerView,
  type SandboxId,
  type SandboxRef,
  type SurveyedContainer,
} from '#domain';
import { STOP_TIMEOUT_SECONDS } from './container-body.js';
import { missingView, stateOf, viewOf } from './container-view.js';
import type { EngineClient } from './engine-client.js';
import { statusOf } from './engine-errors.js';
import { LABEL, type Labels, type ResourceNames } from './names.js';
import { foreign } from './storage.js';

const INSPECTIONS_AT_ONCE = 8;
const START_DEADLINE_MS = 30_000;
const REMOVE_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = (STOP_TIMEOUT_SECONDS + 10) * 1_000;

/** Finds, adopts, starts and removes the containers of sandboxes: found by name or label, proved by both. */
export class Containers {
  constructor(
    private readonly engine: EngineClient,
    private readonly names: ResourceNames,
  ) {}

  /** Creates the container, or adopts the one that has its name and its labels. Returns its id. */
  async createOrAdopt(ref: SandboxRef, body: Docker.ContainerCreateOptions): Promise<string> {
    try {
      const { id } = await this.engine.createContainer(this.names.container(ref), body);
      return id;
    } catch (error) {
      if (statusOf(error) === 404) {
        throw new DomainError('image_missing', `The image ${body.Image ?? ''} is not on this host.`, {
          cause: error,
        });
      }
      if (statusOf(error) !== 409) throw error;
    }
    const name = this.names.container(ref);
    const found = await this.inspectByName(name);
    if (found === undefined) {
      // It was there a moment ago, so it is on its way out; the next attempt finds the name free.
      throw new DomainError('dependency_unavailable', 'A container of that name is just being removed.', {
        dependency: 'docker',
      });
    }
    if (!this.names.ownsSandbox(found.Config.Labels, ref)) throw foreign('container', name);
    if (isAsWanted(found, body)) return found.Id;
    await this.remove(found.Id);
    const { id } = await this.engine.createContainer(name, body);
    return id;
  }

  /** Starting a container that runs is success. Throws `container_missing` and, for one that cannot run, `container_failed`. */
  async start(containerId: string): Promise<void> {
    const container = this.engine.docker.getContainer(containerId);
    const { Config, State } = await this.engine.call('inspect a container', (abortSignal) =>
      container.inspect({ abortSignal }),
    );
    if (!this.names.owns(Config.Labels)) throw foreign('container', containerId);
    if (State.Running && !State.Paused) return;
    try {
      await this.engine.call(
        'start the container',
        (abortSignal) => container.start({ abortSignal }),
        START_DEADLINE_MS,
      );
    } catch (error) {
      if (statusOf(error) === 304) return;
      // The container was there a moment ago: 404 and 400 speak of its network, its runner or its runtime.
      if (statusOf(error) === 404 || statusOf(error) === 400) throw asFailed(error);
      throw error;
    }
  }

  /** The id of the container of exactly this sandbox and generation. */
  async find(ref: SandboxRef): Promise<string | undefined> {
    return (await this.view(ref)).containerId ?? undefined;
  }

  /** Ends and removes the container of this generation alone. */
  async discard(ref: SandboxRef): Promise<void> {
    const found = await this.find(ref);
    if (found !== undefined) await this.remove(found);
  }

  async view(ref: SandboxRef): Promise<ContainerView> {
    const found = await this.inspectByName(this.names.container(ref));
    if (found === undefined || !this.names.ownsSandbox(found.Config.Labels, ref)) return missingView(ref);
    return viewOf(ref, found);
  }

  /** Throws `dependency_unavailable` where the engine, or containerd behind it, does not get through to a container. */
  async requireReach(containerId: string): Promise<void> {
    const container = this.engine.docker.getContainer(containerId);
    try {
      // A ping is answered by an engine that has lost containerd; this is not.
      await this.engine.call('look into a container', (abortSignal) => container.top({ abortSignal }));
    } catch (error) {
      // Any other refusal is an answer: the container has ended, or there is no `ps` on the host.
      if (isDomainError(error, 'dependency_unavailable')) throw error;
    }
  }

  /** Every container of a sandbox on this host. */
  async viewAll(): Promise<ContainerView[]> {
    const listed = await this.list({});
    const views: ContainerView[] = [];
    for (let from = 0; from < listed.length; from += INSPECTIONS_AT_ONCE) {
      const page = listed.slice(from, from + INSPECTIONS_AT_ONCE);
      views.push(...(await Promise.all(page.map((ref) => this.view(ref)))));
    }
    return views.filter((view) => view.state !== 'missing');
  }

  /** Throws `generation_mismatch` when a later generation exists: whoever asks is acting on an old row. */
  async requireNewest({ sandboxId, generation }: SandboxRef): Promise<void> {
    const newer = (await this.list({ sandboxId })).find((listed) => listed.generation > generation);
    if (newer === undefined) return;
    throw new DomainError('generation_mismatch', 'The sandbox has a newer container.', {
      detail: `Generation ${generation} was asked for, ${newer.name} exists.`,
    });
  }

  /** Ends and removes what there is up to this generation. Commands get the time to write their records. */
  async removeUpTo({ sandboxId, generation }: SandboxRef): Promise<void> {
    for (const found of await this.survey(sandboxId)) {
      if (found.generation > generation) continue;
      // One that was renamed by hand holds the same volumes: it must not go on beside the next.
      if (found.isNamedOurs || (await this.reclaimName(found))) await this.remove(found.containerId);
    }
  }

  /** One that has ended, or is not there, is success. */
  async stop(ref: SandboxRef): Promise<void> {
    const view = await this.view(ref);
    const { containerId, state } = view.containerId === null ? await this.viewRenamed(ref) : view;
    if (containerId !== null && state !== 'exited') await this.stopById(containerId);
  }

  private async viewRenamed(ref: SandboxRef): Promise<ContainerView> {
    const renamed = (await this.survey(ref.sandboxId)).find((found) => found.generation === ref.generation);
    if (renamed !== undefined && !renamed.isNamedOurs) await this.reclaimName(renamed);
    return await this.view(ref);
  }

  private async stopById(containerId: string): Promise<void> {
    const container = this.engine.docker.getContainer(containerId);
    try {
      await this.engine.call(
        'stop a container',
        (abortSignal) => container.stop({ t: STOP_TIMEOUT_SECONDS, abortSignal }),
        STOP_DEADLINE_MS,
      );
    } catch (error) {
      // 304: it does not run. 404: it is gone.
      if (statusOf(error) !== 304 && statusOf(error) !== 404) throw error;
    }
  }

  private async remove(containerId: string): Promise<void> {
    const container = this.engine.docker.getContainer(containerId);
    try {
      await this.stopById(containerId);
    } catch (error) {
      // What the engine could not end is for the removal to decide, which ends it by force.
      if (statusOf(error) === undefined) throw error;
    }
    try {
      // `v` takes the anonymous volumes of the image along; named ones, and so workspaces, stay.
      await this.engine.call(
        'remove a container',
        (abortSignal) => container.remove({ force: true, v: true, abortSignal }),
        REMOVE_DEADLINE_MS,
      );
    } catch (error) {
      // 409: another removal of it is under way.
      if (statusOf(error) !== 404 && statusOf(error) !== 409) throw error;
    }
  }

  /** By label, whatever the names are. */
  async survey(sandboxId?: SandboxId): Promise<SurveyedContainer[]> {
    const label = [`${LABEL.instance}=${this.names.instanceId}`, LABEL.generation];
    if (sandboxId !== undefined) label.push(`${LABEL.sandbox}=${sandboxId}`);
    const found = await this.engine.call('list containers', (abortSignal) =>
      this.engine.docker.listContainers({ all: true, filters: { label }, abortSignal }),
    );
    return found.flatMap(({ Id, Names, Labels, State, NetworkSettings }) => {
      const ref = sandboxOfLabels(Labels, this.names);
      if (ref === undefined) return [];
      const ours = `/${this.names.container(ref)}`;
      const isNamedOurs = Names.includes(ours);
      const name = (isNamedOurs ? ours : (Names[0] ?? '')).replace(/^\//, '');
      const isConnected = this.names.network in NetworkSettings.Networks;
      return [{ ...ref, containerId: Id, name, isNamedOurs, isConnected, state: stateOf(State) }];
    });
  }

  /**
   * An image that was made of a sandbox carries its labels, so they prove nothing; that a container writes to the spool of
   * the sandbox does.
   */
  async reclaimName({ containerId, sandboxId, generation }: SurveyedContainer): Promise<boolean> {
    const container = this.engine.docker.getContainer(containerId);
    const { Mounts } = await this.engine.call('inspect a container', (abortSignal) =>
      container.inspect({ abortSignal }),
    );
    const spool = this.names.spool(sandboxId);
    if (!Mounts.some(({ Name, RW }) => Name === spool && RW)) return false;
    try {
      const name = this.names.container({ sandboxId, generation });
      await this.engine.call('rename a container', (abortSignal) => container.rename({ name, abortSignal }));
      return true;
    } catch (error) {
      if (statusOf(error) === 409) return false;
      throw error;
    }
  }

  async reconnect({ containerId }: SurveyedContainer): Promise<void> {
    const network = this.engine.docker.getNetwork(this.names.network);
    try {
      await this.engine.call('connect a container', (abortSignal) =>
        network.connect({ Container: containerId, abortSignal } as { Container: string }),
      );
    } catch (error) {
      // 403: it is in it already, or does not run any more. 404: it is gone.
      if (statusOf(error) !== 403 && statusOf(error) !== 404) throw error;
    }
  }

  /** A label alone proves nothing: an image can carry any. */
  private async list({ sandboxId }: { readonly sandboxId?: SandboxId }): Promise<SurveyedContainer[]> {
    return (await this.survey(sandboxId)).filter(({ isNamedOurs }) => isNamedOurs);
  }

  private async inspectByName(name: string): Promise<Docker.ContainerInspectInfo | undefined> {
    const container = this.engine.docker.getContainer(name);
    try {
      return await this.engine.call('inspect a container', (abortSignal) =>
        container.inspect({ abortSignal }),
      );
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }
}

/** False for one that was made before its image or tier was corrected, and has not been started since. */
function isAsWanted(found: Docker.ContainerInspectInfo, body: Docker.ContainerCreateOptions): boolean {
  if (found.State.Status !== 'created') return true;
  return found.Config.Image === body.Image && found.HostConfig.Memory === body.HostConfig?.Memory;
}

/** Whose container this is by its labels; undefined where they are not ours or make no sense. */
export function sandboxOfLabels(
  labels: Labels | null | undefined,
  names: ResourceNames,
): SandboxRef | undefined {
  if (!names.owns(labels)) return undefined;
  const sandboxId = parseSandboxId(labels?.[LABEL.sandbox] ?? '');
  const generation = Number(labels?.[LABEL.generation]);
  if (sandboxId === undefined || !Number.isSafeInteger(generation) || generation < 0) return undefined;
  return { sandboxId, generation };
}

function asFailed(error: unknown): DomainError {
  const detail = error instanceof DomainError ? error.detail : undefined;
  return new DomainError('container_failed', 'The container could not be started.', {
    cause: error,
    ...(detail === undefined ? {} : { detail }),
  });
}
