/** A time limit that moves on as long as something makes progress. */
import { type AnyEffect, type AnyExit, type Member } from "../../core/internal/Block.ts"
import { ScopeBlock, type Shape } from "../../core/internal/ScopeBlock.ts"
import { type Due, type Timer, timersFor } from "../../core/internal/Timers.ts"

export interface Progress {
  /** How far it has come, such as a count of bytes. */
  now(): number
  /** Called when a look has found no progress since the last one. */
  stoodStill?(): void
}

/**
 * It looks now and then instead of being told, so that what it watches pays nothing.
 * It expires at most one of these steps late.
 */
export class ProgressScope extends ScopeBlock implements Due {
  private declare readonly progress: Progress
  private declare readonly step: number
  private declare seen: number
  private declare sampling: Timer | undefined
  private declare over: boolean

  constructor(shape: Shape, name: string, body: () => AnyEffect, limit: number, step: number, progress: Progress) {
    super(shape, name, body, limit)
    this.progress = progress
    this.step = step
    this.seen = progress.now()
    this.sampling = undefined
    this.over = false
  }

  override begin(): void {
    super.begin()
    if (!this.over) this.sampleLater()
  }

  private sampleLater(): void {
    const timers = timersFor(this.owner)
    this.sampling = timers.set(timers.now() + this.step, this.sample, this.owner)
  }

  private readonly sample: Due = {
    onDeadline: () => {
      this.sampling = undefined
      if (this.over || this.reason !== undefined) return
      if (!this.look()) this.progress.stoodStill?.()
      if (!this.over) this.sampleLater()
    }
  }

  private look(): boolean {
    const now = this.progress.now()
    if (now === this.seen) return false
    this.seen = now
    this.setDeadline(timersFor(this.owner).now() + this.limit)
    return true
  }

  override onDeadline(): void {
    if (!this.look()) super.onDeadline()
  }

  override memberEnded(member: Member, exit: AnyExit): void {
    this.over = true
    if (this.sampling !== undefined) timersFor(this.owner).clear(this.sampling)
    this.sampling = undefined
    super.memberEnded(member, exit)
  }
}
