/** The newest value and the last hours of every Datastream on the overview, kept up by the live stream. */

import type { Columns, DatastreamShort, Latest, LiveSettled, Spark, ThingShort } from './api';

export class Tile {
  latest = $state.raw<Latest | null>(null);
  spark = $state.raw<Spark>({ time: [], result: [], quality: [] });

  constructor(datastream: DatastreamShort) {
    this.set(datastream);
  }

  set(datastream: DatastreamShort): void {
    if (!this.latest || !datastream.latest || datastream.latest.time >= this.latest.time) this.latest = datastream.latest;
    if (datastream.spark) this.spark = datastream.spark;
  }

  add(rows: Columns, span: number): void {
    const { time, result, quality } = this.spark;
    let changed = false;
    for (let row = 0; row < rows.time.length; row += 1) {
      if ((rows.sample[row] ?? 0) !== 0) continue;
      const at = rows.time[row] as number;
      if (this.latest && at < this.latest.time) continue;
      this.latest = {
        id: rows.id[row] as number,
        time: at,
        result: rows.result[row] ?? null,
        uncertainty: rows.uncertainty[row] ?? null,
        quality: rows.quality[row] as number,
        censored: rows.censored[row] ?? null,
        mark: rows.mark[row] ?? null,
        tests: rows.tests[row] ?? null,
      };
      const last = time[time.length - 1] ?? -Infinity;
      const flag = rows.quality[row] as number;
      if (at - last < span / 80 && flag !== 3 && flag !== 4) continue;
      time.push(at);
      result.push(rows.result[row] ?? null);
      quality.push(flag);
      changed = true;
    }
    if (!changed) return;
    while (time.length > 160 || (time[0] ?? Infinity) < (time[time.length - 1] as number) - span * 1.2) {
      time.shift();
      result.shift();
      quality.shift();
    }
    this.spark = { time, result, quality };
  }

  settled(rows: LiveSettled['rows'][string]): void {
    const at = this.latest ? rows.id.indexOf(this.latest.id) : -1;
    if (at >= 0 && this.latest) this.latest = { ...this.latest, quality: rows.quality[at] as number, tests: rows.tests[at] ?? null };
  }
}

export class Tiles {
  private tiles = new Map<number, Tile>();

  take(things: ThingShort[]): void {
    for (const thing of things) {
      for (const datastream of thing.datastreams) {
        const tile = this.tiles.get(datastream.id);
        if (tile) tile.set(datastream);
        else this.tiles.set(datastream.id, new Tile(datastream));
      }
    }
  }

  of(datastream: DatastreamShort): Tile {
    let tile = this.tiles.get(datastream.id);
    if (!tile) {
      tile = new Tile(datastream);
      this.tiles.set(datastream.id, tile);
    }
    return tile;
  }

  /** Returns whether every Datastream was known. */
  add(rows: Map<number, Columns>, span: number): boolean {
    let isKnown = true;
    for (const [id, columns] of rows) {
      const tile = this.tiles.get(id);
      if (tile) tile.add(columns, span);
      else isKnown = false;
    }
    return isKnown;
  }

  settled(rows: LiveSettled['rows']): void {
    for (const [id, settled] of Object.entries(rows)) this.tiles.get(Number(id))?.settled(settled);
  }
}
