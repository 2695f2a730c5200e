/** The time axis that the panels of a page share: follows now until touched, zooms, pans, and keeps itself in the address. */

import { clock } from './clock.svelte';
import { route } from './route.svelte';
import { bounds, parseLength, PRESETS, readSpan, SHORTEST, writeSpan, type Span } from './span';

export class Timeline {
  span: Span = $derived.by(() => readSpan(route.query));
  range = $state.raw<[number, number]>([0, 1]);
  extent = $state.raw<[number, number] | null>(null);
  /** Width of the plots in CSS pixels: the range moves on when it would show. */
  width = Math.max(240, innerWidth - 130);
  private past: Span[] = [];

  constructor() {
    $effect(() => {
      if (clock.isKnown || !this.span.follow) this.range = bounds(this.span, clock.read());
    });
    $effect(() => {
      let frame = 0;
      let drawn = 0;
      const step = (at: number): void => {
        frame = requestAnimationFrame(step);
        if (!clock.isKnown || !this.span.follow || at - drawn < 80) return;
        const next = bounds(this.span, clock.read());
        if (Math.abs(next[1] - this.range[1]) < this.span.length / Math.max(200, this.width)) return;
        drawn = at;
        this.range = next;
      };
      frame = requestAnimationFrame(step);
      return () => cancelAnimationFrame(frame);
    });
  }

  get length(): number {
    return this.range[1] - this.range[0];
  }

  private write(span: Span, remember: boolean): void {
    if (remember) {
      this.past.push(this.span);
      if (this.past.length > 50) this.past.shift();
    }
    route.set(writeSpan(span), remember);
  }

  zoom = (start: number, end: number, remember = true): void => {
    let [from, to] = [start, end];
    if (to - from < SHORTEST) {
      const middle = (from + to) / 2;
      [from, to] = [middle - SHORTEST / 2, middle + SHORTEST / 2];
    }
    this.write({ follow: false, start: Math.round(from), end: Math.round(to) }, remember);
  };

  /** Back to what was on screen before the last zoom; wider when there is nothing to go back to. */
  out = (): void => {
    const before = this.past.pop();
    if (before) route.set(writeSpan(before), true);
    else this.scale(4);
  };

  scale = (factor: number): void => {
    const most = this.extent ? Math.max(3_600_000, clock.read() - this.extent[0]) * 1.5 : Infinity;
    const length = factor > 1 ? Math.max(this.length, Math.min(this.length * factor, most)) : this.length * factor;
    if (this.span.follow) {
      this.follow(length);
      return;
    }
    const middle = (this.range[0] + this.range[1]) / 2;
    const now = clock.read();
    if (middle + length / 2 > now && factor > 1) this.zoom(now - length, now, false);
    else this.zoom(middle - length / 2, middle + length / 2, false);
  };

  pan = (share: number): void => {
    const shift = this.length * share;
    this.zoom(this.range[0] + shift, this.range[1] + shift, false);
  };

  follow = (length = this.span.follow ? this.span.length : this.length): void => {
    const whole = Math.max(SHORTEST, Math.round(length / 1000) * 1000);
    const rounded = PRESETS.map((preset) => parseLength(preset) ?? 0).find((preset) => Math.abs(preset - whole) < 0.02 * preset) ?? whole;
    this.write({ follow: true, length: rounded }, true);
  };

  whole = (): void => {
    if (this.extent) this.zoom(this.extent[0], Math.max(this.extent[1], this.extent[0] + SHORTEST));
  };

  keydown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) {
      if (!(event.shiftKey && event.key === '+')) return;
    }
    if ((event.target as Element).closest('input, select, textarea, button, a')) return;
    const acts: Record<string, () => void> = {
      ArrowLeft: () => this.pan(-0.25),
      ArrowRight: () => this.pan(0.25),
      '+': () => this.scale(0.5),
      '=': () => this.scale(0.5),
      '-': () => this.scale(2),
      '0': () => this.follow(),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
}
