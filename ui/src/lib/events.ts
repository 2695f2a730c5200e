/** What happened, in words. */

import type { LogEvent } from './api';
import { i18n, word } from './i18n.svelte';

/** The server's own words, or its fields put together: "sonde · 1: silent · no answer for 30 s". */
export function eventText(event: LogEvent): string {
  const { detail } = event;
  const own = detail[i18n.language] ?? detail.en;
  if (typeof own === 'string') return own;
  const text = (name: string): string => (typeof detail[name] === 'string' ? (detail[name] as string) : '');
  if (text('state')) {
    const subject = [text('source'), text('device')].filter(Boolean).join(' · ');
    return [subject ? `${subject}: ${word('state', text('state'))}` : word('state', text('state')), text('detail')].filter(Boolean).join(' · ');
  }
  return Object.entries(detail)
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(' · ');
}
