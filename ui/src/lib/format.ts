/** Numbers to the digits their uncertainty allows, times in the Thing's zone, ages in the server's time. */

export type Language = 'en' | 'zh';
const LOCALES: Record<Language, string> = { en: 'en-GB', zh: 'zh-CN' };

/** Coverage factor of every uncertainty shown: U = 2u, about 95 %. */
export const COVERAGE = 2;
const MINUS = '\u2212';

const numberFormats = new Map<string, Intl.NumberFormat>();

export function formatNumber(value: number, decimals: number, language: Language): string {
  const places = Math.min(Math.max(decimals, 0), 12);
  const key = `${language} ${places}`;
  let format = numberFormats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(LOCALES[language], { minimumFractionDigits: places, maximumFractionDigits: places });
    numberFormats.set(key, format);
  }
  const text = format.format(value);
  const isNegativeZero = /^-[0.,\s]*$/.test(text);
  return isNegativeZero ? text.slice(1) : text.replace('-', MINUS);
}

/** How many decimals U leaves: two significant digits of U when it begins with 1 or 2, one otherwise; may be negative. */
export function decimalsOf(expanded: number): number {
  const digits = expanded.toExponential(1);
  const lead = Number(digits[0]);
  const exponent = Number(digits.slice(digits.indexOf('e') + 1));
  return (lead <= 2 ? 1 : 0) - exponent;
}

function toPlace(value: number, decimals: number): number {
  if (decimals >= 0) return value;
  const unit = 10 ** -decimals;
  return Math.round(value / unit) * unit;
}

export interface Quantity {
  value: string;
  /** The expanded uncertainty, empty when unknown. */
  expanded: string;
}

/** A result and its U = 2u; without an uncertainty the property's own reporting decimals. `uncertainty` is u (k = 1). */
export function formatQuantity(
  value: number | null | undefined,
  uncertainty: number | null | undefined,
  decimals: number | null,
  language: Language,
): Quantity {
  if (value === null || value === undefined || !Number.isFinite(value)) return { value: '–', expanded: '' };
  if (uncertainty === null || uncertainty === undefined || !(uncertainty > 0) || !Number.isFinite(uncertainty)) {
    return { value: decimals === null ? formatPlain(value, language, 5) : formatNumber(value, decimals, language), expanded: '' };
  }
  const expanded = COVERAGE * uncertainty;
  const places = decimalsOf(expanded);
  return {
    value: formatNumber(toPlace(value, places), places, language),
    expanded: formatNumber(toPlace(expanded, places), places, language),
  };
}

/** A bare number with as many digits as it has, at most `digits` significant ones. */
export function formatPlain(value: number, language: Language, digits = 6): string {
  return new Intl.NumberFormat(LOCALES[language], { maximumSignificantDigits: digits })
    .format(value)
    .replace('-', MINUS);
}

export function formatCount(value: number, language: Language): string {
  return new Intl.NumberFormat(LOCALES[language], { maximumFractionDigits: 0 }).format(value);
}

const AGE_UNITS: [number, string, string][] = [
  [86_400_000, 'd', '天'],
  [3_600_000, 'h', '小时'],
  [60_000, 'min', '分钟'],
  [1000, 's', '秒'],
];

/** "40 s", "12 min", "3 h", "9 d": one unit, rounded down, never below zero. */
export function formatAge(milliseconds: number, language: Language): string {
  const age = Math.max(0, milliseconds);
  for (const [size, en, zh] of AGE_UNITS) {
    if (age >= size || size === 1000) {
      const count = Math.floor(age / size);
      return `${count} ${language === 'zh' ? zh : en}`;
    }
  }
  return '';
}

/** A span as people name it: "24 h", "7 d". */
export function formatSpan(milliseconds: number, language: Language): string {
  for (const [size, en, zh] of AGE_UNITS) {
    if (milliseconds >= size * (size === 86_400_000 ? 2 : 1)) {
      const count = milliseconds / size;
      const text = count >= 10 || Number.isInteger(count) ? String(Math.round(count)) : count.toFixed(1);
      return `${text} ${language === 'zh' ? zh : en}`;
    }
  }
  return `${Math.round(milliseconds)} ${language === 'zh' ? '毫秒' : 'ms'}`;
}

const timeFormats = new Map<string, Intl.DateTimeFormat>();

function timeFormat(language: Language, zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${zone} ${JSON.stringify(options)}`;
  let format = timeFormats.get(key);
  if (!format) {
    try {
      format = new Intl.DateTimeFormat(LOCALES[language], { ...options, timeZone: zone, hourCycle: 'h23' });
    } catch {
      format = new Intl.DateTimeFormat(LOCALES[language], { ...options, timeZone: 'UTC', hourCycle: 'h23' });
    }
    timeFormats.set(key, format);
  }
  return format;
}

const DATE: Intl.DateTimeFormatOptions = { year: 'numeric', month: '2-digit', day: '2-digit' };
const CLOCK: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' };

export function formatTime(time: number, language: Language, zone: string, withSeconds = true): string {
  const seconds: Intl.DateTimeFormatOptions = withSeconds ? { second: '2-digit' } : {};
  return timeFormat(language, zone, { ...DATE, ...CLOCK, ...seconds }).format(time).replace(',', '');
}

export function formatClock(time: number, language: Language, zone: string): string {
  return timeFormat(language, zone, { ...CLOCK, second: '2-digit' }).format(time);
}

export function formatDate(time: number, language: Language, zone: string): string {
  return timeFormat(language, zone, DATE).format(time);
}

/** "UTC+8", the offset a zone has at a moment. */
export function zoneOffset(time: number, zone: string): string {
  const parts = timeFormat('en', zone, { timeZoneName: 'shortOffset' }).formatToParts(time);
  const name = parts.find((part) => part.type === 'timeZoneName')?.value ?? 'UTC';
  return name.replace('GMT', 'UTC');
}
