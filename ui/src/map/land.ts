/** Natural Earth's land (public domain, by world-atlas), as hashed files of the build, read once. */

import type { Feature, FeatureCollection } from 'geojson';
import { feature } from 'topojson-client';
import type { Topology } from 'topojson-specification';
import coarse from 'world-atlas/land-110m.json?url';
import fine from 'world-atlas/land-50m.json?url';

export type Land = Feature | FeatureCollection;

const FILES = { coarse, fine };
const read: Partial<Record<keyof typeof FILES, Promise<Land | null>>> = {};

export function land(detail: keyof typeof FILES): Promise<Land | null> {
  return (read[detail] ??= fetch(FILES[detail])
    .then((response) => response.json() as Promise<Topology>)
    .then((topology) => feature(topology, topology.objects['land'] as Topology['objects'][string]) as Land)
    .catch(() => null));
}
