/** The rows of one Datastream for the time on screen: read from the server by span and width, kept up by the live stream. */

import { get, type ApiError, type Columns, type DatastreamShort, type Latest, type LiveSettled, type Observations, type Resolution } from './api';
import { clock } from './clock.svelte';
import { Loader } from './loader.svelte';
import { append, emptyColumns, samplesOf, settle, trim, usualStep } from './series';

const MARGIN = 0.1;

export class Track {
  readonly datastream: DatastreamShort;
  columns: Columns = emptyColumns();
  /** Zero, span and check samples: never water, read only when asked for. */
  samples: Columns = emptyColumns();
  step = 0;
  /** Moves whenever `columns` changed in place. */
  version = $state(0);
  latest = $state.raw<Latest | null>(null);
  info = $state.raw<{ rows: number; returned: number; resolution: Resolution } | null>(null);
  private loader = new Loader<Observations>();
  private window: [number, number] | null = null;
  private isOpen = false;
  private pending: ReturnType<typeof setTimeout> | undefined;
  private asked: { window: [number, number]; width: number; isOpen: boolean } | null = null;
  private withSamples: boolean;

  constructor(datastream: DatastreamShort, withSamples = false) {
    this.datastream = datastream;
    this.latest = datastream.latest;
    this.withSamples = withSamples;
  }

  get error(): ApiError | null {
    return this.loader.error;
  }
  get loading(): boolean {
    return this.loader.loading;
  }
  get loaded(): boolean {
    return this.info !== null;
  }

  /** Makes sure that the rows of a range are there, or on their way, finely enough for `width` pixels. */
  want(start: number, end: number, width: number): void {
    const length = end - start;
    const isOpen = end >= clock.read() - length * 0.02;
    const suffices = (window: [number, number], open: boolean, isRaw: boolean): boolean =>
      start >= window[0] && (open || end <= window[1]) && (isRaw || length > 0.55 * (window[1] - window[0]) / (1 + 2 * MARGIN));
    if (this.asked) {
      const sharp = this.asked.width >= width * 0.7;
      if (sharp && suffices(this.asked.window, this.asked.isOpen, false)) return;
    } else if (this.window && this.info && suffices(this.window, this.isOpen, this.info.resolution === 'raw')) {
      if (this.columns.time.length < 8 * width + 1000) return;
    }
    const window: [number, number] = [start - length * MARGIN, end + length * MARGIN];
    this.asked = { window, width, isOpen };
    clearTimeout(this.pending);
    this.pending = setTimeout(() => void this.load(), this.window === null ? 0 : 120);
  }

  /** Reads the range on screen anew. */
  refresh = (): void => {
    const window = this.asked?.window ?? this.window;
    if (!window) return;
    this.asked ??= { window, width: 800, isOpen: this.isOpen };
    clearTimeout(this.pending);
    this.pending = setTimeout(() => void this.load(), 0);
  };

  stop(): void {
    clearTimeout(this.pending);
    this.loader.cancel();
  }

  live(rows: Columns, start: number): boolean {
    const last = rows.time.length - 1;
    for (let row = last; row >= 0; row -= 1) {
      if ((rows.sample[row] ?? 0) !== 0) continue;
      const time = rows.time[row] as number;
      if (!this.latest || time >= this.latest.time) {
        this.latest = {
          id: rows.id[row] as number,
          time,
          result: rows.result[row] ?? null,
          uncertainty: rows.uncertainty[row] ?? null,
          quality: rows.quality[row] as number,
          censored: rows.censored[row] ?? null,
          mark: rows.mark[row] ?? null,
          tests: rows.tests[row] ?? null,
        };
      }
      break;
    }
    if (!this.window || (!this.isOpen && (rows.time[0] ?? Infinity) > this.window[1])) return false;
    const added = append(this.columns, rows) + (this.withSamples ? append(this.samples, samplesOf(rows), true) : 0);
    if (added === 0) return false;
    if (this.isOpen) trim(this.columns, Math.min(start, this.window[1]) - (this.window[1] - this.window[0]) * 0.2);
    if (this.step === 0) this.step = usualStep(this.columns.time);
    this.version += 1;
    return true;
  }

  settled(rows: LiveSettled['rows'][string]): void {
    const at = this.latest ? rows.id.indexOf(this.latest.id) : -1;
    if (at >= 0 && this.latest) this.latest = { ...this.latest, quality: rows.quality[at] as number, tests: rows.tests[at] ?? null };
    if (settle(this.columns, rows) > 0) this.version += 1;
  }

  private async load(): Promise<void> {
    const asked = this.asked;
    if (!asked) return;
    const found = await this.loader.load((signal) =>
      get<Observations>(
        `datastreams/${this.datastream.id}/observations`,
        {
          start: Math.floor(asked.window[0]),
          end: asked.isOpen ? null : Math.ceil(asked.window[1]),
          max_points: Math.round(2 * asked.width * (1 + 2 * MARGIN)),
          samples: this.withSamples ? 'all' : null,
        },
        signal,
      ),
    );
    if (this.asked === asked) this.asked = null;
    if (!found) return;
    this.columns = emptyColumns();
    this.samples = emptyColumns();
    if (this.withSamples) {
      append(this.columns, found.columns);
      append(this.samples, samplesOf(found.columns), true);
    } else {
      this.columns = found.columns;
    }
    this.step = usualStep(this.columns.time);
    this.window = asked.window;
    this.isOpen = asked.isOpen;
    this.info = { rows: found.rows, returned: found.returned, resolution: found.resolution };
    this.version += 1;
  }
}
