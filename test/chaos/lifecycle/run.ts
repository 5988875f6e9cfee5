import type { ChaosOptions } from '../arguments.js';
import type { Installation } from '../installation.js';
import { Siege } from '../siege.js';
import type { SeenOperation } from './asker.js';
import { compareState } from './containers.js';
import { Life } from './life.js';
import type { LifecycleResult } from './result.js';
import { findWorkspace, hashTree } from './tree.js';

const LANES = 6;
const IMAGE = 'berth/base:bookworm-1';
/** The same under another name, which is another image for Berth. */
const OTHER_IMAGE = { repo: 'berth/chaos', tag: '1' } as const;

/** Sandboxes are made, restarted, stopped, kept, restored, changed and deleted, each by a client of its own. */
export class LifecycleRun {
  private readonly siege: Siege;
  private readonly lives: Life[] = [];

  constructor(options: ChaosOptions, installation: Installation, say: (line: string) => void) {
    this.siege = new Siege(options, installation, say);
  }

  async run(interruption: AbortSignal): Promise<LifecycleResult> {
    await this.siege.installation.engine.tag(IMAGE, OTHER_IMAGE.repo, OTHER_IMAGE.tag);
    const besieged = {
      lanes: LANES,
      lane: (lane: number, signal: AbortSignal) => this.lane(lane, signal),
      broken: () => this.lives.flatMap((life) => life.broken),
      seen: () => `${this.siege.sandboxes} sandboxes, ${this.operations().length} operations`,
    };
    const result = await this.siege.run(besieged, interruption);
    const parks = this.lives.reduce((sum, life) => sum + life.parks, 0);
    const workspaces = this.lives.reduce((sum, life) => sum + life.compared, 0);
    return { ...result, operations: this.operations(), parks, workspaces };
  }

  private async lane(lane: number, signal: AbortSignal): Promise<void> {
    const { client, moments, installation, startedAtMs, random } = this.siege;
    for (let number = 1; !signal.aborted; number++) {
      const known: string[] = [];
      const place = {
        client,
        moments,
        owner: `chaos-${startedAtMs.toString(36)}-${lane}-${number}`,
        onSandbox: (id: string) => {
          known.push(id);
          this.siege.add(id);
        },
        images: [IMAGE, `${OTHER_IMAGE.repo}:${OTHER_IMAGE.tag}`] as const,
        hashOf: async (id: string) => hashTree(await findWorkspace(installation, id)),
        inspect: (id: string) => compareState({ client, installation }, id),
      };
      // A fork for each, so that what is asked depends on its number alone, and not on when it is its turn.
      const life = new Life(place, random.fork(`life ${lane}-${number}`));
      this.lives.push(life);
      await life.run(signal);
      for (const id of known) this.siege.remove(id);
    }
  }

  private operations(): SeenOperation[] {
    return this.lives.flatMap(({ operations }) => operations);
  }
}
