/** The time on screen, as it stands in the address: following now over a span, or fixed between two moments. */

export type Span = { follow: true; length: number } | { follow: false; start: number; end: number };

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
export const PRESETS = ['1h', '6h', '24h', '7d', '30d', '365d'];
export const SHORTEST = 1000;

export function parseLength(text: string | null): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text ?? '');
  if (!match) return undefined;
  const length = Number(match[1]) * (UNITS[match[2] as string] as number);
  return length >= SHORTEST ? length : undefined;
}

export function lengthText(length: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = UNITS[unit] as number;
    if (length % size === 0 && (unit !== 'd' || length > size)) return `${length / size}${unit}`;
  }
  return `${Math.max(1, Math.round(length / 1000))}s`;
}

function moment(text: string | null): number | undefined {
  if (!text) return undefined;
  const time = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isFinite(time) ? time : undefined;
}

/** Reads `start` and `end`, or `range`; what cannot be read becomes `fallback`. */
export function readSpan(query: URLSearchParams, fallback = '24h'): Span {
  const start = moment(query.get('start'));
  const end = moment(query.get('end'));
  if (start !== undefined && end !== undefined && end - start >= SHORTEST) return { follow: false, start, end };
  return { follow: true, length: parseLength(query.get('range')) ?? (parseLength(fallback) as number) };
}

/** The address parameters of a span; null means: leave it out. */
export function writeSpan(span: Span, fallback = '24h'): Record<'start' | 'end' | 'range', string | null> {
  if (!span.follow) {
    const iso = (time: number) => new Date(Math.round(time)).toISOString().replace('.000Z', 'Z');
    return { start: iso(span.start), end: iso(span.end), range: null };
  }
  const text = lengthText(span.length);
  return { start: null, end: null, range: text === fallback ? null : text };
}

/** The moments a span covers when the server's clock shows `now`. A little room is left on the right while following. */
export function bounds(span: Span, now: number): [number, number] {
  return span.follow ? [now - span.length, now + span.length * 0.01] : [span.start, span.end];
}
