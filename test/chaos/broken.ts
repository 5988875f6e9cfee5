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
    | 'counts'
    | 'lost commit'
    | 'doubled commit'
    | 'wrong commit'
    | 'wrong order'
    | 'half clone'
    | 'secret';
  readonly detail: string;
}
