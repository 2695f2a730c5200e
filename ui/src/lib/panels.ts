/** The panels of a Thing's page: one for each observed property, its Datastreams together. */

import type { DatastreamShort } from './api';
import { settledOrder } from './telling';

export interface PanelGroup {
  property: string;
  datastreams: DatastreamShort[];
}

export const MOST_PANELS = 12;

export function panelsOf(datastreams: DatastreamShort[]): PanelGroup[] {
  const groups = new Map<string, DatastreamShort[]>();
  for (const datastream of settledOrder(datastreams)) {
    const group = groups.get(datastream.property);
    if (group) group.push(datastream);
    else groups.set(datastream.property, [datastream]);
  }
  return [...groups].map(([property, members]) => ({ property, datastreams: members }));
}

/** The panels the address asks for; without a word the first dozen. */
export function chosenPanels(groups: PanelGroup[], asked: string | null): PanelGroup[] {
  if (asked === null) return groups.slice(0, MOST_PANELS);
  const keys = new Set(asked.split(','));
  return groups.filter((group) => keys.has(group.property));
}
