import { describe, expect, it } from 'vitest';
import { extent } from '../src/charts/drawing';
import { emptyColumns } from '../src/lib/series';

function line(...values: [result: number | null, quality: number][]) {
  const columns = emptyColumns();
  values.forEach(([result, quality], row) => {
    columns.time.push(row);
    columns.result.push(result);
    columns.quality.push(quality);
    columns.uncertainty.push(0.5);
  });
  return { columns, step: 1 };
}

describe('the scale of a chart', () => {
  it('holds every good value, with the band where it is drawn', () => {
    expect(extent([line([1, 1], [3, 1])], 0, 9, false)).toEqual([1, 3]);
    expect(extent([line([1, 1], [3, 1])], 0, 9, true)).toEqual([0, 4]);
  });
  it('holds a suspect value that leaves the good ones readable', () => {
    expect(extent([line([1, 1], [3, 1], [8, 3])], 0, 9, false)).toEqual([1, 8]);
  });
  it('is not set by a flagged value far away, which is drawn at the edge', () => {
    expect(extent([line([1, 1], [3, 1], [500, 3], [-900, 4])], 0, 9, false)).toEqual([1, 3]);
  });
  it('is that of the flagged values when there are no others', () => {
    expect(extent([line([5, 4], [7, 4])], 0, 9, false)).toEqual([5, 7]);
    expect(extent([line([2, 3], [4, 3])], 0, 9, false)).toEqual([2, 4]);
  });
  it('is unknown without a value', () => {
    expect(extent([line([null, 9])], 0, 9, false)).toBeNull();
  });
});
