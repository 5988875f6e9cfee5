/**
 * The shape of a state machine as data: which states follow which, and which actions a person may take in each.
 * API, Workflows and admin UI read the same tables, so a button, a refusal and a transition cannot disagree.
 */
export type TransitionTable<State extends string> = Readonly<Record<State, readonly State[]>>;
export type ActionTable<State extends string, Action extends string> = Readonly<
  Record<State, readonly Action[]>
>;

export function canMove<State extends string>(
  table: TransitionTable<State>,
  from: State,
  to: State,
): boolean {
  return table[from].includes(to);
}

/** The states that may precede `to`: what a compare-and-set names in its WHERE. */
export function statesBefore<State extends string>(table: TransitionTable<State>, to: State): State[] {
  return (Object.keys(table) as State[]).filter((from) => table[from].includes(to));
}

export function isTerminal<State extends string>(table: TransitionTable<State>, state: State): boolean {
  return table[state].length === 0;
}

export function terminalStates<State extends string>(table: TransitionTable<State>): State[] {
  return (Object.keys(table) as State[]).filter((state) => table[state].length === 0);
}

export function liveStates<State extends string>(table: TransitionTable<State>): State[] {
  return (Object.keys(table) as State[]).filter((state) => table[state].length > 0);
}
