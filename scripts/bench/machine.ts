import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import Docker from 'dockerode';
import type { RunningInstance } from './running-instance.js';

const GIB = 1_024 ** 3;

/** What the figures were measured on: without it they say nothing. */
export interface Machine {
  readonly date: string;
  readonly cores: number;
  readonly processor: string;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  readonly docker: string;
  /** Processes that wanted a core in the minute before: what else went on. */
  readonly loadBefore: number;
}

export async function describeMachine(instance: RunningInstance): Promise<Machine> {
  const socketPath = instance.dockerHost.replace(/^unix:\/\//, '');
  const docker = instance.dockerHost.startsWith('unix://')
    ? (await new Docker({ socketPath }).version()).Version
    : instance.dockerHost;
  return {
    date: new Date().toISOString(),
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGib: Math.round(totalmem() / GIB),
    kernel: release(),
    node: process.version,
    docker,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}
