import type { ChaosOptions } from '../arguments.js';
import type { Installation } from '../installation.js';
import { Siege } from '../siege.js';
import type { SeenOperation } from './asker.js';
import { compareState } from './containers.js';
import { Life } from './life.js';
import type { LifecycleResult } from './result.js';

const LANES = 6;

/** Sandboxes are made, restarted, stopped, started and deleted, each by a client of its own. */
export class LifecycleRun {
  private readonly siege: Siege;
  private readonly lives: Life[] = [];

  constructor(options: ChaosOptions, installation: Installation, say: (line: string) => void) {
    this.siege = new Siege(options, installation, say);
  }

  async run(interruption: AbortSignal): Promise<LifecycleResult> {
    const besieged = {
      lanes: LANES,
      lane: (lane: number, signal: AbortSignal) => this.lane(lane, signal),
      broken: () => this.lives.flatMap((life) => life.broken),
      seen: () => `${this.siege.sandboxes} sandboxes, ${this.operations().length} operations`,
    };
    const result = await this.siege.run(besieged, interruption);
    const parks = this.lives.reduce((sum, life) => sum + life.parks, 0);
    return { ...result, operations: this.operations(), parks };
  }

  private async lane(lane: number, signal: AbortSignal): Promise<void> {
    const { client, moments, installation, startedAtMs, random } = this.siege;
    for (let number = 1; !signal.aborted; number++) {
      let known = '';
      const place = {
        client,
        moments,
        owner: `chaos-${startedAtMs.toString(36)}-${lane}-${number}`,
        onSandbox: (id: string) => {
          known = id;
          this.siege.add(id);
        },
        inspect: (id: string) => compareState({ client, installation }, id),
      };
      // A fork for each, so that what is asked depends on its number alone, and not on when it is its turn.
      const life = new Life(place, random.fork(`life ${lane}-${number}`));
      this.lives.push(life);
      await life.run(signal);
      this.siege.remove(known);
    }
  }

  private operations(): SeenOperation[] {
    return this.lives.flatMap(({ operations }) => operations);
  }
}
