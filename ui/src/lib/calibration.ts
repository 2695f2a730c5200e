/** What calibration records say, read for tables. */

import type { CalibrationRecord, Deviation } from './api';
import type { Language } from './format';

export type Stage = 'as_found' | 'as_left';

/** Which reading a stage's deviations are of: computed ones are of those before. */
function reading(record: CalibrationRecord, stage: Stage): 'before' | 'after' {
  return stage === 'as_found' || record.outcome[stage]?.computed ? 'before' : 'after';
}

/** The deviation of one point at a stage, or that of largest size; null where nothing was read. */
export function stageOf(record: CalibrationRecord, stage: Stage, point: number | null = null): Deviation | null {
  const outcome = record.outcome[stage];
  if (!outcome) return null;
  if (point === null) {
    const known = outcome.points.filter((one) => one.deviation !== null);
    return known.reduce<Deviation | null>((worst, one) => (worst === null || Math.abs(one.deviation ?? 0) > Math.abs(worst.deviation ?? 0) ? one : worst), null);
  }
  // Deviations stand in the order of the points that were read at this stage; others are left out.
  const name = reading(record, stage);
  if (record.points[point]?.[name] === null || record.points[point] === undefined) return null;
  const before = record.points.slice(0, point).filter((one) => one[name] !== null).length;
  return outcome.points[before] ?? null;
}

/** What a record came to, in one word. */
export function resultOf(record: CalibrationRecord): string {
  if (record.passed === false) return 'failed';
  if (record.expired.length) return 'expired_standard';
  return record.passed === null ? 'unjudged' : 'passed';
}

const UNITS: Record<string, string> = { h: '小时', d: '天', w: '周', m: '个月', y: '年' };

/** "30 d" as it is written; in Chinese with the words for it. */
export function intervalText(every: string, language: Language): string {
  const found = /^(\d+)\s*([a-z])/.exec(every);
  return language === 'zh' && found ? `${found[1]} ${UNITS[found[2] ?? ''] ?? ''}`.trim() : every;
}
