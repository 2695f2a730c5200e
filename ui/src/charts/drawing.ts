/** Draws the rows of one Datastream on a uPlot canvas: the line in ink, every flag in its own shape. */

import type uPlot from 'uplot';
import type { Columns } from '../lib/api';
import { FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT } from '../lib/flags';
import { COVERAGE } from '../lib/format';
import { position } from '../lib/series';
import type { Palette } from './palette.svelte';

export interface Line {
  columns: Columns;
  /** The usual distance between rows in ms; more than five times that breaks the line. */
  step: number;
  dash?: number[] | undefined;
  /** A direction in degrees: the step over north is no line across the plot. */
  circular?: boolean;
}
export interface Threshold {
  value: number;
  kind: 'suspect' | 'fail';
}
export interface TimeMark {
  time: number;
  kind: string;
  label: string;
}

export function visible(columns: Columns, start: number, end: number): [number, number] {
  return [Math.max(0, position(columns.time, start) - 1), Math.min(columns.time.length, position(columns.time, end) + 1)];
}

/** A range that grows. */
class Reach {
  low = Infinity;
  high = -Infinity;

  add(low: number, high = low): void {
    if (low < this.low) this.low = low;
    if (high > this.high) this.high = high;
  }

  get isEmpty(): boolean {
    return this.low > this.high;
  }

  /** Grows to hold `other` as far as that stays within `share` of this span. */
  admit(other: Reach, share: number): void {
    if (other.isEmpty) return;
    const room = (this.high - this.low) * share;
    if (other.low >= this.low - room) this.low = Math.min(this.low, other.low);
    if (other.high <= this.high + room) this.high = Math.max(this.high, other.high);
  }
}

/**
 * The extent that the y axis shows: of all good values, and of flagged ones as far as they leave the good ones readable.
 * A flagged value outside is drawn at the edge with its shape, so that none disappears.
 */
export function extent(lines: Line[], start: number, end: number, withBand: boolean): [number, number] | null {
  const good = new Reach();
  const suspect = new Reach();
  const failed = new Reach();
  for (const { columns } of lines) {
    const [first, last] = visible(columns, start, end);
    for (let row = first; row < last; row += 1) {
      const value = columns.result[row];
      if (value === null || value === undefined) continue;
      const quality = columns.quality[row];
      if (quality === FAIL) failed.add(value);
      else if (quality === SUSPECT) suspect.add(value);
      else {
        const half = withBand ? COVERAGE * (columns.uncertainty[row] ?? 0) : 0;
        good.add(value - half, value + half);
      }
    }
  }
  if (good.isEmpty) good.add(suspect.low, suspect.high);
  else good.admit(suspect, 3);
  if (good.isEmpty) good.add(failed.low, failed.high);
  else good.admit(failed, 0.6);
  return good.isEmpty ? null : [good.low, good.high];
}

