/** The server's clock: in a demo it runs faster than the wall's, so every age is counted in it. */

import { get, type Status } from './api';

class ServerClock {
  /** Moves once a second, for texts; drawing asks `read()`. */
  now = $state(Date.now());
  status = $state.raw<Status | null>(null);
  /** Whether the server has told its time; until then no page asks for the time on screen. */
  isKnown = $state(false);
  private at = performance.now();
  private base = Date.now();
  private speed = 1;

  start(): () => void {
    const tick = setInterval(() => {
      this.now = this.read();
    }, 1000);
    const poll = setInterval(() => void this.refresh(), 15_000);
    void this.refresh();
    return () => {
      clearInterval(tick);
      clearInterval(poll);
    };
  }

  read(): number {
    return this.base + (performance.now() - this.at) * this.speed;
  }

  /** Sets the hands when they are off by more than the delay of a message explains. */
  heard(now: number): void {
    if (!this.isKnown || Math.abs(now - this.read()) > 1500 * Math.max(1, this.speed)) this.anchor(now);
  }

  private anchor(now: number): void {
    this.base = now;
    this.at = performance.now();
    this.now = now;
    this.isKnown = true;
  }

  private async refresh(): Promise<void> {
    try {
      const status = await get<Status>('status');
      const first = !this.isKnown;
      this.status = status;
      const speed = status.speed > 0 ? status.speed : 1;
      if (first || speed !== this.speed) {
        this.speed = speed;
        this.anchor(status.now);
      } else {
        this.heard(status.now);
      }
    } catch {
      // The pages say that the server is away; the clock goes on.
    }
  }
}

export const clock = new ServerClock();
