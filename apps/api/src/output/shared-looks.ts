/**
 * One look at a row for everybody who wants one at the same time. Whoever asks gets a look that began after it asked, so that
 * no change is missed: a look that is under way counts for those who were there before it.
 */
export class SharedLooks<Id, Row> {
  private readonly running = new Map<Id, Promise<Row>>();
  private readonly following = new Map<Id, Promise<Row>>();

  constructor(private readonly look: (id: Id) => Promise<Row>) {}

  async get(id: Id): Promise<Row> {
    const running = this.running.get(id);
    if (!running) return await this.begin(id);
    const following = this.following.get(id);
    if (following) return await following;
    const next = running.then(
      () => this.beginNext(id),
      () => this.beginNext(id),
    );
    this.following.set(id, next);
    return await next;
  }

  private beginNext(id: Id): Promise<Row> {
    this.following.delete(id);
    return this.begin(id);
  }

  private begin(id: Id): Promise<Row> {
    const look = this.look(id).finally(() => {
      if (this.running.get(id) === look) this.running.delete(id);
    });
    this.running.set(id, look);
    return look;
  }
}
