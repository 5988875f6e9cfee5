import { readFileSync } from 'node:fs';
import { pause } from '../pause.js';
import { allProcesses } from '../processes.js';

const LOOK_MS = 500;

/** Looks at what the processes of the machine show of themselves to whoever asks: their arguments and their environment. */
export class ProcessWatch {
  constructor(private readonly onText: (what: string, text: string) => void) {}

  async run(signal: AbortSignal): Promise<void> {
    for (; !signal.aborted; await pause(LOOK_MS, signal)) {
      for (const { pid, command } of allProcesses()) {
        this.onText(`the arguments of process ${pid}`, command);
        this.onText(`the environment of process ${pid}`, environmentOf(pid));
      }
    }
  }
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    // It has ended.
    return '';
  }
}
