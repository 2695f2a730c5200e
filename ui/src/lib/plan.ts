/** A plan in the form: fields added, removed and put in order, and which of them a refusal is about. */

import type { ApiError } from './api';
import type { EndpointPlan, PlanDocument } from './trials';

/** What is sent: empty fields left out, so that the plan says what was said and no more. */
export function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== '' && part !== null && part !== undefined && !(Array.isArray(part) && part.length === 0))
      .map(([name, part]) => [name, bare(part)]),
  );
}

/** Puts one of a list before the one above it, or behind the one below. */
export function moved<T>(list: T[], at: number, by: -1 | 1): T[] {
  const made = [...list];
  const [one] = made.splice(at, 1);
  if (one === undefined || at + by < 0 || at + by > made.length) return list;
  made.splice(at + by, 0, one);
  return made;
}

/** "5, 10 15" as numbers; null where it is none, which the field says. */
export function edgesOf(text: string): number[] | null {
  const parts = text.split(/[\s,;，；、]+/).filter(Boolean);
  const found = parts.map(Number);
  return found.every(Number.isFinite) ? found : null;
}

const KEY = /^((?:trial|candidate|reference|endpoint|condition|maintenance|sample|alignment)(?:\[\d+\]|\.[\w-]+)+)/;

/** The key of the plan that a refusal is about: as the server names it, else as its words begin, else by the name of an endpoint. */
export function keyOf(error: ApiError | null, plan: PlanDocument): string {
  if (!error) return '';
  const told = KEY.exec(error.place) ?? KEY.exec(error.message);
  if (told?.[1]) return told[1];
  const named = /^(?:\$?: )?.*?endpoint '(.*?)'/.exec(error.message)?.[1];
  const at = plan.endpoint.findIndex((one: EndpointPlan) => one.name === named);
  if (named === undefined || at < 0) return error.place;
  return `endpoint[${at}].${/margin|share/.test(error.message) ? 'margin' : /condition/.test(error.message) ? 'condition' : 'name'}`;
}

/** Whether a field stands for a key: it or a part of it. */
export function isAbout(key: string, field: string): boolean {
  return key === field || key.startsWith(`${field}.`) || key.startsWith(`${field}[`);
}

/** The fields that the form has; a refusal of another key is told at its end. */
export const FIELDS = /^(?:trial\.(?:title|question|place|property|unit|start|end|cleaning|responsible|time_zone|standard|range_edges)|(?:candidate|reference)\[\d+\]\.(?:datastream|name|maker|model|serial|lot|every|t90|uncertainty|certificate)|endpoint\[\d+\]\.(?:name|statistic|margin|unit|relative|kind|origin|alpha|source|against)|condition\.[^.]+(?:\.(?:datastream|edges))?(?:\[\d+\])?|maintenance\[\d+\](?:\.(?:start|end|kind|reason))?|sample\[\d+\]\.(?:name|datastream|laboratory|method|uncertainty|window))$/;