export function rawExtent(line: Line, start: number, end: number): [number, number] | null {
  const { columns } = line;
  const [first, last] = visible(columns, start, end);
  let low = Infinity;
  let high = -Infinity;
  for (let row = first; row < last; row += 1) {
    const value = columns.raw_result[row];
    if (value === null || value === undefined || columns.quality[row] === FAIL) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : null;
}

/** A hatched foot from `left` to `right`: nothing is known here. */
function foot(context: CanvasRenderingContext2D, box: uPlot.BBox, left: number, right: number, ratio: number, colour: string): void {
  const wide = Math.max(right - left, 6 * ratio);
  const from = Math.max((left + right - wide) / 2, box.left);
  const to = Math.min((left + right + wide) / 2, box.left + box.width);
  if (to <= from) return;
  const height = 7 * ratio;
  const bottom = box.top + box.height;
  context.save();
  context.beginPath();
  context.rect(from, bottom - height, to - from, height);
  context.clip();
  context.beginPath();
  for (let x = from - height; x < to; x += 4 * ratio) {
    context.moveTo(x, bottom);
    context.lineTo(x + height, bottom - height);
  }
  context.strokeStyle = colour;
  context.lineWidth = ratio;
  context.stroke();
  context.restore();
}

interface Shapes {
  dots: Path2D;
  open: Path2D;
  triangles: Path2D;
  crosses: Path2D;
}

export function drawBand(u: uPlot, line: Line, colours: Palette, start: number, end: number): void {
  const { columns, step } = line;
  const [first, last] = visible(columns, start, end);
  const context = u.ctx;
  context.save();
  context.fillStyle = colours.accent;
  context.globalAlpha = 0.16;
  let run: number[] = [];
  const flush = (): void => {
    if (run.length > 1) {
      context.beginPath();
      for (const row of run) {
        const value = (columns.result[row] as number) + COVERAGE * (columns.uncertainty[row] as number);
        context.lineTo(u.valToPos(columns.time[row] as number, 'x', true), u.valToPos(value, 'y', true));
      }
      for (const row of run.reverse()) {
        const value = (columns.result[row] as number) - COVERAGE * (columns.uncertainty[row] as number);
        context.lineTo(u.valToPos(columns.time[row] as number, 'x', true), u.valToPos(value, 'y', true));
      }
      context.closePath();
      context.fill();
    }
    run = [];
  };
  for (let row = first; row < last; row += 1) {
    if (columns.quality[row] === FAIL) continue;
    const known = typeof columns.result[row] === 'number' && typeof columns.uncertainty[row] === 'number';
    const previous = run[run.length - 1];
    const far = previous !== undefined && step > 0 && (columns.time[row] as number) - (columns.time[previous] as number) > 5 * step;
    if (!known || far) flush();
    if (known) run.push(row);
  }
  flush();
  context.restore();
}

export function drawRaw(u: uPlot, line: Line, colours: Palette, start: number, end: number, scale: string): void {
  const { columns, step } = line;
  const [first, last] = visible(columns, start, end);
  const context = u.ctx;
  const ratio = devicePixelRatio;
  context.save();
  context.strokeStyle = colours.accent;
  context.lineWidth = ratio;
  context.setLineDash([4 * ratio, 3 * ratio]);
  context.beginPath();
  let previous = -Infinity;
  for (let row = first; row < last; row += 1) {
    const value = columns.raw_result[row] ?? columns.result[row];
    const time = columns.time[row] as number;
    if (columns.quality[row] === FAIL) continue;
    if (value === null || value === undefined) {
      previous = -Infinity;
      continue;
    }
    const x = u.valToPos(time, 'x', true);
    const y = u.valToPos(value, scale, true);
    if (previous === -Infinity || (step > 0 && time - previous > 5 * step)) context.moveTo(x, y);
    else context.lineTo(x, y);
    previous = time;
  }
  context.stroke();
  context.restore();
}

/** The line, the flags and the feet of missing data. */
export function drawLine(u: uPlot, line: Line, colours: Palette, start: number, end: number): void {
  const { columns, step } = line;
  const [first, last] = visible(columns, start, end);
  if (last <= first) return;
  const context = u.ctx;
  const ratio = devicePixelRatio;
  const box = u.bbox;
  const ink = new Path2D();
  const grey = new Path2D();
  const shapes: Shapes = { dots: new Path2D(), open: new Path2D(), triangles: new Path2D(), crosses: new Path2D() };
  const across = u.valToPos(columns.time[last - 1] as number, 'x') - u.valToPos(columns.time[first] as number, 'x');
  const sparse = (last - first) * 9 < across || last - first < 3;
  let flagged = 0;
  for (let row = first; row < last; row += 1) if ((columns.quality[row] as number) >= SUSPECT && columns.quality[row] !== MISSING) flagged += 1;
  /** Shapes shrink where they would hide the line. */
  const grain = flagged * 12 < box.width / ratio ? ratio : 0.65 * ratio;
  const top = box.top + 5 * ratio;
  const bottom = box.top + box.height - 5 * ratio;
  let px = 0;
  let py = 0;
  let previous = -1;
  let lastRow = -1;
  let lost: [number, number] | null = null;
  const foots = (): void => {
    if (lost) foot(context, box, lost[0], lost[1], ratio, colours.grey);
    lost = null;
  };
  for (let row = first; row < last; row += 1) {
    const time = columns.time[row] as number;
    const quality = columns.quality[row] as number;
    const value = columns.result[row];
    const x = u.valToPos(time, 'x', true);
    if (lastRow >= 0) {
      const before = columns.time[lastRow] as number;
      if (step > 0 && time - before > 5 * step) {
        foot(context, box, u.valToPos(before, 'x', true), x, ratio, colours.grey);
        previous = -1;
      }
    }
    lastRow = row;
    if (value === null || value === undefined || quality === MISSING) {
      const next = row + 1 < columns.time.length ? (columns.time[row + 1] as number) : time + step;
      const until = u.valToPos(Math.min(next, time + 5 * step), 'x', true);
      if (lost && x - lost[1] < 2) lost[1] = until;
      else {
        foots();
        lost = [x, until];
      }
      previous = -1;
      continue;
    }
    const y = u.valToPos(value, 'y', true);
    if (quality === FAIL) {
      const at = Math.min(Math.max(y, top), bottom);
      const size = 3.6 * grain;
      shapes.crosses.moveTo(x - size, at - size);
      shapes.crosses.lineTo(x + size, at + size);
      shapes.crosses.moveTo(x + size, at - size);
      shapes.crosses.lineTo(x - size, at + size);
      continue;
    }
    const turns = line.circular === true && previous >= 0 && Math.abs(value - (columns.result[previous] as number)) > 180;
    if (previous >= 0 && !turns) {
      const path = quality === NOT_EVALUATED || columns.quality[previous] === NOT_EVALUATED ? grey : ink;
      path.moveTo(px, py);
      path.lineTo(x, y);
    }
    if (quality === SUSPECT) {
      const size = 4.2 * grain;
      const at = Math.min(Math.max(y, top), bottom);
      shapes.triangles.moveTo(x, at - size);
      shapes.triangles.lineTo(x + size, at + size * 0.8);
      shapes.triangles.lineTo(x - size, at + size * 0.8);
      shapes.triangles.closePath();
    } else if (quality === NOT_EVALUATED && sparse) {
      shapes.open.moveTo(x + 2.6 * ratio, y);
      shapes.open.arc(x, y, 2.6 * ratio, 0, 7);
    } else if (quality === PASS && sparse) {
      shapes.dots.moveTo(x + 1.8 * ratio, y);
      shapes.dots.arc(x, y, 1.8 * ratio, 0, 7);
    }
    previous = row;
    px = x;
    py = y;
  }
  foots();
  context.save();
  context.beginPath();
  context.rect(box.left, box.top, box.width, box.height);
  context.clip();
  context.lineJoin = 'round';
  context.lineWidth = 1.3 * ratio;
  context.setLineDash((line.dash ?? []).map((length) => length * ratio));
  context.strokeStyle = colours.grey;
  context.stroke(grey);
  context.strokeStyle = colours.ink;
  context.stroke(ink);
  context.setLineDash([]);
  context.fillStyle = colours.ink;
  context.fill(shapes.dots);
  context.fillStyle = colours.surface;
  context.fill(shapes.open);
  context.strokeStyle = colours.grey;
  context.stroke(shapes.open);
  context.fillStyle = colours.amber;
  context.strokeStyle = colours.surface;
  context.lineWidth = grain;
  context.fill(shapes.triangles);
  context.stroke(shapes.triangles);
  context.strokeStyle = colours.vermilion;
  context.lineWidth = 2 * grain;
  context.stroke(shapes.crosses);
  context.restore();
}

export function drawThresholds(u: uPlot, thresholds: Threshold[], colours: Palette, words: Record<Threshold['kind'], string>): void {
  const context = u.ctx;
  const ratio = devicePixelRatio;
  const box = u.bbox;
  context.save();
  context.font = `${11 * ratio}px ${colours.sans}`;
  context.textAlign = 'right';
  context.lineWidth = ratio;
  const named: number[] = [];
  for (const { value, kind } of thresholds) {
    const y = Math.round(u.valToPos(value, 'y', true)) + 0.5;
    if (y < box.top || y > box.top + box.height) continue;
    context.strokeStyle = context.fillStyle = kind === 'fail' ? colours.vermilion : colours.amber;
    context.setLineDash(kind === 'fail' ? [8 * ratio, 3 * ratio] : [3 * ratio, 3 * ratio]);
    context.beginPath();
    context.moveTo(box.left, y);
    context.lineTo(box.left + box.width, y);
    context.stroke();
    // Two thresholds that nearly touch: one word, for two would cover each other.
    if (named.some((other) => Math.abs(other - y) < 14 * ratio)) continue;
    named.push(y);
    const above = y - box.top > 16 * ratio;
    context.textBaseline = above ? 'bottom' : 'top';
    context.fillText(words[kind], box.left + box.width - 4 * ratio, y + (above ? -2 : 2) * ratio);
  }
  context.restore();
}

export function drawMarks(u: uPlot, marks: TimeMark[], colours: Palette, start: number, end: number): void {
  const context = u.ctx;
  const ratio = devicePixelRatio;
  const box = u.bbox;
  context.save();
  context.strokeStyle = context.fillStyle = colours.accent;
  context.lineWidth = ratio;
  for (const { time } of marks) {
    if (time < start || time > end) continue;
    const x = Math.round(u.valToPos(time, 'x', true)) + 0.5;
    context.setLineDash([2 * ratio, 3 * ratio]);
    context.beginPath();
    context.moveTo(x, box.top);
    context.lineTo(x, box.top + box.height);
    context.stroke();
    const size = 4 * ratio;
    context.beginPath();
    context.moveTo(x - size, box.top);
    context.lineTo(x + size, box.top);
    context.lineTo(x, box.top + size * 1.6);
    context.closePath();
    context.fill();
  }
  context.restore();
}

export function drawRing(u: uPlot, columns: Columns, id: number, colours: Palette): void {
  const row = columns.id.lastIndexOf(id);
  if (row < 0) return;
  const value = columns.result[row];
  const box = u.bbox;
  const ratio = devicePixelRatio;
  const x = u.valToPos(columns.time[row] as number, 'x', true);
  if (x < box.left || x > box.left + box.width) return;
  const context = u.ctx;
  context.save();
  context.strokeStyle = colours.accent;
  context.lineWidth = 2 * ratio;
  context.beginPath();
  if (value === null || value === undefined) {
    context.moveTo(x, box.top);
    context.lineTo(x, box.top + box.height);
  } else {
    const y = Math.min(Math.max(u.valToPos(value, 'y', true), box.top + 5 * ratio), box.top + box.height - 5 * ratio);
    context.arc(x, y, 7 * ratio, 0, 7);
  }
  context.stroke();
  context.restore();
}

/** Check samples as open diamonds: beside the line, never part of it. */
export function drawSamples(u: uPlot, columns: Columns, colours: Palette, start: number, end: number): void {
  const [first, last] = visible(columns, start, end);
  const context = u.ctx;
  const ratio = devicePixelRatio;
  const size = 5 * ratio;
  context.save();
  context.strokeStyle = colours.accent;
  context.lineWidth = 1.5 * ratio;
  context.beginPath();
  for (let row = first; row < last; row += 1) {
    const value = columns.result[row];
    if (value === null || value === undefined) continue;
    const x = u.valToPos(columns.time[row] as number, 'x', true);
    const y = u.valToPos(value, 'y', true);
    context.moveTo(x, y - size);
    context.lineTo(x + size, y);
    context.lineTo(x, y + size);
    context.lineTo(x - size, y);
    context.closePath();
  }
  context.stroke();
  context.restore();
}
