/** One stream of live rows for the page, handed out at most once per animation frame, reconnecting by itself. */

import { type Columns, type LiveRows, type LiveSettled, type Source } from './api';
import { clock } from './clock.svelte';
import { append, emptyColumns } from './series';

export interface Watcher {
  rows?: (rows: Map<number, Columns>) => void;
  settled?: (rows: LiveSettled['rows']) => void;
  source?: (source: Source) => void;
  /** Rows may have been missed: read the page's data again. */
  resync?: () => void;
}

const MOST_WAITING = 20_000;

class Live {
  state = $state<'connecting' | 'live' | 'lost'>('connecting');
  private watcher: Watcher | null = null;
  private datastreams = '';
  private stream: EventSource | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;
  private interrupted = false;
  private waiting = new Map<number, Columns>();
  private waitingRows = 0;
  private waitingSettled: LiveSettled['rows'][] = [];
  private frame = 0;

  constructor() {
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && this.interrupted && this.state === 'live') this.catchUp();
    });
  }

  /** Watches some Datastreams (none given: all) until the returned function is called. */
  watch(datastreams: number[] | null, watcher: Watcher): () => void {
    this.watcher = watcher;
    this.datastreams = datastreams === null ? '' : datastreams.join(',');
    this.open();
    return () => {
      if (this.watcher !== watcher) return;
      this.watcher = null;
      this.close();
    };
  }

  private open(): void {
    this.close();
    this.state = 'connecting';
    const stream = new EventSource(`/api/v1/live${this.datastreams ? `?datastream=${this.datastreams}` : ''}`);
    this.stream = stream;
    stream.onopen = () => {
      this.state = 'live';
      this.failures = 0;
      if (this.interrupted) this.catchUp();
    };
    stream.onerror = () => {
      this.state = 'lost';
      this.interrupted = true;
      if (stream.readyState !== EventSource.CLOSED) return;
      this.failures += 1;
      this.retry = setTimeout(() => this.open(), Math.min(30_000, 1000 * 2 ** this.failures));
    };
    stream.addEventListener('observations', (event) => this.observations(JSON.parse(event.data as string) as LiveRows));
    stream.addEventListener('settled', (event) => this.settled(JSON.parse(event.data as string) as LiveSettled));
    stream.addEventListener('source', (event) => this.watcher?.source?.(JSON.parse(event.data as string) as Source));
    stream.addEventListener('shed', () => {
      this.interrupted = true;
      this.schedule();
    });
  }

  private close(): void {
    clearTimeout(this.retry);
    this.stream?.close();
    this.stream = null;
    this.clear();
  }

  private clear(): void {
    this.waiting.clear();
    this.waitingRows = 0;
    this.waitingSettled = [];
  }

  private catchUp(): void {
    this.interrupted = false;
    this.clear();
    this.watcher?.resync?.();
  }

  private observations(message: LiveRows): void {
    clock.heard(message.now);
    for (const [id, rows] of Object.entries(message.rows)) {
      const datastream = Number(id);
      let target = this.waiting.get(datastream);
      if (!target) {
        target = emptyColumns();
        this.waiting.set(datastream, target);
      }
      append(target, rows, true);
      this.waitingRows += rows.time.length;
    }
    this.schedule();
  }

  private settled(message: LiveSettled): void {
    this.waitingSettled.push(message.rows);
    this.schedule();
  }

  private schedule(): void {
    if (this.waitingRows > MOST_WAITING) {
      this.clear();
      this.interrupted = true;
    }
    if (this.frame || document.hidden) {
      if (document.hidden) this.interrupted = true;
      return;
    }
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (this.interrupted && this.state === 'live') {
        this.catchUp();
        return;
      }
      if (this.waiting.size) {
        const rows = this.waiting;
        this.waiting = new Map();
        this.waitingRows = 0;
        this.watcher?.rows?.(rows);
      }
      for (const rows of this.waitingSettled.splice(0)) this.watcher?.settled?.(rows);
    });
  }
}

export const live = new Live();
