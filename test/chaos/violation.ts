/** What must never happen, each with the invariant that it breaks. */
export const VIOLATION_KINDS = {
  forgotten: 'I1 an acknowledged exec is never forgotten',
  'second run': 'I2 an exec runs at most once',
  'lost bytes': 'I3 what is read is what the program wrote',
  'doubled bytes': 'I3 no byte is read twice',
  input: 'I3 each byte of the input arrives once',
  output: 'I3 output can be read',
  'exit code': 'I4 an exit code is true or unknown',
  'wrong end': 'I4 an end says what happened',
  'no end': 'I5 an exec ends in time',
  'changed end': 'I5 an end is final',
  leak: 'I6 nothing is left behind',
  refused: 'a client that insists is served',
  socket: 'a socket that comes back goes on',
  recovery: 'everything works afterwards',
} as const;

export type ViolationKind = keyof typeof VIOLATION_KINDS;

export interface Violation {
  readonly kind: ViolationKind;
  readonly key: string | undefined;
  readonly execId: string | undefined;
  readonly detail: string;
}
