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

/** The field at which a refusal of a whole part is said. */
function fieldOf(part: string): string {
  if (/^(?:trial|maintenance\[\d+\])$/.test(part)) return `${part}.end`;
  return /^(?:(?:candidate|reference|sample)\[\d+\]|condition\.[^.]+)$/.test(part) ? `${part}.datastream` : part;
}

/** The key of the plan that a refusal is about: as the server names it, else as its words begin, else by a name in them. */
export function keyOf(error: ApiError | null, plan: PlanDocument): string {
  if (!error) return '';
  const told = KEY.exec(error.place) ?? KEY.exec(error.message);
  if (told?.[1]) return fieldOf(told[1]);
  const twice = /two (instruments|endpoints) are called '(.*?)'/.exec(error.message);
  if (twice) {
    const lists = twice[1] === 'endpoints' ? (['endpoint'] as const) : (['reference', 'candidate'] as const);
    for (const list of lists) {
      const at = plan[list].findLastIndex((one) => one.name === twice[2]);
      if (at >= 0) return `${list}[${at}].name`;
    }
  }
  const named = /endpoint '(.*?)'/.exec(error.message)?.[1];
  const at = plan.endpoint.findIndex((one: EndpointPlan) => one.name === named);
  if (named === undefined || at < 0) return fieldOf(error.place);
  return `endpoint[${at}].${/against samples/.test(error.message) ? 'against' : /margin|share/.test(error.message) ? 'margin' : 'name'}`;
}

/** What a refusal says, without the key that the field shows already. */
export function saidOf(error: ApiError): string {
  const said = error.message.endsWith(` · ${error.place}`) ? error.message.slice(0, -error.place.length - 3) : error.message;
  const bareWords = said.replace(/^[\w.[\]-]+(?: = (?:\{.*\}|\[.*\]|.*?))?: (?=\S)/s, '');
  return bareWords || said;
}

/** A time of a plan as a field of a form has it: by the clocks of the plan's zone. */
export function localTime(text: string | null | undefined, zone: string): string {
  if (!text || !/(Z|[+-]\d\d:\d\d)$/.test(text)) return (text ?? '').slice(0, 16);
  return new Date(text).toLocaleString('sv-SE', { timeZone: zone }).replace(' ', 'T').slice(0, 16);
}

/** Whether a field stands for a key: it or a part of it. */
export function isAbout(key: string, field: string): boolean {
  return key === field || key.startsWith(`${field}.`) || key.startsWith(`${field}[`);
}

/** The fields that the form has; a refusal of another key is told at its end. */
export const FIELDS = /^(?:trial\.(?:title|question|place|property|unit|start|end|cleaning|responsible|time_zone|standard|range_edges)|(?:candidate|reference)\[\d+\]\.(?:datastream|name|maker|model|serial|lot|every|t90|uncertainty|certificate)|endpoint\[\d+\]\.(?:name|statistic|margin|unit|relative|kind|origin|alpha|source|against)|condition\.[^.]+(?:\.(?:datastream|edges))?(?:\[\d+\])?|maintenance\[\d+\](?:\.(?:start|end|kind|reason))?|sample\[\d+\]\.(?:name|datastream|laboratory|method|uncertainty|window))$/;
