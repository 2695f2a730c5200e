import { describe, expect, it } from 'vitest';
import { between, changeOf, decimalsBeside, figureText, reach, ticks, toneOf, withDefaults, type Figure, type PlanDocument } from '../src/lib/trials';

const figure = (value: number | null, low: number | null, high: number | null): Figure => ({
  name: 'bias', value, unit: 'mg L-1', interval: [low, high], probability: 0.95, n: 9, n_effective: null, method: '', note: '',
});

describe('a figure of a trial', () => {
  it('is told to the digits its interval allows', () => {
    expect(figureText(figure(0.04967, 0.02399, 0.07535), 'en')).toBe('0.050 [0.024, 0.075]');
    expect(figureText(figure(1234.5, 1100, 1400), 'en')).toBe('1,235 [1,100, 1,400]');
    expect(decimalsBeside(null, null, null)).toBe(1);
  });
  it('is told without an interval where there is none', () => {
    expect(figureText(figure(0.017214, null, null), 'en')).toBe('0.01721');
    expect(figureText(figure(null, null, null), 'en')).toBe('–');
  });
});

describe('an answer', () => {
  it('never takes an inconclusive trial for a pass', () => {
    expect(['non_inferior', 'equivalent', 'inferior', 'inconclusive', 'not_tested'].map(toneOf)).toEqual(['good', 'good', 'bad', 'warn', 'idle']);
  });
});

describe('a plan in the form', () => {
  it('shows what the plan means where it says nothing', () => {
    const plan = { trial: { title: 't', property: 'ph', unit: '1' }, candidate: [], reference: [], endpoint: [{ name: 'e', statistic: 'rmse', margin: 1 }], sample: [{ name: 'w' }] };
    const shown = withDefaults(plan as PlanDocument);
    expect(shown.endpoint[0]).toEqual({ name: 'e', statistic: 'rmse', margin: 1, kind: 'non_inferiority', alpha: 0.025, origin: 'user' });
    expect(shown['sample']).toEqual([{ name: 'w' }]);
  });
});

describe('an axis', () => {
  it('has round values within its reach', () => {
    expect(ticks(-0.31, 0.62, 5)).toEqual([-0.2, 0, 0.2, 0.4, 0.6000000000000001]);
    expect(reach([1, null, 3], 0)).toEqual([1, 3]);
    expect(reach([], 0)).toEqual([0, 1]);
  });
});

describe('an amendment', () => {
  it('tells of a list what came and went, and of anything else what it was and is', () => {
    const [first, second] = [{ start: 'a', kind: 'cleaning', reason: '', start_column: 'start' }, { start: 'b', kind: 'cleaning' }];
    expect(changeOf([first], [first, second])).toEqual({ gone: [], come: ['start b, kind cleaning'] });
    expect(changeOf(0.2, null)).toEqual({ gone: ['0.2'], come: ['–'] });
  });
});

describe('the band of a line', () => {
  it('runs along its upper edge and back along the lower', () => {
    const [px, py] = [(value: number) => 10 * value, (value: number) => 100 - value];
    expect(between([1, 2], [3, 4], [5, 6], px, py)).toBe('10.0,95.0 20.0,94.0 20.0,96.0 10.0,97.0');
    expect(between([1, 2], [3, null], [5, 6], px, py)).toBe('');
  });
});
