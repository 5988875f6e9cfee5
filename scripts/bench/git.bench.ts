import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beside, GIT_HOST, GitServer } from '../../test/git/git-server.js';
import { BerthClient } from './berth-client.js';
import { RawDocker } from './raw-docker.js';
import type { RunningInstance } from './running-instance.js';
import { ratioOf, summaryOf, type Summary } from './statistics.js';

const WARM_UP_ROUNDS = 3;
const OWNER = 'bench-git';
const USER = '1000';
const AUTHORITY = '/tmp/berth-bench-ca.pem';
const AUTHORITY_FILE = beside('ca.pem');

export interface GitReport {
  readonly raw: Summary;
  readonly berth: Summary & { readonly ratioToRaw: number };
}

/**
 * A commit of one file and its push to a server on this machine: as one operation of Berth, and as the two commands by the
 * engine's own exec, round after round. The installation must trust that server: see docs/benchmarks.md.
 */
export async function benchGit(instance: RunningInstance, rounds: number): Promise<GitReport> {
  const server = await GitServer.listen();
  const client = await BerthClient.open(instance);
  try {
    const sandboxId = await client.runningSandbox(OWNER);
    const raw = await RawDocker.open(instance.dockerHost, sandboxId);
    return await measure({ server, client, raw, sandboxId }, rounds);
  } finally {
    client.close();
    await server.close();
  }
}

interface Place {
  readonly server: GitServer;
  readonly client: BerthClient;
  readonly raw: RawDocker;
  readonly sandboxId: string;
}

async function measure(place: Place, rounds: number): Promise<GitReport> {
  const { raw, server } = place;
  const run = randomBytes(4).toString('hex');
  const [byHand, byBerth] = [`raw-${run}`, `berth-${run}`];
  const token = await prepare(place, byHand, byBerth);
  const rawDurations: number[] = [];
  const berthDurations: number[] = [];
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    const change = `echo ${round} > /workspace/${byHand}/README; echo ${round} > /workspace/${byBerth}/README`;
    await raw.measure(['sh', '-c', change], USER);
    const rawMs = await pushByHand(raw, byHand, round);
    const begunAt = performance.now();
    await place.client.git(place.sandboxId, 'commit-and-push', {
      path: byBerth,
      message: `round ${round}`,
      author: { name: 'Bench', email: 'bench@berth.test' },
      credential: { host: server.host, secret: token },
    });
    const berthMs = performance.now() - begunAt;
    if (round < 0) continue;
    rawDurations.push(rawMs);
    berthDurations.push(berthMs);
  }
  for (const name of [byHand, byBerth]) {
    const commits = server.log(`${name}.git`).length;
    if (commits !== rounds + WARM_UP_ROUNDS + 1)
      throw new Error(`${name} has ${commits} commits on the server.`);
  }
  const summary = summaryOf(rawDurations);
  const berth = summaryOf(berthDurations);
  return { raw: summary, berth: { ...berth, ratioToRaw: ratioOf(berth, summary) } };
}

/** Two repositories, each with its clone in the sandbox. */
async function prepare(
  { server, client, raw, sandboxId }: Place,
  byHand: string,
  byBerth: string,
): Promise<string> {
  const token = randomBytes(16).toString('hex');
  server.tokens.add(token);
  for (const name of [byHand, byBerth]) server.make(`${name}.git`);
  const names = `echo '${await raw.gateway()} ${GIT_HOST}' >> /etc/hosts`;
  const authority = `echo '${readFileSync(AUTHORITY_FILE, 'utf8')}' > ${AUTHORITY}`;
  await raw.measure(['sh', '-c', `${names}; ${authority}`], '0');
  const url = server.url(`${byHand}.git`).replace('https://', `https://git:${token}@`);
  const cloned = `cd /workspace && git -c http.sslCAInfo=${AUTHORITY} clone -q ${url} ${byHand} && cd ${byHand}`;
  const settings = `git config http.sslCAInfo ${AUTHORITY} && git config user.name b && git config user.email b@b`;
  await raw.measure(['sh', '-c', `${cloned} && ${settings}`], USER);
  const credential = { secret: token };
  await client.git(sandboxId, 'clone', { url: server.url(`${byBerth}.git`), path: byBerth, credential });
  return token;
}

async function pushByHand(raw: RawDocker, name: string, round: number): Promise<number> {
  const git = ['git', '-C', `/workspace/${name}`];
  const commitMs = await raw.measure([...git, 'commit', '-q', '-a', '-m', `round ${round}`], USER);
  return commitMs + (await raw.measure([...git, 'push', '-q'], USER));
}
