/** Labels of the axes: times in the Thing's zone and the page's language, numbers with the decimals their steps need. */

import type { Language } from '../lib/format';
import { formatNumber } from '../lib/format';

const DAY = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

function written(time: number, language: Language, zone: string, options: Intl.DateTimeFormatOptions): string {
  const key = `${language} ${zone} ${JSON.stringify(options)}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(language === 'zh' ? 'zh-CN' : 'en-GB', { ...options, timeZone: zone, hourCycle: 'h23' });
    formats.set(key, format);
  }
  return format.format(time);
}

/** Two lines: the small step above, what it belongs to (day, year) below where that changes. */
export function timeLabels(splits: number[], step: number, language: Language, zone: string): string[] {
  let before = '';
  return splits.map((time) => {
    let head: string;
    let tail: string;
    if (step < 1000) {
      head = written(time, language, zone, { minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 });
      tail = written(time, language, zone, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
    } else if (step < DAY) {
      head = written(time, language, zone, { hour: '2-digit', minute: '2-digit', ...(step < 60_000 ? { second: '2-digit' as const } : {}) });
      tail = written(time, language, zone, { day: 'numeric', month: 'short' });
    } else if (step < 28 * DAY) {
      head = written(time, language, zone, { day: 'numeric', month: 'short' });
      tail = written(time, language, zone, { year: 'numeric' });
    } else if (step < 360 * DAY) {
      head = written(time, language, zone, { month: 'short' });
      tail = written(time, language, zone, { year: 'numeric' });
    } else {
      head = written(time, language, zone, { year: 'numeric' });
      tail = '';
    }
    const label = tail && tail !== before ? `${head}\n${tail}` : head;
    before = tail;
    return label;
  });
}

export function valueLabels(splits: number[], language: Language): string[] {
  const step = splits.length > 1 ? Math.abs((splits[1] as number) - (splits[0] as number)) : 1;
  const decimals = Math.max(0, Math.min(8, -Math.floor(Math.log10(step || 1) + 1e-9)));
  const exact = Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) < 1e-6 ? decimals : decimals + 1;
  return splits.map((value) => formatNumber(value, exact, language));
}
