import { createHash } from 'node:crypto';
import type { SandboxId, SandboxRef, WorkspaceRef } from '#domain';

const INSTANCE_LENGTH_MAX = 12;
const HASH_LENGTH = 12;
const HOSTNAME_LENGTH = 12;

export const LABEL = {
  instance: 'berth.instance',
  sandbox: 'berth.sandbox',
  generation: 'berth.generation',
  tenant: 'berth.tenant',
  owner: 'berth.owner',
  operation: 'berth.operation',
  host: 'berth.host',
  /** What a thing is that is not a sandbox's container: `workspace`, `spool`, `runner`, `network`, `filler`. */
  kind: 'berth.kind',
  /** On the short-lived container that reads the spool of a dead one. */
  drain: 'berth.drain',
  /** On the short-lived container that reads or fills a workspace. */
  archive: 'berth.archive',
  /** On a workspace: its id; absent on the one that a sandbox begins with. */
  workspace: 'berth.workspace',
} as const;

export type Labels = Readonly<Record<string, string>>;

/** The names of everything that one Berth instance owns in an engine. Names find things; labels prove whose they are. */
export class ResourceNames {
  private readonly prefix: string;

  constructor(readonly instanceId: string) {
    const short = instanceId.length <= INSTANCE_LENGTH_MAX ? instanceId : hashOf(instanceId);
    this.prefix = `berth-${short}`;
  }

  container({ sandboxId, generation }: SandboxRef): string {
    return `${this.prefix}-${sandboxId}-g${generation}`;
  }

  shortLived(purpose: string, sandboxId: SandboxId, nonce: string): string {
    return `${this.prefix}-${purpose}-${sandboxId}-${nonce}`;
  }

  workspace({ sandboxId, workspaceId }: WorkspaceRef): string {
    const first = `${this.prefix}-ws-${sandboxId}`;
    return workspaceId === null ? first : `${first}-${workspaceId}`;
  }

  spool(sandboxId: SandboxId): string {
    return `${this.prefix}-spool-${sandboxId}`;
  }

  /** Keyed by content: another runner is another volume, and sandboxes keep the one that they began with. */
  runnerVolume(binarySha256: string): string {
    return `${this.prefix}-runner-${binarySha256.slice(0, HASH_LENGTH)}`;
  }

  /** Only one container can have it, so that only one process fills the volume at a time. */
  runnerFiller(binarySha256: string): string {
    return `${this.runnerVolume(binarySha256)}-filler`;
  }

  get network(): string {
    return this.prefix;
  }

  /** Ours, as far as labels can say. */
  owns(labels: Labels | null | undefined): boolean {
    return labels?.[LABEL.instance] === this.instanceId;
  }

  /** True for the container of exactly this sandbox and generation. */
  ownsSandbox(labels: Labels | null | undefined, { sandboxId, generation }: SandboxRef): boolean {
    return (
      this.owns(labels) &&
      labels?.[LABEL.sandbox] === sandboxId &&
      labels[LABEL.generation] === String(generation)
    );
  }
}

/** The end of a version 7 UUID is its random part; the beginning is a time that neighbours share. */
export function hostnameOf(sandboxId: SandboxId): string {
  return sandboxId.slice(-HOSTNAME_LENGTH);
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, INSTANCE_LENGTH_MAX);
}
