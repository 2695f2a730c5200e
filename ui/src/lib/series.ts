/** The rows of one Datastream on screen: columns in time order, appended to and settled in place. */

import type { Columns, DatastreamShort } from './api';

export function emptyColumns(): Columns {
  return { id: [], time: [], result: [], raw_result: [], uncertainty: [], quality: [], tests: [], mark: [], censored: [], sample: [] };
}

const NAMES = Object.keys(emptyColumns()) as (keyof Columns)[];

function put(target: Columns, position: number, source: Columns, row: number, replace: boolean): void {
  for (const name of NAMES) {
    const from = source[name] as unknown[] | undefined;
    (target[name] as unknown[]).splice(position, replace ? 1 : 0, from?.[row] ?? (name === 'sample' ? 0 : null));
  }
}

/** Whether a Datastream holds directions, which wrap at 360°. */
export function isCircular(datastream: DatastreamShort): boolean {
  return datastream.unit === 'degree' && /direction|heading|course/.test(datastream.property);
}

/** First position whose time is not before `time`. */
export function position(times: number[], time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the row nearest to `time`, -1 when there is none. */
export function nearest(times: number[], time: number): number {
  if (times.length === 0) return -1;
  const after = position(times, time);
  if (after === 0) return 0;
  if (after === times.length) return after - 1;
  return time - (times[after - 1] as number) <= (times[after] as number) - time ? after - 1 : after;
}

/** Adds live rows; a row that is there already is revised, check samples stay out unless `withSamples`. */
export function append(target: Columns, rows: Columns, withSamples = false): number {
  let changed = 0;
  for (let row = 0; row < rows.time.length; row += 1) {
    if (!withSamples && (rows.sample?.[row] ?? 0) !== 0) continue;
    const time = rows.time[row] as number;
    const id = rows.id[row] as number;
    let at = target.time.length;
    if (at > 0 && time <= (target.time[at - 1] as number)) at = position(target.time, time);
    let replace = false;
    for (let probe = at; probe < target.time.length && target.time[probe] === time; probe += 1) {
      if (target.id[probe] === id) {
        at = probe;
        replace = true;
        break;
      }
    }
    put(target, at, rows, row, replace);
    changed += 1;
  }
  return changed;
}

/** The rows that are no water: zero, span, check, spike, blank and parallel samples. */
export function samplesOf(rows: Columns): Columns {
  const found = emptyColumns();
  for (let row = 0; row < rows.time.length; row += 1) {
    if ((rows.sample?.[row] ?? 0) !== 0) put(found, found.time.length, rows, row, false);
  }
  return found;
}

/** Writes settled flags onto rows on screen; returns how many were found. */
export function settle(target: Columns, rows: { id: number[]; quality: number[]; tests: (string | null)[] }): number {
  let found = 0;
  rows.id.forEach((id, row) => {
    const at = target.id.lastIndexOf(id);
    if (at < 0) return;
    target.quality[at] = rows.quality[row] as number;
    target.tests[at] = rows.tests[row] ?? null;
    found += 1;
  });
  return found;
}

/** Drops rows before `time`, keeping one so that the line still enters from the left. */
export function trim(target: Columns, time: number): void {
  const first = position(target.time, time) - 1;
  if (first <= 0) return;
  for (const name of NAMES) (target[name] as unknown[]).splice(0, first);
}

/** The usual distance between rows, in ms: the median of up to 500 steps; 0 for fewer than two rows. */
export function usualStep(times: number[]): number {
  if (times.length < 2) return 0;
  const stride = Math.max(1, Math.floor((times.length - 1) / 500));
  const steps: number[] = [];
  for (let row = 1; row < times.length; row += stride) steps.push((times[row] as number) - (times[row - 1] as number));
  steps.sort((a, b) => a - b);
  return steps[steps.length >> 1] as number;
}

/** Where nothing was received: pairs of times around every step much longer than usual. */
export function gaps(times: number[], step = usualStep(times)): [number, number][] {
  const found: [number, number][] = [];
  if (step <= 0) return found;
  for (let row = 1; row < times.length; row += 1) {
    const before = times[row - 1] as number;
    const after = times[row] as number;
    if (after - before > 5 * step) found.push([before, after]);
  }
  return found;
}
