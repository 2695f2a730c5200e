import { describe, expect, it } from 'vitest';
import type { Columns } from '../src/lib/api';
import { append, emptyColumns, gaps, nearest, samplesOf, settle, trim, usualStep } from '../src/lib/series';

function rows(...items: [id: number, time: number, result: number, sample?: number][]): Columns {
  const columns = emptyColumns();
  for (const [id, time, result, sample = 0] of items) {
    columns.id.push(id);
    columns.time.push(time);
    columns.result.push(result);
    columns.raw_result.push(null);
    columns.uncertainty.push(null);
    columns.quality.push(1);
    columns.tests.push(null);
    columns.mark.push(null);
    columns.censored.push(0);
    columns.sample.push(sample);
  }
  return columns;
}

describe('live rows', () => {
  it('are appended in time order, late ones where they belong', () => {
    const target = rows([1, 10, 1], [2, 30, 3]);
    append(target, rows([3, 40, 4], [4, 20, 2]));
    expect(target.time).toEqual([10, 20, 30, 40]);
    expect(target.result).toEqual([1, 2, 3, 4]);
  });
  it('revise the row of the same id in place', () => {
    const target = rows([1, 10, 1], [2, 20, 2]);
    append(target, rows([2, 20, 5]));
    expect(target.id).toEqual([1, 2]);
    expect(target.result).toEqual([1, 5]);
  });
  it('of check samples stay out of the water', () => {
    const target = rows([1, 10, 1]);
    const found = rows([2, 20, 2, 3], [3, 30, 3]);
    expect(append(target, found)).toBe(1);
    expect(target.time).toEqual([10, 30]);
    expect(samplesOf(found).id).toEqual([2]);
  });
  it('settle a flag in every column that carries it', () => {
    const target = rows([1, 10, 1], [2, 20, 2]);
    expect(settle(target, { id: [1, 99], quality: [3, 4], tests: ['113', '4'] })).toBe(1);
    expect(target.quality).toEqual([3, 1]);
    expect(target.tests).toEqual(['113', null]);
  });
  it('leave from the left but for one row, so that the line still enters', () => {
    const target = rows([1, 10, 1], [2, 20, 2], [3, 30, 3], [4, 40, 4]);
    trim(target, 35);
    expect(target.time).toEqual([30, 40]);
    expect(target.sample).toHaveLength(2);
  });
});

describe('time between rows', () => {
  it('has a usual step, and gaps where it is exceeded five times', () => {
    const times = [0, 60, 120, 180, 240, 1000, 1060];
    expect(usualStep(times)).toBe(60);
    expect(gaps(times)).toEqual([[240, 1000]]);
  });
  it('knows no step below two rows', () => {
    expect(usualStep([5])).toBe(0);
    expect(gaps([5])).toEqual([]);
  });
  it('finds the nearest row', () => {
    expect(nearest([10, 20, 40], 29)).toBe(1);
    expect(nearest([10, 20, 40], 31)).toBe(2);
    expect(nearest([], 3)).toBe(-1);
  });
});
