import { expect, test } from 'vitest';
import type { CalibrationRecord, Deviation } from '../src/lib/api';
import { intervalText, resultOf, stageOf } from '../src/lib/calibration';
import { parameterText } from '../src/lib/profile';

const read = (deviation: number): Deviation => ({ deviation, percent: null, uncertainty: 0.01, passed: true });
const point = (before: number | null, after: number | null) => ({ standard: null, value: 7, unit: '1', uncertainty: null, before, after, readings: null, spread: null, temperature: null });
const record = (more: Partial<CalibrationRecord>): CalibrationRecord =>
  ({ passed: true, expired: [], points: [], outcome: {}, ...more }) as unknown as CalibrationRecord;

test('deviations belong to the points that were read at their stage', () => {
  const one = record({
    points: [point(null, 7.01), point(4.1, null), point(9.9, 10.02)],
    outcome: { as_found: { points: [read(0.1), read(-0.3)], largest: -0.3, passed: false }, as_left: { points: [read(0.01), read(0.02)], largest: 0.02, passed: true } },
  });
  expect([0, 1, 2].map((at) => stageOf(one, 'as_found', at)?.deviation ?? null)).toEqual([null, 0.1, -0.3]);
  expect([0, 1, 2].map((at) => stageOf(one, 'as_left', at)?.deviation ?? null)).toEqual([0.01, null, 0.02]);
  expect(stageOf(one, 'as_found')?.deviation).toBe(-0.3);
  const computed = record({ points: [point(4.1, null)], outcome: { as_left: { points: [read(0)], largest: 0, passed: true, computed: true } } });
  expect(stageOf(computed, 'as_left', 0)?.deviation).toBe(0);
  expect(stageOf(computed, 'as_found')).toBeNull();
});

test('a record comes to one word', () => {
  expect(resultOf(record({}))).toBe('passed');
  expect(resultOf(record({ passed: null }))).toBe('unjudged');
  expect(resultOf(record({ expired: ['ph7'] }))).toBe('expired_standard');
  expect(resultOf(record({ passed: false, expired: ['ph7'] }))).toBe('failed');
});

test('spans of doubt are told in days and words', () => {
  const spans = [{ from: '2024-06-01T12:00:00+00:00', to: '2024-06-02T00:00:00+00:00', reason: 'overdue' }, { from: '2024-07-01T00:00:00+00:00', reason: 'failed' }];
  expect(parameterText(spans[0], 'en')).toBe('2024-06-01 – 2024-06-02 overdue');
  expect(parameterText(spans[1], 'zh')).toBe('2024-07-01 –  不合格');
});

test('an interval is told in words of the language', () => {
  expect(intervalText('3 months', 'zh')).toBe('3 个月');
  expect(intervalText('30 d', 'zh')).toBe('30 天');
  expect(intervalText('30 d', 'en')).toBe('30 d');
});
