/** What is kept for each owner. The newest output is always kept, whatever its size, until it is too old. */
export interface RetentionPolicy {
  /** The newest so many outputs. */
  readonly outputsMax: number;
  /** Kept while the newer ones together hold less than this. */
  readonly bytesMax: number;
  /** Since the end of the exec. */
  readonly ageMsMax: number;
  /** For so long after its end no output is removed, so that whoever waits for it can read it. */
  readonly ageMsMin: number;
}
