import type { Broken } from '../broken.js';

/** A commit as the server has it. */
export interface ServerCommit {
  readonly id: string;
  readonly subject: string;
  /** The operation that it says has made it; undefined for one that was made past Berth. */
  readonly operationId: string | undefined;
}

/** One change that was to be committed, and what was asked for it: more than once where an operation was given up. */
export interface AskedChange {
  readonly subject: string;
  readonly operationIds: readonly string[];
}

export interface AskedHistory {
  readonly repository: string;
  /** In the order in which they were asked; each has certainly been committed and pushed in the end. */
  readonly changes: readonly AskedChange[];
  /** Of those who work past Berth, in their order. */
  readonly others: readonly string[];
  /** Every commit that Berth has told of. */
  readonly told: readonly string[];
}

/** Whether a server has each commit once, in order, and none that was not asked for. Pure; the oldest commit comes first. */
export function judgeHistory(asked: AskedHistory, history: readonly ServerCommit[]): Broken[] {
  const broken: Broken[] = [];
  const say = (kind: Broken['kind'], detail: string): void =>
    void broken.push({ kind, detail: `${asked.repository}: ${detail}` });
  const known = new Map(asked.changes.map((change) => [change.subject, change]));
  const [, ...made] = history;
  for (const { subject, operationIds } of asked.changes) {
    const found = made.filter((commit) => commit.subject === subject);
    if (found.length === 0) say('lost commit', `${subject} is not on the server`);
    if (found.length > 1) say('doubled commit', `${subject} is on the server ${found.length} times`);
    for (const { operationId } of found) {
      if (operationId === undefined || !operationIds.includes(operationId))
        say('wrong commit', `${subject} says it is of ${operationId}, and ${operationIds.join()} was asked`);
    }
  }
  const isOther = ({ operationId }: ServerCommit): boolean => operationId === undefined;
  for (const { subject } of made.filter((commit) => !isOther(commit))) {
    if (!known.has(subject)) say('wrong commit', `nobody asked for ${subject}`);
  }
  const ids = new Set(history.map(({ id }) => id));
  for (const id of asked.told) if (!ids.has(id)) say('lost commit', `${id} was told of`);
  const inOrder = (wanted: readonly string[], has: readonly string[]): boolean =>
    wanted.join() === has.filter((subject, at) => has.indexOf(subject) === at).join();
  const subjects = made.filter((commit) => !isOther(commit)).map(({ subject }) => subject);
  const present = asked.changes.map(({ subject }) => subject).filter((subject) => subjects.includes(subject));
  if (
    !inOrder(
      present,
      subjects.filter((subject) => known.has(subject)),
    )
  )
    say('wrong order', `${subjects.join()} instead of ${present.join()}`);
  const others = made.filter(isOther).map(({ subject }) => subject);
  if (others.join() !== asked.others.join())
    say('lost commit', `of others there are ${others.join()} instead of ${asked.others.join()}`);
  return broken;
}
