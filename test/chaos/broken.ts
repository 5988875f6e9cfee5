/** What must never happen to sandboxes and to what is asked of them. */
export interface Broken {
  readonly kind:
    | 'no end'
    | 'no reason'
    | 'refused'
    | 'workspace'
    | 'second container'
    | 'wrong state'
    | 'leak'
    | 'recovery'
    | 'done twice'
    | 'forgotten'
    | 'counts';
  readonly detail: string;
}
