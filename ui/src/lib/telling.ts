/** What wants to be seen first: the order of Things, and of the values of one Thing. */

import type { DatastreamShort, ThingShort } from './api';
import { severity } from './flags';
import { waterClass } from './water';

const CORE = [
  'dissolved_oxygen', 'ph', 'water_temperature', 'turbidity_ntu', 'turbidity_fnu', 'codmn', 'nh3_n', 'total_phosphorus', 'total_nitrogen',
  'codcr', 'conductivity_25', 'conductivity', 'salinity', 'water_level', 'depth_below_transducer', 'discharge', 'flow_rate', 'chlorophyll_a',
];

const STATES: Record<string, number> = { broken: 6, disconnected: 5, silent: 4, starting: 1, stopped: 1, none: 0, live: 0 };

function core(property: string): number {
  const index = CORE.indexOf(property);
  return index < 0 ? CORE.length : index;
}

/** The Datastreams of a card: limiting items, then flagged values, then the properties a water station is known by. */
export function telling(thing: ThingShort): DatastreamShort[] {
  const limiting = new Set((thing.verdict?.limiting ?? []).map((item) => item.property));
  const rank = (datastream: DatastreamShort): number =>
    (limiting.has(datastream.property) ? 0 : 100) + core(datastream.property) + (datastream.latest ? 0 : 1000);
  const urgent = (datastream: DatastreamShort): number => {
    const level = severity(datastream.latest?.quality ?? 1);
    return level >= 3 ? level : 0;
  };
  return [...thing.datastreams].sort((a, b) => urgent(b) - urgent(a) || rank(a) - rank(b) || a.key.localeCompare(b.key));
}

/** The Datastreams in the order of a Thing's page, which does not move with the values. */
export function settledOrder(datastreams: DatastreamShort[]): DatastreamShort[] {
  return [...datastreams].sort((a, b) => core(a.property) - core(b.property) || a.key.localeCompare(b.key));
}

function alarm(thing: ThingShort): number {
  const state = STATES[thing.state] ?? 0;
  const missed = thing.verdict?.met === false ? 3 : 0;
  const failing = thing.datastreams.some((datastream) => datastream.latest?.quality === 4) ? 0.5 : 0;
  return Math.max(state, missed) + failing;
}

/** Whether somebody should look: an instrument is gone, or the target class is missed. */
export function isAlarming(thing: ThingShort): boolean {
  return (STATES[thing.state] ?? 0) >= 4 || thing.verdict?.met === false;
}

/** Silent and alarming Things first, then the worse class, then by name. */
export function byAlarm(a: ThingShort, b: ThingShort): number {
  const rank = (thing: ThingShort): number => waterClass(thing.verdict?.class)?.rank ?? 0;
  return alarm(b) - alarm(a) || rank(b) - rank(a) || a.key.localeCompare(b.key);
}
