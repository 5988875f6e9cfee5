import type { ChaosOptions } from '../arguments.js';
import type { Installation } from '../installation.js';
import { Siege } from '../siege.js';
import { Fleet } from './fleet.js';
import { bulkPhasesMet } from './phases.js';
import type { BulkChaosResult } from './result.js';

const LANES = 2;

/** Fleets of real sandboxes under one bulk operation after another, each lane with a fleet at a time. */
export class BulkRun {
  private readonly siege: Siege;
  private readonly fleets: Fleet[] = [];

  constructor(options: ChaosOptions, installation: Installation, say: (line: string) => void) {
    this.siege = new Siege(options, installation, say);
  }

  async run(interruption: AbortSignal): Promise<BulkChaosResult> {
    const besieged = {
      lanes: LANES,
      lane: (lane: number, signal: AbortSignal) => this.lane(lane, signal),
      broken: () => this.fleets.flatMap(({ broken }) => broken),
      seen: () => `${this.siege.sandboxes} sandboxes, ${this.waves().length} bulk operations`,
    };
    const result = await this.siege.run(besieged, interruption);
    const waves = this.waves();
    return {
      ...result,
      phases: bulkPhasesMet(
        result.injuries,
        waves.map(({ looks }) => looks),
      ),
      bulks: waves.map(({ action, looks }) => ({ action, state: looks.at(-1)?.bulk.state ?? 'unknown' })),
      items: this.fleets.reduce((sum, { counted }) => sum + counted, 0),
      exactItems: this.fleets.reduce((sum, { exact }) => sum + exact, 0),
      controls: waves.reduce((sum, { controls }) => sum + controls, 0),
    };
  }

  private async lane(lane: number, signal: AbortSignal): Promise<void> {
    const { startedAtMs, random } = this.siege;
    for (let number = 1; !signal.aborted; number++) {
      const name = `chaos-${startedAtMs.toString(36)}-${lane}-${number}`;
      const fleet = new Fleet(this.siege, name, random.fork(`fleet ${lane}-${number}`));
      this.fleets.push(fleet);
      await fleet.run(signal);
    }
  }

  private waves() {
    return this.fleets.flatMap(({ waves }) => waves);
  }
}
