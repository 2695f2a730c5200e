/** The lines and the words of a QC profile. */

import type { Threshold } from '../charts/drawing';
import type { CalibrationRow, ProfileTest } from './api';
import { formatPlain, type Language } from './format';
import { messages } from './messages';

/** The spans of the gross range test as lines; other tests judge changes, which have no line. */
export function thresholdsOf(tests: ProfileTest[]): Threshold[] {
  const found: Threshold[] = [];
  for (const test of tests) {
    if (!test.name.startsWith('gross_range')) continue;
    for (const [name, value] of Object.entries(test.parameters)) {
      const kind = name.includes('fail') ? 'fail' : name.includes('suspect') ? 'suspect' : null;
      if (!kind) continue;
      for (const limit of Array.isArray(value) ? value : [value]) if (typeof limit === 'number') found.push({ value: limit, kind });
    }
  }
  return found;
}

export function parameterText(value: unknown, language: Language): string {
  if (typeof value === 'number') return formatPlain(value, language);
  if (Array.isArray(value)) {
    const between = value.some((part) => part !== null && typeof part === 'object' && !Array.isArray(part)) ? '; ' : ' … ';
    return value.map((part) => parameterText(part, language)).join(between);
  }
  if (value === null || value === undefined) return '–';
  if (typeof value === 'object') return spanText(value, language) ?? JSON.stringify(value);
  return String(value);
}

/** A span of doubt of a calibration: its days, and why. */
function spanText(value: object, language: Language): string | null {
  const span = value as { from?: unknown; to?: unknown; reason?: unknown };
  if (typeof span.from !== 'string') return null;
  const to = typeof span.to === 'string' ? span.to.slice(0, 10) : '';
  const reasons = messages as Record<string, readonly [string, string]>;
  const reason = reasons[`calibration.state.${String(span.reason)}`]?.[language === 'zh' ? 1 : 0] ?? '';
  return `${span.from.slice(0, 10)} – ${to} ${reason}`.trim();
}

function numbers(value: unknown): number[] {
  return Array.isArray(value) ? value.filter((part): part is number => typeof part === 'number') : [];
}

/** What kind of map it is; an Observation's evidence says so in the document only. */
export function kindOf(calibration: CalibrationRow): string {
  return calibration.kind ?? String(calibration.document?.['kind'] ?? 'identity');
}

export function certificateOf(calibration: CalibrationRow): string | null {
  const certificate = calibration.certificate ?? calibration.document?.['certificate'];
  return typeof certificate === 'string' && certificate !== '' ? certificate : null;
}

/** "y = −0.1 + 0.98 x" of a polynomial, "12 points" of a table, its own words otherwise. */
export function functionText(calibration: CalibrationRow, language: Language): string {
  const document = calibration.document ?? {};
  const kind = kindOf(calibration);
  const coefficients = numbers(document['coefficients']);
  if (coefficients.length > 0) {
    const covariance = document['covariance'];
    const uncertainties = Array.isArray(covariance)
      ? covariance.map((row: unknown, index) => Math.sqrt(numbers(row)[index] ?? 0))
      : numbers(document['coefficient_uncertainties']);
    const powers = ['', ' x', ' x²', ' x³', ' x⁴', ' x⁵'];
    const terms = coefficients.map((value, power) => {
      const u = uncertainties[power];
      const size = formatPlain(Math.abs(value), language);
      const text = u ? `(${size} ± ${formatPlain(2 * u, language, 2)})` : size;
      return `${value < 0 ? '− ' : power ? '+ ' : ''}${text}${powers[power] ?? ` x^${power}`}`;
    });
    return `y = ${terms.join(' ')}`;
  }
  const table = document['table'] ?? document['points'];
  if (Array.isArray(table)) return `${table.length} × (x, y)`;
  return kind === 'identity' ? 'y = x' : '';
}

export function residualText(calibration: CalibrationRow, language: Language): string {
  const value = calibration.document?.['residual_uncertainty'];
  return typeof value === 'number' ? formatPlain(value, language, 2) : '–';
}
