import type { FollowEvent } from '#domain';
import { Answer } from './answer.js';
import {
  DATA_FRAMES_BYTES_MAX,
  DATA_POSITION_BYTES,
  MESSAGE,
  type ChannelMessage,
} from './channel.protocol.js';
import { exitRecordFrom, lostReasonFrom } from './runner.answers.js';
import { brokenProtocol, refusedBy } from './runner.errors.js';

/** The credit in bytes that a follow begins with: the most that it ever makes this process hold. */
export const FOLLOW_WINDOW_BYTES = 2_097_152;
const TWO_TO_32 = 4_294_967_296;

/** What one follow has brought and nobody has taken yet. The runner's credit bounds it, and a runner that sends more breaks the protocol. */
export class FollowQueue {
  private readonly events: FollowEvent[] = [];
  private credit = FOLLOW_WINDOW_BYTES;
  private failure: Error | undefined;
  private isOver = false;
  private wake: (() => void) | undefined;
  private settleAcknowledged: (() => void) | undefined;
  /** Resolves when the runner has answered at all. */
  readonly acknowledged = new Promise<void>((resolve) => (this.settleAcknowledged = resolve));

  constructor(private position: number) {}

  /** Throws `runner_protocol` if the message breaks the rules of a follow. */
  receive(message: ChannelMessage): void {
    // What comes after the last message costs no credit, so nothing would bound it.
    if (this.isOver) throw brokenProtocol('The runner goes on after the end of a follow.');
    switch (message.type) {
      case MESSAGE.result:
        break;
      case MESSAGE.data:
        this.events.push(this.framesFrom(message.payload));
        break;
      case MESSAGE.end:
        this.isOver = true;
        this.events.push({
          kind: 'end',
          exitRecord: exitRecordFrom(Answer.parse(message.payload).object('exitRecord')),
        });
        break;
      case MESSAGE.lost: {
        const answer = Answer.parse(message.payload);
        this.isOver = true;
        this.events.push({
          kind: 'lost',
          endPosition: answer.integer('endPosition'),
          reason: lostReasonFrom(answer),
        });
        break;
      }
      case MESSAGE.error: {
        const answer = Answer.parse(message.payload);
        this.isOver = true;
        this.fail(refusedBy(answer.text('code'), answer.text('message')));
        break;
      }
      default:
        throw brokenProtocol(`The runner answered a follow with message type ${message.type}.`);
    }
    this.notify();
  }

  /** What has come before is still delivered. */
  fail(reason: Error): void {
    this.failure ??= reason;
    this.notify();
  }

  /** Gives up what nobody will take any more. */
  abort(reason: Error): void {
    this.events.length = 0;
    this.failure = reason;
    this.notify();
  }

  async next(): Promise<FollowEvent> {
    for (;;) {
      const event = this.events.shift();
      if (event !== undefined) return event;
      if (this.failure !== undefined) throw this.failure;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  extend(bytes: number): void {
    this.credit += bytes;
  }

  private framesFrom(payload: Uint8Array): FollowEvent {
    const bytes = payload.subarray(DATA_POSITION_BYTES);
    if (payload.byteLength <= DATA_POSITION_BYTES || bytes.byteLength > DATA_FRAMES_BYTES_MAX) {
      throw brokenProtocol('The runner sent a malformed piece of output.');
    }
    const view = new DataView(payload.buffer, payload.byteOffset, DATA_POSITION_BYTES);
    const position = view.getUint32(0) * TWO_TO_32 + view.getUint32(4);
    if (position !== this.position) throw brokenProtocol(`Position ${position} follows ${this.position}.`);
    if (bytes.byteLength > this.credit) throw brokenProtocol('The runner sent more than it was asked for.');
    this.credit -= bytes.byteLength;
    this.position += bytes.byteLength;
    return { kind: 'frames', position, bytes };
  }

  private notify(): void {
    this.settleAcknowledged?.();
    this.wake?.();
    this.wake = undefined;
  }
}
